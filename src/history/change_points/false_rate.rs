//! How often a series without a change shows as much evidence.

/// The share of flat series with a change that has just the evidence it needs or more: the worst of
/// the kinds in `examples/change_points`, rounded up.
const USUAL: f64 = 0.05;
/// The share falls by half with so much more evidence, also by those simulations. Noise whose
/// variance and autocorrelation were known would halve it with 1.4 (χ² with one degree of freedom).
pub(super) const HALVED_BY: f64 = 2.0;

/// How many series without a change may show one.
#[derive(Debug, Clone, Copy)]
pub(super) struct FalseLimit {
    /// The share of families of series.
    rate: f64,
    /// Number of series that are looked at together.
    family: f64,
}

impl FalseLimit {
    /// For a series that is looked at alone.
    pub(super) const SINGLE: Self = Self { rate: USUAL, family: 1.0 };

    /// For one of so many series that are looked at together.
    pub(super) fn of_family(count: usize) -> Self {
        Self { family: count.max(1) as f64, ..Self::SINGLE }
    }

    /// With this share of flat series, above 0 and up to 1.
    pub(super) fn of_rate(rate: f64) -> Self {
        Self { rate: rate.clamp(f64::MIN_POSITIVE, 1.0), ..Self::SINGLE }
    }

    /// How much more evidence a change needs than in a single series at the usual rate.
    pub(super) fn more_evidence(self) -> f64 {
        HALVED_BY * (self.family * USUAL / self.rate).log2()
    }

    /// The share of flat series with a change that has so much more evidence than it needs.
    pub(super) fn rate_with(self, spare: f64) -> f64 {
        (self.rate * (-spare / HALVED_BY).exp2()).min(1.0)
    }
}
