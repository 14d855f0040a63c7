//! A request of the app on its way through the proxy.

use std::time::Duration;

use http::StatusCode;

/// What a request asks of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum RequestWork {
    /// A page of the tile loader, and how long it waits for others besides.
    Page(Duration),
    /// Any other path: it costs nothing.
    Nothing,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestSource {
    /// A client, through the proxy.
    Proxy,
    /// A client that used the machine's private address. The proxy does not know it.
    PrivateAddress,
    /// The app itself. Its requests keep nothing awake.
    App,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum RequestEnd {
    /// The app answered, after working for this long.
    Served { worked: Duration },
    /// The proxy answered with this status.
    Refused(StatusCode),
}

/// Whether a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestProgress {
    Ended(RequestEnd),
    /// Ask again then, or when the world changes.
    NotBefore(Duration),
}

/// Where a request is.
#[derive(Debug, Clone, Copy)]
pub(super) enum RequestPhase {
    /// No machine has it.
    Held,
    /// Its machine does not listen yet.
    Assigned(usize),
    Working {
        machine: usize,
        begun: Duration,
        rest: Duration,
    },
    Waiting {
        machine: usize,
        begun: Duration,
        until: Duration,
    },
    Ended(RequestEnd),
}

/// A request in progress.
#[derive(Debug)]
pub(super) struct ProxiedRequest {
    pub(super) pin: Option<usize>,
    pub(super) work: RequestWork,
    pub(super) source: RequestSource,
    pub(super) phase: RequestPhase,
}

impl ProxiedRequest {
    /// Whether it ends at `now` or has been due to.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        matches!(self.phase, RequestPhase::Waiting { until, .. } if until <= now)
    }

    /// The machine that has it.
    pub(super) fn machine(&self) -> Option<usize> {
        match self.phase {
            RequestPhase::Assigned(machine)
            | RequestPhase::Working { machine, .. }
            | RequestPhase::Waiting { machine, .. } => Some(machine),
            RequestPhase::Held | RequestPhase::Ended(_) => None,
        }
    }
}
