//! A pipeline of GitLab CI: parallel shards, and the stage that merges.

use super::checkout::Checkout;
use super::{FleetJob, JobError, MeetingPlace};
use crate::fleet::shell;
use crate::fleet::yaml::{self, Yaml, YamlReader, map, texts};

/// The maximum of `parallel`.
const MOST_PARALLEL: u32 = 200;

/// The archive of the program.
const ARCHIVE: &str =
    concat!("tollgate-v", env!("CARGO_PKG_VERSION"), "-x86_64-unknown-linux-musl.tar.gz");

/// The job that the others extend.
const PROGRAM: &str = ".tollgate";

/// The pipeline. `release` is the address that the program is downloaded from.
pub(super) fn write(job: &FleetJob, release: &str) -> Result<String, JobError> {
    let checkout = Checkout::of(job)?;
    if job.shards > MOST_PARALLEL {
        return Err(JobError::new(
            format!("`parallel` of GitLab is at most {MOST_PARALLEL}"),
            format!("write `--shards {MOST_PARALLEL}` or less"),
        ));
    }
    let has_start = !job.has_store();
    let mut stages = vec!["load", "verdict"];
    if has_start {
        stages.insert(0, "start");
    }
    let mut entries = vec![
        ("stages", Yaml::Row(stages.into_iter().map(Yaml::from).collect()).spaced()),
        (PROGRAM, program(release).spaced()),
    ];
    if let MeetingPlace::StartTime(lead) = job.meeting {
        entries.push(("start", start_job(lead.as_secs()).spaced()));
    }
    entries.push(("shard", shard_job(job, &checkout).spaced()));
    entries.push(("verdict", verdict_job(job)));
    yaml::write(&heading(job), &[map(entries)], YamlReader::Any)
}

fn heading(job: &FleetJob) -> Vec<String> {
    let mut lines = job.heading("GitLab CI");
    let required = job.required_elsewhere();
    if !required.is_empty() {
        lines.push(format!(
            "Needs these CI/CD variables, masked if they are secret: {}",
            required.join(", ")
        ));
    }
    if job.has_merge_flag("--comment") {
        lines.push(
            "Needs the masked variable GITLAB_TOKEN to comment on the merge request.".to_owned(),
        );
    }
    lines.push("A retry of a job sends no load again.".to_owned());
    lines
}

/// Where each job gets the program from.
fn program(release: &str) -> Yaml {
    let release = release.trim_end_matches('/');
    let archive = format!("{release}/{ARCHIVE}");
    let sums = format!("{release}/SHA256SUMS");
    map([
        ("image", Yaml::from("alpine:3")),
        (
            "before_script",
            texts([
                shell::command(["wget", "-q", archive.as_str()]),
                shell::command(["wget", "-q", sums.as_str()]),
                format!("grep '  {ARCHIVE}$' SHA256SUMS | sha256sum -c"),
                format!("tar -xzf {ARCHIVE} --strip-components 1"),
            ]),
        ),
    ])
}

/// Fixes the time at which all shards begin.
fn start_job(lead: u64) -> Yaml {
    let script =
        format!("echo \"START=$(date -u -d \"@$(($(date +%s) + {lead}))\" +%FT%TZ)\" >start.env");
    map([
        ("stage", Yaml::from("start")),
        ("image", "alpine:3".into()),
        ("script", texts([script])),
        ("artifacts", map([("reports", map([("dotenv", Yaml::from("start.env"))]))])),
    ])
}

fn shard_job(job: &FleetJob, checkout: &Checkout<'_>) -> Yaml {
    let meeting = match job.meeting {
        MeetingPlace::Store => format!("--rendezvous {}-\"$CI_PIPELINE_ID\"", job.name.as_str()),
        MeetingPlace::StartTime(_) => "--start-at \"$START\" --runs-dir shards".to_owned(),
    };
    let run = job.run_command(|file| checkout.path_of(file));
    let script = format!("./tollgate {run} --shard auto {meeting}");
    let mut entries = vec![
        ("extends", Yaml::from(PROGRAM)),
        ("stage", "load".into()),
        ("parallel", job.shards.into()),
        ("timeout", minutes(job.shard_minutes())),
    ];
    let public: Vec<_> = job.public().map(|(name, value)| (name, literal(value).into())).collect();
    if !public.is_empty() {
        entries.push(("variables", map(public)));
    }
    entries.push(("script", texts([script])));
    let runs = if job.has_store() { "reports/runs/" } else { "shards/" };
    entries.push(("artifacts", map(artifacts([runs]))));
    map(entries)
}

fn verdict_job(job: &FleetJob) -> Yaml {
    let mut script = Vec::new();
    let runs = if job.has_store() {
        format!("--rendezvous {}-\"$CI_PIPELINE_ID\"", job.name.as_str())
    } else {
        // Completes runs that were cut off.
        let complete =
            "for run in shards/*/; do ./tollgate show \"$run\" >/dev/null 2>&1 || :; done";
        script.push(complete.to_owned());
        "shards/*/".to_owned()
    };
    script.push(job.merge_command("./tollgate", &runs));
    map([
        ("extends", Yaml::from(PROGRAM)),
        ("stage", "verdict".into()),
        (
            "when",
            Yaml::from("always").noted("a shard that failed is missing, which the verdict says"),
        ),
        ("timeout", minutes(job.merge_minutes())),
        ("script", texts(script)),
        ("artifacts", verdict_artifacts(job)),
    ])
}

/// The merged run, and the files that flags make of it. GitLab shows them at the merge request.
fn verdict_artifacts(job: &FleetJob) -> Yaml {
    let files: Vec<_> = job.merged_files().collect();
    let paths = std::iter::once("reports/runs/").chain(files.iter().map(|(_, path)| *path));
    let mut entries = artifacts(paths);
    if !files.is_empty() {
        let reports = files.iter().map(|(kind, path)| (*kind, Yaml::from(*path)));
        entries.push(("reports", map(reports)));
    }
    map(entries)
}

fn minutes(minutes: u64) -> Yaml {
    format!("{minutes} minutes").into()
}

fn artifacts<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<(&'static str, Yaml)> {
    vec![("when", Yaml::from("always")), ("paths", texts(paths))]
}

/// A text that GitLab expands to exactly this one.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
