//! From what a scenario expects to checks, each with the line that is shown of it.

use http::{HeaderName, StatusCode};
use serde_json::Value;
use toml::Value as Toml;

use super::filling::Filler;
use super::request;
use super::target::{Base, url_of};
use crate::expect::{Check, Expectation, Expectations, JsonExpectation};
use crate::scenario::file::Expect;
use crate::scenario::{Field, JsonTemplate, Statuses, Template};

/// What is expected of a request's answer, and the lines that are shown of it; nothing where something is wrong.
pub(super) fn resolve(
    expect: Option<&Expect>,
    base: &Base,
    filler: &mut Filler<'_>,
) -> Option<(Vec<String>, Expectations)> {
    let Some(expect) = expect else {
        let default = Expectations::default();
        return Some((default.lines(), default));
    };
    let mut all = vec![];
    all.extend(expect.status.given().map(|statuses| Some(status(statuses))));
    all.extend(expect.final_url.placed().map(|_| final_url(expect, base, filler)));
    for (name, field) in expect.headers.given().into_iter().flatten() {
        all.push(header(name, field, filler));
    }
    all.extend(texts("body_contains", &expect.body_contains, Check::contains, filler));
    all.extend(texts("body_lacks", &expect.body_lacks, Check::lacks, filler));
    for (pointer, field) in expect.json.given().into_iter().flatten() {
        all.push(json(pointer, field, filler));
    }
    let max_body = expect.max_body.given().copied();
    let all = all.into_iter().collect::<Option<Vec<_>>>()?;
    let expectations = Expectations::new(all, max_body.unwrap_or(Expectations::DEFAULT_MAX_BODY));
    let mut lines = expectations.lines();
    lines.extend(max_body.map(|_| expectations.too_large().expected));
    Some((lines, expectations))
}

fn status(Statuses(statuses): &Statuses) -> Expectation {
    let codes: Vec<String> = statuses.iter().map(StatusCode::as_str).map(str::to_owned).collect();
    let written = match codes.as_slice() {
        [one] => format!("status = {one}"),
        several => format!("status = [{}]", several.join(", ")),
    };
    Expectation { written, check: Check::Status(statuses.clone()) }
}

fn final_url(expect: &Expect, base: &Base, filler: &mut Filler<'_>) -> Option<Expectation> {
    let (place, template) = expect.final_url.placed()?;
    let text = filler.fill(&place.value, template)?;
    let url = match url_of(&text.value, base) {
        Ok(url) => url,
        Err(_) if text.guessed => base.url.clone(),
        Err((problem, remedy)) => return filler.complain(&place.value, problem, remedy),
    };
    Some(Expectation { written: format!("final_url = {}", quoted(&text.shown)), check: Check::FinalUrl(url) })
}

fn header(written: &str, field: &Field<Template>, filler: &mut Filler<'_>) -> Option<Expectation> {
    let name = HeaderName::from_bytes(written.as_bytes()).ok()?;
    let (value, shown) = request::value(written, &name, field, filler)?;
    Some(Expectation {
        written: format!("headers.{written} = {}", quoted(&shown)),
        check: Check::Header(name, value),
    })
}

fn texts(
    key: &str,
    list: &Field<Vec<Field<Template>>>,
    check: fn(&str) -> Check,
    filler: &mut Filler<'_>,
) -> Vec<Option<Expectation>> {
    let mut text = |field: &Field<Template>| {
        let (place, template) = field.placed()?;
        let text = filler.fill(&place.value, template)?;
        if text.value.is_empty() {
            return filler.complain(
                &place.value,
                "every body contains the empty text",
                "write the text to look for",
            );
        }
        Some(Expectation { written: format!("{key} = {}", quoted(&text.shown)), check: check(&text.value) })
    };
    list.given().into_iter().flatten().map(&mut text).collect()
}

fn json(pointer: &str, field: &Field<JsonTemplate>, filler: &mut Filler<'_>) -> Option<Expectation> {
    let (place, template) = field.placed()?;
    let (value, shown) = filler.fill_json(&place.value, template)?;
    Some(Expectation {
        written: format!("json.{} = {}", quoted(pointer), line(&shown)),
        check: Check::Json(JsonExpectation { pointer: pointer.to_owned(), value }),
    })
}

fn line(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// Text as TOML writes it, on one line.
fn quoted(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return format!("{text:?}");
    }
    Toml::String(text.to_owned()).to_string()
}
