//! What the setup of a scenario yields to its arrivals.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::cookies::CookieJar;
use crate::plan::live::{ArrivalValues, CapturedValues};
use crate::plan::{CookiePolicy, SecretSet};
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// By the name of each missing value: the step that should have captured it, and how it failed.
pub(super) type MissingValues = BTreeMap<String, (String, Failure)>;

/// What the setup of a scenario yields to its arrivals: values and cookies. All threads share it.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct SetupState {
    pub(super) values: Arc<CapturedValues>,
    pub(super) missing: Arc<MissingValues>,
    /// The cookies that an arrival starts with; `None` if requests send no cookies.
    pub(super) jar: Option<CookieJar>,
    /// The captured values and cookies that must not be shown.
    secrets: Arc<SecretSet>,
}

impl SetupState {
    /// What a scenario without a setup yields.
    pub(in crate::engine) fn without_steps(policy: CookiePolicy) -> Self {
        let jar = (policy != CookiePolicy::Off).then(CookieJar::default);
        Self { jar, ..Self::default() }
    }

    /// What a setup yields that ended with these values and cookies.
    pub(super) fn new(
        values: &ArrivalValues,
        missing: &MissingValues,
        jar: Option<&CookieJar>,
        policy: CookiePolicy,
    ) -> Self {
        let cookies = jar.into_iter().flat_map(CookieJar::received).map(str::to_owned);
        Self {
            secrets: Arc::new(SecretSet::new(values.secrets().into_iter().chain(cookies))),
            values: Arc::new(values.to_shared()),
            missing: Arc::new(missing.clone()),
            jar: match policy {
                CookiePolicy::Off => None,
                CookiePolicy::Arrival => Some(CookieJar::default()),
                CookiePolicy::Setup => Some(jar.map(CookieJar::to_start).unwrap_or_default()),
            },
        }
    }

    /// The captured values and cookies that must not be shown.
    pub(in crate::engine) fn secrets(&self) -> &SecretSet {
        &self.secrets
    }

    /// Redacts what the setup captured in the description of a failure.
    pub(super) fn redact(&self, failed: &mut ExchangeFailure) {
        if !self.secrets.is_empty() {
            redact_failure(&self.secrets, failed);
        }
    }
}

/// What each arrival of a lane starts with.
///
/// Every lane has its own copy. Lanes on several processors would otherwise contend for the counts
/// of its users, which each arrival changes.
pub(in crate::engine) struct ArrivalStart {
    pub(super) values: Rc<CapturedValues>,
    pub(super) missing: Rc<MissingValues>,
    pub(super) jar: Option<CookieJar>,
}

impl ArrivalStart {
    /// The start of the arrivals after a setup.
    pub(in crate::engine) fn after(setup: &SetupState) -> Self {
        Self {
            values: Rc::new(CapturedValues::clone(&setup.values)),
            missing: Rc::new(MissingValues::clone(&setup.missing)),
            jar: setup.jar.clone(),
        }
    }
}

/// Redacts secrets in everything that a failure quotes of an answer.
pub(super) fn redact_failure(secrets: &SecretSet, failed: &mut ExchangeFailure) {
    failed.seen = secrets.redact(&failed.seen).into_owned();
    for row in failed.detail.iter_mut().flat_map(|detail| &mut detail.rows) {
        *row = secrets.redact(row).into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{AnswerDetail, Dimension};

    #[test]
    fn the_kept_rows_of_a_failure_lose_secrets_too() {
        let secrets = SecretSet::new(["zebra-7f3a9c".to_owned()]);
        let rows = vec!["token=zebra-7f3a9c".to_owned()];
        let detail = Some(Box::new(AnswerDetail { rows, ..AnswerDetail::default() }));
        let seen = "1 row: zebra-7f3a9c";
        let failed = ExchangeFailure::in_phase(Failure::Unexpected, Dimension::Body, seen);
        let mut failed = ExchangeFailure { detail, ..failed };
        redact_failure(&secrets, &mut failed);
        assert_eq!(failed.seen, "1 row: •••");
        assert_eq!(failed.detail.unwrap().rows, ["token=•••"]);
    }
}
