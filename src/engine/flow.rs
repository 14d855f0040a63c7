//! What the steps of one arrival have in common: values that earlier ones captured and later ones send.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::chain::lapse;
use super::dial::Origin;
use super::http::Unsendable;
use super::prepared::{Ask, Prepared, What};
use crate::expect::{Captures, Expectations};
use crate::plan::live::{Unfit, Unknown, Values};
use crate::plan::{Secrets, SqlPlan};
use crate::record::Failure;
use crate::recorder::Failed;

/// The values of one arrival, and why some are missing.
#[derive(Default)]
pub(super) struct Flow {
    values: Values,
    /// The steps that yielded no value, by the value's name: the step's name, and what it came to.
    missing: BTreeMap<String, (String, Failure)>,
    /// The values that must not be shown, made when they are first needed.
    secrets: OnceCell<Secrets>,
}

/// A step as one arrival carries it out.
pub(super) struct Ready<'p> {
    pub(super) prepared: &'p Prepared,
    pub(super) asking: Asking<'p>,
    pub(super) expectations: Cow<'p, Expectations>,
}

/// What one arrival asks.
pub(super) enum Asking<'p> {
    /// A target.
    Http(Outgoing<'p>, u32),
    /// A database, with the statement's values.
    Sql(&'p SqlPlan, Vec<Option<String>>),
}

/// A message as it was prepared, or put together for this arrival.
pub(super) enum Outgoing<'p> {
    Prepared(&'p Ask),
    Own(Box<Ask>),
}

impl std::ops::Deref for Outgoing<'_> {
    type Target = Ask;

    fn deref(&self) -> &Ask {
        match self {
            Self::Prepared(ask) => ask,
            Self::Own(ask) => ask,
        }
    }
}

impl Flow {
    /// The flow of a new arrival.
    pub(super) fn begin() -> Self {
        Self { values: Values::of_arrival(), ..Self::default() }
    }

    /// Takes in what a step captured.
    pub(super) fn keep(&mut self, values: Vec<(String, Value)>, captures: &Captures) {
        if !values.is_empty() {
            self.values.extend(values, captures);
            self.secrets = OnceCell::new();
        }
    }

    /// Notes that a step came to something else than ok: what it was to capture is missing.
    pub(super) fn miss(&mut self, prepared: &Prepared, failure: Failure) {
        for name in prepared.captures.names() {
            self.missing.insert(name.to_owned(), (prepared.name.clone(), failure));
        }
    }

    /// The values that must not be shown; `None` where nothing was captured.
    pub(super) fn secrets(&self) -> Option<&Secrets> {
        let secrets = self.secrets.get_or_init(|| Secrets::new(self.values.secrets()));
        (!secrets.are_none()).then_some(secrets)
    }

    /// Takes captured values out of what was seen.
    pub(super) fn hide(&self, failed: &mut Failed) {
        if let Some(secrets) = self.secrets() {
            failed.seen = secrets.blot(&failed.seen).into_owned();
        }
    }

    fn unfit(&self, unfit: Unfit) -> Failed {
        let name = match unfit {
            Unfit::Unknown(Unknown(name)) => name,
            Unfit::Unsendable(what) => {
                return lapse(
                    Failure::NotCaptured,
                    format!("a captured value cannot stand in {what}"),
                );
            }
        };
        match self.missing.get(&name) {
            // What is not there, or not set, is so for the steps that build on it.
            Some((step, failure @ (Failure::Absent | Failure::NotConfigured))) => lapse(
                *failure,
                format!("`{name}` comes from `{step}`, which is {}", failure.words()),
            ),
            Some((step, _)) => {
                lapse(Failure::NotCaptured, format!("`{step}` failed, and did not yield `{name}`"))
            }
            None => lapse(Failure::NotCaptured, format!("no step yielded `{name}`")),
        }
    }
}

impl Prepared {
    /// The step as an arrival carries it out, or why it is left out.
    pub(super) fn ready<'p>(
        &'p self,
        flow: Option<&Flow>,
        home: &Origin,
    ) -> Result<Ready<'p>, Box<Failed>> {
        if let Some(lacks) = &self.lacks {
            return Err(Box::new(lapse(Failure::NotConfigured, lacks.clone())));
        }
        let Some(flow) = flow else {
            let asking = match &self.what {
                What::Http { first, redirects } => {
                    Asking::Http(Outgoing::Prepared(first), *redirects)
                }
                What::Sql(plan) => Asking::Sql(plan, Vec::new()),
            };
            return Ok(Ready {
                prepared: self,
                asking,
                expectations: Cow::Borrowed(&self.expectations),
            });
        };
        self.filled(&flow.values, home).map_err(|unfit| Box::new(flow.unfit(unfit)))
    }

    fn filled<'p>(&'p self, values: &Values, home: &Origin) -> Result<Ready<'p>, Unfit> {
        let asking = match &self.what {
            What::Http { first, redirects } if self.live.is_sent() => {
                Asking::Http(Outgoing::Own(Box::new(self.own(first, values, home)?)), *redirects)
            }
            What::Http { first, redirects } => Asking::Http(Outgoing::Prepared(first), *redirects),
            What::Sql(plan) => {
                let filled = plan.values.iter().map(|text| text.fill(values).map(Some));
                Asking::Sql(plan, filled.collect::<Result<_, _>>()?)
            }
        };
        let expectations = if self.live.is_expected() {
            Cow::Owned(self.expectations.with(self.live.checks(values)?))
        } else {
            Cow::Borrowed(&self.expectations)
        };
        Ok(Ready { prepared: self, asking, expectations })
    }

    fn own(&self, first: &Ask, values: &Values, home: &Origin) -> Result<Ask, Unfit> {
        let mut asked = first.asked.clone();
        if let Some(url) = self.live.url(values)? {
            asked.url = url;
        }
        self.live.fill_headers(&mut asked.headers, values)?;
        if let Some(body) = self.live.body(values)? {
            asked.body = body;
        }
        Ask::new(asked, home).map_err(|Unsendable(what)| Unfit::Unsendable(what))
    }
}
