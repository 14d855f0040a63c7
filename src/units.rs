//! Numbers with their units. Durations are `std::time::Duration`.

mod machine_size;
pub mod near;
mod period;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use machine_size::MachineSize;
pub use period::into_period;

/// A count with a regular noun, given in the singular: `1 budget`, `3 budgets`.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Why a text is not a value of the expected unit, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct UnitError {
    /// What is wrong with the text.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl UnitError {
    /// An error that states what is wrong and what to write instead.
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

/// Arrivals per second; finite and above zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

impl Rate {
    /// The highest rate that a plan may have, per second.
    pub(crate) const MAX_PER_SECOND: f64 = 1_000_000.0;

    /// A rate of `per_second` arrivals per second, if that is above zero and at most 1,000,000.
    pub fn per_second(per_second: f64) -> Result<Self, UnitError> {
        if per_second > 0.0 && per_second <= Self::MAX_PER_SECOND {
            Ok(Self(per_second))
        } else {
            Err(UnitError::new(
                format!("a rate of {per_second}/s cannot be sent"),
                "write a rate above 0/s and at most 1000000/s",
            ))
        }
    }

    /// Arrivals per second.
    pub fn as_per_second(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Rate {
    type Error = UnitError;

    fn try_from(per_second: f64) -> Result<Self, UnitError> {
        Self::per_second(per_second)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    /// Reads `20/s`, `90/min` or `5/h`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let remedy = "write a number and its unit: `20/s`, `90/min` or `5/h`";
        let (number, unit) =
            text.split_once('/').ok_or_else(|| rate_without_slash(text, remedy))?;
        let seconds = match unit.trim() {
            "s" | "sec" => 1.0,
            "min" | "m" => 60.0,
            "h" => 3600.0,
            other => return Err(wrong_rate_unit(number.trim(), other, remedy)),
        };
        let count: f64 = number
            .trim()
            .parse()
            .map_err(|_| UnitError::new(format!("`{}` is not a number", number.trim()), remedy))?;
        Self::per_second(count / seconds)
    }
}

/// The error for a rate that is not written as `20/s`. `20rps` and `20 per minute` have a unit, but
/// not one of tollgate's.
fn rate_without_slash(text: &str, remedy: &str) -> UnitError {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim());
    if unit.is_empty() {
        return UnitError::new(format!("`{text}` is a rate without a unit"), remedy);
    }
    if number.parse::<f64>().is_err() {
        return UnitError::new(format!("`{text}` is not a rate"), remedy);
    }
    wrong_rate_unit(number, unit, remedy)
}

/// The error for a unit that a rate does not have, such as that of `20rps` or `20/second`.
fn wrong_rate_unit(number: &str, unit: &str, remedy: &str) -> UnitError {
    let known = match unit.to_ascii_lowercase().trim_start_matches("per").trim() {
        "rps" | "qps" | "tps" | "ps" | "hz" | "s" | "sec" | "second" | "seconds" => Some("s"),
        "rpm" | "qpm" | "tpm" | "pm" | "m" | "min" | "minute" | "minutes" => Some("min"),
        "rph" | "qph" | "tph" | "ph" | "h" | "hour" | "hours" => Some("h"),
        _ => None,
    };
    let remedy = match known {
        Some(known) if number.parse::<f64>().is_ok() => format!("write `{number}/{known}`"),
        _ => remedy.to_owned(),
    };
    UnitError::new(format!("`{unit}` is not a unit of a rate"), remedy)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1.0 {
            write!(f, "{}/s", trimmed(self.0))
        } else {
            write!(f, "{}/min", trimmed(self.0 * 60.0))
        }
    }
}

/// A share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
pub struct Ratio(f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// Everything.
    pub const ONE: Self = Self(1.0);

    /// A share, if `share` is between 0 and 1.
    pub fn new(share: f64) -> Result<Self, UnitError> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(UnitError::new(
                format!("{share} is not a share"),
                "write `0.5%` or a number from 0 to 1",
            ))
        }
    }

    /// `part` of `whole`; [`Self::ZERO`] if the whole is zero.
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 { Self::ZERO } else { Self((part as f64 / whole as f64).min(1.0)) }
    }

    /// The share as a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = UnitError;

    fn try_from(share: f64) -> Result<Self, UnitError> {
        Self::new(share)
    }
}

impl From<Ratio> for f64 {
    fn from(ratio: Ratio) -> Self {
        ratio.0
    }
}

impl FromStr for Ratio {
    type Err = UnitError;

    /// Reads `0.5%` or `0.005`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, scale) = match text.trim().strip_suffix('%') {
            Some(percent) => (percent.trim(), 100.0),
            None => (text.trim(), 1.0),
        };
        let value: f64 = number.parse().map_err(|_| {
            UnitError::new(
                format!("`{text}` is not a share"),
                "write `0.5%` or a number from 0 to 1",
            )
        })?;
        Self::new(value / scale)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", trimmed(self.0 * 100.0))
    }
}

