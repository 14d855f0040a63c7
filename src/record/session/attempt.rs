//! One attempt of a session.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::machine::{CpuReading, MachineFacts, QuotaReading, StartKind};
use super::sample::ExchangeSample;
use crate::record::{Decision, Histogram, micros};

/// One attempt: a configuration, a cold start, the first requests, the curve, the steady stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number in the session, from 1.
    pub number: u32,
    /// Its round, from 1.
    pub round: u32,
    /// The index of its configuration.
    pub configuration: usize,
    /// When it started, before the app was brought into its state (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When the app began to be brought into its cold state; `None` if it never was. What the
    /// machines did before, such as boot with a new configuration, is not part of the attempt.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub cold_from: Option<OffsetDateTime>,
    /// When its first request was due: spans of throttled time are drawn against it; `None` if none
    /// was sent.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub first_due: Option<OffsetDateTime>,
    /// How long it took in total.
    #[serde(rename = "took_us", with = "micros")]
    pub took: Duration,
    /// The machines before the app was brought into its state, with the configuration applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines_before: Vec<MachineFacts>,
    /// The machines at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines_after: Vec<MachineFacts>,
    /// The machine that answered, if that is known: requests were pinned to it, or it is the only
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// How that machine came to run. Until a conclusion is drawn, this is what its events show;
    /// then it is what latency confirms of that.
    pub start: StartKind,
    /// What the machine's events show, if latency contradicts or does not confirm it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_by_events: Option<StartKind>,
    /// The first requests: one after the other, each due when it was sent. The first one waits for
    /// the boot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<ExchangeSample>,
    /// The requests of the warm-up curve, in the order of due times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<ExchangeSample>,
    /// Why the curve ended.
    pub curve_end: CurveEnd,
    /// The steady stage; `None` if it was not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady: Option<SteadyStage>,
    /// What the CPU quota did meanwhile.
    pub quota: QuotaReading,
    /// What went wrong, if the attempt was not completed; its samples are kept, and its figures
    /// enter no estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Attempt {
    /// How long the machine worked for the attempt: from the moment at which it was made cold.
    pub fn worked(&self) -> Duration {
        let before = self.cold_from.map(|from| from - self.started);
        let before = before.and_then(|before| Duration::try_from(before).ok());
        self.took.saturating_sub(before.unwrap_or_default())
    }

    /// The throttled time from which an attempt counts as throttled: one pause of a CPU that has
    /// spent its balance, which stands still for 75 ms of every 80 ms. Less is the rounding of a
    /// counter.
    pub const THROTTLE_FLOOR: Duration = Duration::from_millis(75);

    /// The id and the CPU of the machine that answered, or of the only one; `None` if that is not
    /// known.
    pub fn own_cpu(&self) -> Option<(&str, &CpuReading)> {
        let QuotaReading::Known(readings) = &self.quota else { return None };
        let (id, reading) = match &self.machine {
            Some(own) => readings.get_key_value(own)?,
            None => readings.iter().next().filter(|_| readings.len() == 1)?,
        };
        Some((id, reading))
    }

    /// The CPU that the quota held back longest of those that may have answered: other machines of
    /// the app do not slow down the answers of the one that did.
    pub fn most_throttled_cpu(&self) -> Option<&CpuReading> {
        match (&self.machine, &self.quota) {
            (Some(_), _) => self.own_cpu().map(|(_, reading)| reading),
            (None, QuotaReading::Known(all)) => all.values().max_by_key(|one| one.throttled),
            (None, QuotaReading::NotKnown(_)) => None,
        }
    }

    /// How long the quota held back the CPUs of the machine that answered or, if that one is not
    /// known, of the one that it held back longest; `None` without metrics of it.
    pub fn throttled_time(&self) -> Option<Duration> {
        self.most_throttled_cpu().map(|reading| reading.throttled)
    }

    /// Whether the quota held CPUs back: for [`Self::THROTTLE_FLOOR`] or longer.
    pub fn is_throttled(&self) -> bool {
        self.throttled_time().is_some_and(|time| time >= Self::THROTTLE_FLOOR)
    }
}

/// Why a warm-up curve ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurveEnd {
    /// The steady state was reached.
    Steady,
    /// The limit of its length was reached first.
    Limit,
    /// A signal or a failure cut it off.
    CutOff,
    /// It has no curve.
    Skipped,
}

/// The steady stage of an attempt, which is also a run of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteadyStage {
    /// The run's id.
    pub run: Uuid,
    /// The run's folder name.
    pub run_name: String,
    /// The decision on it.
    pub decision: Decision,
    /// Latency of its ok exchanges, over all its requests.
    pub latency: Histogram,
    /// Its exchanges.
    pub exchanges: u64,
    /// Its exchanges that failed.
    pub failed: u64,
    /// How many connections its load kept open; `None` in older records, and if each arrival opened
    /// its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// How long its measured stage lasted.
    #[serde(rename = "lasted_us", with = "micros")]
    pub lasted: Duration,
}
