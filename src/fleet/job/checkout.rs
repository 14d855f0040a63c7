//! Where the files of a job are in a checkout of its repository.

use super::{FileContent, FleetJob, JobError, JobFile};

/// The files of a job, by their paths in the repository.
pub(super) struct Checkout<'a> {
    root: &'a str,
}

impl<'a> Checkout<'a> {
    /// Refuses files that a checkout would not have, and keys, which a repository must not hold.
    pub(super) fn of(job: &'a FleetJob) -> Result<Self, JobError> {
        let checkout = Self { root: &job.repository };
        for file in job.files() {
            checkout.check(&file.path, &file.typed)?;
            for attached in &file.attached {
                if attached.content == FileContent::PrivateKey {
                    return Err(JobError::new(
                        format!(
                            "{} names the private key {}, which a repository must not hold",
                            file.typed.escape_debug(),
                            attached.written.escape_debug()
                        ),
                        "use Kubernetes or Slurm for this scenario",
                    ));
                }
                // An absolute path is another one in each checkout.
                if attached.written.starts_with('/') {
                    return Err(outside(&attached.written));
                }
                checkout.check(&attached.path, &attached.written)?;
            }
        }
        Ok(checkout)
    }

    fn check(&self, path: &str, written: &str) -> Result<(), JobError> {
        self.below(path).map(|_| ()).ok_or_else(|| outside(written))
    }

    /// The path of a file, relative to the root of the repository.
    pub(super) fn path_of(&self, file: &JobFile) -> String {
        let path = self.below(&file.path).unwrap_or(&file.path);
        if path.starts_with('-') { format!("./{path}") } else { path.to_owned() }
    }

    fn below<'b>(&self, path: &'b str) -> Option<&'b str> {
        path.strip_prefix(self.root.trim_end_matches('/'))?.strip_prefix('/')
    }
}

fn outside(written: &str) -> JobError {
    JobError::new(
        format!("{} is not in the repository that is checked out", written.escape_debug()),
        "move it there, run this command in the repository, and write a relative path",
    )
}
