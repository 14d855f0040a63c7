//! A scenario's steps, prepared before the run.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use http::header::COOKIE;
use url::{Position, Url};

use super::arrival_state::ArrivalState;
use super::cookies::CookieJar;
use super::setup_state::SetupState;
use crate::engine::connection::dial::{RequestDestination, UrlOrigin};
use crate::engine::connection::http::{
    MessageChanges, RequestMessage, RequestParts, UnsendablePart,
};
use crate::engine::error::EngineError;
use crate::expect::{CaptureSet, ExpectationSet};
use crate::plan::live::{ArrivalValues, CapturedValues, LiveParts, LiveValueError, TextBuffer};
use crate::plan::{RequestAction, RequestPlan, RetryPlan, SqlPlan};
use crate::record::Failure;
use crate::recorder::ExchangeFailure;

/// A step that only needs to be copied to be sent, and what its answer must be.
pub(in crate::engine) struct PreparedStep {
    name: String,
    pub(in crate::engine) action: StepAction,
    /// The parts of it that depend on values known only during the run.
    live: LiveParts,
    /// Memory for the texts that are filled in.
    texts: RefCell<TextBuffer>,
    expectations: ExpectationSet,
    pub(super) captures: CaptureSet,
    pub(in crate::engine) tries: RetryPlan,
    /// Whether what is requested may be absent.
    pub(super) may_be_absent: bool,
    /// What the step lacks to run at all: the text says which variable is not set.
    lacks: Option<String>,
    /// Its index in the record; its hops have the indices after it.
    pub(in crate::engine) index: usize,
    /// The index in the record under which its tries are recorded.
    pub(in crate::engine) tries_index: usize,
}

/// What a step sends.
pub(in crate::engine) enum StepAction {
    /// A request to the target.
    Http {
        /// The first request, before any redirect.
        request: Box<PreparedRequest>,
        /// Maximum number of redirects followed.
        redirects: u32,
    },
    /// A statement to a database.
    Sql(Box<SqlPlan>),
}

/// One request, ready to be copied to a connection.
pub(in crate::engine) struct PreparedRequest {
    /// Its parts, without what an arrival changes.
    prepared: Rc<RequestParts>,
    pub(super) message: RequestMessage,
    /// Its origin; `None` for the base URL's.
    origin: Option<UrlOrigin>,
}

/// A step as one arrival runs it.
pub(in crate::engine) struct ArrivalStep<'p> {
    pub(in crate::engine) prepared: &'p PreparedStep,
    /// The arrival's own request; `None` if it sends the prepared one.
    pub(in crate::engine) own_request: Option<PreparedRequest>,
    /// The values of the arrival's SQL statement.
    pub(super) sql_values: Vec<Option<String>>,
    pub(super) expectations: Cow<'p, ExpectationSet>,
}

impl PreparedStep {
    /// Builds the request; fails if the URL's parts do not make one.
    ///
    /// A request whose live values all come from the setup is filled in here, once, and not for
    /// each arrival. The same holds for expectations.
    pub(super) fn new(
        name: &str,
        plan: &RequestPlan,
        home: &UrlOrigin,
        setup: &SetupState,
    ) -> Result<Self, EngineError> {
        let mut prepared = Self::unfilled(name, plan, home)?;
        let values = Rc::new(CapturedValues::clone(&setup.values));
        prepared.fill_from_setup(&ArrivalValues::of_setup(&values), home);
        Ok(prepared)
    }

    fn unfilled(name: &str, plan: &RequestPlan, home: &UrlOrigin) -> Result<Self, EngineError> {
        let action = match &plan.action {
            RequestAction::Http(http) => {
                let parts = RequestParts {
                    method: http.method.clone(),
                    url: http.url.clone(),
                    headers: http.headers.clone(),
                    body: http.body.clone(),
                };
                let request =
                    PreparedRequest::new(parts, home).map_err(|UnsendablePart(what)| {
                        EngineError::Target(format!("{what} cannot be sent in a request"))
                    })?;
                StepAction::Http { request: Box::new(request), redirects: http.redirects }
            }
            RequestAction::Sql(sql) => StepAction::Sql(sql.clone()),
        };
        Ok(Self {
            name: name.to_owned(),
            action,
            live: plan.live.clone(),
            texts: RefCell::default(),
            expectations: plan.expectations.clone(),
            captures: plan.captures.clone(),
            tries: plan.tries,
            may_be_absent: plan.accepts_absence,
            lacks: plan.missing_variable.clone(),
            index: plan.index,
            tries_index: plan.tries_index(),
        })
    }

    /// Fills in what needs only these values. What cannot be filled in stays as it is, so that each
    /// arrival reports why.
    fn fill_from_setup(&mut self, values: &ArrivalValues, home: &UrlOrigin) {
        if let StepAction::Http { request, .. } = &mut self.action
            && self.live.changes_request()
            && let Ok(changes) = changes(&self.live, values, self.texts.get_mut())
            && let Ok(filled) =
                PreparedRequest::new(request.with(changes).parts().into_owned(), home)
        {
            **request = filled;
            self.live = std::mem::take(&mut self.live).without_request();
        }
        if self.live.changes_expectations()
            && let Ok(checks) = self.live.checks(values)
        {
            self.expectations = self.expectations.with_checks(checks);
            self.live = std::mem::take(&mut self.live).without_checks();
        }
    }

