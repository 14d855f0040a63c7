//! Runs a plan: one driver for every load model.
//!
//! The engine splits each scenario of a run into *lanes*. A lane owns a share of one scenario's
//! arrivals and connections and lives on one thread, which has its own runtime. Lanes share
//! nothing. They report settled seconds to the conductor, which adds them up and passes them to
//! the [`Observer`] in order.
//!
//! A lane has one *exchange slot* for each stream of each connection: HTTP/1.1 carries one exchange
//! at a time on a connection, HTTP/2 as many as the scenario allows. One worker task fills each
//! slot, and the tasks that use one HTTP/2 connection share it.
//!
//! | module | what it does |
//! |---|---|
//! | `run` | checks a plan before it starts, and runs it |
//! | `assignment` | splits scenarios into lanes and assigns lanes to threads |
//! | `once` | runs the setup before the load and the teardown after it |
//! | `conductor` | directs the lanes and adds up what they record |
//! | `lane` | one scenario's work on one thread: arrival queue, worker tasks |
//! | `exchange` | one step of a scenario: tries, redirects, SQL, judgement |
//! | `connection` | name look-up, TCP, TLS, HTTP/1.1 and HTTP/2 |
//! | `limits` | file descriptors, local ports, stopping a run |
//! | `time` | the clock, precise timers, the hiccup meter |
//! | `probe` | measures this machine and a target without a run |
//!
//! Modules depend on each other in that order: a module uses only those below it in the table,
//! and `accounting`, `defect`, `error`, `observer` and `thread`.

mod accounting;
mod assignment;
mod conductor;
mod connection;
mod defect;
mod error;
mod exchange;
mod lane;
mod limits;
mod observer;
mod once;
pub mod probe;
mod run;
#[cfg(test)]
mod tests;
mod thread;
mod time;

pub use assignment::cores;
pub use error::EngineError;
pub use limits::ports::PortWarning;
pub use limits::stop::{StopHandle, StopSignal, StopUrgency, stop_channel};
pub use observer::{Continuation, Observer, OnceStage, RunProgress, ScenarioProgress};
pub use run::{Engine, port_warnings};
pub use time::clock;
