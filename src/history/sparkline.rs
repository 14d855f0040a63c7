//! Bar charts that fit in one line of text.

use std::time::Duration;

/// The character for a missing value.
const GAP: char = '·';

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar per value, with `·` for a missing one. The height of a bar is proportional to its value,
/// and the highest value has a full bar.
pub fn sparkline(values: impl IntoIterator<Item = Option<Duration>>) -> String {
    let values: Vec<Option<Duration>> = values.into_iter().collect();
    let highest = values.iter().flatten().max().map_or(0, Duration::as_nanos).max(1);
    let bar = |value: Duration| {
        let height = (value.as_nanos() * BARS.len() as u128).div_ceil(highest);
        BARS[usize::try_from(height).unwrap_or(BARS.len()).clamp(1, BARS.len()) - 1]
    };
    values.into_iter().map(|value| value.map_or(GAP, bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: &[u64]) -> String {
        sparkline(millis.iter().map(|&millis| (millis > 0).then(|| Duration::from_millis(millis))))
    }

    #[test]
    fn the_height_of_a_bar_is_its_share_of_the_highest() {
        assert_eq!(of(&[100, 200, 300, 400, 500, 600, 700, 800]), "▁▂▃▄▅▆▇█");
        assert_eq!(of(&[41, 43, 42]), "███");
        assert_eq!(of(&[1, 1_000]), "▁█");
    }

    #[test]
    fn a_run_without_value_is_a_gap() {
        assert_eq!(of(&[0, 400, 0, 800]), "·▄·█");
        assert_eq!((of(&[0]), of(&[])), ("·".to_owned(), String::new()));
        assert_eq!(sparkline([Some(Duration::ZERO)]), "▁");
    }
}
