//! Values of the file that are written as text.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::super::latency::{LatencyDistribution, parse_wait};
use crate::units::{MachineSize, Ratio, UnitError};

/// A duration as it is written: `300ms`.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenTime(pub(super) Duration);

/// A duration with a sign, `-60ms`, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenShift(pub(super) f64);

/// A machine's size as a scenario writes it: `shared-cpu-1x`.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenSize(pub(super) MachineSize);

impl<'de> Deserialize<'de> for WrittenSize {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        text.parse().map(Self).map_err(mistake)
    }
}

impl<'de> Deserialize<'de> for WrittenTime {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        parse_wait(&text).map(Self).map_err(mistake)
    }
}

impl<'de> Deserialize<'de> for WrittenShift {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let (sign, time) = match text.trim().strip_prefix('-') {
            Some(time) => (-1.0, time),
            None => (1.0, text.trim().trim_start_matches('+')),
        };
        parse_wait(time).map(|time| Self(sign * time.as_secs_f64())).map_err(mistake)
    }
}

/// Reads a latency distribution: `lognormal:120ms,0.1`.
pub(super) fn latency<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<LatencyDistribution, D::Error> {
    String::deserialize(source)?.parse().map_err(mistake)
}

/// Reads a share: `2%`.
pub(super) fn ratio<'de, D: Deserializer<'de>>(source: D) -> Result<Ratio, D::Error> {
    String::deserialize(source)?.parse().map_err(mistake)
}

fn mistake<E: de::Error>(error: UnitError) -> E {
    let UnitError { problem, remedy } = error;
    E::custom(format!("{problem}; {remedy}"))
}
