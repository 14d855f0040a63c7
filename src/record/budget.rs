//! Budgets: what must hold for a deploy to go out.

mod foreign;
mod relative;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::relative::BaselineMargin;
use super::Dimension;
use crate::units::near::nearest;
use crate::units::{self, Quantile, Ratio, UnitError};

/// One budget, written `p95 < 300ms`, `p99(first_byte) < 200ms`, `p95 < baseline + 10%`, `max <
/// 1s`, `errors < 0.5%`, `errors = 0`, `dropped < 1%` or `dropped = 0`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Budget {
    /// At most `1 − quantile` of the target's exchanges take `ceiling` or longer in `dimension`.
    Quantile {
        /// The quantile that must be below the ceiling.
        quantile: Quantile,
        /// The part of an exchange that is judged.
        dimension: Dimension,
        /// The first value that is too long.
        ceiling: Duration,
    },
    /// The same statement about a ceiling that earlier runs give. It becomes [`Self::Quantile`]
    /// before a run starts, unless there are too few earlier runs.
    Relative {
        /// The quantile that must be below the ceiling.
        quantile: Quantile,
        /// The part of an exchange that is judged.
        dimension: Dimension,
        /// How far the quantile may be above that of earlier runs.
        margin: BaselineMargin,
    },
    /// Every exchange made took less than `ceiling` in `dimension`.
    Max {
        /// The part of an exchange that is judged.
        dimension: Dimension,
        /// The first value that is too long.
        ceiling: Duration,
    },
    /// How many exchanges may fail, dropped ones included.
    Errors(CountLimit),
    /// How many arrivals may be dropped because every allowed connection was busy.
    Dropped(CountLimit),
}

/// How many of something are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CountLimit {
    /// None among the exchanges made (`= 0`): a statement about the run.
    None,
    /// Less than this share of all the target's exchanges (`< 0.5%`): a statement about the target.
    Below(Ratio),
}

impl Budget {
    /// Whether it has no limit until earlier runs give one.
    pub fn lacks_limit(&self) -> bool {
        matches!(self, Self::Relative { .. })
    }

    /// The dimension and ceiling whose exceedances must be counted for this budget; `None` for a
    /// budget on a count, and for one whose ceiling is not known yet.
    pub fn ceiling(&self) -> Option<(Dimension, Duration)> {
        match *self {
            Self::Quantile { dimension, ceiling, .. } | Self::Max { dimension, ceiling } => {
                Some((dimension, ceiling))
            }
            Self::Relative { .. } | Self::Errors(_) | Self::Dropped(_) => None,
        }
    }

    /// The part of an exchange that it judges; `None` for a budget on a count.
    pub fn dimension(&self) -> Option<Dimension> {
        match *self {
            Self::Quantile { dimension, .. }
            | Self::Relative { dimension, .. }
            | Self::Max { dimension, .. } => Some(dimension),
            Self::Errors(_) | Self::Dropped(_) => None,
        }
    }

    /// The share of exchanges that may exceed it; `None` if none may (`max`, `= 0`).
    pub fn allowed(&self) -> Option<Ratio> {
        match *self {
            Self::Quantile { quantile, .. } | Self::Relative { quantile, .. } => {
                Some(quantile.allowed_exceedance())
            }
            Self::Errors(CountLimit::Below(share)) | Self::Dropped(CountLimit::Below(share)) => {
                Some(share)
            }
            Self::Max { .. } | Self::Errors(CountLimit::None) | Self::Dropped(CountLimit::None) => {
                None
            }
        }
    }
}

const SPELLINGS: &str = "write `p95 < 300ms`, `p99(first_byte) < 200ms`, `max < 1s`, `errors < 0.5%`, `errors = 0` \
                         or `dropped = 0`";

impl FromStr for Budget {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text).map_err(|error| {
            let is_answered = error.remedy.starts_with("did you mean");
            let foreign = if is_answered { None } else { foreign::remedy(text) };
            UnitError { remedy: foreign.unwrap_or(error.remedy), ..error }
        })
    }
}

fn parse(text: &str) -> Result<Budget, UnitError> {
    let at = text
        .find(['<', '=', '>'])
        .ok_or_else(|| UnitError::new(format!("`{text}` is not a budget"), SPELLINGS))?;
    let subject = text[..at].trim();
    let (sign, limit) = (&text[at..=at], text[at + 1..].trim());
    if sign == ">" || limit.starts_with('=') {
        let problem = format!(
            "a budget has no sign `{}`",
            &text[at..=at + usize::from(limit.starts_with('='))]
        );
        return Err(UnitError::new(problem, "write `<` for a ceiling or `= 0` for none"));
    }
    check_measure(subject)?;
    match subject {
        "errors" | "dropped" if relative::is_meant(limit) => Err(UnitError::new(
            format!("`{subject}` are counted: a budget on them has no baseline"),
            format!("write `{subject} < 0.5%` or `{subject} = 0`"),
        )),
        "errors" => Ok(Budget::Errors(parse_limit(sign, limit)?)),
        "dropped" => Ok(Budget::Dropped(parse_limit(sign, limit)?)),
        _ if sign == "=" => Err(UnitError::new(
            format!("`{subject}` cannot be held at one value"),
            "write `<` for a ceiling",
        )),
        _ => parse_timed(subject, limit),
    }
}

