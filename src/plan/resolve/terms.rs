//! What decides the outcome of a step in addition to its request and expectations, as the scenario
//! writes it.

use std::time::Duration;

use super::toml_text::quoted;
use crate::expect::CaptureSet;
use crate::plan::request_plan::{RequestAction, SqlPlan};
use crate::scenario::file::{PollSection, RequestSection, RetrySection, ScenarioFile};
use crate::scenario::{CookieScope, MissingPolicy, ScenarioField};
use crate::units;

/// The terms of a step, one key per line. None contains a variable; the values of a statement are
/// only counted.
pub(super) fn of(
    file: &ScenarioFile,
    request: &RequestSection,
    ask: &RequestAction,
    captures: &CaptureSet,
) -> Vec<String> {
    let mut terms = match ask {
        RequestAction::Sql(sql) => of_statement(sql),
        RequestAction::Http(_) => file.cookies.value().copied().map(cookies).into_iter().collect(),
    };
    terms.extend(request.weight.value().map(|_| format!("weight = {}", request.weight())));
    terms.extend(flag("writes", &request.writes));
    terms.extend(request.retry.value().map(retry));
    terms.extend(request.poll.value().map(poll));
    terms.extend(when("when_absent", &request.when_absent));
    terms.extend(when("when_unconfigured", &request.when_unconfigured));
    terms.extend(flag("sensitive", &request.sensitive));
    terms.extend(because(request));
    terms.extend(captures.0.iter().map(|capture| capture.written.clone()));
    terms
}

fn cookies(scope: CookieScope) -> String {
    let word = match scope {
        CookieScope::Arrival => "arrival",
        CookieScope::Setup => "setup",
    };
    format!("cookies = \"{word}\"")
}

fn of_statement(sql: &SqlPlan) -> Vec<String> {
    let database = format!("database = {}", quoted(&sql.database));
    let values = sql.values.len();
    let values = (values > 0).then(|| format!("values: {values}"));
    [database].into_iter().chain(values).collect()
}

fn retry(retry: &RetrySection) -> String {
    let times = retry.times.value().copied().unwrap_or_default();
    match retry.after.value() {
        Some(after) => format!("retry = {{ times = {times}, after = {} }}", written(*after)),
        None => format!("retry = {{ times = {times} }}"),
    }
}

fn poll(poll: &PollSection) -> String {
    let [every, within] = [&poll.every, &poll.within]
        .map(|field| written(field.value().copied().unwrap_or_default()));
    format!("poll = {{ every = {every}, within = {within} }}")
}

fn written(duration: Duration) -> String {
    format!("\"{}\"", units::duration_literal(duration))
}

fn when(key: &str, field: &ScenarioField<MissingPolicy>) -> Option<String> {
    let word = match field.value()? {
        MissingPolicy::Report => "report",
        MissingPolicy::Accept => "accept",
    };
    Some(format!("{key} = \"{word}\""))
}

fn because(request: &RequestSection) -> Option<String> {
    let words = request.expect.value()?.because.value()?;
    Some(format!("because = {}", quoted(words.as_str())))
}

fn flag(key: &str, field: &ScenarioField<bool>) -> Option<String> {
    field.value().filter(|given| **given).map(|_| format!("{key} = true"))
}

#[cfg(test)]
mod tests {
    use crate::plan::{Environment, Plan, PlanOverrides};
    use crate::scenario::Scenario;

    const SMOKE: &str = r#"
name = "smoke"
load = { once = true }
[target]
base_url = "http://localhost"
[databases]
main = "postgresql://probe:${PASSWORD}@localhost/shop"
[[request]]
name = "sign in"
path = "/session"
retry = { times = 2, after = "1500ms" }
sensitive = true
when_unconfigured = "accept"
capture = { token = { header = "x-token" }, id = { json = "/id", default = "0" } }
[[request]]
name = "row"
sql = "insert into seen values ($1, $2) returning 1"
values = ["${PASSWORD}", "${{id}}"]
writes = true
poll = { every = "250ms", within = "5s" }
when_absent = "report"
[[request]]
name = "plain"
path = "/"
retry = { times = 1 }
sensitive = false
"#;

    #[test]
    fn terms_are_shown_as_written_and_without_values() {
        let scenario = Scenario::parse("smoke.toml", SMOKE).unwrap();
        let environment = Environment::new([("PASSWORD".to_owned(), "hunter2-hunter2".to_owned())]);
        let (plan, _) =
            Plan::resolve(&[scenario], &environment, &PlanOverrides::default()).unwrap();
        let requests = &plan.scenarios[0].shown.requests;
        let terms = |name: &str| {
            requests.iter().find(|request| request.name == name).unwrap().terms.clone()
        };
        assert_eq!(
            terms("sign in"),
            [
                r#"retry = { times = 2, after = "1s 500ms" }"#,
                r#"when_unconfigured = "accept""#,
                "sensitive = true",
                r#"capture.token = header "x-token""#,
                r#"capture.id = json "/id""#,
            ]
        );
        assert_eq!(
            terms("row"),
            [
                r#"database = "main""#,
                "values: 2",
                "writes = true",
                r#"poll = { every = "250ms", within = "5s" }"#,
                r#"when_absent = "report""#,
            ]
        );
        assert_eq!(terms("plain"), ["retry = { times = 1 }"]);
        assert!(terms("row, each try").is_empty());
    }
}
