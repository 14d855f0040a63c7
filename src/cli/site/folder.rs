//! The folder of a site: a file is written only if its content differs.

use std::fs;
use std::path::{Path, PathBuf};

use super::page_mark::PageMark;
use crate::cli::exit::CommandError;
use crate::files;
use crate::library_text::describe_io;
use crate::store;
use crate::units::{ByteSize, plural};

/// The file that says whom the site in a folder is for.
const AUDIENCE_FILE: &str = ".audience";

/// The largest file that is compared with its new content.
const MAX_FILE: ByteSize = ByteSize(64 << 20);

/// The folder that a site is written into.
pub(super) struct SiteFolder {
    path: PathBuf,
    written: u64,
    unchanged: u64,
}

impl SiteFolder {
    /// Creates the folder if it does not exist. A site for another audience in it is an error: its
    /// pages would stay.
    pub(super) fn open(path: &Path, audience: &str) -> Result<Self, CommandError> {
        fs::create_dir_all(path).map_err(|error| {
            CommandError::usage(format!(
                "error: cannot create {}: {}\n  Name another folder with --out.",
                path.display(),
                describe_io(&error)
            ))
        })?;
        store::remove_leftovers(path);
        let mark = path.join(AUDIENCE_FILE);
        let earlier = files::read_regular(&mark, ByteSize(64)).unwrap_or_default();
        let mut site = Self { path: path.to_owned(), written: 0, unchanged: 0 };
        if earlier.is_empty() {
            site.put(AUDIENCE_FILE, audience.as_bytes())?;
        } else if earlier != audience.as_bytes() {
            return Err(CommandError::usage(format!(
                "error: {} holds a site for another audience ({}), whose pages would stay\n  \
                 Name another folder with --out.",
                path.display(),
                String::from_utf8_lossy(&earlier).escape_default()
            )));
        }
        (site.written, site.unchanged) = (0, 0);
        Ok(site)
    }

    /// Writes a file of the site, given by its path in the folder, unless it is there with the same
    /// content.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), CommandError> {
        let path = self.path.join(name);
        if self.read(name).is_some_and(|there| there == bytes) {
            self.unchanged += 1;
            return Ok(());
        }
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| store::write_own_file(&path, bytes));
        written.map_err(|error| {
            CommandError::usage(format!(
                "error: cannot write {}: {}",
                path.display(),
                describe_io(&error)
            ))
        })?;
        self.written += 1;
        Ok(())
    }

    /// Whether the folder has a page with this mark. It then counts as unchanged.
    pub(super) fn keeps(&mut self, name: &str, mark: &PageMark) -> bool {
        let keeps = self.read(name).is_some_and(|page| mark.is_on(&page));
        self.unchanged += u64::from(keeps);
        keeps
    }

    /// A file of the site as it is. What is not a regular file of its own is written anew.
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.path.join(name);
        let is_own = fs::symlink_metadata(&path).is_ok_and(|there| there.is_file());
        is_own.then(|| files::read_regular(&path, MAX_FILE).ok()).flatten()
    }

    /// What was done, in a sentence; `scenarios` is the number of their pages.
    pub(super) fn sentence(&self, scenarios: u64) -> String {
        let pages = match scenarios {
            0 => String::new(),
            pages => plural(pages, "scenario page") + ", ",
        };
        let written = plural(self.written, "file");
        let path = self.path.display();
        format!("Wrote {path}/: {pages}{written} written, {} unchanged", self.unchanged)
    }
}
