//! What a run will do: scenarios with the environment read, secrets wrapped and defaults filled in.
//!
//! Each type of a plan has a file. [`Plan::resolve`] makes them from scenarios.

mod alert_plan;
mod block_needs;
pub(crate) mod capacity;
mod coin;
pub mod data;
mod draw;
mod environment;
#[cfg(test)]
pub(crate) mod fixture;
mod learned_limits;
pub mod live;
mod load_plan;
mod machine_plan;
mod mix;
mod overrides;
mod proxy;
mod quota_forecast;
mod request_plan;
mod resolve;
mod run_plan;
mod scenario_plan;
mod schedule;
mod secrets;
mod target_plan;
mod warming;

pub use alert_plan::{AlertChannel, AlertPlan, WebhookUrl};
pub use block_needs::BlockNeeds;
pub use coin::{ArrivalCoin, share_of_arrivals};
pub use data::{DataPlan, DataRow};
pub use draw::RequestDraw;
pub use environment::Environment;
pub use load_plan::LoadPlan;
pub use machine_plan::MachinePlan;
pub use overrides::PlanOverrides;
pub use proxy::{ProxyBypass, ProxyChoice, ProxyPlan};
pub use quota_forecast::QuotaForecast;
pub use request_plan::{HttpPlan, RequestAction, RequestPlan, RetryPlan, SqlPlan};
pub use run_plan::{FOREIGN_LIMIT, LoadConsent, PacingMode, Plan, ShardPlan};
pub use scenario_plan::{ConnectionReuse, CookiePolicy, ScenarioPlan, WarmupPlan};
pub use schedule::{RampStep, Schedule, Shard, ShardArrivals};
pub use secrets::SecretSet;
pub use target_plan::{
    AddressFamily, CertificateTrust, ClientIdentity, ExchangeTimeouts, HttpProtocol,
    PinnedAddresses, TargetPlan,
};
