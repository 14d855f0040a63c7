//! What the worker tasks of a lane share.

use std::rc::Rc;
use std::time::Duration;

use super::arrival_state::ArrivalState;
use super::exchange_start::ExchangeStart;
use super::prepared::PreparedStep;
use super::redirect::RedirectRules;
use super::server_timing::ServerTimingFilter;
use super::setup_state::{ArrivalStart, SetupState};
use crate::engine::accounting::LaneAccounting;
use crate::engine::connection::dial::{Dialer, RequestDestination, UrlOrigin};
use crate::engine::connection::http::{ConnectionLoss, HttpConnection};
use crate::engine::connection::idle_close::IdleHistory;
use crate::engine::error::EngineError;
use crate::engine::limits::drain::DrainSignal;
use crate::engine::thread::ThreadState;
use crate::engine::time::clock::{self, Instant};
use crate::engine::time::hiccups::ExchangeGuard;
use crate::plan::{
    ConnectionReuse, DataPlan, DataRow, ExchangeTimeouts, RequestDraw, RequestPlan, ScenarioPlan,
};
use crate::postgres::DatabaseAddress;
use crate::record::session::ExchangeSample;
use crate::record::{Dimension, Stage};
use crate::recorder::{ConnectionId, ExchangeFailure, ExchangeParts, UsedConnection};

/// What a lane's worker tasks need to run exchanges.
pub(in crate::engine) struct ExchangeContext {
    /// The steps of the scenario, in order. Each arrival runs all of them, or one that is drawn.
    pub(in crate::engine) steps: Vec<PreparedStep>,
    /// What the setup yielded.
    pub(super) setup: SetupState,
    /// What each arrival starts with.
    arrival_start: ArrivalStart,
    /// The rows of the data file; each arrival uses one of them.
    data: Option<Rc<DataPlan>>,
    /// How an arrival chooses the one step that it runs.
    draw: Option<RequestDraw>,
    /// Whether any step captures values, or sends captured ones or cookies.
    has_state: bool,
    /// The origin of the base URL.
    pub(in crate::engine) home: UrlOrigin,
    pub(in crate::engine) timeouts: ExchangeTimeouts,
    pub(in crate::engine) reuse: ConnectionReuse,
    /// The hosts that redirects may lead to.
    pub(super) redirect_rules: RedirectRules,
    pub(super) server_timing: ServerTimingFilter,
    pub(in crate::engine) dialer: Box<dyn Dialer>,
    /// Whether the base URL's host is this machine by its name.
    is_home_here: bool,
    pub(in crate::engine) accounting: LaneAccounting,
    pub(in crate::engine) drain: DrainSignal,
    /// What the connections to the base URL's origin have shown about idle times.
    idle_history: Rc<IdleHistory>,
    thread: Rc<ThreadState>,
}

