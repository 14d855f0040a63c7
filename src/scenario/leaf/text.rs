//! Values that are written as text.

use std::time::Duration;

use http::Method;
use schemars::{Schema, SchemaGenerator};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};
use toml::Spanned;
use toml::de::DeValue;

use super::network::{HostName, HttpVersion, IpFamily, ResolveEntry};
use super::text_value::{TextValue, read_text, text_schema};
use super::{
    CookieScope, MissingPolicy, PatternText, PlainText, RampRate, SqlText, StartTime, pattern,
};
use crate::record::{
    AlertFormat, AlertRule, BreakerPolicy, Budget, GateRequirement, JsonType, OnInconclusive,
    RowOrder, StopEarly,
};
use crate::scenario::diagnostic::Diagnostics;
use crate::scenario::field::ReadValue;
use crate::scenario::template::Template;
use crate::units::{self, ByteSize, MachineSize, Rate, UnitError};

macro_rules! texts {
    ($($kind:ty),*) => {$(
        impl ReadValue for $kind {
            fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
                read_text(value, diagnostics)
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                text_schema::<Self>()
            }
        }
    )*};
}

texts!(PlainText, Template, Rate, RampRate, Duration, ByteSize, Budget, Method);
texts!(
    HttpVersion,
    IpFamily,
    ResolveEntry,
    HostName,
    PatternText,
    JsonType,
    SqlText,
    MissingPolicy,
    CookieScope,
    RowOrder,
    OnInconclusive,
    StopEarly,
    GateRequirement,
    BreakerPolicy,
    AlertRule,
    AlertFormat,
    MachineSize,
    StartTime
);

impl TextValue for PlainText {
    const EXAMPLES: &[&str] = &["words"];
    const IS_FREE: bool = true;

