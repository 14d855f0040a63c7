//! Paths of artifacts: missing rights, links and pipes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

#[test]
fn an_artifact_that_cannot_be_written_ends_with_1_and_says_why() {
    let (target, place) = (target(&[]), Place::new());
    let url = format!("{}/plain", target.base_url);
    fs::write(place.0.path().join("file"), "").unwrap();
    for out in ["file/artifact.json", "..", "folder/"] {
        let output = place.check(&["--url", &url, "--out", out], &[]);
        assert_eq!((code(&output), text(&output.stdout).as_str()), (1, ""), "{out}");
        assert!(text(&output.stderr).contains("cannot be written"), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 1);
}

#[test]
fn a_link_is_followed_and_the_mode_of_an_existing_file_stays() {
    let (target, place) = (target(&[]), Place::new());
    let [real, latest] = ["real.json", "latest.json"].map(|name| place.0.path().join(name));
    fs::write(&real, "older").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("real.json", &latest).unwrap();
    let url = format!("{}/plain", target.base_url);
    let output = place.check(&["--url", &url], &[("SYNTHETIC_CHECK_ARTIFACT", "latest.json")]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with(" artifact=latest.json\n"));
    assert!(latest.is_symlink() && fs::read_to_string(&real).unwrap().starts_with('{'));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_pipe_takes_the_artifact_of_every_request() {
    let (target, place) = (target(&[]), Place::new());
    let url = format!("{}/plain", target.base_url);
    let output =
        place.check(&["--url", &url, "--samples=2", "--json", "--out=/proc/self/fd/2", "-q"], &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let messages = text(&output.stderr);
    assert_eq!(messages.matches("\"durationMs\"").count(), 2, "{messages}");
    assert!(
        printed.trim().split("\n}\n").all(|artifact| messages.contains(artifact)),
        "{printed} in {messages}"
    );
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0);
}
