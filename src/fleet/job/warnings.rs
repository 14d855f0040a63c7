//! What may go wrong with a file that was written all the same.

use super::{FleetEngine, FleetJob};

impl FleetJob {
    /// Sentences about what may go wrong where the engine runs the file.
    pub fn warnings(&self, engine: &FleetEngine) -> Vec<String> {
        let (flag, value) = match engine {
            FleetEngine::Kubernetes { image, .. } => ("--image", image),
            FleetEngine::GitHub { action } => ("--action", action),
            FleetEngine::GitLab { release } => ("--release", release),
            FleetEngine::Slurm => return self.unshared_files(),
        };
        let mut warnings = Vec::new();
        if value.split('/').any(|part| part == "OWNER") {
            warnings.push(format!(
                "`OWNER` in {value} is a placeholder, so the file does not run as it is; name what it uses with {flag}"
            ));
        }
        if matches!(engine, FleetEngine::Kubernetes { .. }) {
            warnings.extend(self.merged_files().map(|(kind, path)| {
                format!(
                    "--{kind} writes {path} in the pod of the merge, and it is gone with the pod; mount a volume there, or \
                     leave the flag out"
                )
            }));
        }
        warnings
    }

    /// Files of Slurm's machines that need not be in the folder that they share.
    fn unshared_files(&self) -> Vec<String> {
        let is_elsewhere = |path: &str| path.starts_with('/');
        let written = self.files().flat_map(|file| {
            let attached = file.attached.iter().map(|attached| attached.written.as_str());
            std::iter::once(file.typed.as_str()).chain(attached)
        });
        let doubt =
            |path: &str| format!("each machine needs {path} at this place: Slurm does not copy it");
        written.filter(|path| is_elsewhere(path)).map(doubt).collect()
    }
}
