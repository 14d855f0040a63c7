//! The rehearsal target: an HTTP server that plays the tile loader, with latencies, errors, cold
//! starts and stalls that are known, so that a prober's figures can be checked against what really
//! happened. It also plays the services around the app (`services`), for smoke checks.
//!
//! `docs/target.md` lists its paths, flags and faults.
//!
//! A request's life: [`TargetServer`] accepts its connection, `connection_opener` determines its
//! protocol, `http1` or `http2` reads the request. `TargetApp` records its arrival and decides
//! answer and delay at once. Only if the answer depends on the request's body is the body read
//! first. Then the answer waits: first for its own delay, then for the end of a stall. A whole
//! answer is sent by hyper or h2. A scripted answer (`script`), as most faults are, bypasses the
//! library: hyper always releases the connection, h2 only if the fault affects more than its
//! stream. Everything runs on one thread.

mod app;
mod arrival_log;
mod background;
mod body;
mod clock;
mod connection_command;
mod connection_opener;
mod encoded;
mod error;
mod faults;
mod fly;
mod frames;
mod good;
mod http1;
mod http2;
mod latency;
mod page;
mod pages;
mod raw_http1;
mod script;
mod seeded_draws;
mod server;
mod services;
mod settings;
mod site;
mod socket;
mod socket_script;
mod stall;
mod stream;
mod timer;
mod tls;
mod visitor;
mod warmth;
mod workers;

pub use background::{BackgroundTarget, run_blocking};
pub use error::TargetError;
pub use latency::LatencyDistribution;
pub use page::{HttpSupport, TargetPage};
pub use server::TargetServer;
pub use services::{SERVICES, ServiceFault, ServiceSettings};
pub use settings::{AuthRule, HttpVersions, TargetSettings, TileState, TlsFault};

/// The pages of the tile loader itself: path and answer.
pub const TILE_LOADER: [(&str, &str); 5] = [
    ("/app?mock=1", "six tiles of sample data, after one draw of the sample latency"),
    ("/app", "live tiles, after six upstream draws; without the token, a redirect"),
    ("/auth/login", "a login form"),
    ("/health", "`{\"status\":\"ok\"}`"),
    ("/plain", "1 KiB without latency: what the server itself costs"),
];

/// The token of the rehearsal of Fly, unless its file has another one.
pub const FLY_TOKEN: &str = "rehearsal-token";

/// The paths of the rehearsal of Fly: path and answer.
pub const FLY: [(&str, &str); 4] = [
    (
        "/v1/apps/{app}/machines…",
        "the Machines API: list, create, start, stop, suspend, restart, update, destroy, cordon, wait, lease",
    ),
    ("/v1/apps/{app}/secrets", "the names of the app's secrets"),
    (
        "/prometheus/{org}/api/v1/query_range",
        "the machines' metrics, also by `…/query`, from selectors of names and labels",
    ),
    ("/{path}", "the tile loader, answered by a machine that the proxy chooses or starts"),
];

/// The pages that are not the tile loader's: good ones first, then the faults.
pub fn pages() -> impl Iterator<Item = &'static TargetPage> {
    good::ALL.into_iter().chain(faults::ALL)
}
