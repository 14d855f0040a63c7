//! What bounds a run: file descriptors, local ports, and requests to stop.

pub(super) mod descriptors;
pub(super) mod drain;
pub(super) mod ports;
pub(super) mod stop;
