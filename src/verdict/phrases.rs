//! Figures and phrases for the sentences of a verdict.

use std::time::Duration;

use super::binomial::ExceedanceCount;
use crate::record::{ActualQuantile, Dimension};
use crate::units::{Ratio, format_duration, plural};

/// `1 request`, `12 requests`.
pub(super) fn requests(count: u64) -> String {
    plural(count, "request")
}

/// `3 of 12 requests`, `none of 12 requests`.
pub(super) fn part(count: u64, of: u64) -> String {
    if count == 0 {
        format!("none of {}", requests(of))
    } else {
        format!("{count} of {}", requests(of))
    }
}

/// `a`, `a and b`, `a, b and c`; beyond `max` items `a, b and 3 more`.
pub(super) fn list<T: ToString>(items: &[T], max: usize) -> String {
    let (shown, more) = items.split_at(items.len().min(max));
    let mut names: Vec<_> = shown.iter().map(ToString::to_string).collect();
    names.extend((!more.is_empty()).then(|| format!("{} more", more.len())));
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// `is 412 ms`; `falls among the failures` if the rank is that of a failure.
pub(super) fn actual(actual: ActualQuantile) -> String {
    match actual {
        ActualQuantile::NoData => "is unknown".to_owned(),
        ActualQuantile::At(duration) => format!("is {}", format_duration(duration)),
        ActualQuantile::Unbounded => "falls among the failures".to_owned(),
    }
}

/// `398 ms to 430 ms`, `at least 398 ms`, `at most 430 ms`; `None` if neither end excludes
/// anything.
pub(super) fn interval((low, high): (ActualQuantile, ActualQuantile)) -> Option<String> {
    match (low, high) {
        (ActualQuantile::At(Duration::ZERO), ActualQuantile::At(high)) => {
            Some(format!("at most {}", format_duration(high)))
        }
        (ActualQuantile::At(Duration::ZERO), _) => None,
        (ActualQuantile::At(low), ActualQuantile::At(high)) => {
            Some(format!("{} to {}", format_duration(low), format_duration(high)))
        }
        (ActualQuantile::At(low), _) => Some(format!("at least {}", format_duration(low))),
        _ => None,
    }
}

/// `1% to 3%`, `at least 1%`, `at most 3%`; `None` if neither end excludes anything.
pub(super) fn shares((low, high): (Ratio, Ratio)) -> Option<String> {
    match (low.as_f64() <= 0.0, high.as_f64() >= 1.0) {
        (true, true) => None,
        (true, false) => Some(format!("at most {}", percent(high))),
        (false, true) => Some(format!("at least {}", percent(low))),
        (false, false) => Some(format!("{} to {}", percent(low), percent(high))),
    }
}

/// A measured share with three digits: `32.1%`, `0.254%`.
pub(super) fn percent(share: Ratio) -> String {
    let percent = share.as_f64() * 100.0;
    let decimals = match percent {
        p if p >= 9.995 => 1,
        p if p >= 0.9995 => 2,
        p if p >= 0.0995 => 3,
        _ => 4,
    };
    let text = format!("{percent:.decimals$}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// What an exchange over a ceiling did: `took 300 ms or longer`, `spent 300 ms or longer in
/// first_byte`.
pub(super) fn overrun_phrase(dimension: Dimension, ceiling: Duration) -> String {
    match dimension {
        Dimension::Latency | Dimension::Fresh | Dimension::Reused => {
            format!("took {} or longer", format_duration(ceiling))
        }
        other => format!("spent {} or longer in {other}", format_duration(ceiling)),
    }
}

/// Why neither side is proven.
pub(super) fn undecided_phrase(observed: ExceedanceCount) -> &'static str {
    if observed.over == 0 { "too few to decide" } else { "too close to decide" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_with_three_digits() {
        let read = |share| percent(Ratio::new(share).unwrap());
        assert_eq!(read(0.0), "0%");
        assert_eq!(read(0.321_05), "32.1%");
        assert_eq!(read(0.05), "5%");
        assert_eq!(read(0.002_54), "0.254%");
        assert_eq!(read(0.000_001), "0.0001%");
        assert_eq!(read(1.0), "100%");
    }

    #[test]
    fn a_long_list_ends_with_how_many_more_there_are() {
        let items = [1, 2, 3, 4, 5];
        let lists = [0, 1, 2, 3, 4, 5].map(|count| list(&items[..count], 3));
        assert_eq!(
            lists,
            ["", "1", "1 and 2", "1, 2 and 3", "1, 2, 3 and 1 more", "1, 2, 3 and 2 more"]
        );
    }

    #[test]
    fn an_interval_names_the_ends_it_has() {
        let at = |millis| ActualQuantile::At(Duration::from_millis(millis));
        assert_eq!(interval((at(398), at(430))).unwrap(), "398 ms to 430 ms");
        assert_eq!(interval((at(0), at(430))).unwrap(), "at most 430 ms");
        assert_eq!(interval((at(398), ActualQuantile::Unbounded)).unwrap(), "at least 398 ms");
        assert_eq!(interval((at(0), ActualQuantile::Unbounded)), None);
        let of = |low, high| shares((Ratio::of(low, 100), Ratio::of(high, 100)));
        assert_eq!(of(1, 3).unwrap(), "1% to 3%");
        assert_eq!(of(0, 3).unwrap(), "at most 3%");
        assert_eq!(of(1, 100).unwrap(), "at least 1%");
        assert_eq!(of(0, 100), None);
        assert_eq!(interval((ActualQuantile::Unbounded, ActualQuantile::Unbounded)), None);
    }
}
