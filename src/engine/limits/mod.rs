//! What bounds a run: file descriptors, local ports, sends to other machines, and requests to stop.

pub(super) mod descriptors;
pub(super) mod drain;
pub(super) mod ports;
pub(super) mod sends;
pub(super) mod stop;
