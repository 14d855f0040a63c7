//! libpq's file of passwords: <https://www.postgresql.org/docs/current/libpq-pgpass.html>.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::files;
use crate::units::ByteSize;

/// The largest file that is read.
const MAX_PASSFILE: ByteSize = ByteSize(16 << 20);

/// What a line of the file must match.
#[derive(Debug, Clone, Copy)]
pub(super) struct PasswordOwner<'a> {
    /// The names of the host, any of which may be written.
    pub(super) hosts: [&'a str; 2],
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The file of passwords: the one that `PGPASSFILE` names, otherwise `.pgpass` in the home folder.
pub(super) fn passfile() -> Option<PathBuf> {
    let named = std::env::var_os("PGPASSFILE").filter(|file| !file.is_empty());
    let usual = || std::env::home_dir().map(|home| home.join(".pgpass"));
    named.map(PathBuf::from).or_else(usual)
}

/// The password for an owner in a file.
pub(super) fn find_password(file: &Path, owner: PasswordOwner<'_>) -> Option<SecretString> {
    password_in(&read_private(file)?, owner)
}

/// The text of a file, if only its owner may read it. libpq ignores any other file too.
fn read_private(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.mode();
    let others_may = mode & 0o077;
    let bytes = (others_may == 0).then(|| files::read_regular(path, MAX_PASSFILE).ok())??;
    // Lines that are UTF-8 count even if another one is not.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn password_in(text: &str, owner: PasswordOwner<'_>) -> Option<SecretString> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| password_of(line, owner))
}

/// The password of a line `host:port:database:user:password`, if its other fields match.
fn password_of(line: &str, owner: PasswordOwner<'_>) -> Option<SecretString> {
    let port = owner.port.to_string();
    let wanted = [&owner.hosts[..], &[&port], &[owner.database], &[owner.user]];
    let mut rest = line;
    for texts in wanted {
        let (field, after) = split_field(rest);
        rest = after?;
        if field != "*" && !texts.contains(&&*field) {
            return None;
        }
    }
    Some(SecretString::from(split_field(rest).0))
}

/// The first field without its escapes (`\:` and `\\`), and what follows its colon.
fn split_field(text: &str) -> (String, Option<&str>) {
    let (mut field, mut characters) = (String::new(), text.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => return (field, Some(&text[at + 1..])),
            '\\' => field.extend(characters.next().map(|(_, escaped)| escaped)),
            plain => field.push(plain),
        }
    }
    (field, None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    const OWNER: PasswordOwner<'_> =
        PasswordOwner { hosts: ["db.example"; 2], port: 5432, database: "x", user: "u" };

    fn found(text: &str) -> Option<String> {
        password_in(text, OWNER).map(|password| password.expose_secret().to_owned())
    }

    #[test]
    fn the_first_line_that_matches_has_the_password() {
        for (text, password) in [
            ("db.example:5432:x:u:first\ndb.example:5432:x:u:second\n", Some("first")),
            ("other:5432:x:u:no\n*:*:*:*:any", Some("any")),
            ("db.example:5433:x:u:no\r\ndb.example:*:x:u:yes\r\n", Some("yes")),
            ("# db.example:5432:x:u:comment\n", None),
            ("db.example:5432:x:u", None),
            ("db.example:5432:x:other:no", None),
            ("", None),
        ] {
            assert_eq!(found(text).as_deref(), password, "{text}");
        }
    }

    #[test]
    fn colons_and_backslashes_are_escaped() {
        assert_eq!(found(r"db.example:5432:x:u:a\:b\\c:ignored").as_deref(), Some(r"a:b\c"));
        let owner = PasswordOwner { hosts: ["/tmp", "::1"], ..OWNER };
        assert!(password_of(r"\:\:1:5432:x:u:p", owner).is_some());
        assert!(password_of("::1:5432:x:u:p", owner).is_none());
    }

    #[test]
    fn a_file_that_others_may_read_is_ignored() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "*:*:*:*:p").unwrap();
        for (mode, is_read) in [(0o600, true), (0o640, false), (0o604, false)] {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_private(file.path()).is_some(), is_read, "{mode:o}");
        }
        assert!(read_private(Path::new("/nowhere/at/all")).is_none());
    }

    #[test]
    fn a_line_that_is_not_utf8_does_not_hide_the_others() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(file.path(), b"# caf\xe9\n*:*:*:*:p\n").unwrap();
        let password = find_password(file.path(), OWNER).unwrap();
        assert_eq!(password.expose_secret(), "p");
    }
}
