//! The steps of an arrival: what each asks, and how often.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::live::{Live, LiveText};
use crate::expect::{Captures, Expectations};
use crate::postgres::{Address, Statement};
use crate::record::Ceiling;

/// One step of an arrival, ready to be carried out.
#[derive(Debug, Clone)]
pub struct RequestPlan {
    /// What is asked.
    pub ask: AskPlan,
    /// What of it is known only while running.
    pub live: Live,
    /// What the answer must be.
    pub expectations: Expectations,
    /// What later steps take from it.
    pub captures: Captures,
    /// The ceilings of its budgets, each once; exceedances are counted against them.
    pub ceilings: Vec<Ceiling>,
    /// How often it is tried.
    pub tries: Tries,
    /// Whether it is an outcome of its own that what was asked for is not there; a failure otherwise.
    pub may_be_absent: bool,
    /// What it lacks to be carried out: ``variable `X` is not set``.
    pub lacks: Option<String>,
    /// Its place among the scenario's shown and measured requests. Where redirects are followed, its hops have the
    /// `redirects + 1` places after it, and where it may be tried again, its tries have the one after those.
    pub place: usize,
}

impl RequestPlan {
    /// The HTTP request, where it is one.
    pub fn http(&self) -> Option<&HttpPlan> {
        match &self.ask {
            AskPlan::Http(http) => Some(http),
            AskPlan::Sql(_) => None,
        }
    }

    /// The HTTP request, to be changed by a test.
    #[cfg(test)]
    pub(crate) fn http_mut(&mut self) -> &mut HttpPlan {
        match &mut self.ask {
            AskPlan::Http(http) => http,
            AskPlan::Sql(_) => panic!("no HTTP request"),
        }
    }

    /// How many redirects are followed.
    pub fn redirects(&self) -> u32 {
        self.http().map_or(0, |http| http.redirects)
    }

    /// The place of its tries.
    pub fn place_of_tries(&self) -> usize {
        let hops = match self.redirects() {
            0 => 0,
            redirects => redirects as usize + 1,
        };
        self.place + 1 + hops
    }
}

/// What a step asks.
#[derive(Debug, Clone)]
pub enum AskPlan {
    /// A target, over HTTP.
    Http(Box<HttpPlan>),
    /// A database.
    Sql(Box<SqlPlan>),
}

/// One HTTP request, ready to be sent.
#[derive(Clone)]
pub struct HttpPlan {
    /// Its method.
    pub method: Method,
    /// The full URL.
    pub url: Url,
    /// Every header but `host` and `content-length`; secret values are marked sensitive.
    pub headers: HeaderMap,
    /// Its body; may be empty.
    pub body: Bytes,
    /// How many redirects are followed.
    pub redirects: u32,
}

/// Shows no URL, header or body, as these may hold secrets.
impl fmt::Debug for HttpPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpPlan").field("method", &self.method).finish_non_exhaustive()
    }
}

/// One SQL statement, ready to be carried out.
#[derive(Clone)]
pub struct SqlPlan {
    /// The database's name in the scenario.
    pub database: String,
    /// Where it is.
    pub address: Address,
    /// The statement.
    pub statement: Statement,
    /// What stands for `$1`, `$2` … in it.
    pub values: Vec<LiveText>,
}

/// Shows no value, as these may be secrets.
impl fmt::Debug for SqlPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlPlan").field("address", &self.address).finish_non_exhaustive()
    }
}

/// How often a step is tried. The step is all of its tries together, the pauses included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tries {
    /// Once.
    #[default]
    One,
    /// Again after a failure.
    Retry {
        /// How often, at most.
        times: u32,
        /// The pause before each of them.
        after: Duration,
    },
    /// Again and again until the answer is as expected.
    Poll {
        /// The pause between two tries.
        every: Duration,
        /// How long it may take in all.
        within: Duration,
    },
}
