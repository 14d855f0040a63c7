//! What the steps of one arrival share: values that earlier steps captured and later steps send.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use http::HeaderMap;
use http::header::SET_COOKIE;
use serde_json::Value;
use url::Url;

use super::cookies::CookieJar;
use super::setup_state::{ArrivalStart, MissingValues, SetupState, redact_failure};
use crate::expect::CaptureSet;
use crate::plan::live::{ArrivalValues, LiveValueError, UnknownValue};
use crate::plan::{CookiePolicy, DataRow, SecretSet};
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// The captured values of one arrival, and why some are missing.
pub(in crate::engine) struct ArrivalState {
    values: ArrivalValues,
    missing: MissingValues,
    /// What the setup did not yield.
    missing_of_setup: Rc<MissingValues>,
    /// `None` if requests send no cookies.
    jar: Option<CookieJar>,
    /// The values that must not be shown, built when they are first needed.
    secrets: OnceCell<SecretSet>,
}

impl ArrivalState {
    /// The state of a new arrival, which uses a row of the data file if there is one.
    pub(in crate::engine) fn begin(start: &ArrivalStart, row: Option<DataRow>) -> Self {
        Self {
            values: ArrivalValues::after_setup(&start.values).with_row(row),
            missing: MissingValues::new(),
            missing_of_setup: Rc::clone(&start.missing),
            jar: start.jar.as_ref().map(CookieJar::to_start),
            secrets: OnceCell::new(),
        }
    }

    /// What arrivals start with, if a setup ended in this state.
    pub(in crate::engine) fn to_setup_state(&self, policy: CookiePolicy) -> SetupState {
        SetupState::new(&self.values, &self.missing, self.jar.as_ref(), policy)
    }

    /// The arrival's cookies; `None` if requests send none.
    pub(super) fn jar(&self) -> Option<&CookieJar> {
        self.jar.as_ref()
    }

    /// Keeps the cookies that the answer from `url` sets.
    ///
    /// The URL is asked for only if there are cookies: that of a request with live values has to be
    /// parsed first.
    pub(super) fn receive_cookies<'u>(
        &mut self,
        answer: &HeaderMap,
        url: impl FnOnce() -> Cow<'u, Url>,
    ) {
        let Some(jar) = &mut self.jar else { return };
        if answer.contains_key(SET_COOKIE) && jar.receive(answer, &url()) {
            self.secrets = OnceCell::new();
        }
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

    /// The values and cookies that must not be shown; `None` if there are none. Those of the setup
    /// are not among them.
    pub(super) fn secrets(&self) -> Option<&SecretSet> {
        let cookies = self.jar.iter().flat_map(CookieJar::received).map(str::to_owned);
        let all = || SecretSet::new(self.values.secrets().into_iter().chain(cookies));
        let secrets = self.secrets.get_or_init(all);
        (!secrets.is_empty()).then_some(secrets)
    }

    /// Redacts captured values in the description of a failure.
    pub(super) fn redact(&self, failed: &mut ExchangeFailure) {
        if let Some(secrets) = self.secrets() {
            redact_failure(secrets, failed);
        }
    }

    /// Why a step cannot be filled in with these values.
    pub(super) fn unfit(&self, unfit: LiveValueError) -> ExchangeFailure {
        let name = match unfit {
            LiveValueError::Unknown(UnknownValue(name)) => name,
            LiveValueError::Unsendable(what) => {
                let seen = format!("a value is not valid in {what}");
                return ExchangeFailure::new(Failure::NotCaptured, seen);
            }
        };
        match self.missing.get(&name).or_else(|| self.missing_of_setup.get(&name)) {
            // If a step's subject is absent, or not configured, so is that of the steps after it.
            Some((step, failure @ (Failure::Absent | Failure::NotConfigured))) => {
                ExchangeFailure::new(
                    *failure,
                    format!("`{name}` comes from `{step}`, which is {}", failure.description()),
                )
            }
            Some((step, _)) => ExchangeFailure::new(
                Failure::NotCaptured,
                format!("`{step}` failed, and did not yield `{name}`"),
            ),
            None => ExchangeFailure::new(Failure::NotCaptured, format!("no step yielded `{name}`")),
        }
    }
}
