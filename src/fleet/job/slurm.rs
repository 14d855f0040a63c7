//! A shell script that submits an array of Slurm, and the job that merges.

use super::{FleetJob, JobError, JobVariable, MeetingPlace, VariableOrigin};
use crate::fleet::{shell, yaml};

/// The folder of the logs, relative to the one that the script is started in.
const LOGS: &str = "reports/slurm";

/// The script.
pub(super) fn write(job: &FleetJob) -> Result<String, JobError> {
    let start = match job.meeting {
        MeetingPlace::Store => None,
        MeetingPlace::StartTime(lead) => Some(lead.as_secs()),
    };
    // A shell cannot hold a zero byte, and Slurm reads the script as lines.
    if job.run_words().iter().any(|word| word.contains('\0')) {
        return Err(JobError::new("a shell cannot pass a zero byte on", "remove it"));
    }
    Ok(format!(
        "#!/bin/sh\n{}\nset -eu\n{}\ncase ${{1:-submit}} in\n{}{}{}esac\n",
        yaml::comment(&heading(job)),
        variables(job),
        submit(job, start),
        shard(job, start.is_some()),
        merge(job, start.is_some()),
    ))
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
    let name = job.name.as_str();
    let last = job.shards;
    let (fixed, arguments) = match lead {
        None => (String::new(), ""),
        Some(seconds) => (
            format!(
                "    # Every machine must have begun {seconds} s from now.\n    \
                 start=$(date -u -d \"@$(($(date +%s) + {seconds}))\" +%FT%TZ)\n    \
                 runs=reports/shards/{name}-$(date -u +%Y%m%dT%H%M%SZ)-$$\n"
            ),
            " \"$start\" \"$runs\"",
        ),
    };
    let merged = if lead.is_some() { "\"$runs\"" } else { "\"$array\"" };
    format!(
        "  submit)\n    mkdir -p {LOGS}\n{fixed}    \
         array=$(sbatch --parsable --export=ALL --job-name={name} --array=1-{last} \\\n      \
         --time={} --output={LOGS}/%x-%A-%a.log \"$0\" shard{arguments})\n    \
         array=${{array%%;*}}\n    \
         echo \"The load is job $array; its logs are in {LOGS}\"\n    \
         code=0\n    \
         sbatch --wait --export=ALL --job-name={name}-merge --dependency=\"afterany:$array\" \\\n      \
         --time={} --output=\"{LOGS}/{name}-$array-merge.log\" \"$0\" merge {merged} || code=$?\n    \
         cat \"{LOGS}/{name}-$array-merge.log\"\n    \
         exit \"$code\"\n    ;;\n",
        job.shard_minutes(),
        job.merge_minutes(),
    )
}

/// What each machine of the array runs.
fn shard(job: &FleetJob, has_start: bool) -> String {
    let meeting = if has_start {
        "--start-at \"$2\" --runs-dir \"$3\"".to_owned()
    } else {
        format!("--rendezvous {}-\"$SLURM_ARRAY_JOB_ID\"", job.name.as_str())
    };
    format!(
        "  shard)\n    exec tollgate {} \\\n      --shard auto {meeting}\n    ;;\n",
        job.run_command()
    )
}

/// What the last job runs.
fn merge(job: &FleetJob, has_start: bool) -> String {
    if !has_start {
        let name = job.name.as_str();
        return format!("  merge)\n    exec tollgate merge --rendezvous {name}-\"$2\"\n    ;;\n");
    }
    "  merge)\n    for run in \"$2\"/*/; do\n      \
     # Completes a run that was cut off.\n      \
     tollgate show \"$run\" >/dev/null 2>&1 || :\n    done\n    \
     exec tollgate merge \"$2\"/*/\n    ;;\n"
        .to_owned()
}
