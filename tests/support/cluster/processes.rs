//! The processes of a server, from `/proc`, or from `ps` if there is no `/proc`.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

struct Process {
    pid: i32,
    parent: i32,
    /// `Z` for a process that has ended, `T` for one that is stopped.
    state: char,
}

/// Whether a process exists and has not ended.
pub(super) fn is_alive(pid: Pid) -> bool {
    one(pid.as_raw_pid()).is_some_and(|process| process.state != 'Z')
}

/// Suspends a process and its children; the parent first, so that it starts no further children.
pub(super) fn pause(parent: Pid) {
    let parent = parent.as_raw_pid();
    send(parent, Signal::STOP);
    while one(parent).is_some_and(|process| process.state != 'T') {
        std::thread::yield_now();
    }
    for child in children(parent) {
        send(child, Signal::STOP);
    }
}

/// Resumes a process and its children.
pub(super) fn resume(parent: Pid) {
    let parent = parent.as_raw_pid();
    for pid in children(parent).into_iter().chain([parent]) {
        send(pid, Signal::CONT);
    }
}

fn children(parent: i32) -> Vec<i32> {
    all()
        .into_iter()
        .filter(|process| process.parent == parent)
        .map(|process| process.pid)
        .collect()
}

/// Sends a signal; a process that has ended needs none.
fn send(pid: i32, signal: Signal) {
    let _sent = Pid::from_raw(pid).map(|pid| kill_process(pid, signal));
}

fn one(pid: i32) -> Option<Process> {
    if Path::new("/proc/self/stat").exists() {
        from_proc(pid)
    } else {
        by_ps(&["-p", &pid.to_string()]).pop()
    }
}

fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return by_ps(&["-A"]) };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(from_proc).collect()
}

/// `pid (name) state parent …`, in which the name may contain any character (proc(5)).
fn from_proc(pid: i32) -> Option<Process> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    let state = words.next()?.chars().next()?;
    Some(Process { pid, parent: words.next()?.parse().ok()?, state })
}

fn by_ps(which: &[&str]) -> Vec<Process> {
    let output = Command::new("ps").args(which).args(["-o", "pid=,ppid=,state="]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(from_line).collect()
}

fn from_line(line: &str) -> Option<Process> {
    let mut words = line.split_whitespace();
    let (pid, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Process { pid, parent, state: words.next()?.chars().next()? })
}
