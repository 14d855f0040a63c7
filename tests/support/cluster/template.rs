//! The data folder of a new cluster, made once by `initdb`, which takes a second, and then copied.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::keeper::Keeper;
use super::programs;

/// Changes when [`make`] makes something else.
const EDITION: u32 = 1;

/// The superuser's name, and its password.
pub(super) const SUPERUSER: &str = "postgres";

/// Fills `data` with a new cluster of the programs in `folder`.
pub(super) fn place(folder: &Path, data: &Path) {
    let kept = kept(folder);
    if !kept.is_dir() {
        make(folder, &kept);
    }
    copy(&kept, data);
    programs::give_to_owner(data);
}

/// Where the cluster of this version is kept for all tests.
fn kept(folder: &Path) -> PathBuf {
    let output = programs::as_owner(folder.join("postgres")).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let plain = version.trim().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{EDITION}-{plain}"))
}

fn make(folder: &Path, kept: &Path) {
    let arguments = ["--username", SUPERUSER, "--auth", "scram-sha-256", "--pwfile", "password"];
    let further =
        ["--encoding", "UTF8", "--locale", "C", "--wal-segsize", "1", "--no-sync", "data"];
    let mut keeper =
        Keeper::new("TERM", &folder.join("initdb"), &[&arguments[..], &further].concat());
    let password = keeper.folder().join("password");
    std::fs::write(&password, SUPERUSER).unwrap();
    programs::give_to_owner(&password);
    keeper.run();
    keep(&keeper.folder().join("data"), kept);
}

/// Keeps a copy in one move, so that no test finds half of it. Who comes second has made the same,
/// and lets it go.
fn keep(data: &Path, kept: &Path) {
    let parent = kept.parent().unwrap();
    std::fs::create_dir_all(parent).unwrap();
    let own = tempfile::tempdir_in(parent).unwrap();
    copy(data, &own.path().join("data"));
    let _first = std::fs::rename(own.path().join("data"), kept);
    assert!(kept.is_dir(), "the new cluster could not be kept as {}", kept.display());
}

/// Copies files and folders, which no other user may look into, as PostgreSQL demands.
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
