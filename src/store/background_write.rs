//! File work in the background.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::StoreError;
use crate::library_text::{Defect, catch_defect};

/// File work on a thread of its own. Several such waits take little longer than one, because file
/// systems commit concurrent syncs together.
#[derive(Debug)]
#[must_use = "an error is returned only by finish"]
pub struct BackgroundWrite {
    path: PathBuf,
    state: WriteState,
}

#[derive(Debug)]
enum WriteState {
    Running(JoinHandle<WriteOutcome>),
    Done(WriteOutcome),
}

type WriteOutcome = Result<io::Result<()>, Defect>;

impl BackgroundWrite {
    /// Small: the work needs little, and the process may be short of memory.
    const STACK: usize = 256 << 10;

    /// Starts the work on the file at `path`. If no thread can be started, does the work before it
    /// returns.
    pub fn start<W>(path: PathBuf, work: W) -> Self
    where
        W: FnOnce() -> io::Result<()> + Send + 'static,
    {
        let (give, given) = mpsc::sync_channel::<W>(1);
        let run = move || given.recv().map_or_else(|_| Ok(Err(lost())), catch_defect);
        let thread = thread::Builder::new().name("disk".to_owned()).stack_size(Self::STACK);
        let state = match (thread.spawn(run), give.send(work)) {
            (Ok(thread), Ok(())) => WriteState::Running(thread),
            (_, Err(mpsc::SendError(work))) => WriteState::Done(catch_defect(work)),
            (Err(_), Ok(())) => WriteState::Done(Ok(Err(lost()))),
        };
        Self { path, state }
    }

    /// Waits for the work and returns its result.
    pub fn finish(self) -> Result<(), StoreError> {
        let outcome = match self.state {
            WriteState::Running(thread) => thread.join().unwrap_or_else(|_| Ok(Err(lost()))),
            WriteState::Done(outcome) => outcome,
        };
        match outcome {
            Ok(written) => written.map_err(StoreError::write(&self.path)),
            Err(defect) => Err(StoreError::Defect { path: self.path, defect }),
        }
    }
}

/// The error of work that did not reach its thread.
fn lost() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_meanwhile_and_its_error_is_returned_at_the_end() {
        let (go, may_go) = mpsc::sync_channel(1);
        let write = BackgroundWrite::start("report.html".into(), move || {
            may_go.recv().map_err(io::Error::other)?;
            Err(io::ErrorKind::StorageFull.into())
        });
        go.send(()).unwrap();
        let error = write.finish().unwrap_err().to_string();
        assert!(error.starts_with("cannot write report.html: "), "{error}");
        assert!(error.contains("space"), "{error}");
        assert!(BackgroundWrite::start("report.html".into(), || Ok(())).finish().is_ok());
    }

    #[test]
    fn a_panic_of_the_work_is_an_error_with_the_file_and_the_place_and_without_the_message() {
        let write = BackgroundWrite::start("report.html".into(), || panic!("secret"));
        let error = write.finish().unwrap_err();
        assert!(matches!(error, StoreError::Defect { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("cannot write report.html"), "{text}");
        assert!(text.contains("panic at src/store/background_write.rs:"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn work_that_did_not_reach_its_thread_is_an_error() {
        let write =
            BackgroundWrite { path: "run.json".into(), state: WriteState::Done(Ok(Err(lost()))) };
        let error = write.finish().unwrap_err().to_string();
        assert!(error.starts_with("cannot write run.json: "), "{error}");
    }
}
