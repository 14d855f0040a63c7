//! Reports of a run: terminal text, markdown, a self-contained page, and plots. Many runs and two runs: terminal text, and
//! for many also JSON and CSV.
//!
//! A [`Model`] holds everything that is shown, in words and numbers; the renderers arrange it and decide nothing.
//! Nothing here reads or writes a file, so that every byte of a report can be tested.
//!
//! Names, headers and evidence come from files and from the target: the model cuts them to a length that can be
//! shown and takes control characters out, and each renderer escapes them for its format.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a report is put together once; that it reads well is worth an allocation a line"
)]

mod evidence;
mod html;
mod listing;
mod markdown;
mod model;
mod plot;
mod terminal;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use evidence::{Artifact, Ended, Entry, evidence};
pub use html::html;
pub use listing::{csv, json};
pub use markdown::markdown;
pub use model::Model;
pub use plot::{Plot, PlotError, plots};
pub use terminal::{checkup, comparison, history, terminal};
