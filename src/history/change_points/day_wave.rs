//! The cycle of the day as one wave, for series too short to show its shape.

use std::f64::consts::TAU;

use super::TailValue;
use super::day_cycle::DAY_SECONDS;

/// One wave a day, on the scale on which noise is added.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayWave {
    cosine: f64,
    sine: f64,
}

impl DayWave {
    /// The wave that fits best in addition to the levels, which begin at the runs `starts`.
    ///
    /// A ridge regression: `usual` is the amplitude of a usual wave, and `variance` that of the
    /// noise. Without it, a few hours of runs could be taken for a part of any wave.
    pub(super) fn fit(values: &[TailValue], starts: &[usize], usual: f64, variance: f64) -> Self {
        let ridge = variance / (usual * usual);
        let mut sums = WaveSums { cosines: ridge, products: 0.0, sines: ridge, right: [0.0; 2] };
        let level_of = |value: &TailValue| starts.partition_point(|start| *start <= value.index);
        for level in values.chunk_by(|one, other| level_of(one) == level_of(other)) {
            sums.add(&level.iter().filter_map(wave_row).collect::<Vec<_>>());
        }
        sums.solve()
    }

    /// What the time of day of a run adds.
    pub(super) fn at(&self, started: i64) -> f64 {
        let (sine, cosine) = angle(started).sin_cos();
        self.cosine * cosine + self.sine * sine
    }
}

/// The normal equations.
struct WaveSums {
    cosines: f64,
    products: f64,
    sines: f64,
    right: [f64; 2],
}

impl WaveSums {
    /// Adds the rows of one level. Subtracting their means takes the level out.
    fn add(&mut self, rows: &[[f64; 3]]) {
        let count = rows.len().max(1) as f64;
        let means = [0, 1, 2].map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / count);
        for row in rows {
            let [cosine, sine, value] = [0, 1, 2].map(|at| row[at] - means[at]);
            self.cosines += cosine * cosine;
            self.products += cosine * sine;
            self.sines += sine * sine;
            self.right[0] += cosine * value;
            self.right[1] += sine * value;
        }
    }

    fn solve(&self) -> DayWave {
        let [of_cosine, of_sine] = self.right;
        let determinant = self.cosines * self.sines - self.products * self.products;
        DayWave {
            cosine: (self.sines * of_cosine - self.products * of_sine) / determinant,
            sine: (self.cosines * of_sine - self.products * of_cosine) / determinant,
        }
    }
}

/// Cosine and sine of the time of day, and the value.
fn wave_row(value: &TailValue) -> Option<[f64; 3]> {
    let (sine, cosine) = angle(value.started?).sin_cos();
    Some([cosine, sine, value.value])
}

fn angle(started: i64) -> f64 {
    started.rem_euclid(DAY_SECONDS) as f64 / DAY_SECONDS as f64 * TAU
}
