//! A workflow of GitHub Actions: a matrix of shards, and the gate that merges.

use super::checkout::Checkout;
use super::{FleetJob, JobError, MeetingPlace, STORE_VARIABLE, VariableOrigin};
use crate::fleet::yaml::{self, Yaml, YamlReader, inline, map};

/// The maximum number of jobs of a matrix.
const LARGEST_MATRIX: u32 = 256;

/// The actions that the workflow uses, by commit, and their versions.
const CHECKOUT: (&str, &str) =
    ("actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8", "v5.0.0");
const UPLOAD: (&str, &str) =
    ("actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a", "v7.0.1");
const DOWNLOAD: (&str, &str) =
    ("actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1");

/// The name of the rendezvous: another one for each run of the workflow, the same for its retries.
const RUN: &str = "${{ github.run_id }}";

/// What the names of variables may not begin with, and why.
const RESERVED_NAMES: [(&str, &str); 4] = [
    ("GITHUB_", "begins with GITHUB_, which GitHub reserves"),
    ("RUNNER_", "begins with RUNNER_, which the runner reserves"),
    ("GATE_", "begins with GATE_, which the action reserves"),
    ("TOLLGATE_SHARD_", "begins with TOLLGATE_SHARD_, which the workflow reserves"),
];

/// The step of the merge.
const MERGE: &str = "gate";

/// The workflow. `action` is tollgate's action with its version.
pub(super) fn write(job: &FleetJob, action: &str) -> Result<String, JobError> {
    let checkout = Checkout::of(job)?;
    check(job)?;
    let jobs = match job.meeting {
        MeetingPlace::Store => vec![
            ("shard", shard_job(job, &checkout, action, None)?.spaced()),
            ("gate", gate_job(job, stored_steps(job, action)?)),
        ],
        MeetingPlace::StartTime(lead) => vec![
            ("start", start_job(lead.as_secs()).spaced()),
            ("shard", shard_job(job, &checkout, action, Some("start"))?.spaced()),
            ("gate", gate_job(job, artifact_steps(job, action)?)),
        ],
    };
    let workflow = map([
        ("name", Yaml::from(job.name.as_str())),
        ("on", "workflow_dispatch".into()),
        ("permissions", inline::<&str>([])),
        // Two loads at once would measure each other.
        (
            "concurrency",
            map([("group", job.name.as_str().into()), ("cancel-in-progress", Yaml::from(false))])
                .spaced(),
        ),
        ("jobs", map(jobs)),
    ]);
    yaml::write(&heading(job), &[workflow], YamlReader::Version12)
}

fn heading(job: &FleetJob) -> Vec<String> {
    let mut lines = job.heading("GitHub Actions");
    let secret = |name: &&str| {
        let is_public = |variable: &super::JobVariable| {
            variable.name == **name && variable.origin == VariableOrigin::PublicElsewhere
        };
        !job.variables.iter().any(is_public)
    };
    let required = job.required_elsewhere();
    let (secrets, variables): (Vec<&str>, Vec<&str>) =
        required.iter().partition(|name| secret(name));
    for (kind, names) in [("secrets", secrets), ("variables", variables)] {
        if !names.is_empty() {
            lines.push(format!("Needs these {kind} of the repository: {}", names.join(", ")));
        }
    }
    let optional = job.merge_variables();
    if !optional.is_empty() {
        lines.push(format!("Reads these secrets if they are set: {}", optional.join(", ")));
    }
    lines.push("Start it with `Run workflow`. A retry of a job sends no load again.".to_owned());
    lines
}

/// Refuses what GitHub cannot run or pass on.
fn check(job: &FleetJob) -> Result<(), JobError> {
    if job.shards > LARGEST_MATRIX {
        return Err(JobError::new(
            format!("a matrix of GitHub has at most {LARGEST_MATRIX} jobs"),
            format!("write `--shards {LARGEST_MATRIX}` or less"),
        ));
    }
    for variable in &job.variables {
        let upper = variable.name.to_ascii_uppercase();
        let reserved = RESERVED_NAMES.iter().find(|(start, _)| upper.starts_with(start));
        let is_same = |other: &super::JobVariable| {
            other.name != variable.name && other.name.eq_ignore_ascii_case(&variable.name)
        };
        let same = job.variables.iter().any(is_same);
        let same = same.then_some("differs from another only in case");
        if let Some(why) = reserved.map(|(_, why)| *why).or(same) {
            return Err(JobError::new(
                format!("`{}` cannot be a variable of GitHub: it {why}", variable.name),
                "rename it in the scenario",
            ));
        }
    }
    Ok(())
}

/// Fixes the time at which all shards begin.
fn start_job(lead: u64) -> Yaml {
    let script = format!(
        "# Every runner must have begun {lead} s from now.\n\
         echo \"at=$(date -u -d '+{lead} seconds' +%FT%TZ)\" >>\"$GITHUB_OUTPUT\"\n"
    );
    map([
        ("name", Yaml::from("start")),
        ("runs-on", "ubuntu-latest".into()),
        ("timeout-minutes", 5_u32.into()),
        ("outputs", map([("at", Yaml::from("${{ steps.start.outputs.at }}"))])),
        ("steps", Yaml::List(vec![map([("id", Yaml::from("start")), ("run", script.into())])])),
    ])
}

