//! A run whose machines meet in the database: `run --rendezvous` and `merge --rendezvous`.
//!
//! Each machine registers with the digest of its plan. When all are there, the database fixes one
//! start; each machine corrects its own clock by what it measured. While they send, they ask for
//! news, so that one of them can end the whole run. Their runs are stored as shards, and whoever
//! merges waits until all are there.

mod collect;
mod link;
mod member;
mod patience;
mod refusal;

use std::time::Duration;

use super::exit::CommandError;
use super::outputs::OutputDestinations;
use super::shard::{self, MAX_SHARDS};
use crate::engine::clock;
use crate::fleet::{self, MeetingTimes};
use crate::plan::{Plan, ScenarioPlan, Shard, ShardPlan};
use crate::postgres::DatabaseAddress;
use crate::units::{UnitError, parse_duration};

pub(super) use collect::{CollectOptions, Collected, CollectedShards, collect};
pub(super) use link::LinkEnds;
pub(super) use member::{FleetMember, JoinEnd};

/// How long machines wait for each other unless a flag says otherwise.
const WAIT: Duration = fleet::RENDEZVOUS_WAIT;

/// Maximum number of characters of a name.
const LONGEST_NAME: usize = 200;

/// Where this machine meets the others.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Several machines")]
#[group(skip)]
pub(super) struct Flags {
    /// Meet the other machines in the database under this name instead of naming a start: the run
    /// starts once all shards are there. A name serves one run; use the id of the job, for example
    #[arg(long, value_name = "NAME", value_parser = parse_name, conflicts_with = "start_at")]
    rendezvous: Option<String>,
    /// The number of machines at the rendezvous [default: that of --shard]. Without --shard, each
    /// machine gets the next free shard
    #[arg(long, value_name = "N", requires = "rendezvous", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SHARDS)))]
    of: Option<u32>,
    /// How long the machines wait for each other. Then the run starts without those that are
    /// missing, and cannot pass [default: 5m]
    #[arg(long, value_name = "DURATION", requires = "rendezvous", value_parser = parse_duration)]
    rendezvous_wait: Option<Duration>,
    /// The time from the arrival of the last machine to the start, for setup and warm-up [default:
    /// 10s, and more for many setup steps and warm-up requests]
    #[arg(long, value_name = "DURATION", requires = "rendezvous", value_parser = parse_duration)]
    lead: Option<Duration>,
    /// After this shard, wait for the others, merge them, and exit with the verdict on the whole
    #[arg(long, requires = "rendezvous")]
    verdict: bool,
}

/// A rendezvous that flags name.
pub(super) struct RendezvousRequest {
    name: String,
    /// The shard that this machine wants; `None` for any.
    shard: Option<Shard>,
    of: u32,
    wait: Duration,
    lead: Option<Duration>,
    address: DatabaseAddress,
}

impl Flags {
    /// Whether a rendezvous is named.
    pub(super) fn is_given(&self) -> bool {
        self.rendezvous.is_some()
    }

    /// The name of the rendezvous, if this machine also merges.
    pub(super) fn merged_name(&self) -> Option<&str> {
        self.rendezvous.as_deref().filter(|_| self.verdict)
    }

    /// What the flags say about the time before the start.
    pub(super) fn times(&self) -> MeetingTimes {
        MeetingTimes { wait: self.rendezvous_wait, lead: self.lead }
    }

    /// The rendezvous that the flags name; `None` if they name none.
    pub(super) fn request(
        &self,
        flags: shard::Flags,
        destinations: &OutputDestinations,
    ) -> Result<Option<RendezvousRequest>, CommandError> {
        let Some(name) = self.rendezvous.clone() else { return Ok(None) };
        let shard = flags.chosen()?;
        let of = match (self.of, shard) {
            (Some(of), Some(shard)) if of != shard.of => {
                return Err(CommandError::usage(format!(
                    "error: --of says {of} machines and --shard {}; leave --of out",
                    shard.of
                )));
            }
            (Some(of), _) => of,
            (None, Some(shard)) => shard.of,
            (None, None) => {
                return Err(CommandError::usage(
                    "error: --rendezvous needs the number of machines: add `--of 3` for three, or --shard",
                ));
            }
        };
        Ok(Some(RendezvousRequest {
            name,
            shard,
            of,
            wait: self.rendezvous_wait.unwrap_or(WAIT),
            lead: self.lead,
            address: required_address(destinations)?,
        }))
    }
}

/// The database of a rendezvous.
pub(super) fn required_address(
    destinations: &OutputDestinations,
) -> Result<DatabaseAddress, CommandError> {
    destinations.database().cloned().ok_or_else(|| {
        CommandError::usage(
            "error: the machines meet in a database, and none is named: set DATABASE_URL or give --store; without one, \
             name a common start on each machine with `tollgate run --shard 1/3 --start-at 15:00`",
        )
    })
}

impl RendezvousRequest {
    /// The shard for which the plan is resolved before this machine has one. The plan is the same
    /// for all shards.
    pub(super) fn assumed_shard(&self) -> ShardPlan {
        let shard = self.shard.unwrap_or(Shard { index: 0, of: self.of });
        ShardPlan { shard, start: clock::wall_clock(), clock: None }
    }

    fn lead(&self, plan: &Plan) -> Duration {
        self.lead.unwrap_or_else(|| {
            plan.scenarios.iter().map(default_lead).max().unwrap_or(SHORTEST_LEAD)
        })
    }
}

/// The time for agreeing and for opening connections.
const SHORTEST_LEAD: Duration = Duration::from_secs(10);

/// The time from the agreement to the start that most targets need for the setup and the warm-up of
/// a scenario.
fn default_lead(scenario: &ScenarioPlan) -> Duration {
    let each = scenario.warmup.requests.div_ceil(u64::from(scenario.warmup.connections.max(1)));
    let setup = scenario.shown.setup.len() as u64;
    let needed = Duration::from_secs(2 * setup)
        + Duration::from_millis(250).saturating_mul(u32::try_from(each).unwrap_or(u32::MAX));
    SHORTEST_LEAD + needed.min(Duration::from_mins(5))
}

/// A name that fits a line and a row, and needs no quotes in a shell.
pub(super) fn parse_name(text: &str) -> Result<String, UnitError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:+@=".contains(c);
    if !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    let problem = format!("`{}` is not a name", text.escape_debug());
    let remedy = format!(
        "write letters, digits and `._-/:+@=`, {LONGEST_NAME} at most, such as `deploy-42`"
    );
    Err(UnitError::new(problem, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quotes_in_a_shell() {
        for name in ["deploy-42", "1795967605/1", "build.7@main:a+b=c", &"n".repeat(200)] {
            assert_eq!(parse_name(name).unwrap(), name);
        }
        for name in ["", " ", "a b", "$(id)", "a'b", "a\nb", "été", &"n".repeat(201)] {
            assert!(parse_name(name).is_err(), "{name}");
        }
    }
}
