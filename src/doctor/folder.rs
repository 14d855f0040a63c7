//! Whether run folders can be made and filled.

use std::io;
use std::path::{Path, PathBuf};

use super::MACHINE;
use crate::library_text::describe_io;
use crate::plan::Plan;
use crate::record::checkup::CheckFinding;

/// Upper bound of the bytes of one scenario's reports and plots. Measured: 0.4 to 0.5 MB.
const REPORTS: u64 = 1_000_000;

/// Upper bound of the bytes per request and second in the interval files. Measured: 1.6 kB at 20
/// requests per second, and 2.8 kB at 500.
const SECOND: u64 = 4_000;

/// Free space should be this many times what a run needs, because other programs write there too.
const ROOMY: u64 = 10;

/// Findings about the folder in which run folders are created.
pub(super) fn findings(runs_dir: &Path, plan: &Plan) -> Vec<CheckFinding> {
    let home = existing(runs_dir);
    let mut findings = vec![judge_writing(runs_dir, &home, try_out(&home))];
    if let Ok(space) = rustix::fs::statvfs(&home) {
        findings.push(judge_space(
            &home,
            space.f_bavail.saturating_mul(space.f_frsize),
            needed(plan),
        ));
    }
    findings
}

/// The folder itself, or its nearest ancestor that exists. A run creates the rest.
fn existing(runs_dir: &Path) -> PathBuf {
    let above = runs_dir
        .ancestors()
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    above.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new(".")).to_owned()
}

/// Creates a folder, as a run does, and removes it again.
fn try_out(home: &Path) -> io::Result<()> {
    tempfile::Builder::new().prefix(".tollgate-doctor-").tempdir_in(home)?.close()
}

fn judge_writing(runs_dir: &Path, home: &Path, tried: io::Result<()>) -> CheckFinding {
    let found = |what| CheckFinding::ok(MACHINE, "runs folder", what);
    let display = runs_dir.display();
    match tried {
        Ok(()) if home == runs_dir => found(format!("{display} can be written")),
        Ok(()) => {
            found(format!("{display} does not exist yet and can be made in {}", home.display()))
        }
        Err(error) => found(format!(
            "{display}: nothing can be made in {}: {}",
            home.display(),
            describe_io(&error)
        ))
        .fail("name a folder that may be written with `--runs-dir`, or change its rights"),
    }
}

/// Estimated upper bound of the bytes that a run of the plan writes.
fn needed(plan: &Plan) -> u64 {
    let scenarios = plan.scenarios.iter().map(|scenario| {
        let seconds = scenario.load.duration().as_secs() + 1;
        let requests = scenario.shown.requests.len() as u64;
        REPORTS + seconds.saturating_mul(requests).saturating_mul(SECOND)
    });
    scenarios.fold(0, u64::saturating_add).max(REPORTS)
}

fn judge_space(home: &Path, free: u64, needed: u64) -> CheckFinding {
    let what =
        format!("{} in {}; a run takes up to about {}", bytes(free), home.display(), bytes(needed));
    let found = CheckFinding::ok(MACHINE, "free space", what);
    let remedy = "make room, or name a folder elsewhere with `--runs-dir`";
    if free < needed {
        found.fail(remedy)
    } else if free < needed.saturating_mul(ROOMY) {
        found.warn(remedy)
    } else {
        found
    }
}

/// A number of bytes as people read it: `12.3 GB`.
fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    let (value, unit) = match bytes {
        b if b >= 1e9 => (b / 1e9, "GB"),
        b if b >= 1e6 => (b / 1e6, "MB"),
        b => (b / 1e3, "kB"),
    };
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::checkup::CheckState;

    #[test]
    fn the_check_creates_a_folder_in_the_nearest_existing_one_and_removes_it() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("reports/runs");
        let findings = findings(&runs, &Plan::default());
        assert_eq!(findings[0].state, CheckState::Ok);
        assert!(findings[0].what.contains("does not exist yet"), "{}", findings[0].what);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_fails() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let findings = findings(&file.join("runs"), &Plan::default());
        assert_eq!(findings[0].state, CheckState::Fail, "{}", findings[0].what);
        assert_eq!(existing(Path::new("no-such-folder/runs")), Path::new("."));
    }

    #[test]
    fn free_space_is_compared_with_the_need_of_a_run() {
        let state = |free| judge_space(Path::new("runs"), free, 1_500_000).state;
        assert_eq!(
            [state(1_499_999), state(14_999_999), state(15_000_000)],
            [CheckState::Fail, CheckState::Warn, CheckState::Ok]
        );
        assert_eq!(
            [bytes(12_345_678_901), bytes(1_500_000), bytes(0)],
            ["12 GB", "1.5 MB", "0.0 kB"]
        );
    }
}
