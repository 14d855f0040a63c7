//! One run on several machines: which shard this machine runs, when it starts, and how it exits.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, Time};

use super::exit::{CommandError, ExitStatus};
use super::variables::utf8_variable;
use crate::engine::clock;
use crate::fleet;
use crate::plan::{Shard, ShardPlan};
use crate::record::{RunEnding, RunRecord, in_utc};
use crate::units::{UnitError, format_duration};

/// Maximum number of machines that share a run.
pub(super) const MAX_SHARDS: u32 = 1_000;

/// How far ahead the start may be.
const MAX_LEAD: time::Duration = time::Duration::hours(24);

/// Which shard of a run this machine runs.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(next_help_heading = "Several machines")]
#[group(skip)]
pub(super) struct Flags {
    /// Run one shard of N, such as 2/3 for the second of three: every N-th arrival over a share of
    /// the connections. `auto` takes both numbers from the orchestrator of this machine
    /// (Kubernetes, Slurm, AWS Batch, GitLab and others), or from `TOLLGATE_SHARD_INDEX` (from 0)
    /// and `TOLLGATE_SHARD_COUNT`; `auto/N` adds the number of machines if that does not say
    /// it. A single shard is inconclusive unless it fails; `tollgate merge` judges the whole run
    #[arg(long, value_name = "I/N|auto", value_parser = str::parse::<ShardChoice>)]
    shard: Option<ShardChoice>,
    /// When all shards start measuring, up to 24h ahead: 2026-11-24T15:00:00Z, or 15:00 for the
    /// nearest 15:00 in UTC; leave time for the warm-up
    #[arg(long, value_name = "TIME", value_parser = str::parse::<StartAt>)]
    start_at: Option<StartAt>,
    /// The exit code of a shard that measured its part: 0, because the merge decides, or that of
    /// its own verdict [default: `done` at a rendezvous, or if an orchestrator started this
    /// machine; otherwise `verdict`]
    #[arg(long, value_enum)]
    shard_exit: Option<ShardExit>,
}

/// What the exit code of a shard says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShardExit {
    /// 0 if the shard measured its part, even if it proved a breach
    Done,
    /// The verdict on the shard alone: 3, or 1 if it proves a breach
    Verdict,
}

/// The shard as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShardChoice {
    Typed(Shard),
    /// From the orchestrator's variables; the number of machines if it is typed.
    Auto(Option<u32>),
}

impl Flags {
    /// The shard this machine runs, and its start, which may be in the past; `None` for the whole
    /// run.
    pub(super) fn planned(self) -> Result<Option<ShardPlan>, CommandError> {
        match (self.shard, self.start_at) {
            (None, None) if self.shard_exit.is_some() => Err(CommandError::usage(
                "error: --shard-exit is for a shard; add --shard or --rendezvous, or leave it out",
            )),
            (None, None) => Ok(None),
            (Some(choice), Some(start_at)) => {
                let start = start_at.nearest_to(clock::wall_clock());
                Ok(Some(ShardPlan { shard: choice.shard()?, start, clock: None }))
            }
            (Some(_), None) => Err(CommandError::usage(format!(
                "error: --shard needs --start-at: the machines that share a run must start measuring together; add \
                 the same --start-at on each, such as `--start-at {}`, or let them meet with --rendezvous",
                example(clock::wall_clock())
            ))),
            (None, Some(_)) => Err(CommandError::usage(
                "error: --start-at needs --shard: it is for runs that several machines share; add `--shard 1/3` \
                 on the first of three",
            )),
        }
    }

    /// The shard that a machine wants at a rendezvous; `None` for any.
    pub(super) fn chosen(self) -> Result<Option<Shard>, CommandError> {
        self.shard.map(ShardChoice::shard).transpose()
    }

    /// Whether one of the flags is given.
    pub(super) fn is_given(self) -> bool {
        self.shard.is_some() || self.start_at.is_some()
    }

    /// The exit code of a finished run. A shard that measured its part succeeded for the
    /// orchestrator that started it, or at the rendezvous: the merge decides, and a second attempt
    /// would send the load again.
    pub(super) fn exit_of(
        self,
        record: &RunRecord,
        exit: ExitStatus,
        is_member: bool,
    ) -> ExitStatus {
        let is_verdict = !matches!(exit, ExitStatus::Usage | ExitStatus::Internal);
        let is_started =
            || self.shard.is_some() && fleet::find_orchestrator(&utf8_variable).is_some();
        let is_done = is_verdict && measured_its_part(record);
        if is_done && self.exits_when_done(|| is_member || is_started()) {
            ExitStatus::Pass
        } else {
            exit
        }
    }

