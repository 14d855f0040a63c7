//! Checks for budgets that no run can decide.

use std::time::Duration;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::{KeyLocation, ScenarioField};
use super::super::file::{RequestSection, ScenarioFile, TargetSection};
use super::super::load::{LoadModel, LoadShape};
use crate::record::{Budget, Dimension};
use crate::units;

pub(super) fn all(file: &ScenarioFile, load: Option<&LoadShape>, diagnostics: &mut Diagnostics) {
    let defaults = TargetSection::default();
    let target = file.target.value().unwrap_or(&defaults);
    let own = file.requests().enumerate().map(|(at, request)| (at, &request.budgets));
    // All tries of a step together may take longer than any timeout, so repeated steps are left
    // out.
    let repeated = |at: Option<usize>| match at {
        Some(at) => file.requests().nth(at).is_some_and(RequestSection::is_repeated),
        None => file.requests().any(RequestSection::is_repeated),
    };
    let redirected = |at| file.requests().nth(at).is_some_and(|request| request.redirects() > 0);
    // With weights every request is the first one of its arrivals.
    let is_weighted = file.is_weighted();
    let is_alone = is_weighted || file.requests().count() == 1;
    let shared = (0, &file.budgets);
    for (at, budgets) in std::iter::once(shared).chain(own) {
        let opens = if is_weighted { 0 } else { at };
        let is_of_first = opens == 0 && (is_alone || !std::ptr::eq(budgets, shared.1));
        for (location, budget) in
            budgets.value().into_iter().flatten().filter_map(ScenarioField::located)
        {
            // A redirect may lead to another origin and open a connection to it.
            let unredirected = load.filter(|_| !redirected(at));
            let of = (!std::ptr::eq(budgets, shared.1)).then_some(at);
            let problem = (!repeated(of))
                .then(|| beyond_timeout(budget, target))
                .flatten()
                .or_else(|| unredirected.and_then(|load| never_entered(budget, load, opens)))
                .or_else(|| {
                    unredirected.filter(|_| is_of_first).and_then(|load| never_reused(budget, load))
                })
                .or_else(|| load.and_then(|load| never_by_target(budget, load, target)));
            diagnostics.add_all(problem.map(|problem| diagnostic(location, problem)));
        }
    }
}

