//! Fly's Prometheus: what it measured about the machines of an app.
//!
//! Series have the labels `app`, `region`, `host` and `instance`, which is the machine's id. Fly
//! keeps them about 15 days. Samples arrive late: users report minutes, sometimes more than 20. A
//! window that has just ended may therefore be covered in part only, which every result says.
//! Source: <https://fly.io/docs/monitoring/metrics/>.

mod instance;
mod series;

use std::time::Duration;

use http::Method;
use time::OffsetDateTime;
use url::Url;

use super::caller::{ApiCaller, ApiRequest, RepeatPolicy, read_json};
use super::clock::CallClock;
use super::environment::FlyEnvironment;
use super::error::{FlyApi, FlyError, FlyProblem};
use super::machines_client::below;
use super::names::AppName;
use super::transport::HttpTransport;

pub use instance::{CountedSpan, CountedTime, InstanceMetrics};
pub use series::{MetricSample, MetricSeries};

/// How long a query may take with all its repeats.
const PATIENCE: Duration = Duration::from_secs(20);

/// Maximum number of samples of a series; Prometheus refuses more than 11,000.
const MOST_SAMPLES: f64 = 10_000.0;

/// What is known of a figure.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricReading<T> {
    /// The figure.
    Known(T),
    /// There is none.
    NotKnown {
        /// Why, as a clause.
        because: String,
    },
}

impl<T> MetricReading<T> {
    /// The figure, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(figure) => Some(figure),
            Self::NotKnown { .. } => None,
        }
    }

    fn not_known(because: impl Into<String>) -> Self {
        Self::NotKnown { because: because.into() }
    }
}

/// A stretch of time, and how far apart its samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricWindow {
    from: OffsetDateTime,
    to: OffsetDateTime,
    step: Duration,
}

impl MetricWindow {
    /// The shortest step. Fly's own samples are 15 s apart.
    pub const SHORTEST_STEP: Duration = Duration::from_millis(100);

    /// A window from `from` to `to`, both included, in whole milliseconds. The step grows if the
    /// window would have more samples than Prometheus gives.
    pub fn new(from: OffsetDateTime, to: OffsetDateTime, step: Duration) -> Self {
        let (from, to) = (in_milliseconds(from), in_milliseconds(to.max(from)));
        let length = Duration::try_from(to - from).unwrap_or_default();
        let step = step.max(Self::SHORTEST_STEP).max(length.div_f64(MOST_SAMPLES));
        Self { from, to, step }
    }

    /// Whether a sample belongs to the window.
    fn contains(&self, at: OffsetDateTime) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// Prometheus counts time in milliseconds: a sample at the end of a window is then within it.
fn in_milliseconds(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_millisecond(at.millisecond()).unwrap_or(at)
}

/// The client of one organisation's metrics.
pub struct PrometheusClient<T, C> {
    caller: ApiCaller<T, C>,
    /// Why it could not be read, which spares the wait of further queries.
    lost: Option<String>,
    /// `None` if the organisation is not named.
    base: Option<Url>,
}

impl<T: HttpTransport, C: CallClock> PrometheusClient<T, C> {
    /// A client. It sends nothing yet. Without an organisation every figure is *not known*.
    pub fn new(environment: &FlyEnvironment, transport: T, clock: C) -> Self {
        let organisation = environment.organisation.as_deref();
        let base = organisation
            .map(|slug| below(&environment.prometheus_url, &[slug, "api", "v1", "query_range"]));
        let caller = ApiCaller::new(transport, clock, environment.token().clone());
        Self { caller, lost: None, base }
    }

    /// Whether metrics can be asked for at all.
    pub fn names_organisation(&self) -> bool {
        self.base.is_some()
    }

    /// Evaluates a query at every step of a window.
    ///
    /// Samples outside the window and values that are not finite are left out and counted. A value
    /// may be up to 5 minutes older than its time: Prometheus repeats the last one until then.
    pub fn query_range(
        &mut self,
        query: &str,
        window: &MetricWindow,
    ) -> Result<Vec<MetricSeries>, FlyError> {
        let request = self.range_request(query, window)?;
        let deadline = self.caller.clock.now() + PATIENCE;
        let reply = self.caller.send(&request, deadline)?;
        let answer = read_json(&request, &reply)?;
        series::read_matrix(&answer, window)
            .map_err(|why| request.error(FlyProblem::NotJson { why }))
    }

    /// What Fly measured about each machine of an app, in the order of their ids. Machines without
    /// any sample are not among them. Once Prometheus could not be reached, it is not asked again.
    pub fn read_instances(
        &mut self,
        app: &AppName,
        window: &MetricWindow,
    ) -> MetricReading<Vec<InstanceMetrics>> {
        if let Some(because) = &self.lost {
            return MetricReading::not_known(because.clone());
        }
        let mut ask =
            |metric: &str| self.query_range(&format!("{metric}{{app=\"{app}\"}}"), window);
        let balance = match ask("fly_instance_cpu_balance") {
            Ok(series) => Ok(series),
            // What fails for the first query fails for all: one wait is enough.
            Err(error) if error.is_transient() || is_about_access(&error) => {
                return MetricReading::not_known(self.lost.insert(error.to_string()).clone());
            }
            Err(error) => Err(error),
        };
        instance::collect(&instance::MetricAnswers {
            balance,
            throttle: ask("fly_instance_cpu_throttle"),
            cpu: ask("fly_instance_cpu"),
            memory_total: ask("fly_instance_memory_mem_total"),
            memory_available: ask("fly_instance_memory_mem_available"),
        })
    }

    fn range_request(&self, query: &str, window: &MetricWindow) -> Result<ApiRequest, FlyError> {
        let task = "read metrics of Fly's Prometheus".to_owned();
        let Some(base) = &self.base else {
            let why = "FLY_ORG is not set; `fly orgs list` lists the slugs".to_owned();
            return Err(FlyError::of_read(&task, FlyApi::Prometheus, FlyProblem::Unusable { why }));
        };
        let mut url = base.clone();
        let seconds = |at: OffsetDateTime| at.unix_timestamp_nanos() as f64 / 1e9;
        url.query_pairs_mut().extend_pairs([
            ("query", query.to_owned()),
            ("start", format!("{:.3}", seconds(window.from))),
            ("end", format!("{:.3}", seconds(window.to))),
            ("step", format!("{:.3}", window.step.as_secs_f64())),
        ]);
        Ok(ApiRequest {
            task,
            api: FlyApi::Prometheus,
            action: None,
            machine: None,
            method: Method::GET,
            url,
            authorization: self.caller.token.prometheus_header(),
            nonce: None,
            body: None,
            held: Duration::ZERO,
            repeats: RepeatPolicy::Always,
        })
    }
}

/// Whether an error has nothing to do with the query.
fn is_about_access(error: &FlyError) -> bool {
    matches!(
        error.problem(),
        FlyProblem::TokenRefused { .. }
            | FlyProblem::NotFound { .. }
            | FlyProblem::Unusable { .. }
            | FlyProblem::Redirected { .. }
            | FlyProblem::Stopped { .. }
    )
}
