//! How often a series without a change shows as much evidence.

/// The share of flat series with a change that has just the evidence it needs or more: the worst of
/// the three kinds in `examples/change_points`, rounded up.
const AT_NEED: f64 = 0.05;
/// The share falls by half with so much more evidence, also by those simulations. Noise whose
/// variance and autocorrelation were known would halve it with 1.4 (χ² with one degree of freedom).
pub(super) const HALVED_BY: f64 = 2.0;

/// The share of flat series with a change that has so much more evidence than it needs.
pub(super) fn false_rate(spare: f64) -> f64 {
    (AT_NEED * (-spare / HALVED_BY).exp2()).min(1.0)
}
