//! What the `[gate]` of a scenario makes of its verdict.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Decision;
use crate::units::{UnitError, duration_literal, parse_duration};

/// What the verdict on a scenario does to a deploy, as its `[gate]` says. The verdict itself does
/// not depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GatePolicy {
    /// What an inconclusive verdict does to the exit code.
    pub on_inconclusive: OnInconclusive,
    /// Which verdicts may end the measured stage before its planned end.
    pub stop_early: StopEarly,
}

impl GatePolicy {
    /// Whether the scenario names none of it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What the `[gate]` of a run's scenarios made of its verdict: what decides the exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateDecision {
    /// The decision that the exit code follows.
    pub decision: Decision,
    /// Why it is not that of the verdict, or why it is in spite of a policy, in one line: `failed 1
    /// time in a row; fail_after = 2`.
    pub reason: String,
}

impl GateDecision {
    /// The decision as the end of a sentence about the gate: `passes`, `fails`, `is inconclusive`.
    pub fn verb(&self) -> &'static str {
        match self.decision {
            Decision::Pass => "passes",
            Decision::Fail => "fails",
            Decision::Inconclusive => "is inconclusive",
        }
    }
}

/// What an inconclusive verdict does to the exit code. In files: `exit-3`, `fail`, `warn`,
/// `extend 60s`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum OnInconclusive {
    /// The exit code is 3.
    #[default]
    ExitThree,
    /// It counts as a failure: the exit code is 1.
    Fail,
    /// It does not stop a deploy: the exit code is 0, with a warning.
    Warn,
    /// The measured stage goes on for up to this long. If the verdict is inconclusive even then,
    /// the exit code is 3.
    Extend(Duration),
}

impl OnInconclusive {
    /// The shortest and the longest extension.
    const EXTENSIONS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));
    const WORDS: &str = "write `exit-3`, `fail`, `warn` or `extend 60s`";
}

impl FromStr for OnInconclusive {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match text {
            "exit-3" => return Ok(Self::ExitThree),
            "fail" => return Ok(Self::Fail),
            "warn" => return Ok(Self::Warn),
            _ => {}
        }
        let Some(length) = text.strip_prefix("extend") else {
            let remedy = match text {
                "exit 3" | "3" | "exit3" | "inconclusive" => "write `exit-3`",
                "pass" | "ignore" | "exit-0" | "exit 0" | "0" | "warning" => {
                    "write `warn`, which passes with a warning"
                }
                "exit-1" | "exit 1" | "1" | "failure" => "write `fail`",
                _ => Self::WORDS,
            };
            return Err(UnitError::new(format!("unknown word `{text}`"), remedy));
        };
        if length.trim().is_empty() {
            let remedy = "write how long, such as `extend 60s`";
            return Err(UnitError::new("`extend` needs a duration", remedy));
        }
        if !length.starts_with([' ', '\t']) {
            return Err(UnitError::new(format!("unknown word `{text}`"), Self::WORDS));
        }
        let length = parse_duration(length.trim())?;
        let (shortest, longest) = Self::EXTENSIONS;
        if !(shortest..=longest).contains(&length) {
            let problem = format!("a run cannot be extended by {}", duration_literal(length));
            return Err(UnitError::new(problem, "write a duration from 1s to 1h"));
        }
        Ok(Self::Extend(length))
    }
}

impl fmt::Display for OnInconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExitThree => f.write_str("exit-3"),
            Self::Fail => f.write_str("fail"),
            Self::Warn => f.write_str("warn"),
            Self::Extend(length) => write!(f, "extend {}", duration_literal(*length)),
        }
    }
}

impl TryFrom<String> for OnInconclusive {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<OnInconclusive> for String {
    fn from(policy: OnInconclusive) -> Self {
        policy.to_string()
    }
}

/// Which verdicts may end the measured stage before its planned end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopEarly {
    /// A proven fail.
    #[default]
    Fail,
    /// A proven fail, and a proven pass.
    Both,
    /// None: every run lasts as long as planned.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_in_files_as_in_a_scenario() {
        for text in ["exit-3", "fail", "warn", "extend 1m 30s"] {
            assert_eq!(text.parse::<OnInconclusive>().unwrap().to_string(), text);
        }
        let extended = OnInconclusive::Extend(Duration::from_mins(1));
        assert_eq!("extend 60s".parse::<OnInconclusive>().unwrap(), extended);
    }

    #[test]
    fn a_policy_that_does_not_exist_is_refused_with_the_one_that_is_probably_meant() {
        for (text, remedy) in [
            ("pass", "write `warn`, which passes with a warning"),
            ("exit 3", "write `exit-3`"),
            ("extend", "write how long, such as `extend 60s`"),
            ("extended", OnInconclusive::WORDS),
            ("extend 60", "write a number and its unit: `300ms`, `1.5s`, `2m`"),
            ("extend 2h", "write a duration from 1s to 1h"),
            ("extend 1ms", "write a duration from 1s to 1h"),
        ] {
            assert_eq!(text.parse::<OnInconclusive>().unwrap_err().remedy, remedy, "{text}");
        }
    }
}