type BudgetProblem = (String, &'static str);

fn diagnostic(location: &KeyLocation, (problem, remedy): BudgetProblem) -> Diagnostic {
    Diagnostic::new(location.value.clone(), problem, remedy)
}

/// A ceiling above the timeout: no response can take that long.
fn beyond_timeout(budget: &Budget, target: &TargetSection) -> Option<BudgetProblem> {
    let (dimension, ceiling) = budget.ceiling()?;
    let (key, timeout) = target.timeout_of(dimension)?;
    // An arrival may wait for a connection as long as its exchange may take afterwards.
    let (longest, parts) = match dimension {
        Dimension::Latency | Dimension::Fresh | Dimension::Reused => {
            (timeout * 2, "the wait and the exchange each end after")
        }
        _ => (timeout, "it ends after"),
    };
    (ceiling >= longest).then(|| {
        let (ceiling, timeout) =
            (units::duration_literal(ceiling), units::duration_literal(timeout));
        (
            format!("`{dimension}` never reaches {ceiling}: {parts} the `{key}` of {timeout}"),
            "lower the ceiling or raise the timeout",
        )
    })
}

/// A phase that no exchange of the load goes through.
fn never_entered(budget: &Budget, load: &LoadShape, request: usize) -> Option<BudgetProblem> {
    let dimension = budget.dimension()?;
    if !dimension.needs_fresh_connection() {
        return None;
    }
    if !load.fresh && load.max_connections == load.connections {
        let remedy = match load.model {
            LoadModel::Once => "leave out `[warmup]`, or judge `first_byte`",
            _ => {
                "write `connections = \"fresh\"` in `[load]` or pass `--connections fresh`, or judge \
                 `first_byte`"
            }
        };
        return Some((
            format!("`{dimension}` is never entered: connections are opened before measuring"),
            remedy,
        ));
    }
    (request > 0).then(|| {
        let problem =
            format!("`{dimension}` is never entered: the first request opened the connection");
        (problem, "give this budget to the first request")
    })
}

/// Reuse in a load whose arrivals all open a connection. This concerns only the first request.
fn never_reused(budget: &Budget, load: &LoadShape) -> Option<BudgetProblem> {
    let (Dimension::Reused, true) = (budget.dimension()?, load.fresh) else { return None };
    Some((
        "`reused` is never entered: every arrival opens a connection".to_owned(),
        match load.model {
            LoadModel::Once => "write a `[warmup]`, which opens it, or judge `fresh`",
            _ => "write a number of `connections` instead of `\"fresh\"`, or judge `fresh`",
        },
    ))
}

/// A phase that no connection goes through with these settings of the target.
fn never_by_target(
    budget: &Budget,
    load: &LoadShape,
    target: &TargetSection,
) -> Option<BudgetProblem> {
    let is_once = load.model == LoadModel::Once;
    match budget.dimension()? {
        Dimension::TlsResumed if !target.is_resuming() => Some((
            "`tls_resumed` is never entered: no session is resumed".to_owned(),
            "write `tls_resumption = true` in `[target]`, or judge `tls_full`",
        )),
        Dimension::TlsResumed if is_once => Some((
            "`tls_resumed` is never entered: a first connection has no session to resume"
                .to_owned(),
            "judge `tls_full`, or send more than once",
        )),
        Dimension::Dns
            if !is_once && budget.allowed().is_some() && !target.dns_refresh().is_zero() =>
        {
            Some((
                "`dns` is hardly ever entered: only the first connections wait for a lookup"
                    .to_owned(),
                "write `dns_refresh = \"0s\"` in `[target]`, which looks the name up for each connection",
            ))
        }
        _ => None,
    }
}

impl TargetSection {
    /// The default of `dns_refresh`.
    const DNS_REFRESH: Duration = Duration::from_secs(30);

    /// How old the addresses of a name may be.
    pub fn dns_refresh(&self) -> Duration {
        self.dns_refresh.value().copied().unwrap_or(Self::DNS_REFRESH)
    }

    /// Whether TLS sessions are resumed.
    pub fn is_resuming(&self) -> bool {
        self.tls_resumption.value() == Some(&true)
    }

    /// The default of `timeout`.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// How long the whole exchange may take.
    pub fn whole_timeout(&self) -> Duration {
        self.timeout.value().copied().unwrap_or(Self::DEFAULT_TIMEOUT)
    }

    /// How long a part of an exchange may take, and the key that says so; `None` for lag, which has
    /// no limit.
    pub fn timeout_of(&self, dimension: Dimension) -> Option<(&'static str, Duration)> {
        let (key, own) = match dimension {
            Dimension::Lag => return None,
            Dimension::Dns => ("dns_timeout", &self.dns_timeout),
            Dimension::Connect | Dimension::Proxy => ("connect_timeout", &self.connect_timeout),
            Dimension::Tls | Dimension::TlsFull | Dimension::TlsResumed => {
                ("tls_timeout", &self.tls_timeout)
            }
            Dimension::FirstByte => ("first_byte_timeout", &self.first_byte_timeout),
            Dimension::Latency
            | Dimension::Fresh
            | Dimension::Reused
            | Dimension::Wait
            | Dimension::Setup
            | Dimension::Service
            | Dimension::Body => ("timeout", &self.timeout),
        };
        Some(own.value().map_or(("timeout", self.whole_timeout()), |&own| (key, own)))
    }

    /// Every timeout and its key.
    pub(super) fn timeouts(&self) -> [(&'static str, &ScenarioField<Duration>); 5] {
        [
            ("timeout", &self.timeout),
            ("dns_timeout", &self.dns_timeout),
            ("connect_timeout", &self.connect_timeout),
            ("tls_timeout", &self.tls_timeout),
            ("first_byte_timeout", &self.first_byte_timeout),
        ]
    }
}
