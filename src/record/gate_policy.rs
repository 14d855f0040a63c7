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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GatePolicy {
    /// What an inconclusive verdict does to the exit code.
    pub on_inconclusive: OnInconclusive,
    /// Which verdicts may end the measured stage before its planned end.
    pub stop_early: StopEarly,
    /// How many runs of the plan must fail in a row until the exit code is 1; at least 1.
    pub fail_after: u32,
    /// Whether the evidence against the target is carried from run to run, so that an inconclusive
    /// run does not discard it.
    pub carry: bool,
    /// What must be true of a run for a pass, in addition to its verdict.
    pub require: Vec<GateRequirement>,
    /// When a target that gives no answer ends the run.
    pub breaker: BreakerPolicy,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            on_inconclusive: OnInconclusive::default(),
            stop_early: StopEarly::default(),
            fail_after: 1,
            carry: false,
            require: Vec::new(),
            breaker: BreakerPolicy::default(),
        }
    }
}

impl GatePolicy {
    /// The largest number of failures in a row that can be asked for.
    pub const MOST_FAILURES: u32 = 100;

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
    /// Why it is not that of the verdict, or why it is in spite of a policy, in one line: `failed
    /// once; fail_after = 2`.
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

/// Something that must be true of a run for a pass. In files: `commit`, `deploy`, `environment`,
/// `tag:KEY`, or the name of a step or of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum GateRequirement {
    /// The commit under test is known.
    Commit,
    /// The run has a tag of this key, such as `deploy` or `environment`.
    Tag(String),
    /// The step of this name was measured, or the scenario of this name is part of the run and each
    /// of its steps was measured.
    Measured(String),
}

impl GateRequirement {
    /// Tags that are named without `tag:`, because each has a flag of its own.
    const OWN_TAGS: [&str; 2] = ["deploy", "environment"];
}

impl FromStr for GateRequirement {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text == "commit" {
            return Ok(Self::Commit);
        }
        if Self::OWN_TAGS.contains(&text) {
            return Ok(Self::Tag(text.to_owned()));
        }
        if text.trim().is_empty() {
            let remedy = "name a step, a scenario, or a fact such as `commit`";
            return Err(UnitError::new("a requirement is empty", remedy));
        }
        if text == "stored" {
            let remedy = "remove it and use `tollgate run --require-store`";
            return Err(UnitError::new("a run is stored after its verdict", remedy));
        }
        let Some(key) = text.strip_prefix("tag:") else {
            return Ok(Self::Measured(text.to_owned()));
        };
        if !is_tag_key(key) {
            let remedy = "write the key alone, such as `tag:team`";
            return Err(UnitError::new(format!("`{text}` does not name the key of a tag"), remedy));
        }
        Ok(Self::Tag(key.to_owned()))
    }
}

/// Whether a text can be the key of a tag: letters, digits, `-`, `_` and `.`.
pub fn is_tag_key(text: &str) -> bool {
    let is_plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    !text.is_empty() && text.chars().all(is_plain)
}

impl fmt::Display for GateRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit => f.write_str("commit"),
            Self::Tag(key) if Self::OWN_TAGS.contains(&key.as_str()) => f.write_str(key),
            Self::Tag(key) => write!(f, "tag:{key}"),
            Self::Measured(name) => f.write_str(name),
        }
    }
}

impl TryFrom<String> for GateRequirement {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<GateRequirement> for String {
    fn from(requirement: GateRequirement) -> Self {
        requirement.to_string()
    }
}

/// When a target that gives no answer at all ends the run. In files: `off`, or how long, such as
/// `10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum BreakerPolicy {
    /// Never.
    Off,
    /// After this time without an answer.
    After(Duration),
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self::After(Duration::from_secs(3))
    }
}

impl BreakerPolicy {
    /// The shortest and the longest time without an answer.
    const SILENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(10));
}

impl FromStr for BreakerPolicy {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if ["on", "none", "never", "no", "false"].contains(&text) {
            let remedy = "write `off`, or a duration such as `10s`; the default is `3s`";
            return Err(UnitError::new(format!("unknown word `{text}`"), remedy));
        }
        let silence = parse_duration(text)?;
        let (shortest, longest) = Self::SILENCE;
        if !(shortest..=longest).contains(&silence) {
            let problem = format!("`{}` cannot end a run", duration_literal(silence));
            return Err(UnitError::new(problem, "write a duration from 1s to 10m, or `off`"));
        }
        if silence.subsec_nanos() > 0 {
            let problem = "the breaker counts whole seconds";
            return Err(UnitError::new(problem, "write whole seconds, such as `10s`"));
        }
        Ok(Self::After(silence))
    }
}

impl fmt::Display for BreakerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::After(silence) => f.write_str(&duration_literal(*silence)),
        }
    }
}

impl TryFrom<String> for BreakerPolicy {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<BreakerPolicy> for String {
    fn from(policy: BreakerPolicy) -> Self {
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

impl StopEarly {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Both => "both",
            Self::Never => "never",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_in_files_as_in_a_scenario() {
        for text in ["exit-3", "fail", "warn", "extend 1m 30s"] {
            assert_eq!(text.parse::<OnInconclusive>().unwrap().to_string(), text);
        }
        for text in ["commit", "deploy", "tag:team", "checkout, step 2"] {
            assert_eq!(text.parse::<GateRequirement>().unwrap().to_string(), text);
        }
        for text in ["off", "10s"] {
            assert_eq!(text.parse::<BreakerPolicy>().unwrap().to_string(), text);
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
