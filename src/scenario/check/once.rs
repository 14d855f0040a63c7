//! Checks the steps that run once, `[[setup]]` and `[[teardown]]`, and the cookies they may share.

use http::header::COOKIE;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::ScenarioField;
use super::super::file::{RequestSection, ScenarioFile};
use super::super::leaf::CookieScope;
use super::request;

pub(super) fn all(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    for steps in [&file.setup, &file.teardown] {
        let steps = steps.value().into_iter().flatten();
        for (location, step) in steps.filter_map(ScenarioField::located) {
            request::one(location, step, diagnostics);
            no_budgets(step, diagnostics);
            no_weight(step, diagnostics);
        }
    }
    cookies(file, diagnostics);
}

fn no_budgets(step: &RequestSection, diagnostics: &mut Diagnostics) {
    if let Some(location) = step.budgets.location() {
        diagnostics.add(Diagnostic::new(
            location.key.clone(),
            "a step that runs once has no budgets: it enters no figure",
            "remove them; `expect` says what its answer must be",
        ));
    }
}

fn no_weight(step: &RequestSection, diagnostics: &mut Diagnostics) {
    if let Some(location) = step.weight.location() {
        diagnostics.add(Diagnostic::new(
            location.key.clone(),
            "a step that runs once has no weight: all steps of its section run",
            "remove it, or write the step as a `[[request]]`",
        ));
    }
}

/// Reports a jar that nothing fills, and `Cookie` headers next to a jar: a request has one such
/// header (RFC 6265, section 5.4), and which value of a name wins would be up to the target.
fn cookies(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let Some((location, scope)) = file.cookies.located() else { return };
    if *scope == CookieScope::Setup && !file.setup.is_written() {
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            "no `[[setup]]` is given, so there are no cookies to start with",
            "write a `[[setup]]` step that gets them, or `cookies = \"arrival\"`",
        ));
    }
    let headers = [&file.headers].into_iter().chain(file.steps().map(|step| &step.headers));
    for (name, field) in headers.filter_map(ScenarioField::value).flatten() {
        if let Some(location) =
            field.location().filter(|_| name.eq_ignore_ascii_case(COOKIE.as_str()))
        {
            diagnostics.add(Diagnostic::new(
                location.key.clone(),
                format!("`{name}` cannot be combined with `cookies`"),
                "remove one of the two: with `cookies`, tollgate writes this header itself",
            ));
        }
    }
}
