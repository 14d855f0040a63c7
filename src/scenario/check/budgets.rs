//! Budgets that no run could ever decide.

use std::time::Duration;

use super::super::complaint::{Complaint, Complaints};
use super::super::field::{Field, Place};
use super::super::file::{File, Target};
use super::super::load::{LoadShape, Model};
use crate::record::{Budget, Dimension};
use crate::units;

pub(super) fn all(file: &File, load: Option<&LoadShape>, complaints: &mut Complaints) {
    let defaults = Target::default();
    let target = file.target.given().unwrap_or(&defaults);
    let own = file.requests().enumerate().map(|(at, request)| (at, &request.budgets));
    let redirected = |at| file.requests().nth(at).is_some_and(|request| request.redirects() > 0);
    for (at, budgets) in std::iter::once((0, &file.budgets)).chain(own) {
        for (place, budget) in budgets.given().into_iter().flatten().filter_map(Field::placed) {
            let problem = beyond_timeout(budget, target)
                // A redirect may lead to another origin, and a connection is opened for it.
                .or_else(|| {
                    load.filter(|_| !redirected(at)).and_then(|load| never_entered(budget, load, at))
                });
            complaints.add_all(problem.map(|problem| complaint(place, problem)));
        }
    }
}

type Problem = (String, &'static str);

fn complaint(place: &Place, (problem, remedy): Problem) -> Complaint {
    Complaint::new(place.value.clone(), problem, remedy)
}

/// A ceiling that the timeout cuts off: no answer could come after it.
fn beyond_timeout(budget: &Budget, target: &Target) -> Option<Problem> {
    let (dimension, ceiling) = budget.ceiling()?;
    let (key, timeout) = target.timeout_of(dimension)?;
    // An arrival may wait as long for a connection as its exchange may then take.
    let (longest, parts) = match dimension {
        Dimension::Latency | Dimension::Fresh | Dimension::Reused => {
            (timeout * 2, "waiting and answering each end after")
        }
        _ => (timeout, "it ends after"),
    };
    (ceiling >= longest).then(|| {
        let (ceiling, timeout) = (units::written(ceiling), units::written(timeout));
        (
            format!("`{dimension}` never reaches {ceiling}: {parts} the `{key}` of {timeout}"),
            "lower the ceiling or raise the timeout",
        )
    })
}

/// A phase that no exchange of the load goes through.
fn never_entered(budget: &Budget, load: &LoadShape, request: usize) -> Option<Problem> {
    let (dimension, _) = budget.ceiling()?;
    if !dimension.needs_fresh_connection() {
        return None;
    }
    if !load.fresh {
        let remedy = match load.model {
            Model::Once => "leave out `[warmup]`, or judge `first_byte`",
            _ => "write `connections = \"fresh\"`, or judge `first_byte`",
        };
        return Some((
            format!("`{dimension}` is never entered: connections are opened before measuring"),
            remedy,
        ));
    }
    (request > 0).then(|| {
        let problem = format!("`{dimension}` is never entered: the first request opened the connection");
        (problem, "give this budget to the first request")
    })
}

impl Target {
    /// How long an exchange as a whole may take unless the scenario says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// How long an exchange as a whole may take.
    pub fn whole_timeout(&self) -> Duration {
        self.timeout.given().copied().unwrap_or(Self::DEFAULT_TIMEOUT)
    }

    /// How long a part of an exchange may take, and the key that says so; nothing limits the prober's own lag.
    pub fn timeout_of(&self, dimension: Dimension) -> Option<(&'static str, Duration)> {
        let (key, own) = match dimension {
            Dimension::Lag => return None,
            Dimension::Dns => ("dns_timeout", &self.dns_timeout),
            Dimension::Connect => ("connect_timeout", &self.connect_timeout),
            Dimension::Tls | Dimension::TlsFull | Dimension::TlsResumed => ("tls_timeout", &self.tls_timeout),
            Dimension::FirstByte => ("first_byte_timeout", &self.first_byte_timeout),
            Dimension::Latency
            | Dimension::Fresh
            | Dimension::Reused
            | Dimension::Wait
            | Dimension::Setup
            | Dimension::Service
            | Dimension::Body => ("timeout", &self.timeout),
        };
        Some(own.given().map_or(("timeout", self.whole_timeout()), |&own| (key, own)))
    }

    /// Every timeout and its key.
    pub(super) fn timeouts(&self) -> [(&'static str, &Field<Duration>); 5] {
        [
            ("timeout", &self.timeout),
            ("dns_timeout", &self.dns_timeout),
            ("connect_timeout", &self.connect_timeout),
            ("tls_timeout", &self.tls_timeout),
            ("first_byte_timeout", &self.first_byte_timeout),
        ]
    }
}
