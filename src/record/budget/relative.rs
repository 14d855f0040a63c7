//! Limits relative to a baseline: `baseline + 10%`, and mistakes in them.

use std::fmt;
use std::time::Duration;

use crate::units::near::nearest;
use crate::units::{self, Ratio, UnitError};

/// How far a figure may be above its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BaselineMargin {
    /// Not at all: `baseline`.
    Nothing,
    /// By this share of it: `baseline + 10%`.
    Share(Ratio),
    /// By this time: `baseline + 20ms`.
    Time(Duration),
}

impl BaselineMargin {
    /// The limit that follows from a baseline.
    pub fn above(self, baseline: Duration) -> Duration {
        match self {
            Self::Nothing => baseline,
            Self::Share(share) => baseline.mul_f64(1.0 + share.as_f64()),
            Self::Time(time) => baseline.saturating_add(time),
        }
    }
}

/// ` + 10%`, ` + 20ms`; nothing without a margin.
impl fmt::Display for BaselineMargin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Share(share) => write!(f, " + {share}"),
            Self::Time(time) => write!(f, " + {}", units::duration_literal(*time)),
        }
    }
}

/// The word that stands for the figure of earlier runs.
const WORD: &str = "baseline";

/// Words that authors write for it.
const OTHER_WORDS: [&str; 12] = [
    "base",
    "previous",
    "prev",
    "last",
    "history",
    "historical",
    "average",
    "avg",
    "mean",
    "median",
    "normal",
    "usual",
];

/// Whether a limit is meant to be relative to a baseline.
pub(super) fn is_meant(limit: &str) -> bool {
    let mut words = limit.split(|c: char| !(c.is_alphanumeric() || "-_".contains(c)));
    words.any(|word| is_baseline(word) || word.to_lowercase().contains(WORD))
}

fn is_baseline(word: &str) -> bool {
    let word = word.to_lowercase();
    let plain = word.replace(['-', '_'], "");
    let is_near = plain.len() > 3 && nearest(&plain, &[WORD]).is_some();
    is_near || OTHER_WORDS.iter().any(|other| plain == *other)
}

/// Parses the limit of a budget whose measure is `subject`: `baseline`, `baseline + 10%`,
/// `baseline + 20ms`.
pub(super) fn parse(subject: &str, limit: &str) -> Result<BaselineMargin, UnitError> {
    let remedy = |limit: &str| format!("write `{subject} < {limit}`");
    let word = limit.split(|c: char| !c.is_alphanumeric() && !"-_".contains(c)).next();
    let (word, rest) = limit.split_at(word.map_or(0, str::len));
    let rest = rest.trim();
    if word != WORD {
        return Err(if is_baseline(word) {
            let margin = BaselineMargin::Share(Ratio::of(1, 10)).to_string();
            let rest = if margin_of(rest).is_ok() {
                format!("{WORD} {rest}")
            } else {
                WORD.to_owned() + &margin
            };
            UnitError::new(format!("unknown word `{word}` in budget"), remedy(rest.trim()))
        } else {
            let problem = format!("`{limit}` is not a limit");
            UnitError::new(problem, remedy(&as_sum(limit)))
        });
    }
    margin_of(rest).map_err(|problem| {
        let meant = match rest.strip_prefix('+').map(str::trim) {
            Some(number) if number.parse::<f64>().is_ok() => {
                format!("write `{WORD} + {number}%` or `{WORD} + {number}ms`")
            }
            _ if rest.starts_with('-') => {
                "write a lower limit as a duration, such as `300ms`".to_owned()
            }
            _ => remedy(&as_sum(limit)),
        };
        UnitError::new(problem, meant)
    })
}

/// The margin after the word; an error says what is wrong with it.
fn margin_of(rest: &str) -> Result<BaselineMargin, String> {
    if rest.is_empty() {
        return Ok(BaselineMargin::Nothing);
    }
    if rest.starts_with('-') {
        return Err(
            "a budget cannot ask for less than the baseline: each pass would lower the next limit"
                .to_owned(),
        );
    }
    let wrong = || format!("`{rest}` is not a margin");
    let written = rest.strip_prefix('+').map(str::trim).ok_or_else(wrong)?;
    if written.parse::<f64>().is_ok() {
        return Err(format!("`+ {written}` is a margin without a unit"));
    }
    let margin = match written.strip_suffix('%') {
        Some(_) => {
            let share = written
                .parse::<Ratio>()
                .map_err(|_| format!("`{written}` is not a margin from 0% to 100%"))?;
            BaselineMargin::Share(share)
        }
        None => BaselineMargin::Time(units::parse_duration(written).map_err(|_| wrong())?),
    };
    let is_nothing =
        matches!(margin, BaselineMargin::Share(Ratio::ZERO) | BaselineMargin::Time(Duration::ZERO));
    Ok(if is_nothing { BaselineMargin::Nothing } else { margin })
}

/// A limit that was written as a product, `baseline * 1.1` or `110% of baseline`, as a sum; with a
/// margin of 10 % if it says none.
fn as_sum(limit: &str) -> String {
    let number = |part: &str| {
        let scale = if part.ends_with('%') { 0.01 } else { 1.0 };
        part.trim_end_matches('%').parse::<f64>().ok().map(|factor| factor * scale)
    };
    let mut parts = limit.split(|c: char| !(c.is_ascii_digit() || ".%".contains(c)));
    let factor = parts.find_map(number).filter(|factor| *factor > 1.0 && *factor <= 2.0);
    let percent = factor.map_or(10.0, |factor| ((factor - 1.0) * 1_000.0).round() / 10.0);
    format!("{WORD} + {percent}%")
}