/// Refuses an unknown measure. It runs before the limit is parsed, so that a mistyped measure is
/// the mistake that the error names.
fn check_measure(subject: &str) -> Result<(), UnitError> {
    const KNOWN: [&str; 8] = ["errors", "dropped", "max", "p50", "p90", "p95", "p99", "p99.9"];
    let head = subject.split('(').next().unwrap_or_default().trim();
    match head {
        "mean" | "avg" | "average" => Err(UnitError::new(
            "there is no budget on a mean",
            "write `p50 < 300ms` or `p95 < 300ms`: a mean hides the slow requests",
        )),
        "errors" | "dropped" if head != subject => {
            let problem = format!("`{head}` are counted: a budget on them has no dimension");
            Err(UnitError::new(problem, format!("write `{head} < 0.5%` or `{head} = 0`")))
        }
        // The quantile's own parser reports these mistakes better.
        _ if head.starts_with('p') || KNOWN.contains(&head) => Ok(()),
        _ => {
            let begins_like =
                |known: &&str| head.get(..3).is_some_and(|begin| known.starts_with(begin));
            let near = nearest(head, &KNOWN).or_else(|| KNOWN.into_iter().find(begins_like));
            let remedy =
                near.map_or_else(|| SPELLINGS.to_owned(), |near| format!("did you mean `{near}`?"));
            Err(UnitError::new(format!("unknown measure `{head}` in budget"), remedy))
        }
    }
}

fn parse_limit(sign: &str, limit: &str) -> Result<CountLimit, UnitError> {
    let remedy = "write `= 0` for none or `< 0.5%` for a share";
    match (sign, limit) {
        ("=", "0") => Ok(CountLimit::None),
        ("=", other) => Err(UnitError::new(format!("`= {other}` is not a limit"), remedy)),
        _ => {
            let share: Ratio = limit.parse()?;
            if share == Ratio::ZERO || share == Ratio::ONE {
                return Err(UnitError::new(format!("`< {limit}` can never be decided"), remedy));
            }
            Ok(CountLimit::Below(share))
        }
    }
}

fn parse_timed(subject: &str, limit: &str) -> Result<Budget, UnitError> {
    let (head, dimension) = match subject.split_once('(') {
        None => (subject, Dimension::Latency),
        Some((head, rest)) => {
            let name = rest.strip_suffix(')').ok_or_else(|| {
                UnitError::new(
                    format!("`{subject}` lacks its closing bracket"),
                    "write `p99(first_byte)`",
                )
            })?;
            (head.trim(), name.trim().parse()?)
        }
    };
    if relative::is_meant(limit) {
        return parse_relative((subject, head, dimension), limit);
    }
    let ceiling = units::parse_duration(limit)?;
    if ceiling.is_zero() {
        return Err(UnitError::new(
            "nothing takes less than 0 s",
            "write a ceiling above zero, such as `300ms`",
        ));
    }
    if head == "max" {
        return Ok(Budget::Max { dimension, ceiling });
    }
    Ok(Budget::Quantile { quantile: head.parse()?, dimension, ceiling })
}

fn parse_relative(
    (subject, head, dimension): (&str, &str, Dimension),
    limit: &str,
) -> Result<Budget, UnitError> {
    if head == "max" {
        return Err(UnitError::new(
            "a budget on a maximum has no baseline: it grows with the number of requests",
            "write `p99 < baseline + 10%`, or a duration such as `max < 1s`",
        ));
    }
    let quantile = head.parse()?;
    Ok(Budget::Relative { quantile, dimension, margin: relative::parse(subject, limit)? })
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |dimension: Dimension| match dimension {
            Dimension::Latency => String::new(),
            other => format!("({other})"),
        };
        match *self {
            Self::Quantile { quantile, dimension, ceiling } => {
                write!(f, "{quantile}{} < {}", of(dimension), units::duration_literal(ceiling))
            }
            Self::Relative { quantile, dimension, margin } => {
                write!(f, "{quantile}{} < baseline{margin}", of(dimension))
            }
            Self::Max { dimension, ceiling } => {
                write!(f, "max{} < {}", of(dimension), units::duration_literal(ceiling))
            }
            Self::Errors(limit) => write!(f, "errors {limit}"),
            Self::Dropped(limit) => write!(f, "dropped {limit}"),
        }
    }
}

impl fmt::Display for CountLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("= 0"),
            Self::Below(share) => write!(f, "< {share}"),
        }
    }
}

