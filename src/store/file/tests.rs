use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The names of a folder's entries.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_file_has_the_mode_of_any_new_file() {
    let folder = folder();
    let [ours, any] = ["ours", "any"].map(|name| folder.path().join(name));
    write_file(&ours, b"new").unwrap();
    fs::write(&any, "").unwrap();
    assert_eq!((text(&ours).as_str(), mode(&ours)), ("new", mode(&any)));
    assert_eq!(names(&folder), ["any", "ours"]);
}

#[test]
fn a_file_is_replaced_atomically_and_its_mode_stays() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "older and longer").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let before = File::open(&path).unwrap();
    write_file(&path, b"new").unwrap();
    assert_eq!((text(&path).as_str(), mode(&path)), ("new", 0o600));
    assert_eq!(io::read_to_string(before).unwrap(), "older and longer");
    assert_eq!(names(&folder), ["file"]);
}

#[test]
fn links_are_followed_to_existing_and_to_missing_files() {
    for is_there in [true, false] {
        let folder = folder();
        let real = folder.path().join("real");
        if is_there {
            fs::write(&real, "old").unwrap();
        }
        symlink("real", folder.path().join("second")).unwrap();
        symlink("second", folder.path().join("first")).unwrap();
        write_file(&folder.path().join("first"), b"new").unwrap();
        assert_eq!(text(&real), "new");
        assert_eq!(names(&folder), ["first", "real", "second"]);
        assert!(folder.path().join("first").is_symlink() && !real.is_symlink());
    }
}

#[test]
fn a_file_with_several_hard_links_has_the_new_text_under_each() {
    let folder = folder();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    fs::write(&one, "old").unwrap();
    fs::hard_link(&one, &other).unwrap();
    write_file(&one, b"new").unwrap();
    assert_eq!([text(&one), text(&other)], ["new", "new"]);
}

#[test]
fn a_pipe_is_written_to_and_one_without_a_reader_is_an_error_at_once() {
    let folder = folder();
    let path = folder.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert_eq!(
        write_file(&path, b"new").unwrap_err().to_string(),
        "it is a pipe that nobody reads, or a socket"
    );
    let flag = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    let mut reader = OpenOptions::new().read(true).custom_flags(flag).open(&path).unwrap();
    write_file(&path, b"new").unwrap();
    let mut read = String::new();
    io::Read::read_to_string(&mut reader, &mut read).unwrap();
    assert_eq!(read, "new");
    assert_eq!(names(&folder), ["pipe"]);
}

/// Only root may make a device. The test makes its own zero device.
#[test]
fn a_device_stays_a_device() {
    let folder = folder();
    let path = folder.path().join("zero");
    let zero = rustix::fs::makedev(1, 5);
    if mknodat(CWD, &path, FileType::CharacterDevice, Mode::from_raw_mode(0o600), zero).is_err() {
        return;
    }
    // On a `nodev` file system the device cannot be opened, and that is the error.
    let written = write_file(&path, b"new");
    assert!(written.is_ok() || OpenOptions::new().write(true).open(&path).is_err(), "{written:?}");
    assert!(!fs::metadata(&path).unwrap().is_file());
    assert_eq!(names(&folder), ["zero"]);
}

#[test]
fn the_name_of_a_folder_is_refused_and_nothing_is_made() {
    let folder = folder();
    fs::create_dir(folder.path().join("there")).unwrap();
    for name in ["new/", "new/.", "there", "there/", "there/.."] {
        let error = write_file(&folder.path().join(name), b"new").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory, "{name}: {error}");
    }
    assert_eq!(names(&folder), ["there"]);
}

#[test]
fn a_file_is_written_in_place_only_if_its_folder_accepts_no_new_file() {
    for (kind, is_so) in [
        (ErrorKind::PermissionDenied, true),
        (ErrorKind::ReadOnlyFilesystem, true),
        (ErrorKind::ResourceBusy, true),
        (ErrorKind::StorageFull, false),
        (ErrorKind::NotFound, false),
    ] {
        assert_eq!(lets_none_in(&kind.into()), is_so, "{kind}");
    }
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "older and longer").unwrap();
    overwrite(&OpenOptions::new().write(true).open(&path).unwrap(), b"new").unwrap();
    assert_eq!(text(&path), "new");
}

#[test]
fn in_an_own_folder_links_pipes_and_further_names_are_replaced() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("victim"), "mine").unwrap();
    symlink("victim", path("link")).unwrap();
    symlink("missing", path("dangling")).unwrap();
    fs::hard_link(path("victim"), path("second")).unwrap();
    mknodat(CWD, path("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    fs::write(path("own"), "old").unwrap();
    fs::set_permissions(path("own"), Permissions::from_mode(0o600)).unwrap();
    for name in ["link", "dangling", "second", "pipe", "own", "new"] {
        write_own_file(&path(name), b"new").unwrap();
        assert!(path(name).symlink_metadata().unwrap().is_file(), "{name}");
        assert_eq!(text(&path(name)), "new", "{name}");
    }
    assert_eq!((text(&path("victim")).as_str(), mode(&path("own"))), ("mine", 0o600));
    assert!(!path("missing").exists());
    fs::create_dir(path("folder")).unwrap();
    assert!(write_own_file(&path("folder"), b"new").is_err());
    symlink("victim", path("again")).unwrap();
    let error = open_own(OpenOptions::new().append(true), &path("again")).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
}
