//! Overrides of what requests send and of what judges them.
//!
//! An override that several requests define for themselves is refused: the flag cannot say which
//! of them it means.

use super::super::diagnostic::Span;
use super::super::field::{KeyLocation, ScenarioField, TableEntries};
use super::super::file::{ExpectSection, RequestSection};
use super::super::leaf::StatusList;
use super::super::template::Template;
use super::editor::{START, ScenarioEditor, http_requests, http_steps, replace, section};
use super::{OverrideValue, ScenarioOverrides};
use crate::record::Budget;

/// The remedy if several requests differ.
const CHANGE_THE_FILE: &str = "change the file";

impl ScenarioEditor {
    pub(super) fn change_requests(&mut self, overrides: &ScenarioOverrides) {
        if let Some(budgets) = &overrides.budgets {
            self.change_budgets(budgets);
        }
        if let Some(headers) = &overrides.headers {
            self.change_headers(headers);
        }
        if let Some(statuses) = &overrides.expect_status {
            self.change_statuses(statuses);
        }
        if let Some(texts) = &overrides.expect_body {
            self.change_texts(texts);
        }
    }

    fn change_budgets(&mut self, OverrideValue { origin, value }: &OverrideValue<Vec<Budget>>) {
        let own = self.own(|request| request.budgets.location());
        if let Some(at) = own.filter(|_| self.file.requests().count() > 1) {
            let why = "its requests have budgets of their own";
            return self.refuse(origin, at, why, CHANGE_THE_FILE);
        }
        let mut before: Vec<_> = budgets_of(&self.file.budgets);
        if let ScenarioField::Present(_, list) = &mut self.file.request {
            for request in list.iter_mut().filter_map(value_mut) {
                before.extend(budgets_of(&request.budgets));
                request.budgets = ScenarioField::Absent;
            }
        }
        let at = self.file.budgets.location().unwrap_or(&START).clone();
        let list = value.iter().map(|budget| ScenarioField::Present(at.clone(), *budget));
        replace(&mut self.file.budgets, &at, list.collect());
        let new: Vec<_> = value.iter().map(|budget| format!("`{budget}`")).collect();
        self.note_anyway(origin, "the budgets", &new.join(", "), &or_none(&before));
    }

    fn change_headers(
        &mut self,
        OverrideValue { origin, value }: &OverrideValue<Vec<(String, Template)>>,
    ) {
        if http_requests(&mut self.file).next().is_none() {
            return self.refuse(origin, START.key, "it sends no HTTP request", CHANGE_THE_FILE);
        }
        for (name, _) in value {
            let own = self.own(|request| named(request.headers.value()?, name)?.location());
            if let Some(at) = own.filter(|_| self.file.requests().count() > 1) {
                let why = format!("a request has a `{name}` of its own");
                return self.refuse(origin, at, &why, CHANGE_THE_FILE);
            }
        }
        let mut replaced = Vec::new();
        for step in http_steps(&mut self.file) {
            if let ScenarioField::Present(_, entries) = &mut step.headers {
                replaced.extend(remove(entries, value));
            }
        }
        let Some((at, shared)) = section(&mut self.file.headers) else { return };
        replaced.extend(remove(shared, value));
        for (name, template) in value {
            let field = ScenarioField::Present(at.clone(), template.clone());
            shared.push((name.clone(), field));
        }
        // Values of headers may be secret, so only their names are given.
        for (name, _) in value {
            let before =
                if has_name(&replaced, name) { "has another value" } else { "does not send it" };
            self.overridden.push(format!("`{origin}` sets the header `{name}`; the file {before}"));
        }
    }

