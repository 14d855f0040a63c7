//! What a second build of a site writes.

use std::path::{Path, PathBuf};

use super::{SHORT, files, is_kind, rename, report, sessions_in};
use crate::bench::{record, text};
use crate::history_year;

#[test]
fn a_second_build_writes_only_what_changed() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), SHORT);
    let mut other = history_year::record(SHORT, 12).unwrap();
    other.id = history_year::id(7);
    rename(&mut other, "other");
    history_year::write_run(runs.path(), &other);
    let first = report(runs.path(), out.path(), &["--since", "49d"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let before = files(out.path());
    let second = report(runs.path(), out.path(), &["--since", "49d"]);
    assert!(text(&second.stdout).contains(" 0 files written"), "{}", text(&second.stdout));
    assert_eq!(files(out.path()), before);
    let mut newer = history_year::record(SHORT, 36).unwrap();
    newer.id = history_year::id(8);
    rename(&mut newer, "other");
    history_year::write_run(runs.path(), &newer);
    report(runs.path(), out.path(), &["--since", "49d"]);
    let changed: Vec<String> = files(out.path())
        .into_iter()
        .filter(|(name, bytes)| before.get(name) != Some(bytes))
        .map(|(name, _)| name)
        .collect();
    let touches = |part: &str| changed.iter().any(|name| name.contains(part));
    assert!(touches("scenarios/other") && touches("index.html"), "{changed:?}");
    assert!(!touches("scenarios/tile-loader"), "{changed:?}");
}

/// How many files a build wrote, and how many were unchanged.
fn counts(built: &std::process::Output) -> (usize, usize) {
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let stdout = text(&built.stdout);
    let number = |before: &str| {
        let words = stdout.split(before).next().unwrap().split_whitespace();
        words.rev().find_map(|word| word.parse().ok()).unwrap()
    };
    (number(" file"), number(" unchanged"))
}

fn a_run_page(out: &Path) -> PathBuf {
    let pages = files(out);
    let name = pages.keys().find(|name| name.starts_with("runs/")).unwrap();
    out.join(name)
}

#[test]
fn the_page_of_a_run_is_made_again_only_after_its_record_or_the_program_has_changed() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), SHORT);
    let build = || counts(&report(runs.path(), out.path(), &["--since", "7d"]));
    let (written, _) = build();
    let path = a_run_page(out.path());
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.trim_end().ends_with("-->"), "{page:.200}");
    // A page that says what it was made of is trusted.
    let altered = page.replace("<title>", "<title>kept ");
    std::fs::write(&path, &altered).unwrap();
    assert_eq!(build(), (0, written));
    // One of another build, and one that was cut off, are not.
    for stale in [altered.replace("made of ", "made of 0"), altered[..500].to_owned()] {
        std::fs::write(&path, stale).unwrap();
        assert_eq!(build(), (1, written - 1));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), page);
    }
    let folder = runs.path().join(path.file_stem().unwrap());
    let mut changed = record(&folder);
    changed.provenance.command.push("--again".to_owned());
    history_year::write_run(runs.path(), &changed);
    assert_eq!(build(), (1, written - 1));
    assert!(std::fs::read_to_string(&path).unwrap().contains("--again"));
}

#[test]
fn each_file_counts_once_however_many_formats_it_belongs_to() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), SHORT);
    let formats: Vec<&str> =
        ["html", "md", "svg", "png"].iter().flat_map(|format| ["--format", format]).collect();
    let flags = [&["--since", "7d"][..], &formats].concat();
    let first = counts(&report(runs.path(), out.path(), &flags));
    let all = files(out.path());
    assert_eq!(first, (all.len(), 0));
    assert!(all.keys().any(|name| is_kind(name, "png")));
    assert_eq!(counts(&report(runs.path(), out.path(), &flags)), (0, all.len()));
    let table = report(runs.path(), out.path(), &["--since", "7d", "--format", "csv"]);
    assert!(text(&table.stdout).contains("/: 1 file written, 0 unchanged"));
}

#[test]
fn a_session_that_cannot_be_read_is_named_and_the_others_have_pages() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write_run(runs.path(), &history_year::record(SHORT, 1_000).unwrap());
    sessions_in(runs.path());
    let damaged = runs.path().join(".sessions/damaged");
    std::fs::create_dir_all(&damaged).unwrap();
    std::fs::write(damaged.join("session.json"), "{").unwrap();
    let built = report(runs.path(), out.path(), &["--since", "49d"]);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let warned = text(&built.stderr);
    assert!(warned.contains("Left out:") && warned.contains("damaged"), "{warned}");
    let pages = files(out.path());
    assert_eq!(pages.keys().filter(|name| name.starts_with("sessions/")).count(), 1);
}