    /// The exit code of a member of a rendezvous that measured its part earlier, with this verdict.
    pub(super) fn exit_of_earlier(self, verdict: impl FnOnce() -> ExitStatus) -> ExitStatus {
        if self.exits_when_done(|| true) { ExitStatus::Pass } else { verdict() }
    }

    fn exits_when_done(self, default: impl FnOnce() -> bool) -> bool {
        self.shard_exit.map_or_else(default, |exit| exit == ShardExit::Done)
    }
}

/// Whether a shard did what it could: a target that is down is a result, but an interruption and a
/// failed setup are not.
pub(super) fn measured_its_part(record: &RunRecord) -> bool {
    let measurement = &record.measurement;
    let ended =
        measurement.ending.is_planned() || matches!(measurement.ending, RunEnding::TargetDown(_));
    measurement.sharing.is_some() && ended
}

/// A start that can be typed now: the first full minute that is at least two minutes ahead.
fn example(now: OffsetDateTime) -> String {
    let ahead = in_utc(now) + time::Duration::minutes(3);
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:00Z");
    ahead.format(format).unwrap_or_default()
}

impl ShardChoice {
    fn shard(self) -> Result<Shard, CommandError> {
        match self {
            Self::Typed(shard) => Ok(shard),
            Self::Auto(count) => {
                let place = fleet::find_place(&utf8_variable, count).map_err(|error| {
                    CommandError::usage(format!("error: --shard auto: {error}"))
                })?;
                if place.shard.of > MAX_SHARDS {
                    return Err(CommandError::usage(format!(
                        "error: --shard auto: {} machines are too many: a run has at most {MAX_SHARDS} shards",
                        place.shard.of
                    )));
                }
                Ok(place.shard)
            }
        }
    }
}

impl FromStr for ShardChoice {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let Some(rest) = text.strip_prefix("auto") else {
            return parse_shard(text).map(Self::Typed);
        };
        if rest.is_empty() {
            return Ok(Self::Auto(None));
        }
        let count = rest.strip_prefix('/').and_then(|count| count.trim().parse().ok());
        let valid = count.filter(|count| (1..=MAX_SHARDS).contains(count));
        valid.map(|count| Self::Auto(Some(count))).ok_or_else(|| {
            let most = format!("up to `auto/{MAX_SHARDS}`");
            let remedy = format!("write `auto`, or `auto/8` for eight machines, {most}");
            UnitError::new(format!("`{text}` is not a shard"), remedy)
        })
    }
}

/// Parses `2/3`, the second of three shards.
fn parse_shard(text: &str) -> Result<Shard, UnitError> {
    let numbers = text
        .split_once('/')
        .and_then(|(i, of)| Some((i.trim().parse().ok()?, of.trim().parse().ok()?)));
    let valid = numbers.filter(|&(i, of): &(u32, u32)| (1..=of).contains(&i) && of <= MAX_SHARDS);
    valid.map(|(i, of)| Shard { index: i - 1, of }).ok_or_else(|| {
        let remedy = format!(
            "write `1/3` for the first of three, up to `{MAX_SHARDS}/{MAX_SHARDS}`, or `auto`"
        );
        UnitError::new(format!("`{text}` is not a shard"), remedy)
    })
}

/// A start as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartAt {
    Instant(OffsetDateTime),
    /// A time of day in UTC.
    Clock(Time),
}

impl FromStr for StartAt {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let instant =
            OffsetDateTime::parse(text, &Rfc3339).map(|start| Self::Instant(in_utc(start)));
        let time =
            || Time::parse(text, format_description!("[hour]:[minute][optional [:[second]]]"));
        instant.or_else(|_| time().map(Self::Clock)).map_err(|_| {
            let example = example(clock::wall_clock());
            let remedy = format!("write `{example}`, or `15:00` for the nearest 15:00 in UTC");
            UnitError::new(format!("`{text}` is not a start time"), remedy)
        })
    }
}

impl StartAt {
    /// The start as an instant.
    fn nearest_to(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Instant(start) => start,
            Self::Clock(time) => nearest(time, now),
        }
    }
}

