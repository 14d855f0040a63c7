//! A shell script that submits an array of Slurm, and the job that merges.

use super::{FleetJob, JobVariable, MeetingPlace, VariableOrigin};
use crate::fleet::{shell, yaml};

/// The folder of the logs, relative to the one that the script is started in.
const LOGS: &str = "reports/slurm";

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
    let (times, arguments, merged) = match lead {
        None => (String::new(), "", "$array"),
        Some(seconds) => (start_time(name, seconds), r#" "$start" "$runs""#, "$runs"),
    };
    format!(
        r#"  submit)
    mkdir -p {LOGS}
{times}    array=$(sbatch --parsable --export=ALL --job-name={name} --array=1-{last} \
      --time={shard_minutes} --output={LOGS}/%x-%A-%a.log "$0" shard{arguments}) || exit 4
    array=${{array%%;*}}
    trap 'scancel "$array"; exit 3' HUP INT TERM
    echo "The load is job $array; its logs are in {LOGS}"
    merge={LOGS}/{name}-$array-merge
    sbatch --wait --export=ALL --job-name={name}-merge --dependency="afterany:$array" \
      --time={merge_minutes} --output="$merge.log" "$0" merge "{merged}" "$merge.exit" || :
    cat "$merge.log" || :
    # Slurm's own code would also be 0 or 1 if the merge was cancelled or never started.
    read -r code <"$merge.exit" || {{ scancel "$array"; exit 4; }}
    exit "$code"
    ;;
"#
    )
}

/// Fixes the time at which all shards begin, and the folder of their runs.
fn start_time(name: &str, seconds: u64) -> String {
    format!(
        r#"    # Every machine must have begun {seconds} s from now.
    start=$(date -u -d "@$(($(date +%s) + {seconds}))" +%FT%TZ)
    runs=reports/shards/{name}-$(date -u +%Y%m%dT%H%M%SZ)-$$
"#
    )
}

/// What each machine of the array runs.
fn shard(job: &FleetJob, has_start: bool) -> String {
    let run = job.run_command();
    let meeting = if has_start {
        r#"--start-at "$2" --runs-dir "$3""#.to_owned()
    } else {
        format!("--rendezvous {}-\"$SLURM_ARRAY_JOB_ID\"", job.name.as_str())
    };
    format!("  shard)\n    exec tollgate {run} \\\n      --shard auto {meeting}\n    ;;\n")
}

/// What the last job runs.
fn merge(job: &FleetJob, has_start: bool) -> String {
    if !has_start {
        let name = job.name.as_str();
        return format!(
            r#"  merge)
    code=0
    tollgate merge --rendezvous {name}-"$2" || code=$?
    echo "$code" >"$3"
    ;;
"#
        );
    }
    let merge = r#"  merge)
    for run in "$2"/*/; do
      # Completes a run that was cut off.
      tollgate show "$run" >/dev/null 2>&1 || :
    done
    code=0
    tollgate merge "$2"/*/ || code=$?
    echo "$code" >"$3"
    ;;
"#;
    merge.to_owned()
}
