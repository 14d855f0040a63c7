//! What the steps of one arrival share: values that earlier steps captured and later steps send.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::expect::CaptureSet;
use crate::plan::SecretSet;
use crate::plan::live::{ArrivalValues, LiveValueError, UnknownValue};
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// The captured values of one arrival, and why some are missing.
#[derive(Default)]
pub(in crate::engine) struct ArrivalState {
    values: ArrivalValues,
    /// By the name of each missing value: the step that should have captured it, and how it failed.
    missing: BTreeMap<String, (String, Failure)>,
    /// The values that must not be shown, built when they are first needed.
    secrets: OnceCell<SecretSet>,
}

impl ArrivalState {
    /// The state of a new arrival.
    pub(in crate::engine) fn begin() -> Self {
        Self { values: ArrivalValues::for_arrival(), ..Self::default() }
    }

    /// The values known so far.
    pub(super) fn values(&self) -> &ArrivalValues {
        &self.values
    }

    /// Adds what a step captured.
    pub(super) fn add(&mut self, values: Vec<(String, Value)>, captures: &CaptureSet) {
        if !values.is_empty() {
            self.values.extend(values, captures);
            self.secrets = OnceCell::new();
        }
    }

    /// Notes that the step `step` failed: what it was to capture is missing.
    pub(super) fn note_missing(&mut self, step: &str, captures: &CaptureSet, failure: Failure) {
        for name in captures.names() {
            self.missing.insert(name.to_owned(), (step.to_owned(), failure));
        }
    }

    /// The values that must not be shown; `None` if nothing secret was captured.
    pub(super) fn secrets(&self) -> Option<&SecretSet> {
        let secrets = self.secrets.get_or_init(|| SecretSet::new(self.values.secrets()));
        (!secrets.is_empty()).then_some(secrets)
    }

    /// Redacts captured values in the description of a failure.
    pub(super) fn redact(&self, failed: &mut ExchangeFailure) {
        if let Some(secrets) = self.secrets() {
            failed.seen = secrets.redact(&failed.seen).into_owned();
            for row in failed.detail.iter_mut().flat_map(|detail| &mut detail.rows) {
                *row = secrets.redact(row).into_owned();
            }
        }
    }

    /// Why a step cannot be filled in with these values.
    pub(super) fn unfit(&self, unfit: LiveValueError) -> ExchangeFailure {
        let name = match unfit {
            LiveValueError::Unknown(UnknownValue(name)) => name,
            LiveValueError::Unsendable(what) => {
                let seen = format!("a captured value is not valid in {what}");
                return not_sent(Failure::NotCaptured, seen);
            }
        };
        match self.missing.get(&name) {
            // If a step's subject is absent, or not configured, so is that of the steps after it.
            Some((step, failure @ (Failure::Absent | Failure::NotConfigured))) => not_sent(
                *failure,
                format!("`{name}` comes from `{step}`, which is {}", failure.description()),
            ),
            Some((step, _)) => not_sent(
                Failure::NotCaptured,
                format!("`{step}` failed, and did not yield `{name}`"),
            ),
            None => not_sent(Failure::NotCaptured, format!("no step yielded `{name}`")),
        }
    }
}

/// The failure of a step that was not sent, or whose subject is absent.
pub(super) fn not_sent(failure: Failure, seen: impl Into<String>) -> ExchangeFailure {
    ExchangeFailure {
        failure,
        phase: None,
        expected: String::new(),
        seen: seen.into(),
        next: None,
        detail: None,
    }
}