/// Refuses a start that a run that begins now cannot meet.
pub(super) fn check_start(start: OffsetDateTime, now: OffsetDateTime) -> Result<(), CommandError> {
    let ahead = start - now;
    if ahead.is_positive() && ahead <= MAX_LEAD {
        return Ok(());
    }
    let text = start.format(&Rfc3339).unwrap_or_else(|_| start.to_string());
    let (problem, remedy) = if ahead.is_positive() {
        let ahead = format_duration(Duration::try_from(ahead).unwrap_or(Duration::MAX));
        (format!("{ahead} ahead"), "choose a start within 24h")
    } else {
        (
            format!(
                "in the past: it is {} now",
                in_utc(now.truncate_to_second())
                    .format(&Rfc3339)
                    .unwrap_or_else(|_| now.to_string())
            ),
            "choose a later start for all shards, and check that the clocks of the machines agree",
        )
    };
    Err(CommandError::usage(format!("error: --start-at {text} is {problem}; {remedy}")))
}

/// The instant nearest to `now` at which clocks in UTC show `time`. Machines that start the command
/// at slightly different times, or around midnight, get the same instant.
fn nearest(time: Time, now: OffsetDateTime) -> OffsetDateTime {
    let today = in_utc(now).replace_time(time);
    let days = [today, today - time::Duration::DAY, today + time::Duration::DAY];
    days.into_iter().min_by_key(|day| (*day - now).abs()).unwrap_or(today)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_shard_has_an_index_between_one_and_the_count() {
        assert_eq!(parse_shard("2/3").unwrap(), Shard { index: 1, of: 3 });
        assert_eq!(parse_shard("1000/1000").unwrap(), Shard { index: 999, of: 1_000 });
        for text in ["0/3", "4/3", "1/0", "1/1001", "1", "a/b", "-1/3", "1/3/5", ""] {
            assert!(parse_shard(text).is_err(), "{text}");
        }
    }

    #[test]
    fn auto_may_name_the_number_of_machines() {
        assert_eq!("auto".parse::<ShardChoice>().unwrap(), ShardChoice::Auto(None));
        assert_eq!("auto/8".parse::<ShardChoice>().unwrap(), ShardChoice::Auto(Some(8)));
        for text in ["auto/0", "auto/1001", "auto/", "automatic", "auto/2/3"] {
            assert!(text.parse::<ShardChoice>().is_err(), "{text}");
        }
    }

    /// A start typed at 23:58, in milliseconds from then.
    fn typed(text: &str) -> Result<i128, String> {
        let now = datetime!(2026-11-24 23:58 UTC);
        let start = text.parse::<StartAt>().map_err(|error| error.to_string())?;
        let instant = start.nearest_to(now);
        check_start(instant, now).map_err(|problem| problem.to_string())?;
        Ok((instant - now).whole_milliseconds())
    }

    #[test]
    fn a_start_is_an_instant_or_the_nearest_time_of_day() {
        assert_eq!(typed("2026-11-24T23:58:01.5Z"), Ok(1_500));
        assert_eq!(typed("2026-11-25T01:58:10+02:00"), Ok(10_000));
        assert_eq!(typed("23:59"), Ok(60_000));
        assert_eq!(typed("23:58:30"), Ok(30_000));
        assert_eq!(typed("00:03"), Ok(300_000));
    }

    #[test]
    fn the_example_of_a_start_can_be_typed() {
        for now in [datetime!(2026-11-24 23:58 UTC), datetime!(2026-11-24 23:57:59.9 UTC)] {
            let start = example(now).parse::<StartAt>().unwrap().nearest_to(now);
            assert!((2..=3).contains(&(start - now).whole_minutes()), "{start}");
        }
    }

    #[test]
    fn a_start_in_the_past_or_too_far_ahead_is_refused() {
        assert!(
            typed("23:57")
                .unwrap_err()
                .contains("2026-11-24T23:57:00Z is in the past: it is 2026-11-24T23:58:00Z now")
        );
        assert!(typed("2026-11-24T23:58:00Z").unwrap_err().contains("is in the past: "));
        assert!(typed("2026-11-26T00:00:00Z").unwrap_err().contains("within 24h"));
        for text in ["tomorrow", "25:00", "2026-11-24T15:00:00", "15"] {
            assert!(typed(text).unwrap_err().contains("not a start time"), "{text}");
        }
    }
}
