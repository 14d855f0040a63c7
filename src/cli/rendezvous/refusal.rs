//! Why a machine cannot take part in a rendezvous, and how the command ends then.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::super::exit::{CommandError, ExitStatus};
use super::super::shard;
use crate::store::{JoinRefusal, JoinedShard, RendezvousTerms};

/// Ends the command of a machine that cannot take part. Nothing was sent. `judge` finds the exit
/// code of the verdict on a stored run.
pub(super) fn refuse(
    refusal: &JoinRefusal,
    own: &RendezvousTerms,
    flags: shard::Flags,
    judge: impl FnOnce(Uuid) -> ExitStatus,
) -> Result<ExitStatus, CommandError> {
    let RendezvousTerms { name, shards, .. } = own;
    match refusal {
        JoinRefusal::OtherTerms(theirs) => Err(CommandError::usage(other_terms(own, theirs))),
        JoinRefusal::Repeated(holder) => Ok(started_again(own, holder, flags, judge)),
        JoinRefusal::Taken(holder) => Err(CommandError::usage(format!(
            "error: shard {} of {shards} at the rendezvous `{name}` is taken by {}, since {}; give each machine another --shard, \
             or leave it out to get the next free one",
            holder.shard,
            holder.host,
            at(holder.joined)
        ))),
        JoinRefusal::Full => Err(CommandError::usage(format!(
            "error: the rendezvous `{name}` has its {shards} machines already; choose another name for another run"
        ))),
        JoinRefusal::Started(starts) => Err(CommandError::usage(format!(
            "error: the start of the rendezvous `{name}`, {}, was fixed without this machine; choose another name for another \
             run, and a longer --rendezvous-wait for machines that come late",
            at(*starts)
        ))),
    }
}

fn other_terms(own: &RendezvousTerms, theirs: &RendezvousTerms) -> String {
    let name = &own.name;
    let (what, remedy) = if own.shards != theirs.shards {
        (
            format!("it is for {} machines, and this one expects {}", theirs.shards, own.shards),
            "give the same number to all",
        )
    } else if own.tollgate != theirs.tollgate {
        (
            format!("its machines run tollgate {}, and this one {}", theirs.tollgate, own.tollgate),
            "use one version on all machines",
        )
    } else {
        (
            "the machine that came first has another plan, or other limits from earlier runs"
                .to_owned(),
            "use the same scenario files, flags and public variables on all machines (`tollgate check` prints a plan)",
        )
    };
    format!(
        "error: this machine cannot take part in the rendezvous `{name}`: {what}; {remedy}, or choose another name for another run"
    )
}

/// A shard whose place was taken before the start, and which is started again: an orchestrator
/// repeats its job. Its load is not sent again.
fn started_again(
    own: &RendezvousTerms,
    holder: &JoinedShard,
    flags: shard::Flags,
    judge: impl FnOnce(Uuid) -> ExitStatus,
) -> ExitStatus {
    let (state, exit) = match (holder.ended, holder.run) {
        (_, Some(run)) if holder.measured => {
            ("has already run", flags.exit_of_earlier(|| judge(run)))
        }
        (Some(_), Some(_)) => ("did not measure and store its part", ExitStatus::Inconclusive),
        (Some(_), None) => ("ended before it sent anything", ExitStatus::Inconclusive),
        (None, _) => ("is running or was cut off", ExitStatus::Inconclusive),
    };
    tracing::warn!(
        "WARNING: shard {} of {} at the rendezvous `{}` {state} on {}, so no request was sent",
        holder.shard,
        own.shards,
        own.name,
        holder.host
    );
    exit
}

/// A time as the command line takes it, to the second.
pub(super) fn at(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    whole.format(&Rfc3339).unwrap_or_else(|_| whole.to_string())
}