    fn change_statuses(&mut self, OverrideValue { origin, value }: &OverrideValue<StatusList>) {
        let own = |request: &'_ RequestSection| {
            let expect = request.expect.value()?;
            expect.status.location().or(expect.denied.location()).cloned()
        };
        let Some(()) = self.allow_expectation(origin, "status", own) else { return };
        let mut before = "any 2xx".to_owned();
        for (at, expect) in self.expectations() {
            if std::mem::take(&mut expect.denied).is_written() {
                "`denied = true`".clone_into(&mut before);
            }
            if let Some(old) = replace(&mut expect.status, &at, value.clone()) {
                before = codes(&old);
            }
        }
        self.note(origin, "the expected `status`", &codes(value), &before);
    }

    fn change_texts(&mut self, OverrideValue { origin, value }: &OverrideValue<Vec<Template>>) {
        let own =
            |request: &'_ RequestSection| request.expect.value()?.body_contains.location().cloned();
        let Some(()) = self.allow_expectation(origin, "body_contains", own) else { return };
        let mut before = 0;
        for (at, expect) in self.expectations() {
            let list = value.iter().map(|text| ScenarioField::Present(at.clone(), text.clone()));
            let old = replace(&mut expect.body_contains, &at, list.collect());
            before = old.map_or(0, |old| old.len());
        }
        let new = count_texts(value.len());
        self.note_anyway(origin, "`body_contains`", &new, &count_texts(before));
    }

    /// Refuses an expectation that no request can have, or that several define for themselves.
    fn allow_expectation(
        &mut self,
        origin: &str,
        key: &str,
        own: impl Fn(&RequestSection) -> Option<KeyLocation>,
    ) -> Option<()> {
        let count = http_requests(&mut self.file).count();
        if count == 0 {
            self.refuse(origin, START.key, "it sends no HTTP request", CHANGE_THE_FILE);
            return None;
        }
        let own = self.file.requests().find_map(own);
        if let Some(at) = own.filter(|_| count > 1) {
            let why = format!("a request has a `{key}` of its own");
            self.refuse(origin, at.key, &why, CHANGE_THE_FILE);
            return None;
        }
        Some(())
    }

    /// The expectations of every HTTP request.
    fn expectations(&mut self) -> impl Iterator<Item = (KeyLocation, &mut ExpectSection)> {
        http_requests(&mut self.file).filter_map(|request| {
            let at = request.name.location().unwrap_or(&START).clone();
            let (written, expect) = section(&mut request.expect)?;
            Some((if written == START { at } else { written }, expect))
        })
    }

    /// Where the first request with such a key has it.
    fn own(&self, key: impl Fn(&RequestSection) -> Option<&KeyLocation>) -> Option<Span> {
        self.file.requests().find_map(|request| key(request).map(|at| at.key.clone()))
    }
}

fn value_mut<T>(field: &mut ScenarioField<T>) -> Option<&mut T> {
    match field {
        ScenarioField::Present(_, value) => Some(value),
        ScenarioField::Absent | ScenarioField::Invalid => None,
    }
}

fn budgets_of(field: &ScenarioField<Vec<ScenarioField<Budget>>>) -> Vec<String> {
    let budgets = field.value().into_iter().flatten().filter_map(ScenarioField::value);
    budgets.map(|budget| format!("`{budget}`")).collect()
}

fn or_none(texts: &[String]) -> String {
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn named<'a>(
    entries: &'a TableEntries<Template>,
    name: &str,
) -> Option<&'a ScenarioField<Template>> {
    entries.iter().find(|(written, _)| written.eq_ignore_ascii_case(name)).map(|(_, field)| field)
}

/// Removes the headers that new ones replace, and returns their names.
fn remove(entries: &mut TableEntries<Template>, new: &[(String, Template)]) -> Vec<String> {
    let is_replaced =
        |written: &str| new.iter().any(|(name, _)| name.eq_ignore_ascii_case(written));
    let removed = entries.extract_if(.., |(written, _)| is_replaced(written));
    removed.map(|(name, _)| name).collect()
}

fn has_name(names: &[String], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn codes(StatusList(statuses): &StatusList) -> String {
    statuses.iter().map(http::StatusCode::as_str).collect::<Vec<_>>().join(", ")
}

fn count_texts(count: usize) -> String {
    match count {
        0 => "none".to_owned(),
        1 => "1 text".to_owned(),
        several => format!("{several} texts"),
    }
}