impl TryFrom<String> for Budget {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<Budget> for String {
    fn from(budget: Budget) -> Self {
        budget.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_survives_a_round_trip() {
        for text in [
            "p95 < 300ms",
            "p99.9(first_byte) < 200ms",
            "p95 < baseline",
            "p99(first_byte) < baseline + 7.5%",
            "p50 < baseline + 20ms",
            "max < 1s",
            "max(tls) < 50ms",
            "errors < 0.5%",
            "errors = 0",
            "dropped < 1%",
            "dropped = 0",
        ] {
            assert_eq!(text.parse::<Budget>().unwrap().to_string(), text);
        }
        assert_eq!("p95<300ms".parse::<Budget>().unwrap().to_string(), "p95 < 300ms");
    }

    #[test]
    fn a_wrong_budget_is_refused_with_a_remedy_and_never_panics() {
        for text in [
            "",
            "p95",
            "<",
            "=",
            ">",
            "p95 <= 300ms",
            "p95 > 1s",
            "p95 < 300",
            "p999 < 1s",
            "mean < 1s",
            "errors < 0%",
            "errors < 100%",
            "errors = 3",
            "p95 = 300ms",
            "p95(first_byte < 1s",
            "p95(é) < 1s",
            "p95 < 0ms",
            "q < 1s",
            "max( < 1s",
            "é < é",
            "errors(first_byte) < 1%",
            "mean(first_byte) < 1s",
            "p(95)<300",
            "http_req_duration",
            "max < baseline",
            "errors < baseline + 1%",
            "p95 < baseline + 200%",
            "p95 < baseline + é",
            "p95 < é baseline",
        ] {
            let error = text.parse::<Budget>().expect_err(text);
            assert!(!error.remedy.is_empty());
        }
    }

    #[test]
    fn a_mistyped_measure_is_reported_before_its_limit() {
        for (text, meant) in [
            ("errrs = 0", "errors"),
            ("error = 0", "errors"),
            ("drops = 0", "dropped"),
            ("eror < 1%", "errors"),
            ("errrs < 0", "errors"),
            ("maximum < 1s", "max"),
            ("P95 < 300ms", "p95"),
        ] {
            let error = text.parse::<Budget>().expect_err(text);
            assert!(error.problem.starts_with("unknown measure `"), "{text}: {error}");
            assert_eq!(error.remedy, format!("did you mean `{meant}`?"), "{text}");
        }
        assert_eq!("q = 0".parse::<Budget>().unwrap_err().remedy, SPELLINGS);
    }

    #[test]
    fn a_mistake_in_a_relative_limit_is_answered_with_the_limit_that_was_meant() {
        for (text, problem, remedy) in [
            ("p95 < base + 10%", "unknown word `base` in budget", "write `p95 < baseline + 10%`"),
            ("p95 < last", "unknown word `last` in budget", "write `p95 < baseline`"),
            (
                "p95 < basline+5ms",
                "unknown word `basline` in budget",
                "write `p95 < baseline +5ms`",
            ),
            ("p95 < Baseline", "unknown word `Baseline` in budget", "write `p95 < baseline`"),
            ("p95 < mean * 1.2", "unknown word `mean` in budget", "write `p95 < baseline + 10%`"),
            ("p95 < baseline * 1.1", "`* 1.1` is not a margin", "write `p95 < baseline + 10%`"),
            (
                "p95 < 1.25 * baseline",
                "`1.25 * baseline` is not a limit",
                "write `p95 < baseline + 25%`",
            ),
            (
                "p99(service) < 110% of baseline",
                "`110% of baseline` is not a limit",
                "write `p99(service) < baseline + 10%`",
            ),
            (
                "p95 < baseline + 10",
                "`+ 10` is a margin without a unit",
                "write `baseline + 10%` or `baseline + 10ms`",
            ),
            ("p95 < baseline 10%", "`10%` is not a margin", "write `p95 < baseline + 10%`"),
            (
                "p95 < baseline + 120%",
                "`120%` is not a margin from 0% to 100%",
                "write `p95 < baseline + 20%`",
            ),
            (
                "p95 < baseline - 5%",
                "a budget cannot ask for less than the baseline: each pass would lower the next limit",
                "write a lower limit as a duration, such as `300ms`",
            ),
            (
                "max < baseline",
                "a budget on a maximum has no baseline: it grows with the number of requests",
                "write `p99 < baseline + 10%`, or a duration such as `max < 1s`",
            ),
            (
                "errors < baseline",
                "`errors` are counted: a budget on them has no baseline",
                "write `errors < 0.5%` or `errors = 0`",
            ),
            ("p95 = baseline", "`p95` cannot be held at one value", "write `<` for a ceiling"),
        ] {
            let error = text.parse::<Budget>().expect_err(text);
            assert_eq!((&*error.problem, &*error.remedy), (problem, remedy), "{text}");
        }
    }
}
