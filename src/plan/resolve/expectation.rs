//! Resolves expectations to checks, each with the line that shows it.

use http::{HeaderName, StatusCode};
use serde_json::Value;

use super::base_url::{BaseUrl, url_of};
use super::template_filler::TemplateFiller;
use super::toml_text::quoted;
use super::{header as request_header, pattern};
use crate::expect::{Expectation, ExpectationSet, JsonExpectation, JsonRule, ResponseCheck};
use crate::plan::live::{JsonEquality, LiveCheck, LiveText};
use crate::scenario::file::{ExpectSection, RequestSection};
use crate::scenario::{
    JsonNumber, JsonTemplate, PatternText, ScenarioField, StatusList, TableEntries, Template,
};

/// What is expected of a response, as it is shown and as it is judged.
pub(super) struct ExpectationPlan {
    pub(super) lines: Vec<String>,
    pub(super) expectations: ExpectationSet,
    /// The expectations with live values, by their index in the order of judging.
    pub(super) live: Vec<(usize, LiveCheck)>,
}

/// The expectations with live values, by how they are written.
type LiveChecks = Vec<(String, LiveCheck)>;

/// What is expected of a response; `None` after reporting an error. Paths are relative to `base`;
/// without it the step is a query and its rows are judged.
pub(super) fn resolve(
    request: &RequestSection,
    base: Option<&BaseUrl>,
    filler: &mut TemplateFiller<'_>,
) -> Option<ExpectationPlan> {
    let nothing = ExpectSection::default();
    let expect = request.expect.value().unwrap_or(&nothing);
    let mut live = LiveChecks::new();
    let mut all: Vec<_> = denied(expect).map(Some).into_iter().collect();
    all.extend(base.into_iter().flat_map(|base| of_head(expect, base, filler)));
    all.extend(of_content(expect, &mut live, filler));
    let all = all.into_iter().collect::<Option<Vec<_>>>()?;
    let max_body = expect.max_body.value().copied();
    let expectations = match base {
        Some(_) => ExpectationSet::new(all, max_body.unwrap_or(ExpectationSet::DEFAULT_MAX_BODY)),
        None => ExpectationSet::of_rows(all),
    };
    let mut lines = expectations.lines();
    lines.extend(max_body.map(|_| expectations.too_large_body().expected));
    let is_sensitive = request.sensitive.value().is_some_and(|sensitive| *sensitive);
    let live = live
        .into_iter()
        .filter_map(|(written, check)| Some((expectations.position(&written)?, check)));
    let live = live.collect();
    let because = expect.because.value().map(|words| words.as_str().to_owned());
    let expectations = expectations.with_sensitivity(is_sensitive).with_reason(because);
    Some(ExpectationPlan { lines, expectations, live })
}

/// The expectation that the request is denied.
fn denied(expect: &ExpectSection) -> Option<Expectation> {
    let denied = Expectation { written: "denied = true".to_owned(), check: ResponseCheck::Denied };
    expect.denied.value().filter(|denied| **denied).map(|_| denied)
}

