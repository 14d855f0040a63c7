//! The answer of a session, in one to three sentences.

use crate::record::session::{
    ColdState, ConfigurationOutcome, CurveClass, Difference, FigureKind, FigureOutcome,
    SessionRecord, ThrottleOutcome,
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
        [differences(first, &others), unclear(first, &others)].into_iter().flatten().collect()
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
    let first = figure(own, FigureKind::FirstAnswer).map(|one| {
        let text = words::estimate(one.kind, &one.estimate);
        format!("{start}, the first answer took {text}.")
    });
    first.into_iter().chain(steady_answer(own)).collect()
}

fn steady_answer(own: &ConfigurationOutcome) -> Option<String> {
    let p50 = figure(own, FigureKind::SteadyP50)
        .map(|one| format!(", with a p50 of {}", words::estimate(one.kind, &one.estimate)))
        .unwrap_or_default();
    let requests = figure(own, FigureKind::RequestsToSteady)
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

/// The clear differences: the best configuration in full, others by name.
fn differences(first: &ConfigurationOutcome, others: &[&ConfigurationOutcome]) -> Option<String> {
    let mut clear: Vec<_> = others
        .iter()
        .map(|one| (*one, clear_differences(one)))
        .filter(|(_, clear)| !clear.is_empty())
        .collect();
    if clear.is_empty() {
        return None;
    }
    clear.sort_by(|(_, one), (_, other)| gain(other).total_cmp(&gain(one)));
    let texts = clear.iter().map(|(one, clear)| {
        let parts: Vec<String> = clear
            .iter()
            .map(|(kind, difference)| {
                format!("{kind} {}", words::difference(*kind, &difference.estimate))
            })
            .collect();
        format!("`{}`: {}", one.name, words::listed(&parts))
    });
    let shown: Vec<String> = texts.take(SHOWN).collect();
    let more = clear.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!("; {more} more differ") } else { String::new() };
    Some(format!("Compared with `{}`, {}{rest}.", first.name, shown.join("; ")))
}

/// How many configurations a sentence names.
const SHOWN: usize = 3;

fn clear_differences(one: &ConfigurationOutcome) -> Vec<(FigureKind, &Difference)> {
    let clear = |kind| Some((kind, difference(one, kind).filter(|one| one.is_clear)?));
    COMPARED.into_iter().filter_map(clear).collect()
}

/// How many seconds a configuration saves.
fn gain(clear: &[(FigureKind, &Difference)]) -> f64 {
    clear.iter().map(|(_, difference)| -difference.estimate.value).sum()
}

/// Configurations without a clear difference, and what could have been seen.
fn unclear(first: &ConfigurationOutcome, others: &[&ConfigurationOutcome]) -> Option<String> {
    let texts: Vec<String> = others
        .iter()
        .filter(|one| clear_differences(one).is_empty())
        .filter_map(|one| {
            let (kind, seen) =
                COMPARED.into_iter().rev().find_map(|kind| Some((kind, difference(one, kind)?)))?;
            Some(format!("`{}` {}", one.name, could_have_been_seen(kind, seen)))
        })
        .collect();
    if texts.is_empty() {
        let lone = others.iter().any(|one| clear_differences(one).is_empty());
        return lone.then(|| {
            format!("With fewer than two rounds nothing can be compared with `{}`.", first.name)
        });
    }
    let shown = texts[..texts.len().min(SHOWN)].join("; ");
    Some(format!("No clear difference from `{}`: {shown}.", first.name))
}

/// "(no difference above 12 ms in steady p50 could …": what the session was able to see.
fn could_have_been_seen(kind: FigureKind, difference: &Difference) -> String {
    format!(
        "(a difference above {} in {kind} could have been seen; {} would halve that)",
        words::amount(kind, difference.detectable),
        words::count(difference.rounds_to_halve as usize, "more round"),
    )
}

/// Configurations whose figures are those of the quota.
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
    (!texts.is_empty()).then(|| {
        format!(
            "The CPU quota throttled {}: these figures are the quota's, not the configuration's.",
            texts[..texts.len().min(SHOWN)].join("; ")
        )
    })
}

fn figure(own: &ConfigurationOutcome, kind: FigureKind) -> Option<&FigureOutcome> {
    own.figures.iter().find(|one| one.kind == kind)
}

fn difference(own: &ConfigurationOutcome, kind: FigureKind) -> Option<&Difference> {
    figure(own, kind)?.difference.as_ref()
}
