//! A scenario's steps, ready to be carried out.

use super::EngineError;
use super::channels::Place;
use super::dial::Origin;
use super::http::{Asked, Message, Unsendable};
use crate::expect::{Captures, Expectations};
use crate::plan::live::Live;
use crate::plan::{AskPlan, RequestPlan, SqlPlan, Tries};

/// A step that only needs to be copied to be carried out, and what its answer must be.
pub(super) struct Prepared {
    pub(super) name: String,
    /// What is asked.
    pub(super) what: What,
    /// What of it is known only while running.
    pub(super) live: Live,
    pub(super) expectations: Expectations,
    pub(super) captures: Captures,
    pub(super) tries: Tries,
    /// Whether what is asked for may be absent.
    pub(super) may_be_absent: bool,
    /// What it lacks to be carried out.
    pub(super) lacks: Option<String>,
    /// Its place among what is measured; its hops have those after it.
    pub(super) place: usize,
    pub(super) place_of_tries: usize,
}

/// What a step asks.
pub(super) enum What {
    /// A target.
    Http {
        /// What is asked first.
        first: Box<Ask>,
        /// How many redirects are followed.
        redirects: u32,
    },
    /// A database.
    Sql(Box<SqlPlan>),
}

/// One message on its way to an origin.
pub(super) struct Ask {
    pub(super) asked: Asked,
    pub(super) message: Message,
    /// Where it goes, if not to the base URL's origin.
    origin: Option<Origin>,
}

impl Prepared {
    /// Puts the message together; fails where the URL's parts do not make one.
    pub(super) fn new(name: &str, plan: &RequestPlan, home: &Origin) -> Result<Self, EngineError> {
        let what = match &plan.ask {
            AskPlan::Http(http) => {
                let asked = Asked {
                    method: http.method.clone(),
                    url: http.url.clone(),
                    headers: http.headers.clone(),
                    body: http.body.clone(),
                };
                let first = Ask::new(asked, home).map_err(|Unsendable(what)| {
                    EngineError::Target(format!("{what} cannot be sent in a request"))
                })?;
                What::Http { first: Box::new(first), redirects: http.redirects }
            }
            AskPlan::Sql(sql) => What::Sql(sql.clone()),
        };
        Ok(Self {
            name: name.to_owned(),
            what,
            live: plan.live.clone(),
            expectations: plan.expectations.clone(),
            captures: plan.captures.clone(),
            tries: plan.tries,
            may_be_absent: plan.may_be_absent,
            lacks: plan.lacks.clone(),
            place: plan.place,
            place_of_tries: plan.place_of_tries(),
        })
    }

    /// Whether it yields values or needs some.
    pub(super) fn is_of_a_flow(&self) -> bool {
        let has_values = matches!(&self.what, What::Sql(plan) if !plan.values.is_empty());
        has_values || self.live.is_sent() || self.live.is_expected() || !self.captures.is_empty()
    }
}

impl Ask {
    /// Puts a message together; fails where the URL's parts do not make one.
    pub(super) fn new(asked: Asked, home: &Origin) -> Result<Self, Unsendable> {
        let message = Message::new(&asked)?;
        let origin = Origin::of(&asked.url).ok_or(Unsendable("the target's host"))?;
        let origin = (origin != *home).then_some(origin);
        Ok(Self { asked, message, origin })
    }

    /// Where it goes.
    pub(super) fn place(&self) -> Place<'_> {
        self.origin.as_ref().map_or(Place::Home, Place::Elsewhere)
    }
}