/// The expectations on status, URL and headers.
fn of_head(
    expect: &ExpectSection,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Vec<Option<Expectation>> {
    let mut all = Vec::new();
    all.extend(expect.status.value().map(|statuses| Some(status(statuses))));
    all.extend(expect.final_url.located().map(|_| final_url(expect, base, filler)));
    for (name, field) in entries(&expect.headers) {
        all.push(header(name, field, filler));
    }
    for (name, field) in entries(&expect.header_matches) {
        all.push(header_matches(name, field, filler));
    }
    all
}

/// The expectations on the number of rows, the body and its JSON document.
fn of_content(
    expect: &ExpectSection,
    live: &mut LiveChecks,
    filler: &mut TemplateFiller<'_>,
) -> Vec<Option<Expectation>> {
    let mut all = Vec::new();
    all.extend(expect.rows.value().map(|rows| Some(counted("rows", *rows, ResponseCheck::Rows))));
    let least = |rows: &u64| Some(counted("rows_at_least", *rows, ResponseCheck::RowsAtLeast));
    all.extend(expect.rows_at_least.value().map(least));
    all.extend(texts(
        "body_contains",
        &expect.body_contains,
        (ResponseCheck::contains, LiveCheck::Contains),
        live,
        filler,
    ));
    all.extend(texts(
        "body_lacks",
        &expect.body_lacks,
        (ResponseCheck::lacks, LiveCheck::Lacks),
        live,
        filler,
    ));
    for field in expect.body_matches.value().into_iter().flatten() {
        all.push(body_matches(field, filler));
    }
    for (pointer, field) in entries(&expect.json) {
        all.push(json_value("json", pointer, field, (JsonEquality::Is, live), filler));
    }
    for (pointer, field) in entries(&expect.json_not) {
        all.push(json_value("json_not", pointer, field, (JsonEquality::IsNot, live), filler));
    }
    all.extend(of_kind(expect));
    for (pointer, field) in entries(&expect.json_matches) {
        all.push(json_matches(pointer, field, filler));
    }
    all
}

/// The expectations on JSON types and numbers. They contain nothing to fill or compile.
fn of_kind(expect: &ExpectSection) -> impl Iterator<Item = Option<Expectation>> {
    let types = entries(&expect.json_type).map(|(pointer, field)| {
        let kind = *field.value()?;
        Some(json("json_type", pointer, &quoted(kind.as_str()), JsonRule::IsOf(kind)))
    });
    let least = entries(&expect.json_at_least).map(|(pointer, field)| {
        let JsonNumber(least) = field.value()?.clone();
        Some(json("json_at_least", pointer, &least.to_string(), JsonRule::AtLeast(least)))
    });
    let most = entries(&expect.json_at_most).map(|(pointer, field)| {
        let JsonNumber(most) = field.value()?.clone();
        Some(json("json_at_most", pointer, &most.to_string(), JsonRule::AtMost(most)))
    });
    types.chain(least).chain(most)
}

fn entries<T>(
    entries: &ScenarioField<TableEntries<T>>,
) -> impl Iterator<Item = (&str, &ScenarioField<T>)> {
    entries.value().into_iter().flatten().map(|(key, field)| (key.as_str(), field))
}

fn status(StatusList(statuses): &StatusList) -> Expectation {
    let codes: Vec<String> = statuses.iter().map(StatusCode::as_str).map(str::to_owned).collect();
    let written = match codes.as_slice() {
        [one] => format!("status = {one}"),
        several => format!("status = [{}]", several.join(", ")),
    };
    Expectation { written, check: ResponseCheck::Status(statuses.clone()) }
}

/// The end of a final URL that may have any query or none.
const ANY_QUERY: &str = "?*";

fn final_url(
    expect: &ExpectSection,
    base: &BaseUrl,
    filler: &mut TemplateFiller<'_>,
) -> Option<Expectation> {
    let (location, template) = expect.final_url.located()?;
    let text = filler.fill(&location.value, template)?;
    let without_query = text.value.strip_suffix(ANY_QUERY);
    let check =
        if without_query.is_some() { ResponseCheck::FinalPlace } else { ResponseCheck::FinalUrl };
    let url = match url_of(without_query.unwrap_or(&text.value), base) {
        Ok(url) => url,
        Err(_) if text.guessed => base.url.clone(),
        Err((problem, remedy)) => return filler.report(&location.value, problem, remedy),
    };
    Some(Expectation { written: format!("final_url = {}", quoted(&text.shown)), check: check(url) })
}

fn header(
    written: &str,
    field: &ScenarioField<Template>,
    filler: &mut TemplateFiller<'_>,
) -> Option<Expectation> {
    let name = HeaderName::from_bytes(written.as_bytes()).ok()?;
    let (value, shown) = request_header::value(written, &name, field, filler)?;
    Some(Expectation {
        written: format!("headers.{written} = {}", quoted(&shown)),
        check: ResponseCheck::Header(name, value),
    })
}

/// How to check a fixed text, and how to check one with live values.
type TextCheckPair = (fn(&str) -> ResponseCheck, fn(LiveText) -> LiveCheck);

fn texts(
    key: &str,
    list: &ScenarioField<Vec<ScenarioField<Template>>>,
    (check, live_check): TextCheckPair,
    live: &mut LiveChecks,
    filler: &mut TemplateFiller<'_>,
) -> Vec<Option<Expectation>> {
    let mut text = |field: &ScenarioField<Template>| {
        let (location, template) = field.located()?;
        let text = filler.fill_live(&location.value, template)?;
        if text.value.is_empty() {
            return filler.report(
                &location.value,
                "every body contains an empty text",
                "write the text to look for",
            );
        }
        let written = format!("{key} = {}", quoted(&text.shown));
        live.extend(text.live.map(|text| (written.clone(), live_check(text))));
        Some(Expectation { written, check: check(&text.value) })
    };
    list.value().into_iter().flatten().map(&mut text).collect()
}

fn header_matches(
    written: &str,
    field: &ScenarioField<PatternText>,
    filler: &mut TemplateFiller<'_>,
) -> Option<Expectation> {
    let name = HeaderName::from_bytes(written.as_bytes()).ok()?;
    let pattern = pattern::resolve(field, filler)?;
    Some(Expectation {
        written: format!("header_matches.{written} = {}", quoted(field.value()?.as_str())),
        check: ResponseCheck::HeaderMatches(name, pattern),
    })
}

fn body_matches(
    field: &ScenarioField<PatternText>,
    filler: &mut TemplateFiller<'_>,
) -> Option<Expectation> {
    let pattern = pattern::resolve(field, filler)?;
    let written = format!("body_matches = {}", quoted(field.value()?.as_str()));
    Some(Expectation { written, check: ResponseCheck::BodyMatches(pattern) })
}

fn json_matches(
    pointer: &str,
    field: &ScenarioField<PatternText>,
    filler: &mut TemplateFiller<'_>,
) -> Option<Expectation> {
    let pattern = pattern::resolve(field, filler)?;
    let written = quoted(field.value()?.as_str());
    Some(json("json_matches", pointer, &written, JsonRule::Matches(pattern)))
}

fn json_value(
    key: &str,
    pointer: &str,
    field: &ScenarioField<JsonTemplate>,
    (equality, live): (JsonEquality, &mut LiveChecks),
    filler: &mut TemplateFiller<'_>,
) -> Option<Expectation> {
    let (location, template) = field.located()?;
    let (value, shown) = filler.fill_live_json(&location.value, template)?;
    let fixed = value.fixed();
    let rule = equality.rule(fixed.clone().unwrap_or_default(), !template.is_one_variable());
    let expectation = json(key, pointer, &line(&shown), rule);
    if fixed.is_none() {
        live.push((
            expectation.written.clone(),
            LiveCheck::Json(pointer.to_owned(), value, equality),
        ));
    }
    Some(expectation)
}

fn json(key: &str, pointer: &str, written: &str, rule: JsonRule) -> Expectation {
    Expectation {
        written: format!("{key}.{} = {written}", quoted(pointer)),
        check: ResponseCheck::Json(JsonExpectation { pointer: pointer.to_owned(), rule }),
    }
}

fn counted(key: &str, rows: u64, check: fn(u64) -> ResponseCheck) -> Expectation {
    Expectation { written: format!("{key} = {rows}"), check: check(rows) }
}

fn line(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}
