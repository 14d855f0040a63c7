//! The steps of an arrival: what each sends, and how often it is tried.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::live::{LiveParts, LiveText};
use crate::expect::{CaptureSet, ExpectationSet};
use crate::postgres::{DatabaseAddress, SqlStatement};
use crate::record::Ceiling;

/// One step of an arrival, ready to run.
#[derive(Debug, Clone)]
pub struct RequestPlan {
    /// What the step sends.
    pub action: RequestAction,
    /// The parts that are known only during the run.
    pub live: LiveParts,
    /// What the response must be.
    pub expectations: ExpectationSet,
    /// The values that later steps take from the response.
    pub captures: CaptureSet,
    /// The ceilings of its budgets, each once. Responses above them are counted.
    pub ceilings: Vec<Ceiling>,
    /// How often the step is tried.
    pub tries: RetryPlan,
    /// Whether a missing resource is the outcome *absent* instead of a failure.
    pub accepts_absence: bool,
    /// Why the step cannot run: ``variable `X` is not set``.
    pub missing_variable: Option<String>,
    /// Its index among the shown and measured requests of the scenario. If redirects are followed,
    /// the next `redirects + 1` indexes are its hops. If it may be tried again, the index after
    /// those is its tries.
    pub index: usize,
}

impl RequestPlan {
    /// The HTTP request, if the step sends one.
    pub fn http(&self) -> Option<&HttpPlan> {
        match &self.action {
            RequestAction::Http(http) => Some(http),
            RequestAction::Sql(_) => None,
        }
    }

    /// The HTTP request, for a test to change.
    #[cfg(test)]
    pub(crate) fn http_mut(&mut self) -> &mut HttpPlan {
        match &mut self.action {
            RequestAction::Http(http) => http,
            RequestAction::Sql(_) => panic!("no HTTP request"),
        }
    }

    /// How many redirects are followed.
    pub fn redirects(&self) -> u32 {
        self.http().map_or(0, |http| http.redirects)
    }

    /// The index of its tries.
    pub fn tries_index(&self) -> usize {
        let hops = match self.redirects() {
            0 => 0,
            redirects => redirects as usize + 1,
        };
        self.index + 1 + hops
    }
}

/// What a step sends.
#[derive(Debug, Clone)]
pub enum RequestAction {
    /// An HTTP request to a target.
    Http(Box<HttpPlan>),
    /// An SQL statement to a database.
    Sql(Box<SqlPlan>),
}

/// One HTTP request, ready to be sent.
#[derive(Clone)]
pub struct HttpPlan {
    /// Its method.
    pub method: Method,
    /// The complete URL.
    pub url: Url,
    /// Every header except `host` and `content-length`. Secret values are marked sensitive.
    pub headers: HeaderMap,
    /// Its body, which may be empty.
    pub body: Bytes,
    /// How many redirects are followed.
    pub redirects: u32,
}

/// Leaves out URL, headers and body, which may contain secrets.
impl fmt::Debug for HttpPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpPlan").field("method", &self.method).finish_non_exhaustive()
    }
}

/// One SQL statement, ready to run.
#[derive(Clone)]
pub struct SqlPlan {
    /// The database's name in the scenario.
    pub database: String,
    /// Where it is.
    pub address: DatabaseAddress,
    /// The statement.
    pub statement: SqlStatement,
    /// The values of `$1`, `$2` … in the statement.
    pub values: Vec<LiveText>,
}

/// Leaves out the values, which may be secret.
impl fmt::Debug for SqlPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlPlan").field("address", &self.address).finish_non_exhaustive()
    }
}

/// How often a step is tried. The step lasts for all of its tries, including the pauses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RetryPlan {
    /// Once.
    #[default]
    Once,
    /// Again after a failure.
    Retry {
        /// The maximum number of further tries.
        times: u32,
        /// The pause before each further try.
        after: Duration,
    },
    /// Again and again until the response is as expected.
    Poll {
        /// The pause between two tries.
        every: Duration,
        /// How long all tries together may take.
        within: Duration,
    },
}
