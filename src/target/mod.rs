//! The rehearsal target: an HTTP server that plays the tile loader, with latencies, errors, cold starts and stalls
//! that are known, so that a prober's figures can be checked against what really happened.
//!
//! | path | answer |
//! |---|---|
//! | `/app?mock=1` | 200, the six tiles with sample data, after one draw of the sample latency |
//! | `/app`, `/app?mock=0` | live: 200 with `X-Tile-Source: live` after six upstream draws, or 302 to `/auth/login` |
//! | `/auth/login` | 200, a login form |
//! | `/health` | 200, `{"status":"ok"}` |
//! | `/plain` | 200, 1 KiB without latency: the floor that shows what the server itself costs |
//! | anything else | 404 |
//!
//! `/app` answers 410 to user agents that look like a program. Stalls and boots hold every path.
//!
//! A request's life: [`Server`] accepts its connection, `App` stamps its arrival and decides answer and delay at once,
//! then the answer waits: first for its own delay, then for the end of a stall. All of it happens on one thread.

mod app;
mod arrival_log;
mod background;
mod clock;
mod dice;
mod error;
mod latency;
mod pages;
mod server;
mod settings;
mod stall;
mod tls;
mod visitor;
mod warmth;

pub use background::{Background, run_blocking};
pub use error::Error;
pub use latency::Latency;
pub use server::Server;
pub use settings::{Auth, Settings, TileState};
