//! Access to Fly's API, for the commands that work with machines.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::exit::CommandError;
use super::signals::RunSignals;
use super::{log, variables};
use crate::fly::{
    AppName, FetchTransport, FlyEnvironment, FlyError, FlyProblem, MachineId, MachinesClient,
    SystemCallClock,
};
use crate::plan::SecretSet;

/// The clock of API calls, which Ctrl-C stops.
pub(super) type StoppableClock<'a> = SystemCallClock<Box<dyn Fn() -> bool + 'a>>;

/// The client of one app.
pub(super) type AppClient<'a> = MachinesClient<FetchTransport, StoppableClock<'a>>;

/// The access that variables describe.
pub(super) fn environment() -> Result<FlyEnvironment, CommandError> {
    let set: BTreeMap<String, String> = variables::utf8_variables().collect();
    // A target or a command may echo the token.
    log::add_secrets(&SecretSet::new(set.get("FLY_API_TOKEN").cloned()));
    FlyEnvironment::read(|name| set.get(name).cloned())
        .map_err(|error| CommandError::usage(format!("error: {error}")))
}

/// A client whose calls a signal stops, and a switch: while it is on, calls go on after a signal,
/// because they undo what was done.
pub(super) fn client<'a>(
    environment: &FlyEnvironment,
    app: &AppName,
    signals: &'a RunSignals,
) -> (AppClient<'a>, Rc<Cell<bool>>) {
    let undoes = Rc::new(Cell::new(false));
    let goes_on = Rc::clone(&undoes);
    let is_stopped: Box<dyn Fn() -> bool + 'a> =
        Box::new(move || !goes_on.get() && signals.stops_within(Duration::ZERO));
    let clock = SystemCallClock::with_stop(is_stopped);
    (MachinesClient::new(environment, app.clone(), FetchTransport, clock), undoes)
}

pub(super) fn parse_id(id: &str) -> Result<MachineId, CommandError> {
    MachineId::parse(id).map_err(CommandError::internal)
}

/// The error of a call before which nothing was changed.
pub(super) fn api_error(error: &FlyError) -> CommandError {
    let message = format!("error: {error}");
    match error.problem() {
        FlyProblem::TokenRefused { .. } | FlyProblem::NotFound { .. } => {
            CommandError::usage(message)
        }
        _ => CommandError::internal(error),
    }
}
