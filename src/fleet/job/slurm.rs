//! A shell script that submits an array of Slurm, and the job that merges.

use super::{FleetJob, JobVariable, MeetingPlace, VariableOrigin};
use crate::fleet::{shell, yaml};

/// The folder of the logs, relative to the one that the script is started in.
const LOGS: &str = "reports/slurm";

/// The folder of the runs of shards that do not meet in a database.
const RUNS: &str = "reports/shards";

/// The script.
pub(super) fn write(job: &FleetJob) -> String {
    let start = match job.meeting {
        MeetingPlace::Store => None,
        MeetingPlace::StartTime(lead) => Some(lead.as_secs()),
    };
    let heading = yaml::comment(&heading(job));
    let variables = variables(job);
    let stages = [submit(job, start), shard(job, start.is_some()), merge(job, start.is_some())];
    let stages = stages.concat();
    format!("#!/bin/sh\n{heading}\nset -eu\n{variables}\ncase ${{1:-submit}} in\n{stages}esac\n")
}

fn heading(job: &FleetJob) -> Vec<String> {
    let mut lines = job.heading("Slurm");
    lines.extend([
        String::new(),
        "  sh THIS-FILE     submits the jobs, waits, and exits with the verdict".to_owned(),
        String::new(),
        "Start it in a folder that all machines share, with tollgate on the PATH. Slurm gives the"
            .to_owned(),
        "variables of this shell to the jobs. Options of the cluster go below this comment, such as"
            .to_owned(),
        "  #SBATCH --partition=NAME".to_owned(),
    ]);
    lines
}

/// The variables that the jobs need: those with a value, and tests for the others.
fn variables(job: &FleetJob) -> String {
    let is_optional =
        |variable: &&JobVariable| variable.origin == VariableOrigin::Secret { is_required: false };
    let public =
        job.public().map(|(name, value)| format!("export {name}={}\n", shell::quote(value)));
    let required = job.required_elsewhere().into_iter();
    let required = required.map(|name| format!("export {name}=\"${{{name}:?is not set}}\"\n"));
    let optional = job.variables.iter().filter(is_optional).map(|variable| &variable.name);
    let optional = optional.map(|name| format!("export {name}=\"${{{name}:-}}\"\n"));
    public.chain(required).chain(optional).collect()
}

/// The part that the user starts.
fn submit(job: &FleetJob, lead: Option<u64>) -> String {
    let (name, last) = (job.name.as_str(), job.shards);
    let (shard_minutes, merge_minutes) = (job.shard_minutes(), job.merge_minutes());
    let (time, argument) = match lead {
        None => (String::new(), ""),
        Some(seconds) => (start_time(seconds), r#" "$start""#),
    };
    format!(
        r#"  submit)
    mkdir -p {LOGS}
    # Each submission is a run of its own, whichever cluster it is on.
    run={name}-$(uname -n)-$(date -u +%Y%m%dT%H%M%SZ)-$$
{time}    array=$(sbatch --parsable --export=ALL --job-name={name} --array=1-{last} \
      --time={shard_minutes} --output={LOGS}/%x-%A-%a.log "$0" shard "$run"{argument}) || exit 4
    array=${{array%%;*}}
    trap 'scancel "$array"; scancel --name="$run-merge"; exit 3' HUP INT TERM
    echo "The load is job $array; its logs are in {LOGS}"
    merge={LOGS}/{name}-$array-merge
    sbatch --wait --export=ALL --job-name="$run-merge" --dependency="afterany:$array" \
      --time={merge_minutes} --output="$merge.log" "$0" merge "$run" "$merge.exit" &
    # A shell acts on a signal at once only while it waits itself.
    wait "$!" || :
    cat "$merge.log" || :
    # Slurm's own code would also be 0 or 1 if the merge was cancelled or never started.
    read -r code <"$merge.exit" || {{ scancel "$array"; exit 4; }}
    exit "$code"
    ;;
"#
    )
}

/// Fixes the time at which all shards begin.
fn start_time(seconds: u64) -> String {
    format!(
        r#"    # Every machine must have begun {seconds} s from now.
    start=$(date -u -d "@$(($(date +%s) + {seconds}))" +%FT%TZ)
"#
    )
}

/// What each machine of the array runs.
fn shard(job: &FleetJob, has_start: bool) -> String {
    let run = job.run_command(|file| file.typed.clone());
    let meeting = if has_start {
        format!(r#"--start-at "$3" --runs-dir {RUNS}/"$2""#)
    } else {
        r#"--rendezvous "$2""#.to_owned()
    };
    format!("  shard)\n    exec tollgate {run} \\\n      --shard auto {meeting}\n    ;;\n")
}

/// What the last job runs.
fn merge(job: &FleetJob, has_start: bool) -> String {
    let (complete, runs) = if has_start {
        let complete = format!(
            r#"    for run in {RUNS}/"$2"/*/; do
      # Completes a run that was cut off.
      tollgate show "$run" >/dev/null 2>&1 || :
    done
"#
        );
        (complete, format!(r#"{RUNS}/"$2"/*/"#))
    } else {
        (String::new(), r#"--rendezvous "$2""#.to_owned())
    };
    let merge = job.merge_command("tollgate", &runs);
    format!(
        r#"  merge)
{complete}    code=0
    {merge} || code=$?
    echo "$code" >"$3"
    ;;
"#
    )
}
