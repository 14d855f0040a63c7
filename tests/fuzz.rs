//! Runs what the fuzzers run, on their seeds, on the crashes they found, and on mutations of both.
//!
//! `TOLLGATE_TESTS_FUZZ_CASES` sets how many mutations each function gets (200 by default).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a library of its own for the fuzzers")]
mod fuzz;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use fuzz::{FuzzTarget, TARGETS};
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How long one input may take on the slowest machine before it counts as a hang.
const HANG: Duration = Duration::from_mins(1);

/// Texts at which readers break.
const TOKENS: [&str; 24] = [
    "0",
    "-1",
    "1e308",
    "1e-400",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "NaN",
    "null",
    "true",
    "\"\"",
    "[",
    "]",
    "{",
    "}",
    "[[",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\u{0}",
    "\"18446744073709551615s\"",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The files of a folder; none if there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// The seeds and the crashes of a target.
fn inputs(name: &str) -> Vec<Vec<u8>> {
    let root = root();
    let mut folders =
        vec![root.join("fuzz/seeds").join(name), root.join("fuzz/crashes").join(name)];
    if name == "scenario" {
        folders.extend(["scenarios", "tests/bad_scenarios"].map(|folder| root.join(folder)));
    }
    let read = |path: PathBuf| std::fs::read(path).unwrap();
    folders.iter().flat_map(|folder| files(folder)).map(read).collect()
}

/// Runs a target on an input, in time.
fn run((name, target): FuzzTarget, input: &[u8], what: &str) {
    let (done, is_done) = mpsc::sync_channel(1);
    let bytes = input.to_vec();
    let thread = std::thread::spawn(move || {
        target(&bytes);
        let _nobody_waits = done.send(());
    });
    let ended = is_done.recv_timeout(HANG);
    if let Err(error) = ended {
        let kept = std::env::temp_dir().join(format!("tollgate-{name}-{}", std::process::id()));
        std::fs::write(&kept, input).unwrap();
        let what_happened =
            if error == mpsc::RecvTimeoutError::Timeout { "hangs" } else { "panics" };
        panic!("{name} {what_happened} on {what}, kept in {}", kept.display());
    }
    thread.join().unwrap();
}

fn mutated(inputs: &[Vec<u8>], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = inputs.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..8) {
        let part = part(&bytes, random);
        match random.random_range(0..6) {
            0 => bytes
                .iter_mut()
                .skip(part.start)
                .take(1)
                .for_each(|byte| *byte ^= 1 << (part.len() % 8)),
            1 => drop(bytes.drain(part)),
            2 => drop(bytes.splice(part, TOKENS.choose(random).unwrap().bytes())),
            3 => {
                let copy = bytes[part.clone()].repeat(2);
                bytes.splice(part, copy);
            }
            4 => replace_a_number(&mut bytes, part.start, random),
            _ => {
                let other = inputs.choose(random).unwrap();
                let other = &other[self::part(other, random)];
                bytes.splice(part, other.iter().copied());
            }
        }
    }
    bytes
}

/// A part of some bytes, mostly short.
fn part(bytes: &[u8], random: &mut ChaCha8Rng) -> Range<usize> {
    let start = random.random_range(0..=bytes.len());
    let most = if random.random_bool(0.9) { 16 } else { bytes.len() };
    start..bytes.len().min(start + random.random_range(0..=most))
}

/// Puts a number that is hard to read in the place of the next one.
fn replace_a_number(bytes: &mut Vec<u8>, from: usize, random: &mut ChaCha8Rng) {
    let Some(start) = (from..bytes.len()).find(|at| bytes[*at].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|at| !bytes[*at].is_ascii_digit()).unwrap_or(bytes.len());
    bytes.splice(start..end, TOKENS[..9].choose(random).unwrap().bytes());
}

fn withstands(name: &str) {
    let target = *TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let inputs = inputs(name);
    assert!(!inputs.is_empty(), "{name} has no seeds");
    for (number, input) in inputs.iter().enumerate() {
        run(target, input, &format!("input {number}"));
        run(target, &input[..input.len() / 2], &format!("half of input {number}"));
    }
    let cases = std::env::var("TOLLGATE_TESTS_FUZZ_CASES").ok();
    let cases = cases.map_or(200, |count| count.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for case in 0..cases {
        run(target, &mutated(&inputs, &mut random), &format!("mutation {case}"));
    }
}

#[test]
fn no_text_breaks_the_reader_of_scenarios() {
    withstands("scenario");
}

#[test]
fn no_record_breaks_its_judgement_report_or_comparison() {
    withstands("record");
}

#[test]
fn no_line_breaks_the_reader_of_intervals() {
    withstands("intervals");
}

#[test]
fn no_log_breaks_its_import() {
    withstands("log");
}

#[test]
fn no_artifact_breaks_its_import() {
    withstands("artifact");
}

#[test]
fn no_answer_breaks_an_expectation() {
    withstands("answer");
}

#[test]
fn no_header_breaks_the_reader_of_server_timings() {
    withstands("server_timing");
}

#[test]
fn no_expectation_breaks_on_an_answer() {
    withstands("expectations");
}

#[test]
fn every_fuzzer_has_a_program_and_seeds() {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let program = root().join(format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(std::fs::read_to_string(program).unwrap().contains(&format!("::{name}(bytes)")));
        assert!(!inputs(name).is_empty(), "{name}");
    }
}
