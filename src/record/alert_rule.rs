//! After how many failing runs an alert is sent, and in which form.

use std::fmt;
use std::str::FromStr;

use crate::units::UnitError;

/// How many of the newest runs must fail until an alert is sent. In files: `2 of 3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertRule {
    /// How many of them must fail; at least 1.
    failing: u32,
    /// How many of the newest runs count; at most [`AlertRule::MOST_RUNS`].
    of: u32,
}

impl AlertRule {
    /// The largest number of runs that can be looked at.
    pub const MOST_RUNS: u32 = 100;

    /// How many runs must fail.
    pub fn failing(self) -> usize {
        self.failing as usize
    }

    /// How many of the newest runs count.
    pub fn of(self) -> usize {
        self.of as usize
    }
}

impl FromStr for AlertRule {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        const REMEDY: &str =
            "write how many of the newest runs must fail, such as `2 of 3`, or `3 of 3` in a row";
        let unreadable = || UnitError::new(format!("`{text}` is not a number of runs"), REMEDY);
        let words: Vec<&str> = text.split_whitespace().collect();
        let [failing, "of", of] = words[..] else { return Err(unreadable()) };
        let count = |word: &str| word.parse::<u32>().map_err(|_| unreadable());
        let (failing, of) = (count(failing)?, count(of)?);
        if failing == 0 {
            return Err(UnitError::new("an alert needs at least one failing run", REMEDY));
        }
        if failing > of {
            let problem = format!("{of} runs cannot include {failing} failing ones");
            return Err(UnitError::new(problem, REMEDY));
        }
        if of > Self::MOST_RUNS {
            let problem = format!("{of} runs are too many to look at");
            return Err(UnitError::new(problem, format!("write at most {}", Self::MOST_RUNS)));
        }
        Ok(Self { failing, of })
    }
}

impl fmt::Display for AlertRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.failing, self.of)
    }
}

/// The form of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertFormat {
    /// `{"text": …}`, as an incoming webhook of Slack takes it
    /// (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
    Slack,
    /// Every fact as a field of its own, and the same text.
    Json,
}

impl AlertFormat {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Json => "json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_number_of_failing_runs_among_the_newest() {
        for text in ["1 of 1", "2 of 3", "100 of 100"] {
            assert_eq!(text.parse::<AlertRule>().unwrap().to_string(), text);
        }
        assert_eq!("  2  of 3 ".parse::<AlertRule>().unwrap().to_string(), "2 of 3");
        for (text, problem) in [
            ("", "is not a number of runs"),
            ("2", "is not a number of runs"),
            ("2/3", "is not a number of runs"),
            ("two of 3", "is not a number of runs"),
            ("-1 of 3", "is not a number of runs"),
            ("2 of 99999999999", "is not a number of runs"),
            ("0 of 3", "at least one failing run"),
            ("4 of 3", "3 runs cannot include 4"),
            ("2 of 101", "too many"),
        ] {
            let error = text.parse::<AlertRule>().unwrap_err();
            assert!(error.problem.contains(problem), "{text}: {}", error.problem);
            assert!(error.remedy.starts_with("write "), "{text}");
        }
    }
}
