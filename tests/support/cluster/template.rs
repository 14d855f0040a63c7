//! The data folder of a new cluster. `initdb` takes a second, so it runs once and its result is
//! copied.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::keeper::Keeper;
use super::programs;

/// To be increased when the result of [`make`] changes.
const EDITION: u32 = 1;

/// The superuser's name, and its password.
pub(super) const SUPERUSER: &str = "postgres";

/// Fills `data` with a new cluster, made by the programs in `folder`.
pub(super) fn place(folder: &Path, data: &Path) {
    let template = template_path(folder);
    if !template.is_dir() {
        make(folder, &template);
    }
    copy(&template, data);
    programs::give_to_owner(data);
}

/// Where the template of this version is kept for all tests.
fn template_path(folder: &Path) -> PathBuf {
    let output = programs::as_owner(folder.join("postgres")).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let plain = version.trim().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{EDITION}-{plain}"))
}

fn make(folder: &Path, template: &Path) {
    let arguments = ["--username", SUPERUSER, "--auth", "scram-sha-256", "--pwfile", "password"];
    let further =
        ["--encoding", "UTF8", "--locale", "C", "--wal-segsize", "1", "--no-sync", "data"];
    let mut keeper =
        Keeper::new("TERM", &folder.join("initdb"), &[&arguments[..], &further].concat());
    let password = keeper.folder().join("password");
    std::fs::write(&password, SUPERUSER).unwrap();
    programs::give_to_owner(&password);
    keeper.run();
    keep(&keeper.folder().join("data"), template);
}

/// Keeps a copy in one move, so that no test finds half of it. If another test was first, its copy
/// is the same, and this one is discarded.
fn keep(data: &Path, template: &Path) {
    let parent = template.parent().unwrap();
    std::fs::create_dir_all(parent).unwrap();
    let own = tempfile::tempdir_in(parent).unwrap();
    copy(data, &own.path().join("data"));
    let _first = std::fs::rename(own.path().join("data"), template);
    assert!(template.is_dir(), "the new cluster could not be kept as {}", template.display());
}

/// Copies files and folders without access for other users, as PostgreSQL requires.
fn copy(from: &Path, to: &Path) {
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            std::fs::copy(&entry, &to).unwrap();
        }
    }
}
