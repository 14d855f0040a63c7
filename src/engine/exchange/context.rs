//! What the worker tasks of a lane share.

use std::rc::Rc;
use std::time::Duration;

use super::exchange_start::ExchangeStart;
use super::prepared::PreparedStep;
use super::redirect::RedirectRules;
use super::server_timing::ServerTimingFilter;
use super::setup_state::SetupState;
use crate::engine::accounting::LaneAccounting;
use crate::engine::connection::dial::{Dialer, RequestDestination, UrlOrigin};
use crate::engine::connection::http::HttpConnection;
use crate::engine::error::EngineError;
use crate::engine::limits::drain::DrainSignal;
use crate::engine::thread::ThreadState;
use crate::engine::time::clock::{self, Instant};
use crate::plan::{ConnectionReuse, ExchangeTimeouts, RequestPlan, ScenarioPlan};
use crate::recorder::{ExchangeFailure, ExchangeParts};

/// What a lane's worker tasks need to run exchanges.
pub(in crate::engine) struct ExchangeContext {
    /// The steps that each arrival runs, in order.
    pub(in crate::engine) steps: Vec<PreparedStep>,
    /// Whether any step captures values or sends captured ones or cookies.
    pub(in crate::engine) has_state: bool,
    /// What the setup yields to each arrival.
    pub(in crate::engine) setup: SetupState,
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
    thread: Rc<ThreadState>,
}

impl ExchangeContext {
    /// Prepares a scenario's steps after its setup; fails if the base URL or a request's URL cannot be sent.
    pub(in crate::engine) fn new(
        plan: &ScenarioPlan,
        setup: &SetupState,
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
        let steps = plan.requests.iter().map(|request| {
            PreparedStep::new(name(request).unwrap_or_default(), request, &home, setup)
        });
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let mut secrets = plan.secrets.clone();
        secrets.extend(setup.secrets());
        Ok(Self {
            has_state: setup.jar.is_some() || steps.iter().any(PreparedStep::needs_state),
            setup: setup.clone(),
            steps,
            home,
            timeouts: plan.target.timeouts,
            reuse: plan.reuse,
            redirect_rules: RedirectRules::of(plan),
            server_timing: ServerTimingFilter::new(secrets),
            dialer,
            accounting: LaneAccounting::new(plan.ceilings(), run_start),
            drain: DrainSignal::default(),
            thread,
        })
    }

    /// Total time the prober has stood still up to an instant; use the difference of two values.
    pub(in crate::engine) fn stood_still_by(&self, at: Instant) -> Duration {
        self.thread.hiccups.stood_still_by(at)
    }

    /// An exchange that the prober releases now, due at `due` or, if that is `None`, now.
    pub(in crate::engine) fn start_now(&self, due: Option<Instant>) -> ExchangeStart {
        let dispatched = clock::now();
        let stood_still = self.stood_still_by(dispatched);
        let due = due.unwrap_or(dispatched);
        ExchangeStart { due, dispatched, stood_still, built: Duration::ZERO }
    }

    /// Opens a connection by `deadline`; `lost` says that the target had closed the one before.
    pub(super) async fn open_connection(
        &self,
        destination: RequestDestination<'_>,
        lost: bool,
        deadline: Instant,
        parts: &mut ExchangeParts,
    ) -> Result<HttpConnection, Box<ExchangeFailure>> {
        let origin = match destination {
            RequestDestination::Home => &self.home,
            RequestDestination::Elsewhere(origin) => origin,
        };
        let (opened, address) = match self.dialer.dial(origin, parts, deadline).await {
            Ok(dialed) => {
                let address = dialed.address;
                (HttpConnection::open(dialed, deadline).await, address)
            }
            Err(failed) => (Err(failed), None),
        };
        match &opened {
            Ok(connection) => self.accounting.count_opened(address, connection.protocol(), lost),
            Err(_) => self.accounting.count_unopened(),
        }
        opened.map_err(Box::new)
    }
}
