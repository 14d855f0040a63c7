//! A shell process next to the test. It starts a server, and ends it and removes its folder when
//! the test has ended.
//!
//! The shell reads orders from a pipe whose other end only the test's process has. That end closes
//! when the process ends, even by a kill. Then the keeper ends the server, removes the folder, and
//! exits.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::{PATIENCE, processes, programs};

/// A closed pipe must not end the keeper before it has ended the server. A paused server is
/// resumed, so that it can shut down properly. Its children are resumed too if there is a `pkill`;
/// otherwise PostgreSQL waits 5 s for them.
const SCRIPT: &str = r#"
signal=$1 server=
folder=$(mktemp -d "$2") && cd "$folder" || exit 1
shift 2
trap '' HUP INT TERM PIPE
ulimit -c 0
end() {
  [ -n "$server" ] || return 0
  kill -s CONT "$server"
  pkill -CONT -P "$server"
  kill -s "$signal" "$server"
  wait "$server"
  server=
}
echo "$folder"
while read -r order; do
  case $order in
    start)
      "$@" </dev/null >>log 2>&1 &
      server=$!
      echo "$server" ;;
    finish)
      wait "$server"
      echo "$?"
      server= ;;
    stop)
      end
      echo ended ;;
  esac
done
end
cd /
rm -rf "$folder"
"#;

/// Where folders are made: in the folder that `TMPDIR` names, else in memory if there is plenty,
/// else in the temporary folder. Memory is preferred because making a cluster's thousand files can
/// take a busy disk more than a second.
fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |found| found.f_bavail * found.f_frsize);
    let in_memory = std::env::var_os("TMPDIR").is_none() && free > PLENTY;
    if in_memory { memory.to_owned() } else { std::env::temp_dir() }
}

/// 4 GiB: a new cluster takes 30 MiB.
const PLENTY: u64 = 4 << 30;

/// The keeper, with the server's folder.
pub(super) struct Keeper {
    child: Child,
    /// `None` once the keeper is ending.
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    folder: PathBuf,
    server: Option<Pid>,
}

impl Keeper {
    /// Starts a keeper with an empty folder. It will start the server there with these arguments
    /// and end it by `signal`.
    pub(super) fn new(signal: &str, program: &Path, arguments: &[&str]) -> Self {
        let folder = place().join("tollgate-XXXXXXXX");
        let mut child = programs::as_owner("sh")
            .args(["-c", SCRIPT, "keeper", signal])
            .args([folder.as_os_str(), program.as_os_str()])
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (orders, replies) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut keeper = Self { child, orders, replies, folder: PathBuf::new(), server: None };
        keeper.folder = keeper.reply().into();
        assert!(
            keeper.folder.is_dir(),
            "who runs the servers cannot make {}; set TMPDIR",
            folder.display()
        );
        keeper
    }

    /// The folder of the server's files; its file `log` holds the server's output.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the server and waits until it is `ready`.
    pub(super) fn start(&mut self, ready: impl Fn() -> bool) {
        let pid = Pid::from_raw(self.order("start").parse().unwrap()).unwrap();
        self.server = Some(pid);
        let started = Instant::now();
        while !ready() {
            assert!(processes::is_alive(pid), "the server ended at once; it says:\n{}", self.log());
            assert!(
                started.elapsed() < PATIENCE,
                "not ready in {PATIENCE:?}; it says:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the server by its signal and waits for its end. The folder stays.
    pub(super) fn stop(&mut self) {
        self.resume();
        self.order("stop");
        self.server = None;
    }

    /// Runs the program to its end; it must succeed.
    pub(super) fn run(&mut self) {
        self.order("start");
        let status = self.order("finish");
        assert_eq!(status, "0", "the program failed; it says:\n{}", self.log());
    }

    /// Suspends the server's processes.
    pub(super) fn pause(&self) {
        processes::pause(self.server.unwrap());
    }

    /// Resumes a paused server.
    pub(super) fn resume(&self) {
        if let Some(server) = self.server {
            processes::resume(server);
        }
    }

    /// The server's output so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn order(&mut self, order: &str) -> String {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        self.reply()
    }

    fn reply(&mut self) -> String {
        let mut reply = String::new();
        self.replies.read_line(&mut reply).unwrap();
        reply.trim_end().to_owned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.resume();
        drop(self.orders.take());
        // If waiting fails, the keeper has already ended.
        let _ended = self.child.wait();
    }
}
