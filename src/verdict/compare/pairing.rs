//! Which request of one run is compared with which request of the other.

use crate::record::{BeforeAfter, RequestMeasurement};

/// A request with its scenario's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedRequest<'a> {
    pub(super) scenario: &'a str,
    pub(super) measurement: &'a RequestMeasurement,
}

impl NamedRequest<'_> {
    fn request(&self) -> &str {
        &self.measurement.name
    }

    /// Its name in lists: `scenario · request`.
    pub(super) fn display_name(&self) -> String {
        format!("{} · {}", self.scenario, self.request())
    }

    fn is_called(&self, name: &str) -> bool {
        self.scenario == name || self.request() == name
    }

    fn has_both_names_of(&self, other: &Self) -> bool {
        self.scenario == other.scenario && self.request() == other.request()
    }
}

/// The pairs, in the order of the first run, and the requests that have no partner.
pub(super) struct Pairing<'a> {
    pub(super) pairs: Vec<BeforeAfter<NamedRequest<'a>>>,
    pub(super) only: BeforeAfter<Vec<NamedRequest<'a>>>,
}

/// Pairs the requests of two runs. With `name`, only requests take part whose own name or whose
/// scenario's name it is.
///
/// Requests of the same scenario and name belong together. Those that remain are paired by their
/// own name if only one on each side has it: the scenario of a URL is named after its host, which
/// often differs between two deploys. Two runs of a single request each are always comparable.
pub(super) fn pair<'a>(
    requests: BeforeAfter<Vec<NamedRequest<'a>>>,
    name: Option<&str>,
) -> Pairing<'a> {
    let takes_part = |request: &NamedRequest<'_>| name.is_none_or(|name| request.is_called(name));
    let BeforeAfter { mut before, mut after } = requests;
    before.retain(takes_part);
    after.retain(takes_part);
    let are_single = before.len() == 1 && after.len() == 1;
    let mut pairing = Pairing { pairs: Vec::new(), only: BeforeAfter { before, after } };
    pairing.match_by(|one, other, _| one.has_both_names_of(other));
    pairing.match_by(|one, other, only| {
        let is_alone = |side: &[NamedRequest<'_>]| {
            side.iter().filter(|request| request.request() == one.request()).count() == 1
        };
        one.request() == other.request() && is_alone(&only.before) && is_alone(&only.after)
    });
    pairing.match_by(|_, _, _| are_single);
    pairing
}

/// Pairs the requests of the two sides of a duet: those of the same name in scenarios that are each
/// other's other side.
pub(super) fn pair_sides<'a>(
    sides: BeforeAfter<Vec<NamedRequest<'a>>>,
    other: impl Fn(&'a str) -> Option<&'a str>,
) -> Pairing<'a> {
    let mut pairing = Pairing { pairs: Vec::new(), only: sides };
    pairing.match_by(|one, opposite, _| {
        one.request() == opposite.request() && other(one.scenario) == Some(opposite.scenario)
    });
    pairing
}

impl<'a> Pairing<'a> {
    /// Moves the requests that belong together from `only` to `pairs`.
    fn match_by(
        &mut self,
        belong_together: impl Fn(
            &NamedRequest<'a>,
            &NamedRequest<'a>,
            &BeforeAfter<Vec<NamedRequest<'a>>>,
        ) -> bool,
    ) {
        let unpaired = self.only.clone();
        self.only.before.clear();
        for before in &unpaired.before {
            let partner =
                self.only.after.iter().position(|after| belong_together(before, after, &unpaired));
            match partner {
                Some(at) => {
                    let after = self.only.after.remove(at);
                    self.pairs.push(BeforeAfter { before: *before, after });
                }
                None => self.only.before.push(*before),
            }
        }
    }
}
