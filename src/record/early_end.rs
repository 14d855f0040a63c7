//! Why a run ended before its planned end although nothing went wrong with it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::micros;
use crate::units::format_duration;

/// A run that ended before its planned end because the evidence was clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlyEnd {
    /// The settled part of the measured stage that proved it.
    #[serde(rename = "after_us", with = "micros")]
    #[schemars(with = "u64")]
    pub after: Duration,
    /// The planned length of the measured stage.
    #[serde(rename = "planned_us", with = "micros")]
    #[schemars(with = "u64")]
    pub planned: Duration,
    /// The budget that is proven not to hold; `None` if every budget is proven to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach: Option<ProvenBreach>,
}

/// A budget that is proven not to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvenBreach {
    /// The scenario's name.
    pub scenario: String,
    /// The request's name.
    pub request: String,
    /// The budget as it is written: `p95 < 300ms`.
    pub budget: String,
}

impl EarlyEnd {
    /// `ended early after 31 s of 120 s`.
    pub fn when(&self) -> String {
        let whole = |time: Duration| {
            let seconds = time.as_secs();
            if time.subsec_nanos() == 0 { format!("{seconds} s") } else { format_duration(time) }
        };
        format!("ended early after {} of {}", whole(self.after), whole(self.planned))
    }

    /// ``ended early after 31 s of 120 s: the breach of p95 < 300ms by `page` is proven``.
    pub fn words(&self) -> String {
        let why = match &self.breach {
            Some(breach) => {
                format!("the breach of {} by `{}` is proven", breach.budget, breach.request)
            }
            None => "every budget is proven to hold".to_owned(),
        };
        format!("{}: {why}", self.when())
    }
}
