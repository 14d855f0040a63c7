//! A scenario's requests, ready to be sent.

use super::EngineError;
use super::channels::Place;
use super::dial::Origin;
use super::http::{Asked, Message, Unsendable};
use crate::expect::Expectations;
use crate::plan::RequestPlan;

/// A request that only needs to be copied to be sent, and what its answer must be.
pub(super) struct Prepared {
    /// What is asked first.
    pub(super) first: Ask,
    pub(super) expectations: Expectations,
    /// How many redirects are followed.
    pub(super) redirects: u32,
    /// Its place among what is measured; its hops have those after it.
    pub(super) place: usize,
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
    pub(super) fn new(plan: &RequestPlan, home: &Origin) -> Result<Self, EngineError> {
        let asked = Asked {
            method: plan.method.clone(),
            url: plan.url.clone(),
            headers: plan.headers.clone(),
            body: plan.body.clone(),
        };
        let first = Ask::new(asked, home)
            .map_err(|Unsendable(what)| EngineError::Target(format!("{what} cannot be sent in a request")))?;
        let expectations = plan.expectations.clone();
        Ok(Self { first, expectations, redirects: plan.redirects, place: plan.place })
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
