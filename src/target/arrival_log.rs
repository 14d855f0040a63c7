//! The server's own record of when requests arrived, for checking a prober's figures.
//!
//! The first line states the start and the stalls. Every other line is one request, in order of
//! arrival, with its fields separated by tabs:
//!
//! ```text
//! # format=2 start_unix_ns=1760000000000000000 stall_us=1000000 every_us=10000000
//! 1204    1    /app?mock=1    41873    1.1
//! ```
//!
//! The fields are the arrival (µs since the start, monotonic, stamped when the request's head has
//! been read), the connection's number from 1 in the order of their acceptance, path and query, the
//! planned delay in µs (boot and page latency together, without the stalls, whose windows are
//! `[every·k − stall, every·k)` for k = 1, 2, … after the start), and the version of HTTP: `1.0`,
//! `1.1` or `2`. Both stall settings are 0 if the server does not stall. Format 1 had no version of
//! HTTP and did not name its format.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use http::Version;

use super::TargetError;
use super::stall::StallWindows;

/// Number of bytes buffered before they are passed to the writing thread.
const CHUNK: usize = 64 * 1024;

/// Maximum number of chunks that wait for a slow disk; beyond it, serving waits too.
const CHUNKS_IN_FLIGHT: usize = 256;

/// One request, as written to the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArrivalEntry<'a> {
    /// Since the server's start.
    pub(super) at: Duration,
    pub(super) connection: u64,
    pub(super) target: &'a str,
    /// From the arrival to the answer, without stalls.
    pub(super) delay: Duration,
    pub(super) version: Version,
}

/// Buffers lines and writes the file on a separate thread, so that a slow disk does not slow the
/// server.
#[derive(Debug)]
pub(super) struct ArrivalLog {
    path: PathBuf,
    gathered: Vec<u8>,
    chunks: SyncSender<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
}

impl ArrivalLog {
    /// Creates or empties the file at `path` and writes its first line.
    pub(super) fn create(
        path: &Path,
        unix_start: Duration,
        stalls: Option<&StallWindows>,
    ) -> Result<Self, TargetError> {
        let failed = |source| TargetError::Write { path: path.to_owned(), source };
        let mut file = File::create(path).map_err(failed)?;
        file.write_all(first_line(unix_start, stalls).as_bytes()).map_err(failed)?;
        let (chunks, to_write) = sync_channel(CHUNKS_IN_FLIGHT);
        let writer = std::thread::Builder::new()
            .name("arrival-log".to_owned())
            .spawn(move || write_chunks(file, &to_write))
            .map_err(TargetError::Runtime)?;
        Ok(Self { path: path.to_owned(), gathered: Vec::with_capacity(CHUNK), chunks, writer })
    }

    /// Adds a line.
    pub(super) fn note(&mut self, arrival: ArrivalEntry<'_>) {
        // Writing to a vector cannot fail.
        let _ = writeln!(
            self.gathered,
            "{}\t{}\t{}\t{}\t{}",
            arrival.at.as_micros(),
            arrival.connection,
            arrival.target,
            arrival.delay.as_micros(),
            name(arrival.version),
        );
        if self.gathered.len() >= CHUNK {
            self.flush();
        }
    }

    /// Passes the buffered lines to the writing thread.
    pub(super) fn flush(&mut self) {
        if !self.gathered.is_empty() {
            let chunk = std::mem::replace(&mut self.gathered, Vec::with_capacity(CHUNK));
            // A writer that has ended has failed, and `close` returns the reason.
            let _ = self.chunks.send(chunk);
        }
    }

    /// Writes the rest and reports whether every line reached the file.
    pub(super) fn close(mut self) -> Result<(), TargetError> {
        self.flush();
        drop(self.chunks);
        let written = self.writer.join().map_err(|_| TargetError::Panicked)?;
        written.map_err(|source| TargetError::Write { path: self.path, source })
    }
}

fn first_line(unix_start: Duration, stalls: Option<&StallWindows>) -> String {
    let (stall, every) =
        stalls.map_or_else(Default::default, |stalls| (stalls.stall(), stalls.every()));
    format!(
        "# format=2 start_unix_ns={} stall_us={} every_us={}\n",
        unix_start.as_nanos(),
        stall.as_micros(),
        every.as_micros(),
    )
}

fn name(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

fn write_chunks(mut file: File, chunks: &Receiver<Vec<u8>>) -> io::Result<()> {
    for chunk in chunks {
        file.write_all(&chunk)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_reaches_the_file_in_order() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stalls = StallWindows::new(Duration::from_secs(1), Duration::from_secs(10)).unwrap();
        let mut log =
            ArrivalLog::create(file.path(), Duration::from_secs(5), Some(&stalls)).unwrap();
        for micros in 0..10_000 {
            let at = Duration::from_micros(micros);
            let delay = Duration::from_millis(40);
            log.note(ArrivalEntry {
                at,
                connection: 7,
                target: "/app?mock=1",
                delay,
                version: Version::HTTP_2,
            });
        }
        log.close().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("# format=2 start_unix_ns=5000000000 stall_us=1000000 every_us=10000000")
        );
        for (micros, line) in (0..10_000).zip(lines.by_ref()) {
            assert_eq!(line, format!("{micros}\t7\t/app?mock=1\t40000\t2"));
        }
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error =
            ArrivalLog::create(Path::new("/no/such/folder/log"), Duration::ZERO, None).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder/log"), "{error}");
    }
}
