//! The scenario of one step of a search for a rate.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::{Flags, UrlScenarios, is_url};
use crate::scenario::{OverrideValue, Scenario, ScenarioErrors, ScenarioOverrides};
use crate::units::Rate;

impl Flags {
    /// The flags for a search. The connections of a URL suffice for its highest rate, so that every
    /// step has the same.
    pub(in crate::cli) fn for_search(&self, highest: Option<Rate>) -> Self {
        Self { rate: highest, ..self.clone() }
    }

    /// The given flags that a search sets itself.
    pub(in crate::cli) fn set_by_search(&self) -> Vec<&'static str> {
        super::given([
            ("--rate", self.rate.is_some()),
            ("--closed", self.closed),
            ("--print-scenario", self.print_scenario),
        ])
    }
}

impl UrlScenarios {
    /// The scenario of the only source, with a constant load of this rate and length. A load that
    /// has no rate to change is an error.
    pub(in crate::cli) fn read_at(
        &self,
        source: &OsStr,
        rate: Rate,
        duration: Duration,
    ) -> Result<Scenario, ScenarioErrors> {
        let rate = Some(OverrideValue { origin: "--find-rate".to_owned(), value: rate });
        let duration =
            Some(OverrideValue { origin: "--step-duration".to_owned(), value: duration });
        if let Some(composed) = self.scenarios.first().filter(|_| is_url(source)) {
            let step = ScenarioOverrides { rate, duration, ..ScenarioOverrides::default() };
            return composed.parse()?.with_overrides(&step);
        }
        let step = ScenarioOverrides { rate, duration, ..self.overrides.clone() };
        Scenario::read(Path::new(source))?.with_overrides(&step)
    }
}
