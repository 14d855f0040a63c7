//! Waits for the disk while the program goes on.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::StoreError;

/// Work that mostly waits for the disk. Several at a time take little longer than one, because file
/// systems write what they have together.
#[derive(Debug)]
pub struct DiskWait(WaitState);

#[derive(Debug)]
enum WaitState {
    Running(JoinHandle<Result<(), StoreError>>),
    Done(Result<(), StoreError>),
}

impl DiskWait {
    /// The work needs little of it, and a process may have little memory left.
    const STACK: usize = 256 << 10;

    /// Starts the work on a thread of its own. If there is none, does the work at once.
    pub fn start<W>(work: W) -> Self
    where
        W: FnOnce() -> Result<(), StoreError> + Send + 'static,
    {
        let (give, given) = mpsc::sync_channel::<W>(1);
        let run = move || given.recv().map_or(Ok(()), |work| work());
        let thread = thread::Builder::new().name("disk".to_owned()).stack_size(Self::STACK);
        match (thread.spawn(run), give.send(work)) {
            (Ok(thread), Ok(())) => Self(WaitState::Running(thread)),
            (_, Err(mpsc::SendError(work))) => Self(WaitState::Done(work())),
            // The channel is gone together with the thread that was to hold it.
            (Err(_), Ok(())) => Self(WaitState::Done(Ok(()))),
        }
    }

    /// Waits for the end of the work, and returns its result. Its panic goes on here.
    pub fn finish(self) -> Result<(), StoreError> {
        match self.0 {
            WaitState::Running(thread) => {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            WaitState::Done(result) => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn work_goes_on_meanwhile_and_its_error_is_returned_at_the_end() {
        let (go, may_go) = mpsc::sync_channel(1);
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let waits = DiskWait::start(move || {
            may_go.recv().map_err(|_| StoreError::write(Path::new("early"))(full()))?;
            Err(StoreError::write(Path::new("report.html"))(full()))
        });
        go.send(()).unwrap();
        let error = waits.finish().unwrap_err().to_string();
        assert!(error.starts_with("cannot write report.html"), "{error}");
        assert!(DiskWait::start(|| Ok(())).finish().is_ok());
    }
}