/// A quantile strictly between 0 and 1, stored in millionths so that it compares exactly.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Quantile {
    millionths: u32,
}

impl Quantile {
    /// The median.
    pub const P50: Self = Self { millionths: 500_000 };
    /// The 90th percentile.
    pub const P90: Self = Self { millionths: 900_000 };
    /// The 95th percentile.
    pub const P95: Self = Self { millionths: 950_000 };
    /// The 99th percentile.
    pub const P99: Self = Self { millionths: 990_000 };

    /// The share of values at or below this quantile.
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }

    /// The fewest values of which this quantile is a figure of its own: two for p50, 20 for p95,
    /// 100 for p99. Of fewer, it is the maximum.
    pub fn fewest_values(self) -> u64 {
        1_000_000_u64.div_ceil(u64::from(1_000_000 - self.millionths).max(1))
    }

    /// The share of values that may exceed it: 5 % for p95.
    pub fn allowed_exceedance(self) -> Ratio {
        Ratio(f64::from(1_000_000 - self.millionths) / 1e6)
    }
}

impl FromStr for Quantile {
    type Err = UnitError;

    /// Reads `p50`, `p99`, `p99.9`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let unknown = |remedy: String| UnitError::new(format!("unknown quantile `{text}`"), remedy);
        let digits = text
            .strip_prefix('p')
            .filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
            .ok_or_else(|| unknown("write `p50`, `p95`, `p99` or `p99.9`".to_owned()))?;
        let percent: f64 = digits
            .parse()
            .map_err(|_| unknown("write `p50`, `p95`, `p99` or `p99.9`".to_owned()))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked in the next line"
        )]
        let millionths = (percent * 10_000.0).round().clamp(0.0, 2e6) as u32;
        if millionths == 0 || millionths >= 1_000_000 {
            let remedy = match digits.split_at_checked(2) {
                Some((whole, rest)) if !rest.is_empty() && !rest.contains('.') => {
                    format!("write `p{whole}.{rest}`")
                }
                _ => "write a percentage between 0 and 100, such as `p95`".to_owned(),
            };
            return Err(unknown(remedy));
        }
        Ok(Self { millionths })
    }
}

impl TryFrom<String> for Quantile {
    type Error = UnitError;

    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<Quantile> for String {
    fn from(quantile: Quantile) -> Self {
        quantile.to_string()
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", trimmed(f64::from(self.millionths) / 1e4))
    }
}

/// A number of bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = UnitError;

    /// Reads `512 B`, `64 KiB`, `4 MiB` (powers of 1024) and `64 kB`, `4 MB` (powers of 1000).
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let remedy = "write a whole number and its unit: `512 B`, `64 KiB`, `4 MiB`";
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let count: u64 = number
            .parse()
            .map_err(|_| UnitError::new(format!("`{text}` is not a size"), remedy))?;
        let scale = match unit.trim() {
            "B" => 1,
            "kB" => 1000,
            "KiB" => 1024,
            "MB" => 1_000_000,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "" => return Err(UnitError::new(format!("`{text}` is a size without a unit"), remedy)),
            other => {
                return Err(UnitError::new(format!("`{other}` is not a unit of size"), remedy));
            }
        };
        count
            .checked_mul(scale)
            .map(Self)
            .ok_or_else(|| UnitError::new(format!("`{text}` is too large"), remedy))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1 << 20 && n % (1 << 20) == 0 => write!(f, "{} MiB", n >> 20),
            n if n >= 1 << 10 && n % (1 << 10) == 0 => write!(f, "{} KiB", n >> 10),
            n => write!(f, "{n} B"),
        }
    }
}

/// Reads a duration with its unit: `300ms`, `1s`, `1m 30s`. It has at most ten years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let parsed = parse_age(text)?;
    if parsed > LONGEST_DURATION {
        let what = format!("`{text}` is longer than ten years");
        return Err(UnitError::new(what, "write a shorter duration: `24h`"));
    }
    Ok(parsed)
}

/// Reads a duration of any length, for a time in the past.
pub fn parse_age(text: &str) -> Result<Duration, UnitError> {
    humantime::parse_duration(text.trim()).map_err(|_| {
        let remedy = "write a number and its unit: `300ms`, `1.5s`, `2m`";
        if !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            UnitError::new(format!("`{text}` is a duration without a unit"), remedy)
        } else {
            UnitError::new(format!("`{text}` is not a duration"), remedy)
        }
    })
}

/// The longest duration that is read. Sums and products of it cannot overflow, and an imported log
/// may cover a year.
pub const LONGEST_DURATION: Duration = Duration::from_hours(10 * 366 * 24);