impl ExchangeContext {
    /// Prepares a scenario's steps after its setup, for at most this many connections at a time;
    /// fails if the base URL or a request's URL cannot be sent.
    pub(in crate::engine) fn new(
        plan: &ScenarioPlan,
        setup: &SetupState,
        dialer: Box<dyn Dialer>,
        connections: u64,
        thread: Rc<ThreadState>,
        run_start: Instant,
    ) -> Result<Self, EngineError> {
        let base_url = &plan.target.base_url;
        let home = UrlOrigin::of(base_url)
            .ok_or_else(|| EngineError::Target(format!("{base_url} names no host and port")))?;
        let host = home.host.to_string();
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
            arrival_start: ArrivalStart::after(setup),
            steps,
            data: plan.data.clone().map(Rc::new),
            draw: plan.draw.clone(),
            home,
            timeouts: plan.target.timeouts,
            reuse: plan.reuse,
            redirect_rules: RedirectRules::of(plan),
            server_timing: ServerTimingFilter::new(secrets),
            is_home_here: plan.target.is_own_machine(&host),
            dialer,
            accounting: LaneAccounting::new(
                plan.ceilings(),
                connections,
                plan.shown.stalls.map(|stalls| stalls.slot),
                if plan.keeps_samples { ExchangeSample::MAX_KEPT } else { 0 },
                run_start,
            ),
            drain: DrainSignal::default(),
            idle_history: Rc::default(),
            thread,
        })
    }

    /// The steps that an arrival runs, in order. Its index counts the arrivals of its stage over
    /// all shards.
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
        let row = || self.data.as_ref().map(row_of);
        self.has_state.then(|| ArrivalState::begin(&self.arrival_start, row()))
    }

    /// Total time the prober has stood still up to an instant; use the difference of two values.
    pub(in crate::engine) fn stood_still_by(&self, at: Instant) -> Duration {
        self.thread.hiccups.stood_still_by(at)
    }

    /// Notes that an exchange begins, for the hiccup meter.
    pub(in crate::engine) fn begin_exchange(&self) -> ExchangeGuard<'_> {
        self.thread.hiccups.begin_exchange()
    }

    /// An exchange that the prober releases now, due at `due` or, if that is `None`, now.
    pub(in crate::engine) fn start_now(&self, due: Option<Instant>) -> ExchangeStart {
        let dispatched = clock::now();
        let stood_still = self.stood_still_by(dispatched);
        let due = due.unwrap_or(dispatched);
        ExchangeStart { due, dispatched, stood_still, built: Duration::ZERO }
    }

    /// Counts a request to a destination; fails if its host may not get it.
    pub(super) async fn admit(
        &self,
        destination: RequestDestination<'_>,
    ) -> Result<(), Box<ExchangeFailure>> {
        let Some(guard) = self.dialer.send_guard() else { return Ok(()) };
        let is_home = matches!(destination, RequestDestination::Home);
        if is_home && self.is_home_here {
            return Ok(());
        }
        let host = self.origin(destination).host.to_string();
        if !is_home && guard.is_own_machine(&host) {
            return Ok(());
        }
        guard.admit_name(&host).await
    }

    fn origin<'a>(&'a self, destination: RequestDestination<'a>) -> &'a UrlOrigin {
        match destination {
            RequestDestination::Home => &self.home,
            RequestDestination::Elsewhere(origin) => origin,
        }
    }

    /// Counts a request on a connection; fails if its address may not get it. A proxy's address is
    /// not the target's.
    pub(super) async fn admit_on(
        &self,
        destination: RequestDestination<'_>,
        connection: UsedConnection,
    ) -> Result<(), Box<ExchangeFailure>> {
        let (Some(guard), UsedConnection::One(ConnectionId { address: Some(address), .. })) =
            (self.dialer.send_guard(), connection)
        else {
            return Ok(());
        };
        guard.admit_address(self.origin(destination), address).await
    }

    /// Counts a statement for a database; fails if its host may not get it.
    pub(super) async fn admit_statement(
        &self,
        database: &DatabaseAddress,
    ) -> Result<(), Box<ExchangeFailure>> {
        match self.dialer.send_guard() {
            Some(guard) if !database.is_local() => guard.admit_name(database.host()).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Opens a connection by `deadline`; `lost` says why the one before takes no more requests.
    pub(super) async fn open_connection(
        &self,
        destination: RequestDestination<'_>,
        lost: Option<ConnectionLoss>,
        deadline: Instant,
        parts: &mut ExchangeParts,
    ) -> Result<HttpConnection, Box<ExchangeFailure>> {
        let origin = self.origin(destination);
        let history = match destination {
            RequestDestination::Home => Rc::clone(&self.idle_history),
            RequestDestination::Elsewhere(_) => Rc::default(),
        };
        let connected_before = parts.duration(Dimension::Connect);
        let (opened, address) = match self.dialer.dial(origin, parts, deadline).await {
            Ok(dialed) => {
                let address = dialed.address;
                let mut opened = HttpConnection::open(dialed, deadline).await;
                if let (Ok(connection), Some(proxy)) =
                    (&mut opened, self.dialer.forward_proxy(origin))
                {
                    connection.forward_by(proxy);
                }
                (opened, address)
            }
            Err(failed) => (Err(failed), None),
        };
        match &opened {
            Ok(connection) => {
                let connected = parts.duration(Dimension::Connect);
                connection.idle().set_known(connected.saturating_sub(connected_before), &history);
                connection.identify(self.accounting.identify(address));
                self.accounting.count_opened(address, connection.protocol(), lost.as_ref());
            }
            Err(_) => self.accounting.count_unopened(),
        }
        opened.map_err(Box::new)
    }
}