fn shard_job(
    job: &FleetJob,
    checkout: &Checkout<'_>,
    action: &str,
    needs: Option<&str>,
) -> Result<Yaml, JobError> {
    let places = (0..job.shards).map(Yaml::from).collect();
    let matrix = inline([("shard", Yaml::Row(places))]);
    let mut entries = vec![("name", Yaml::from("shard ${{ matrix.shard }}"))];
    entries.extend(needs.map(|job| ("needs", Yaml::from(job))));
    entries.extend([
        ("runs-on", Yaml::from("ubuntu-latest")),
        ("timeout-minutes", job.shard_minutes().into()),
        ("permissions", inline([("contents", Yaml::from("read"))])),
        ("strategy", map([("fail-fast", Yaml::from(false)), ("matrix", matrix)])),
        ("env", environment(job)),
        ("steps", Yaml::List(shard_steps(job, checkout, action)?)),
    ]);
    Ok(map(entries))
}

fn shard_steps(
    job: &FleetJob,
    checkout: &Checkout<'_>,
    action: &str,
) -> Result<Vec<Yaml>, JobError> {
    let path = |file: &super::JobFile| checkout.path_of(file);
    let sources = job.sources.iter().map(|source| source_line(&source.word(path)));
    let sources = sources.collect::<Result<Vec<_>, _>>()?.join("\n");
    let mut flags = flag_lines(&job.run_flags(path))?;
    flags.push("--shard auto".to_owned());
    flags.push(match job.meeting {
        MeetingPlace::Store => rendezvous(job),
        MeetingPlace::StartTime(_) => "--start-at ${{ needs.start.outputs.at }}".to_owned(),
    });
    // The page of the workflow shows the verdict on the whole alone.
    flags.push("--ci none".to_owned());
    let run = map([
        ("id", Yaml::from("shard")),
        ("uses", action.into()),
        ("with", map([("scenario", Yaml::from(sources)), ("args", lines(&flags))])),
    ]);
    let mut steps = vec![checkout_step(), run];
    if !job.has_store() {
        steps.push(upload("shard", "shard-${{ matrix.shard }}", &[]));
    }
    Ok(steps)
}

/// Keeps the run folder of a step, and further files, as an artifact.
fn upload(step: &str, name: &str, files: &[&str]) -> Yaml {
    let condition = ("if", Yaml::from(format!("always() && steps.{step}.outputs.run != ''")));
    let run = format!("${{{{ steps.{step}.outputs.run }}}}");
    let files = files.iter().map(|file| literal(file));
    let paths: Vec<_> = std::iter::once(run).chain(files).collect();
    let inputs = [
        ("name", Yaml::from(name)),
        ("path", paths.join("\n").into()),
        // A second attempt has the same names.
        ("overwrite", true.into()),
    ];
    map([condition].into_iter().chain(uses(UPLOAD, inputs)))
}

/// The flag that names the rendezvous.
fn rendezvous(job: &FleetJob) -> String {
    format!("--rendezvous {}-{RUN}", job.name.as_str())
}

/// The place of the shard, and the variables of the scenarios.
fn environment(job: &FleetJob) -> Yaml {
    let mut entries = vec![
        ("TOLLGATE_SHARD_INDEX".to_owned(), Yaml::from("${{ matrix.shard }}")),
        ("TOLLGATE_SHARD_COUNT".to_owned(), job.shards.into()),
    ];
    entries.extend(job.has_store().then(|| secret(STORE_VARIABLE)));
    for variable in &job.variables {
        let name = &variable.name;
        entries.push(match &variable.origin {
            VariableOrigin::Public(value) => (name.clone(), literal(value).into()),
            VariableOrigin::PublicElsewhere => {
                (name.clone(), format!("${{{{ vars.{name} }}}}").into())
            }
            VariableOrigin::Secret { .. } => secret(name),
        });
    }
    map(entries)
}

fn secret(name: &str) -> (String, Yaml) {
    (name.to_owned(), format!("${{{{ secrets.{name} }}}}").into())
}

fn gate_job(job: &FleetJob, steps: Vec<Yaml>) -> Yaml {
    let mut entries = vec![
        ("name", Yaml::from("gate")),
        ("needs", "shard".into()),
        // A shard that failed is missing, which the verdict says.
        ("if", "${{ !cancelled() }}".into()),
        ("runs-on", "ubuntu-latest".into()),
        ("timeout-minutes", job.merge_minutes().into()),
    ];
    if job.has_store() {
        entries.push(("permissions", inline([("contents", Yaml::from("read"))])));
    }
    let store = job.has_store().then_some(STORE_VARIABLE);
    let secrets: Vec<_> = store.iter().chain(job.merge_variables()).copied().map(secret).collect();
    if !secrets.is_empty() {
        entries.push(("env", map(secrets)));
    }
    entries.push(("steps", Yaml::List(steps)));
    map(entries)
}