/// A duration for people, with three significant digits and one unit: `243 ms`, `1.42 s`, `86 µs`.
pub fn format_duration(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        0.0 => "0 ms".to_owned(),
        m if m < 999.5 => format!("{} µs", three_digits(m)),
        m if m < 999_500.0 => format!("{} ms", three_digits(m / 1e3)),
        m if m < 120e6 => format!("{} s", three_digits(m / 1e6)),
        m => format!("{} min", three_digits(m / 60e6)),
    }
}

/// A duration as a scenario file writes it (`300ms`, `81.7ms`, `1m 30s`); [`parse_duration`] reads
/// it back.
pub fn duration_literal(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let is_part_of_a_second = (1_000_000..1_000_000_000).contains(&nanos);
    if is_part_of_a_second && nanos.is_multiple_of(1_000) && !nanos.is_multiple_of(1_000_000) {
        return format!("{}ms", trimmed(duration.as_secs_f64() * 1e3));
    }
    humantime::format_duration(duration).to_string()
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A number with at most six decimals and no trailing zeros, which hides binary rounding.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_read_exactly_and_written_back() {
        for text in ["p50", "p95", "p99", "p99.9", "p99.99"] {
            assert_eq!(text.parse::<Quantile>().unwrap().to_string(), text);
        }
        assert_eq!(Quantile::P95.allowed_exceedance(), Ratio::new(0.05).unwrap());
    }

    #[test]
    fn a_quantile_needs_enough_values_to_differ_from_the_largest() {
        let least = ["p50", "p90", "p95", "p99", "p99.9"]
            .map(|text| text.parse::<Quantile>().unwrap().fewest_values());
        assert_eq!(least, [2, 10, 20, 100, 1_000]);
    }

    #[test]
    fn p999_is_refused_and_the_remedy_is_p99_9() {
        let error = "p999".parse::<Quantile>().unwrap_err();
        assert_eq!(error.problem, "unknown quantile `p999`");
        assert_eq!(error.remedy, "write `p99.9`");
    }

    #[test]
    fn no_text_makes_a_quantile_panic() {
        for text in
            ["", "p", "p0", "p100", "p-1", "pé9", "p9é", "pNaN", "pinf", "p1e9", "95", "p.5"]
        {
            assert!(text.parse::<Quantile>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_needs_its_unit() {
        assert_eq!("90/min".parse::<Rate>().unwrap(), Rate::per_second(1.5).unwrap());
        for text in ["20", "20/d", "x/s", "0/s", "-1/s", "NaN/s", "inf/s", "1e9/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        let remedy = |text: &str| text.parse::<Rate>().unwrap_err().remedy;
        for text in ["20rps", "20 qps", "20/second", "20 per second", "20s"] {
            assert_eq!(remedy(text), "write `20/s`", "{text}");
        }
        assert_eq!(remedy("90rpm"), "write `90/min`");
        assert!("20".parse::<Rate>().unwrap_err().problem.contains("without a unit"));
        assert_eq!("20/s".parse::<Rate>().unwrap().to_string(), "20/s");
        assert_eq!("5/h".parse::<Rate>().unwrap().to_string(), "0.083333/min");
    }

    #[test]
    fn a_size_is_a_whole_number_of_bytes() {
        assert_eq!("64 KiB".parse::<ByteSize>().unwrap(), ByteSize(65_536));
        assert_eq!("4MB".parse::<ByteSize>().unwrap(), ByteSize(4_000_000));
        for text in ["64", "64 kb", "KiB", "99999999999999999999 B", "99999999999999999 GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(ByteSize(262_144).to_string(), "256 KiB");
    }

    #[test]
    fn durations_have_three_digits_and_one_unit() {
        let text_of = |micros| format_duration(Duration::from_micros(micros));
        assert_eq!(text_of(0), "0 ms");
        assert_eq!(text_of(86), "86 µs");
        assert_eq!(text_of(1_420), "1.42 ms");
        assert_eq!(text_of(243_400), "243 ms");
        assert_eq!(text_of(999_600), "1 s");
        assert_eq!(text_of(17_500_000), "17.5 s");
        assert_eq!(text_of(300_000_000), "5 min");
    }

    #[test]
    fn a_duration_that_would_overflow_sums_is_refused() {
        for text in ["18446744073709551615s", "584542y", "11y", "9223372036854775807m"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("3650d").is_ok());
    }

    #[test]
    fn a_bare_number_is_a_duration_without_a_unit() {
        assert!(parse_duration("300").unwrap_err().problem.contains("without a unit"));
        assert_eq!(parse_duration("1m 30s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration_literal(Duration::from_millis(1_500)), "1s 500ms");
        for (micros, text) in [(81_700, "81.7ms"), (1_001, "1.001ms"), (250, "250us")] {
            let duration = Duration::from_micros(micros);
            assert_eq!(duration_literal(duration), text);
            assert_eq!(parse_duration(text), Ok(duration));
        }
    }
}
