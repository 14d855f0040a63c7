//! What a series shows, in one sentence.

use std::time::Duration;

use super::{LeadingFigure, SiteLabels, percent_change};
use crate::history::{ChangeMark, DEPLOY_TAG, PeriodChange, RequestHistory};
use crate::report::model::label;
use crate::report::words;
use crate::units::Quantile;

/// What changed, or how far latency ranged: the title of the plot over time.
pub(super) fn headline(of: &RequestHistory, labels: SiteLabels<'_>) -> String {
    if let Some(mark) = of.change_points.iter().rev().find(|mark| mark.is_confirmed) {
        return change_words(of, mark, labels);
    }
    let figure = LeadingFigure::of(of);
    let Some((low, high)) = middle_half(figure.values(of).collect()) else {
        return "no request succeeded".to_owned();
    };
    let range = words::between(&words::time(Some(low)), &words::time(Some(high)));
    let change = of.change(figure.quantile.unwrap_or(Quantile::P50));
    let against = match change.filter(|change| change.is_clear() == Some(true)) {
        Some(change) => {
            format!(", {} against the {} before", change_range(change), labels.length())
        }
        None => String::new(),
    };
    format!("{} mostly {range}{against}", figure.name())
}

/// A change point in words: `latency +18 % from 3 Oct, deploy 61, mostly first byte`.
pub(super) fn change_words(
    of: &RequestHistory,
    mark: &ChangeMark,
    labels: SiteLabels<'_>,
) -> String {
    let run = of.runs.get(mark.run);
    let when = run.map(|run| labels.short_day(run.started())).unwrap_or_default();
    let what = label(mark.dimension);
    let mut words = format!("{what} {} from {when}", percent_change(mark.ratio));
    let same =
        run.and_then(|run| labels.public_tag(run, DEPLOY_TAG)).map(|_| "same deploy".to_owned());
    let cause = labels.cause(&of.runs, mark.run).map(|cause| cause.words());
    let cause = cause.or(same.filter(|_| mark.run > 0));
    words += &cause.map(|cause| format!(", {cause}")).unwrap_or_default();
    words += &mark.explained_by.map(|part| format!(", mostly {}", label(part))).unwrap_or_default();
    words + if mark.is_confirmed { "" } else { " (not yet confirmed)" }
}

/// A change against the period before, with its interval: `+4.1 % (+1.2 to +7 %)`.
pub(super) fn change_range(change: &PeriodChange) -> String {
    let value = percent_change(change.ratio());
    match change.interval {
        None => value,
        Some((low, high)) => {
            let low = percent_change(low);
            format!("{value} ({} to {})", low.trim_end_matches(" %"), percent_change(high))
        }
    }
}

/// The range of the middle half of some values; `None` if there are none.
fn middle_half(mut values: Vec<Duration>) -> Option<(Duration, Duration)> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    Some((values[last / 4], values[last - last / 4]))
}