fn stored_steps(job: &FleetJob, action: &str) -> Result<Vec<Yaml>, JobError> {
    // The address of the database may name a certificate's file.
    let mut steps = vec![checkout_step()];
    steps.extend(merge_steps(job, action, None)?);
    Ok(steps)
}

/// Merges what the shards have uploaded.
fn artifact_steps(job: &FleetJob, action: &str) -> Result<Vec<Yaml>, JobError> {
    let list = "{ echo 'runs<<END'; ls -d shards/*/; echo END; } >>\"$GITHUB_OUTPUT\"\n";
    let mut steps = vec![
        map(uses(DOWNLOAD, [("pattern", Yaml::from("shard-*")), ("path", "shards".into())])),
        map([("id", Yaml::from("shards")), ("run", list.into())]),
    ];
    steps.extend(merge_steps(job, action, Some("${{ steps.shards.outputs.runs }}"))?);
    Ok(steps)
}

/// Merges these runs, or those of the rendezvous, and keeps the merged one.
fn merge_steps(job: &FleetJob, action: &str, runs: Option<&str>) -> Result<[Yaml; 2], JobError> {
    let mut inputs = vec![("command", Yaml::from("merge"))];
    inputs.extend(runs.map(|runs| ("scenario", Yaml::from(runs))));
    let mut flags = flag_lines(&job.late_merge_flags())?;
    flags.extend(job.has_store().then(|| rendezvous(job)));
    if !flags.is_empty() {
        inputs.push(("args", flags.join("\n").into()));
    }
    let merge = map([("id", Yaml::from(MERGE)), ("uses", action.into()), ("with", map(inputs))]);
    let files: Vec<_> = job.merged_files().map(|(_, path)| path).collect();
    Ok([merge, upload(MERGE, "verdict", &files)])
}

fn checkout_step() -> Yaml {
    map(uses(CHECKOUT, [("persist-credentials", Yaml::from(false))]))
}

fn uses<const N: usize>(
    (action, version): (&str, &str),
    inputs: [(&'static str, Yaml); N],
) -> [(&'static str, Yaml); 2] {
    [("uses", Yaml::from(action).noted(version)), ("with", map(inputs))]
}

fn lines(lines: &[String]) -> Yaml {
    Yaml::from(lines.join("\n") + "\n")
}

/// A text that GitHub evaluates to exactly this one.
fn literal(text: &str) -> String {
    text.replace("${{", "${{ '${{' }}")
}

/// A line of the input `scenario`, which the action reads without blanks and quotes at its ends.
fn source_line(source: &str) -> Result<String, JobError> {
    check_line(source)?;
    Ok(literal(&quoted(source)))
}

/// The text, in quotes if the action would read it as another one.
fn quoted(text: &str) -> String {
    let is_quote = |c: char| matches!(c, '\'' | '"');
    let changes = text.trim() != text || text.starts_with(is_quote) || text.is_empty();
    if changes { format!("\"{text}\"") } else { text.to_owned() }
}

/// The lines of the input `args`: a flag with its value, or one word.
fn flag_lines(flags: &[String]) -> Result<Vec<String>, JobError> {
    let mut written = Vec::new();
    let mut words = flags.iter().peekable();
    while let Some(word) = words.next() {
        check_line(word)?;
        let is_flag = is_long_flag(word);
        let line = match words.peek() {
            Some(value) if is_flag && !value.starts_with('-') => {
                check_line(value)?;
                let value = quoted(value);
                words.next();
                format!("{word} {value}")
            }
            _ => single_word(word)?,
        };
        written.push(literal(&line));
    }
    Ok(written)
}

/// A word that has a line of its own.
fn single_word(word: &str) -> Result<String, JobError> {
    if let Some((flag, value)) = word.split_once('=')
        && is_long_flag(flag)
    {
        return Ok(format!("{flag}={}", quoted(value)));
    }
    // The action would split a word such as `-Hx y`, and trim blanks.
    if word.trim() != word
        || word.is_empty()
        || word.starts_with('-') && word.contains(char::is_whitespace)
    {
        return Err(JobError::new(
            format!("the action cannot pass `{}` on", word.escape_debug()),
            "write the long form of the flag with its value, such as `--header 'X-Key: value'`",
        ));
    }
    Ok(word.to_owned())
}

/// Whether a word is `--flag`, as the action reads it.
fn is_long_flag(word: &str) -> bool {
    word.strip_prefix("--").is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
    })
}

fn check_line(text: &str) -> Result<(), JobError> {
    if text.contains(char::is_control) {
        return Err(JobError::new(
            format!(
                "the action cannot pass `{}` on: it has a control character",
                text.escape_debug()
            ),
            "write it into the scenario, or rename the file",
        ));
    }
    Ok(())
}
