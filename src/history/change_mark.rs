//! A change point as a site of latency history shows it.

use crate::record::Dimension;

/// A run from which latency stayed at another level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangeMark {
    /// The place of the first run at the new level.
    pub run: usize,
    /// The new level divided by the old one.
    pub ratio: f64,
    /// The interval of the ratio, if it is known.
    pub interval: Option<(f64, f64)>,
    /// Whether enough runs followed to be sure.
    pub is_confirmed: bool,
    /// The part of latency that explains the change, if one does.
    pub phase: Option<Dimension>,
}
