//! The model of a tuning session: everything that its reports show.
//!
//! The renderers are next to those of runs: `terminal`, `markdown`, `html` and `plot`.

mod attempt;
mod configuration;
mod evidence;
mod figure;
mod inventory;
mod model;
mod notes;

#[cfg(test)]
pub(in crate::report) mod fixture;
#[cfg(test)]
mod tests;

pub(super) use attempt::{AttemptView, CurvePoint, StageSplit};
pub(super) use configuration::{ConfigurationView, DifferenceView, FigureView, ReasonedText};
pub use evidence::{AttemptEntry, attempt_entry};
pub(super) use figure::{duration, signed, value};
pub(super) use inventory::{INVENTORY_HEADS, InventoryCell, InventoryRow};
pub use model::SessionModel;
pub(super) use model::attempts_made;
