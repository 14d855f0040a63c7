//! Where the files of a job are in a container: below one folder, at the same places relative to
//! each other.

use std::collections::BTreeMap;

use super::{FileContent, FleetJob, JobError, JobFile};

/// The folder of the files in the container.
pub(super) const FOLDER: &str = "/scenarios";

/// One file of a job.
pub(super) struct PlacedFile<'a> {
    /// Its key in a `ConfigMap` or a Secret.
    pub(super) key: String,
    /// Its path below the folder.
    pub(super) path: &'a str,
    /// Its path on the machine that wrote the job.
    pub(super) origin: &'a str,
    /// Its bytes; `None` if they are secret.
    pub(super) content: Option<&'a [u8]>,
}

/// All files of a job.
pub(super) struct FileLayout<'a> {
    pub(super) files: Vec<PlacedFile<'a>>,
    root: &'a str,
}

impl<'a> FileLayout<'a> {
    /// Places the files of a job. A file that a scenario names by an absolute path cannot be
    /// placed.
    pub(super) fn of(job: &'a FleetJob) -> Result<Self, JobError> {
        let mut contents: BTreeMap<&str, Option<&[u8]>> = BTreeMap::new();
        for file in job.files() {
            contents.insert(&file.path, Some(&file.content));
            for attached in &file.attached {
                if attached.written.starts_with('/') {
                    return Err(JobError::new(
                        format!(
                            "{} names {} by its absolute path, which containers do not have",
                            file.typed.escape_debug(),
                            attached.written.escape_debug()
                        ),
                        "write a path relative to the folder of the scenario",
                    ));
                }
                let content = match &attached.content {
                    FileContent::Public(bytes) => Some(bytes.as_slice()),
                    FileContent::SecretRows | FileContent::PrivateKey => None,
                };
                contents.insert(&attached.path, content);
            }
        }
        let root = common_folder(contents.keys().copied());
        let mut files: Vec<PlacedFile<'_>> = Vec::new();
        for (origin, content) in contents {
            let path = below(origin, root);
            let key = free_key(path, &files);
            files.push(PlacedFile { key, path, origin, content });
        }
        Ok(Self { files, root })
    }

    /// The path of a scenario file in the container.
    pub(super) fn path_of(&self, file: &JobFile) -> String {
        format!("{FOLDER}/{}", below(&file.path, self.root))
    }
}

/// The deepest folder that all absolute paths are in, without the `/` behind it.
pub(in crate::fleet) fn common_folder<'a>(mut paths: impl Iterator<Item = &'a str>) -> &'a str {
    let folder = |path: &'a str| path.rfind('/').map_or("", |at| &path[..at]);
    let Some(mut common) = paths.next().map(folder) else { return "" };
    for path in paths {
        while !path.strip_prefix(common).is_some_and(|rest| rest.starts_with('/')) {
            common = folder(common);
        }
    }
    common
}

/// The path of a file below a folder that it is in.
pub(in crate::fleet) fn below<'a>(path: &'a str, root: &str) -> &'a str {
    path.strip_prefix(root).unwrap_or(path).trim_start_matches('/')
}

/// A key that a `ConfigMap` accepts, and that no other file has: the file's name if possible.
fn free_key(path: &str, files: &[PlacedFile<'_>]) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_free = |key: &str| key != "database.ca" && files.iter().all(|file| file.key != key);
    let is_valid = name.len() <= 200
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_valid && is_free(name) {
        return name.to_owned();
    }
    let number = files.len() + 1;
    let numbered = [format!("file-{number}"), format!("file-{number}-")];
    numbered.into_iter().find(|key| is_free(key)).unwrap_or_else(|| format!("file-{number}--"))
}
