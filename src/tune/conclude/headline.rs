//! The answer of a session, in one to four sentences.

use crate::record::session::{
    ColdState, ConfigurationOutcome, CurveClass, Difference, FigureKind, SessionRecord,
    ThrottleOutcome,
};
use crate::tune::words;
use crate::units::format_duration;

/// The figures that a headline compares: what a user waits for after a start, and from then on.
const COMPARED: [FigureKind; 2] = [FigureKind::FirstAnswer, FigureKind::SteadyP50];

/// The notes on imported records that are their answer: what they show, and which difference they
/// could have shown. Nothing else follows from records that nobody planned.
pub(super) const NOTES_OF_IMPORT: usize = 2;

/// The answer, most important sentence first.
pub(super) fn headline(
    record: &SessionRecord,
    configurations: &[ConfigurationOutcome],
) -> Vec<String> {
    let notes = &record.provenance.import_notes;
    if !notes.is_empty() {
        return notes.iter().take(NOTES_OF_IMPORT).cloned().collect();
    }
    let Some(first) = configurations.first() else { return vec![NOTHING.to_owned()] };
    if configurations.iter().all(|one| one.restarts == 0) {
        return vec![NOTHING.to_owned()];
    }
    let others: Vec<&ConfigurationOutcome> =
        configurations[1..].iter().filter(|one| one.restarts > 0).collect();
    let answer = if others.is_empty() {
        own_answer(record, first)
    } else {
        clear_answer(first, &others).into_iter().chain(unclear(first, &others)).collect()
    };
    answer.into_iter().chain(throttled(configurations)).collect()
}

pub(super) const NOTHING: &str = "No attempt was completed, so nothing can be said about the app.";

/// What one configuration does after a start.
fn own_answer(record: &SessionRecord, own: &ConfigurationOutcome) -> Vec<String> {
    let start = match record.plan.cold {
        ColdState::Stop => "After a stop",
        ColdState::Suspend => "After a suspend",
        ColdState::Restart => "After a restart",
        ColdState::Idle { .. } => "After a pause",
        ColdState::None => "As the app was found",
    };
    let first = own.figure(FigureKind::FirstAnswer).map(|one| {
        let text = words::estimate(one.kind, &one.estimate);
        format!("{start}, the first answer took {text}.")
    });
    first.into_iter().chain(steady_answer(own)).collect()
}

fn steady_answer(own: &ConfigurationOutcome) -> Option<String> {
    let p50 = own
        .figure(FigureKind::SteadyP50)
        .map(|one| format!(", with a p50 of {}", words::estimate(one.kind, &one.estimate)))
        .unwrap_or_default();
    let requests = own
        .figure(FigureKind::RequestsToSteady)
        .map(|one| words::estimate(one.kind, &one.estimate));
    match (own.class?, requests) {
        (CurveClass::Flat, _) => Some(format!("It was steady from the start{p50}.")),
        (CurveClass::NoSteadyState, _) => {
            Some("No steady state was reached within the curve.".to_owned())
        }
        (CurveClass::Inconsistent, None) => Some(format!("Its restarts behaved differently{p50}.")),
        (CurveClass::Inconsistent, Some(requests)) => Some(format!(
            "Its restarts behaved differently: those that became steady did so after {requests}{p50}."
        )),
        (_, Some(requests)) => Some(format!("It was steady after {requests}{p50}.")),
        (_, None) => None,
    }
}

/// One sentence for the configurations that are clearly faster, and one for those clearly slower.
fn clear_answer(first: &ConfigurationOutcome, others: &[&ConfigurationOutcome]) -> Vec<String> {
    let side = |word: &str, is_this_side: fn(f64) -> bool| {
        let mut found: Vec<_> = others
            .iter()
            .map(|one| (*one, clear_differences(one, is_this_side)))
            .filter(|(_, clear)| !clear.is_empty())
            .collect();
        found.sort_by(|(_, one), (_, other)| size(other).total_cmp(&size(one)));
        let named = named(found.iter().map(|(one, clear)| sizes_of(one, clear)), "; ")?;
        Some(format!("Clearly {word} than `{}`: {named}.", first.name))
    };
    let sides = [side("faster", |value| value < 0.0), side("slower", |value| value > 0.0)];
    sides.into_iter().flatten().collect()
}