    /// Whether it captures values, or sends or expects captured ones.
    pub(super) fn needs_state(&self) -> bool {
        let has_values = matches!(&self.action, StepAction::Sql(plan) if !plan.values.is_empty());
        has_values
            || self.live.changes_request()
            || self.live.changes_expectations()
            || !self.captures.is_empty()
    }

    /// The step as an arrival runs it; the error says why the arrival leaves it out.
    pub(in crate::engine) fn for_arrival(
        &self,
        state: Option<&ArrivalState>,
    ) -> Result<ArrivalStep<'_>, Box<ExchangeFailure>> {
        if let Some(lacks) = &self.lacks {
            return Err(Box::new(ExchangeFailure::new(Failure::NotConfigured, lacks.clone())));
        }
        let Some(state) = state else {
            return Ok(ArrivalStep {
                prepared: self,
                own_request: None,
                sql_values: Vec::new(),
                expectations: Cow::Borrowed(&self.expectations),
            });
        };
        self.fill(state.values()).map_err(|unfit| Box::new(state.unfit(unfit)))
    }

    /// Notes in an arrival's state that this step failed.
    pub(in crate::engine) fn note_failure(
        &self,
        state: &mut Option<ArrivalState>,
        failure: Failure,
    ) {
        if let Some(state) = state {
            state.note_missing(&self.name, &self.captures, failure);
        }
    }

    /// Fills in captured values, and those of the arrival's row.
    fn fill(&self, values: &ArrivalValues) -> Result<ArrivalStep<'_>, LiveValueError> {
        let (mut own_request, mut sql_values) = (None, Vec::new());
        match &self.action {
            StepAction::Http { request, .. } if self.live.changes_request() => {
                let changes = changes(&self.live, values, &mut self.texts.borrow_mut())?;
                own_request = Some(request.with(changes));
            }
            StepAction::Http { .. } => {}
            StepAction::Sql(plan) => {
                let filled = plan.values.iter().map(|text| text.fill_nullable(values));
                sql_values = filled.collect::<Result<_, _>>()?;
            }
        }
        let expectations = if self.live.changes_expectations() {
            Cow::Owned(self.expectations.with_checks(self.live.checks(values)?))
        } else {
            Cow::Borrowed(&self.expectations)
        };
        Ok(ArrivalStep { prepared: self, own_request, sql_values, expectations })
    }
}

impl PreparedRequest {
    /// Builds the message; fails if the URL's parts do not make one.
    pub(super) fn new(parts: RequestParts, home: &UrlOrigin) -> Result<Self, UnsendablePart> {
        let message = RequestMessage::new(&parts)?;
        let origin = UrlOrigin::of(&parts.url).ok_or(UnsendablePart("the target's host"))?;
        let origin = (origin != *home).then_some(origin);
        Ok(Self { prepared: Rc::new(parts), message, origin })
    }

    /// The same request with what one arrival changes; its origin stays the same.
    fn with(&self, changes: MessageChanges) -> Self {
        Self {
            prepared: Rc::clone(&self.prepared),
            message: self.message.with(changes),
            origin: self.origin.clone(),
        }
    }

    /// The URL that it is sent to.
    pub(super) fn url(&self) -> Cow<'_, Url> {
        let prepared = &self.prepared.url;
        let Some(target) = &self.message.changes().target else { return Cow::Borrowed(prepared) };
        let whole = format!("{}{target}", &prepared[..Position::BeforePath]);
        Url::parse(&whole).map_or(Cow::Borrowed(prepared), Cow::Owned)
    }

    /// The URL without what an arrival changes, which costs nothing.
    pub(super) fn prepared_url(&self) -> &Url {
        &self.prepared.url
    }

    /// Its parts, with what the arrival changes.
    pub(super) fn parts(&self) -> Cow<'_, RequestParts> {
        let changes = self.message.changes();
        if changes.target.is_none() && changes.headers.is_empty() && changes.body.is_none() {
            return Cow::Borrowed(&self.prepared);
        }
        let mut parts = RequestParts::clone(&self.prepared);
        parts.url = self.url().into_owned();
        changes.apply_to(&mut parts.headers);
        if let Some(body) = &changes.body {
            parts.body = body.clone();
        }
        Cow::Owned(parts)
    }

    /// The same request with the cookies that a jar has for it; `None` if there are none.
    pub(super) fn with_cookies(&self, jar: &CookieJar) -> Option<Box<Self>> {
        let cookies = jar.header_for(&self.url());
        // A redirect repeats the headers of the request before it.
        if cookies.is_none() && !self.prepared.headers.contains_key(COOKIE) {
            return None;
        }
        let mut changes = self.message.changes().clone();
        changes.headers.push((COOKIE, cookies));
        Some(Box::new(self.with(changes)))
    }

    /// Where the request goes.
    pub(super) fn destination(&self) -> RequestDestination<'_> {
        self.origin.as_ref().map_or(RequestDestination::Home, RequestDestination::Elsewhere)
    }
}

/// What a step's live values change in its request.
fn changes(
    live: &LiveParts,
    values: &ArrivalValues,
    texts: &mut TextBuffer,
) -> Result<MessageChanges, LiveValueError> {
    Ok(MessageChanges {
        target: live.target(values, texts)?,
        headers: live.headers(values, texts)?,
        body: live.body(values)?,
    })
}
