//! An app of simulated Fly machines, and a folder for those who work with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::TOKEN;
use super::relay::{Fault, Relay, Request};
use crate::bench::{Target, tollgate};

/// The app, and a folder.
pub(crate) struct RehearsalApp {
    pub(crate) target: Target,
    /// The base URL by which the program reaches the app and its API.
    pub(crate) url: String,
    folder: TempDir,
}

impl RehearsalApp {
    /// Starts an app that a file of the rehearsal describes.
    pub(crate) fn start(fly: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fly.toml");
        std::fs::write(&file, format!("token = \"{TOKEN}\"\n{fly}")).unwrap();
        let target = Target::start(&["--fly", file.to_str().unwrap()]);
        let url = target.base_url.clone();
        Self { target, url, folder }
    }

    /// Puts a relay in front of the app and its API.
    pub(crate) fn relay(
        &mut self,
        faults: impl Fn(&Request) -> Fault + Send + Sync + 'static,
    ) -> Relay {
        let relay = Relay::start(&self.target.base_url, faults);
        self.url.clone_from(&relay.url);
        relay
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A command of the program with the API's variables.
    pub(crate) fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = tollgate();
        command.arg(name).args(arguments).stdin(Stdio::null());
        command.env("FLY_FLAPS_BASE_URL", &self.url).env("FLY_API_TOKEN", TOKEN);
        command
    }

    /// Starts a command whose stderr is a file.
    pub(crate) fn spawn(&self, mut command: Command) -> Child {
        let stderr = std::fs::File::create(self.path("stderr")).unwrap();
        command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap()
    }

    /// What a command started by [`Self::spawn`] has said so far.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }
}
