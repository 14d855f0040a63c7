//! Keeping runs: the run folder, complete without any database.
//!
//! `reports/runs/<started>-<id>/` holds
//! - `run.json`: the [`RunRecord`](crate::record::RunRecord), written last and at once; a folder without it is half-written,
//! - `run.partial.json`: what was known when the run started, until `run.json` is there,
//! - `intervals.jsonl`: one settled interval a line, with its counts,
//! - `intervals.hlog`: the intervals' histograms and the target's own account, an `HdrHistogram` log of version 1.3,
//! - reports and plots.

mod folder;
mod merging;

use std::path::{Path, PathBuf};

pub use folder::{Draft, RunFolder, Stored, complete, intervals, read, write_atomically};
pub use merging::Merging;

/// Why a run could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds no run.
    #[error("{} is no run folder: it holds neither run.json nor run.partial.json", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A file is damaged.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The run was written by a version of tollgate that knows a later format.
    #[error(
        "{} has format {found}, and this tollgate reads up to format {}; use a newer tollgate",
        path.display(),
        crate::record::FORMAT
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

impl StoreError {
    fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.to_string() }
    }
}

/// The name of a run's folder: when it started and the random part of its id.
fn folder_name(record: &Draft) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]Z");
    let started = record.provenance.started.format(format).unwrap_or_else(|_| "run".to_owned());
    let id = record.id.simple().to_string();
    format!("{started}-{}", &id[id.len() - 8..])
}
