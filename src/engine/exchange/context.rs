//! What the worker tasks of a lane share.

use std::rc::Rc;
use std::time::Duration;

use super::prepared::PreparedStep;
use super::redirect::RedirectRules;
use super::server_timing::ServerTimingFilter;
use crate::engine::accounting::LaneAccounting;
use crate::engine::connection::dial::{Dialer, RequestDestination, UrlOrigin};
use crate::engine::connection::http::{ConnectionLoss, HttpConnection};
use crate::engine::connection::idle_close::IdleHistory;
use crate::engine::error::EngineError;
use crate::engine::limits::drain::DrainSignal;
use crate::engine::thread::ThreadState;
use crate::engine::time::clock::Instant;
use crate::plan::{ConnectionReuse, ExchangeTimeouts, RequestPlan, ScenarioPlan};
use crate::record::Dimension;
use crate::recorder::{ExchangeFailure, ExchangeParts};

/// What a lane's worker tasks need to run exchanges.
pub(in crate::engine) struct ExchangeContext {
    /// The steps that each arrival runs, in order.
    pub(in crate::engine) steps: Vec<PreparedStep>,
    /// Whether any step captures values or sends captured ones.
    pub(in crate::engine) has_state: bool,
    /// The origin of the base URL.
    pub(in crate::engine) home: UrlOrigin,
    pub(in crate::engine) timeouts: ExchangeTimeouts,
    pub(in crate::engine) reuse: ConnectionReuse,
    /// The hosts that redirects may lead to.
    pub(super) redirect_rules: RedirectRules,
    pub(super) server_timing: ServerTimingFilter,
    pub(in crate::engine) dialer: Box<dyn Dialer>,
    pub(in crate::engine) accounting: LaneAccounting,
    pub(in crate::engine) drain: DrainSignal,
    /// What the connections to the base URL's origin have shown about idle times.
    idle_history: Rc<IdleHistory>,
    thread: Rc<ThreadState>,
}

impl ExchangeContext {
    /// Prepares a scenario's steps; fails if the base URL or a request's URL cannot be sent.
    pub(in crate::engine) fn new(
        plan: &ScenarioPlan,
        dialer: Box<dyn Dialer>,
        thread: Rc<ThreadState>,
        run_start: Instant,
    ) -> Result<Self, EngineError> {
        let base_url = &plan.target.base_url;
        let home = UrlOrigin::of(base_url)
            .ok_or_else(|| EngineError::Target(format!("{base_url} names no host and port")))?;
        let name = |request: &RequestPlan| {
            plan.shown.requests.get(request.index).map(|shown| shown.name.as_str())
        };
        let steps = plan
            .requests
            .iter()
            .map(|request| PreparedStep::new(name(request).unwrap_or_default(), request, &home));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            has_state: steps.iter().any(PreparedStep::needs_state),
            steps,
            home,
            timeouts: plan.target.timeouts,
            reuse: plan.reuse,
            redirect_rules: RedirectRules::of(plan),
            server_timing: ServerTimingFilter::new(plan.secrets.clone()),
            dialer,
            accounting: LaneAccounting::new(plan.ceilings(), run_start),
            drain: DrainSignal::default(),
            idle_history: Rc::default(),
            thread,
        })
    }

    /// Total time the prober has stood still up to an instant; use the difference of two values.
    pub(in crate::engine) fn stood_still_by(&self, at: Instant) -> Duration {
        self.thread.hiccups.stood_still_by(at)
    }

    /// Opens a connection by `deadline`; `lost` says why the one before takes no more requests.
    pub(super) async fn open_connection(
        &self,
        destination: RequestDestination<'_>,
        lost: Option<ConnectionLoss>,
        deadline: Instant,
        parts: &mut ExchangeParts,
    ) -> Result<HttpConnection, Box<ExchangeFailure>> {
        let (origin, history) = match destination {
            RequestDestination::Home => (&self.home, Rc::clone(&self.idle_history)),
            RequestDestination::Elsewhere(origin) => (origin, Rc::default()),
        };
        let connected_before = parts.duration(Dimension::Connect);
        let (opened, address) = match self.dialer.dial(origin, parts, deadline).await {
            Ok(dialed) => {
                let address = dialed.address;
                (HttpConnection::open(dialed, deadline).await, address)
            }
            Err(failed) => (Err(failed), None),
        };
        match &opened {
            Ok(connection) => {
                let connected = parts.duration(Dimension::Connect);
                connection.idle().set_known(connected.saturating_sub(connected_before), &history);
                self.accounting.count_opened(address, connection.protocol(), lost);
            }
            Err(_) => self.accounting.count_unopened(),
        }
        opened.map_err(Box::new)
    }
}
