//! The files of scenarios in a machine.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::super::error::JobError;
use super::super::job::{FileContent, FleetJob, below, common_folder};

/// The folder of the files in a machine.
const FOLDER: &str = "/fleet";

/// The most bytes of all files in one configuration. Fly states no limit; this is far above what a
/// scenario needs.
const MOST_BYTES: usize = 1 << 20;

/// Files, by their paths in a machine.
#[derive(Debug, Clone, Default)]
pub(super) struct GuestFiles {
    files: BTreeMap<String, GuestContent>,
    /// The paths in a machine, by the absolute paths here.
    places: BTreeMap<String, String>,
}

/// Where a file's content comes from.
#[derive(Clone)]
enum GuestContent {
    /// The configuration holds it.
    Bytes(Vec<u8>),
    /// A secret of the app holds it, in base64; the path here is for the user.
    Secret { name: String, path: String },
}

/// Hides the content.
impl std::fmt::Debug for GuestContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Secret { name, .. } => write!(f, "secret {name}"),
        }
    }
}

impl GuestFiles {
    /// The files of a job. They keep their places relative to each other, so that the paths
    /// within scenarios lead to them; an absolute path stays as it is.
    ///
    /// Fails if they are too large, or if two files would need a secret of one name.
    pub(super) fn of(job: &FleetJob) -> Result<Self, JobError> {
        let mut found: Vec<(&str, bool, GuestContent)> = Vec::new();
        for file in job.files() {
            found.push((&file.path, false, GuestContent::Bytes(file.content.clone())));
            for attached in &file.attached {
                let content = match &attached.content {
                    FileContent::Public(bytes) => GuestContent::Bytes(bytes.clone()),
                    FileContent::SecretRows | FileContent::PrivateKey => {
                        let path = attached.path.clone();
                        GuestContent::Secret { name: secret_name(&path), path }
                    }
                };
                found.push((&attached.path, attached.written.starts_with('/'), content));
            }
        }
        let relative = found.iter().filter(|(_, is_fixed, _)| !is_fixed).map(|(path, ..)| *path);
        let common = common_folder(relative);
        let mut files = Self::default();
        for (path, is_fixed, content) in found {
            let guest = if is_fixed {
                path.to_owned()
            } else {
                format!("{FOLDER}/{}", below(path, common))
            };
            files.add(path, guest, content)?;
        }
        files.check_size()?;
        Ok(files)
    }

    fn add(&mut self, path: &str, guest: String, content: GuestContent) -> Result<(), JobError> {
        if let GuestContent::Secret { name, path } = &content
            && let Some(other) = self.file_of(name).filter(|other| other != path)
        {
            let problem = format!("{path} and {other} would need one secret, {name}");
            return Err(JobError::new(problem, "rename one of them"));
        }
        self.places.insert(path.to_owned(), guest.clone());
        self.files.insert(guest, content);
        Ok(())
    }

    fn check_size(&self) -> Result<(), JobError> {
        let size = |content: &GuestContent| match content {
            GuestContent::Bytes(bytes) => bytes.len(),
            GuestContent::Secret { .. } => 0,
        };
        let total: usize = self.files.values().map(size).sum();
        if total <= MOST_BYTES {
            return Ok(());
        }
        Err(JobError::new(
            format!(
                "the scenarios and their files have {} KiB, and a machine's configuration takes \
                 {} KiB of them",
                total.div_ceil(1024),
                MOST_BYTES / 1024
            ),
            "put large files into the image, and name them by their absolute paths there",
        ))
    }

    /// Where a file of this absolute path is in a machine.
    pub(super) fn guest_path(&self, path: &str) -> Option<&str> {
        self.places.get(path).map(String::as_str)
    }

    /// The names of the secrets that hold files.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.files.values().filter_map(|content| match content {
            GuestContent::Secret { name, .. } => Some(name.as_str()),
            GuestContent::Bytes(_) => None,
        })
    }

    /// The path here of the file that a secret holds.
    pub(super) fn file_of(&self, secret: &str) -> Option<&str> {
        self.files.values().find_map(|content| match content {
            GuestContent::Secret { name, path } if name == secret => Some(path.as_str()),
            _ => None,
        })
    }

    /// The `files` of a machine's configuration.
    pub(super) fn json(&self) -> Value {
        let files = self.files.iter().map(|(path, content)| match content {
            GuestContent::Bytes(bytes) => {
                json!({"guest_path": path, "raw_value": BASE64_STANDARD.encode(bytes)})
            }
            GuestContent::Secret { name, .. } => json!({"guest_path": path, "secret_name": name}),
        });
        files.collect()
    }
}

/// The secret that holds a file: `FILE_USERS_CSV` for `users.csv`.
fn secret_name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    let part = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("FILE_{}", name.chars().map(part).collect::<String>())
}
