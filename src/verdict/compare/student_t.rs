//! Quantiles of Student's t distribution.

/// The value that a t-distributed number with `degrees` of freedom exceeds with probability `tail`,
/// which is above 0 and at most ½.
///
/// M. Abramowitz and I. A. Stegun, *Handbook of Mathematical Functions*, 26.7.3 and 26.7.4, gives
/// the distribution for whole degrees as a finite sum. The value is found by bisection.
pub(crate) fn upper_quantile(degrees: usize, tail: f64) -> f64 {
    let exceeds = |value: f64| upper_tail(degrees.max(1), value) > tail;
    let (mut low, mut high) = (0.0, 1.0);
    while exceeds(high) && high < 1e12 {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if exceeds(middle) { low = middle } else { high = middle }
    }
    high
}

/// The probability of more than `value`, which is not negative.
fn upper_tail(degrees: usize, value: f64) -> f64 {
    let angle = (value / (degrees as f64).sqrt()).atan();
    let (sine, cosine) = (angle.sin(), angle.cos());
    let is_odd = degrees % 2 == 1;
    let mut term = if is_odd { cosine } else { 1.0 };
    let mut sum = if degrees == 1 { 0.0 } else { term };
    let mut power = if is_odd { 3 } else { 2 };
    while power < degrees {
        term *= cosine * cosine * (power as f64 - 1.0) / power as f64;
        sum += term;
        power += 2;
    }
    let within =
        if is_odd { std::f64::consts::FRAC_2_PI * (angle + sine * sum) } else { sine * sum };
    f64::midpoint(1.0, -within)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of printed tables.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, tail, expected) in [
            (1, 0.05, 6.3138),
            (2, 0.05, 2.9200),
            (5, 0.05, 2.0150),
            (5, 0.01, 3.3649),
            (10, 0.025, 2.2281),
            (19, 0.05, 1.7291),
            (19, 0.0125, 2.4334),
            (19, 0.001, 3.5794),
        ] {
            let found = upper_quantile(degrees, tail);
            assert!((found - expected).abs() < 1e-3, "{degrees} {tail}: {found}");
        }
    }
}
