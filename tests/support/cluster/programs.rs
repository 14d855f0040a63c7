//! The programs of PostgreSQL and `PgBouncer`, and the user who runs them.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Users without special rights. One of them runs the servers if the test runs as root, because
/// PostgreSQL and `PgBouncer` refuse root.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Where Homebrew keeps packages, on both kinds of Mac.
const HOMEBREW: [&str; 2] = ["/opt/homebrew/opt", "/usr/local/opt"];

/// The folder with `postgres`, `initdb` and `psql`.
///
/// It is the folder that `TOLLGATE_TESTS_PG_BIN` names; else that of `pg_config`, that of the
/// newest version from Debian's packages or Homebrew, or a folder of the PATH.
pub(super) fn postgres() -> PathBuf {
    if let Some(named) = std::env::var_os("TOLLGATE_TESTS_PG_BIN").filter(|named| !named.is_empty())
    {
        let named = PathBuf::from(named);
        assert!(
            has_server(&named),
            "TOLLGATE_TESTS_PG_BIN: no postgres, initdb and psql in {}",
            named.display()
        );
        return named;
    }
    let homebrew = HOMEBREW.into_iter().flat_map(|place| versions(Path::new(place), "postgresql"));
    let candidates =
        from_pg_config().into_iter().chain(versions(Path::new("/usr/lib/postgresql"), ""));
    candidates.chain(homebrew).chain(path()).find(|folder| has_server(folder)).unwrap_or_else(|| {
        panic!(
            "no PostgreSQL server programs were found; install them (Debian: apt-get install postgresql, \
             macOS: brew install postgresql@17) or run ./test.sh, name their folder in TOLLGATE_TESTS_PG_BIN, \
             or set TOLLGATE_TESTS_WITHOUT_DATABASE=1 to go without the tests that need them"
        )
    })
}

/// The program `pgbouncer`, which Debian installs in a folder that only root's PATH contains.
pub(super) fn pgbouncer() -> PathBuf {
    let homebrew = HOMEBREW.map(|place| Path::new(place).join("pgbouncer/bin"));
    let folders = path().into_iter().chain([PathBuf::from("/usr/sbin")]).chain(homebrew);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "no PgBouncer was found; install it (Debian: apt-get install pgbouncer, macOS: brew install pgbouncer) \
             or run ./test.sh, or set TOLLGATE_TESTS_WITHOUT_DATABASE=1 to go without the tests that need it"
        )
    })
}

fn has_server(folder: &Path) -> bool {
    ["postgres", "initdb", "psql"].iter().all(|program| folder.join(program).is_file())
}

fn path() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect()
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The `bin` folders of the versions in `place`, the newest first, of folders whose names begin
/// with `prefix`.
fn versions(place: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let mut folders: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    folders.into_iter().map(|folder| folder.join("bin")).collect()
}

/// 17 of `postgresql@17`.
fn version(folder: &Path) -> u32 {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit('@').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// The user and group who own servers and their files; `None` if the test's own user does.
fn owner() -> Option<(u32, u32)> {
    static OWNER: OnceLock<(u32, u32)> = OnceLock::new();
    let is_root = rustix::process::geteuid().is_root();
    is_root.then(|| {
        *OWNER.get_or_init(|| {
            let found = USERS.into_iter().find_map(|name| Some((id("-u", name)?, id("-g", name)?)));
            found.unwrap_or_else(|| {
                panic!("PostgreSQL refuses to run as root, and there is no user {USERS:?}")
            })
        })
    })
}

fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A command that runs as the servers' owner.
pub(super) fn as_owner(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    without_settings(&mut command);
    command
}

/// Removes the variables that would lead PostgreSQL's programs to another server.
pub(super) fn without_settings(command: &mut Command) {
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG"))
    {
        command.env_remove(name);
    }
}

/// Gives a file, or a folder with its content, to the servers' owner.
pub(super) fn give_to_owner(path: &Path) {
    let Some((user, group)) = owner() else { return };
    give(path, user, group);
}

fn give(path: &Path, user: u32, group: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user, group);
        }
    }
}