/// A configuration and its differences: `` `2 GB` by 22 ms (7 to 37 ms) in first answer ``.
fn sizes_of(one: &ConfigurationOutcome, clear: &[(FigureKind, &Difference)]) -> String {
    let sizes: Vec<String> = clear
        .iter()
        .map(|(kind, difference)| {
            format!("by {} in {}", words::size(*kind, &difference.estimate), words::spoken(*kind))
        })
        .collect();
    format!("`{}` {}", one.name, words::listed(&sizes))
}

/// How many configurations a sentence names.
const SHOWN: usize = 3;

/// The first few texts in a list, and how many more there are; `None` without any.
fn named(texts: impl ExactSizeIterator<Item = String>, link: &str) -> Option<String> {
    let more = texts.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = texts.take(SHOWN).collect();
    shown.extend((more > 0).then(|| format!("and {more} more")));
    (!shown.is_empty()).then(|| shown.join(link))
}

/// The clear differences on one side of zero.
fn clear_differences(
    one: &ConfigurationOutcome,
    is_this_side: fn(f64) -> bool,
) -> Vec<(FigureKind, &Difference)> {
    let clear = |kind| {
        let difference = difference(one, kind).filter(|one| one.is_clear)?;
        is_this_side(difference.estimate.value).then_some((kind, difference))
    };
    COMPARED.into_iter().filter_map(clear).collect()
}

/// How many seconds the differences of a configuration are.
fn size(clear: &[(FigureKind, &Difference)]) -> f64 {
    clear.iter().map(|(_, difference)| difference.estimate.value.abs()).sum()
}

/// Configurations without a clear difference, and the smallest one that would have been seen.
fn unclear(first: &ConfigurationOutcome, others: &[&ConfigurationOutcome]) -> Option<String> {
    let unclear: Vec<&ConfigurationOutcome> =
        others.iter().copied().filter(|one| clear_differences(one, |_| true).is_empty()).collect();
    let is_compared =
        |one: &&&ConfigurationOutcome| one.figures.iter().any(|own| own.difference.is_some());
    let compared: Vec<&ConfigurationOutcome> =
        unclear.iter().filter(is_compared).copied().collect();
    let unclear = if compared.is_empty() { unclear } else { compared };
    let named = named(unclear.iter().map(|one| format!("`{}`", one.name)), ", ")?;
    Some(match seen_above(&unclear) {
        Some(seen) => format!(
            "No clear difference from `{}`: {named}; 8 of 10 such sessions would have seen one above \
             {seen}.",
            first.name
        ),
        None => {
            format!("With fewer than two rounds nothing can be compared with `{}`.", first.name)
        }
    })
}

/// The smallest differences that would have been seen in each of some configurations:
/// `63 ms in the first answer or 4.5 ms in steady p50`.
fn seen_above(unclear: &[&ConfigurationOutcome]) -> Option<String> {
    let seen = COMPARED.into_iter().filter_map(|kind| {
        let seen = unclear.iter().filter_map(|one| Some(difference(one, kind)?.detectable));
        let largest = seen.reduce(f64::max)?;
        Some(format!("{} in {}", words::amount(kind, largest), words::spoken(kind)))
    });
    let seen: Vec<String> = seen.collect();
    (!seen.is_empty()).then(|| seen.join(" or "))
}

/// Configurations that the quota held back.
fn throttled(configurations: &[ConfigurationOutcome]) -> Option<String> {
    let texts: Vec<String> = configurations
        .iter()
        .filter_map(|one| match &one.throttle {
            ThrottleOutcome::Throttled { attempts, of, longest } => Some(format!(
                "`{}` in {attempts} of {}, for up to {}",
                one.name,
                words::count(*of as usize, "attempt"),
                format_duration(*longest)
            )),
            ThrottleOutcome::Free { .. } | ThrottleOutcome::NotKnown { .. } => None,
        })
        .collect();
    named(texts.into_iter(), "; ").map(|named| {
        format!("The CPU quota throttled {named}. It decided the figures of those attempts.")
    })
}

fn difference(own: &ConfigurationOutcome, kind: FigureKind) -> Option<&Difference> {
    own.figure(kind)?.difference.as_ref()
}
