//! What the worker tasks of a lane share.

use std::rc::Rc;
use std::time::Duration;

use super::arrival_state::ArrivalState;
use super::prepared::PreparedStep;
use super::redirect::RedirectRules;
use super::server_timing::ServerTimingFilter;
use crate::engine::accounting::LaneAccounting;
use crate::engine::connection::dial::{Dialer, RequestDestination, UrlOrigin};
use crate::engine::connection::http::HttpConnection;
use crate::engine::error::EngineError;
use crate::engine::limits::drain::DrainSignal;
use crate::engine::thread::ThreadState;
use crate::engine::time::clock::Instant;
use crate::plan::{
    ConnectionReuse, DataPlan, DataRow, ExchangeTimeouts, RequestDraw, RequestPlan, ScenarioPlan,
};
use crate::record::Stage;
use crate::recorder::{ExchangeFailure, ExchangeParts};

/// What a lane's worker tasks need to run exchanges.
pub(in crate::engine) struct ExchangeContext {
    /// The steps of the scenario, in order. Each arrival runs all of them, or one that is drawn.
    steps: Vec<PreparedStep>,
    /// The rows of which each arrival uses one.
    data: Option<Rc<DataPlan>>,
    /// How an arrival chooses the one step that it runs.
    draw: Option<RequestDraw>,
    /// Whether any step captures values or sends captured ones.
    has_state: bool,
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
            data: plan.data.clone().map(Rc::new),
            draw: plan.draw.clone(),
            home,
            timeouts: plan.target.timeouts,
            reuse: plan.reuse,
            redirect_rules: RedirectRules::of(plan),
            server_timing: ServerTimingFilter::new(plan.secrets.clone()),
            dialer,
            accounting: LaneAccounting::new(plan.ceilings(), run_start),
            drain: DrainSignal::default(),
            thread,
        })
    }

    /// The steps that an arrival runs, in order. Its index counts the arrivals of its stage over all
    /// shards.
    pub(in crate::engine) fn steps_of(&self, stage: Stage, index: u64) -> &[PreparedStep] {
        let Some(draw) = &self.draw else { return &self.steps };
        let drawn = match stage {
            Stage::Measured => draw.of_measured(index),
            Stage::Cold | Stage::Warmup => draw.of_warmup(index),
        };
        self.steps.get(drawn..=drawn).unwrap_or(&self.steps)
    }

    /// What the steps of an arrival share; `None` if they share nothing.
    pub(in crate::engine) fn begin_state(&self, stage: Stage, index: u64) -> Option<ArrivalState> {
        let row_of = |data| match stage {
            Stage::Measured => DataRow::of_measured(data, index),
            Stage::Cold | Stage::Warmup => DataRow::of_warmup(data, index),
        };
        self.has_state.then(|| ArrivalState::begin(self.data.as_ref().map(row_of)))
    }

    /// Total time the prober has stood still up to an instant; use the difference of two values.
    pub(in crate::engine) fn stood_still_by(&self, at: Instant) -> Duration {
        self.thread.hiccups.stood_still_by(at)
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
