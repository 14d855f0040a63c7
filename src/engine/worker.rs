//! What the lanes on one thread have in common.

use std::rc::Rc;

use super::clock::Instant;
use super::hiccups::Hiccups;
use super::spin::Spin;
use crate::plan::Pacing;
use crate::record::Prober;

/// What the lanes on one thread have in common: its standstills, and the processor time that may be spun away.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) hiccups: Hiccups,
    pub(super) spin: Rc<Spin>,
}

impl Worker {
    /// A worker that begins at `now`; its meter does not run yet.
    pub(super) fn new(pacing: Pacing, now: Instant) -> Self {
        Self { hiccups: Hiccups::new(), spin: Rc::new(Spin::new(pacing, now)) }
    }

    /// How it fared since this was last asked.
    pub(super) fn take(&self) -> Prober {
        Prober { hiccups: self.hiccups.take(), spun: self.spin.take_spun() }
    }
}