    fn pattern() -> Option<String> {
        Some(pattern::WORDS.to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        Ok(Self(text.to_owned()))
    }
}

impl TextValue for SqlText {
    const EXAMPLES: &[&str] = &["select count(*) from orders where day = $1::date"];
    const INSTEAD_OF_VARIABLES: &str = "write `$1` in the statement, and the variable in `values`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        if text.trim().is_empty() {
            return Err(UnitError::new("the statement is empty", "write one, such as `select 1`"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TextValue for PatternText {
    const EXAMPLES: &[&str] = &[r"^4\."];
    const INSTEAD_OF_VARIABLES: &str = r"variables can be used in `json`, `headers` and `body_contains`; to match the characters, write `\$\{`";

    fn pattern() -> Option<String> {
        Some(pattern::WORDS.to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        if text.is_empty() {
            return Err(UnitError::new(
                "an empty pattern matches every text",
                "write the pattern to look for",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TextValue for MachineSize {
    const EXAMPLES: &[&str] = &["shared-cpu-1x", "performance-2x"];

    fn pattern() -> Option<String> {
        Some("^(shared-cpu-[12468]x|performance-([12468]|1[0246])x)$".to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TextValue for StartTime {
    const EXAMPLES: &[&str] = &["2026-11-01", "2026-11-01T15:00:00Z"];

    fn from_text(text: &str) -> Result<Self, UnitError> {
        let day = || Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        let time = OffsetDateTime::parse(text, &Rfc3339).ok();
        time.or_else(|| Some(day()?.midnight().assume_utc())).map(Self).ok_or_else(|| {
            let remedy = "write a day such as `2026-11-01`, or `2026-11-01T15:00:00Z`";
            UnitError::new(format!("`{text}` is not a time"), remedy)
        })
    }
}

impl TextValue for MissingPolicy {
    const EXAMPLES: &[&str] = &["report", "accept"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        match text {
            "report" => Ok(Self::Report),
            "accept" => Ok(Self::Accept),
            _ => Err(UnitError::new(
                format!("unknown word `{text}`"),
                "write `report`, which prevents a pass, or `accept`",
            )),
        }
    }
}

impl TextValue for CookieScope {
    const EXAMPLES: &[&str] = &["arrival", "setup"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        match text {
            "arrival" => Ok(Self::Arrival),
            "setup" => Ok(Self::Setup),
            _ => Err(UnitError::new(
                format!("unknown word `{text}`"),
                "write `arrival` for cookies of one arrival, or `setup` to send those of the setup too",
            )),
        }
    }
}

impl TextValue for RowOrder {
    const EXAMPLES: &[&str] = &["sequential", "shuffle", "once"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        match text {
            "sequential" => Ok(Self::Sequential),
            "shuffle" => Ok(Self::Shuffle),
            "once" => Ok(Self::Once),
            _ => {
                let remedy = match text {
                    "random" | "shuffled" | "shuffle_once" => "write `shuffle`",
                    "circular" | "queue" | "loop" => "write `sequential`, which starts again",
                    "unique" => "write `once`",
                    _ => "write `sequential`, `shuffle` or `once`",
                };
                Err(UnitError::new(format!("unknown order `{text}`"), remedy))
            }
        }
    }
}

impl TextValue for OnInconclusive {
    const EXAMPLES: &[&str] = &["exit-3", "fail", "warn", "extend 60s"];

    fn pattern() -> Option<String> {
        Some(pattern::on_inconclusive())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TextValue for GateRequirement {
    const EXAMPLES: &[&str] = &["commit", "deploy", "environment", "tag:team"];

    fn pattern() -> Option<String> {
        Some(pattern::WORDS.to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TextValue for BreakerPolicy {
    const EXAMPLES: &[&str] = &["10s", "off"];

    fn pattern() -> Option<String> {
        Some(pattern::breaker())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TextValue for AlertRule {
    const EXAMPLES: &[&str] = &["2 of 3"];

    fn pattern() -> Option<String> {
        Some(pattern::ALERT_RULE.to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TextValue for AlertFormat {
    const EXAMPLES: &[&str] = &["slack", "json"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        match text {
            "slack" => Ok(Self::Slack),
            "json" => Ok(Self::Json),
            _ => Err(UnitError::new(
                format!("unknown format `{text}`"),
                "write `slack`, which services that take Slack's messages read too, or `json`",
            )),
        }
    }
}

impl TextValue for StopEarly {
    const EXAMPLES: &[&str] = &["fail", "both", "never"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        match text {
            "fail" => Ok(Self::Fail),
            "both" => Ok(Self::Both),
            "never" => Ok(Self::Never),
            _ => {
                let remedy = match text {
                    "off" | "no" | "none" => "write `never`",
                    "pass" | "always" => "write `both`, which ends a run on a proven fail or pass",
                    _ => "write `fail`, `both` or `never`",
                };
                Err(UnitError::new(format!("unknown word `{text}`"), remedy))
            }
        }
    }
}

impl TextValue for Template {
    const EXAMPLES: &[&str] = &["words and ${VARIABLE}"];
    const IS_FREE: bool = true;
    const HOLDS_VARIABLES: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        Self::parse(text)
    }
}

impl TextValue for Rate {
    const EXAMPLES: &[&str] = &["20/s"];

    fn pattern() -> Option<String> {
        Some(pattern::rate())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TextValue for RampRate {
    const EXAMPLES: &[&str] = &["20/s"];

    fn pattern() -> Option<String> {
        Some(pattern::rate())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        let is_zero = |number: &str| number.trim().parse() == Ok(0.0);
        match text.split_once('/') {
            // Parsing `1/unit` checks the unit.
            Some((number, unit)) if is_zero(number) => {
                format!("1/{unit}").parse::<Rate>().map(|_| Self(None))
            }
            _ => text.parse().map(|rate| Self(Some(rate))),
        }
    }
}

impl TextValue for Duration {
    const EXAMPLES: &[&str] = &["10s", "300ms"];

    fn pattern() -> Option<String> {
        Some(pattern::duration())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        units::parse_duration(text)
    }
}

impl TextValue for ByteSize {
    const EXAMPLES: &[&str] = &["64 KiB"];

    fn pattern() -> Option<String> {
        Some(pattern::SIZE.to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl TextValue for Budget {
    const EXAMPLES: &[&str] = &["p95 < 300ms"];

    fn pattern() -> Option<String> {
        Some(pattern::budget())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse().map_err(|UnitError { problem, remedy }| {
            let location = if problem.contains("budget") { "" } else { " in budget" };
            UnitError::new(format!("{problem}{location}"), remedy)
        })
    }
}

impl TextValue for Method {
    const EXAMPLES: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        let unknown = |remedy: String| UnitError::new(format!("unknown method `{text}`"), remedy);
        let upper = text.to_uppercase();
        if !Self::EXAMPLES.contains(&upper.as_str()) {
            return Err(unknown(format!("write one of `{}`", Self::EXAMPLES.join("`, `"))));
        }
        if upper != text {
            return Err(unknown(format!("write `{upper}`")));
        }
        Self::from_bytes(text.as_bytes()).map_err(|_| unknown("write `GET`".to_owned()))
    }
}
