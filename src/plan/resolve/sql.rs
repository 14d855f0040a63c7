//! One SQL step: its database, its statement, its values.

use super::action::ResolvedAction;
use super::template_filler::{FilledTemplate, TemplateFiller};
use crate::plan::live::{LiveParts, LiveText};
use crate::plan::request_plan::{RequestAction, SqlPlan};
use crate::postgres::{AddressError, DatabaseAddress, SqlStatement, StatementError};
use crate::scenario::file::RequestSection;
use crate::scenario::{Scenario, ScenarioField, Template};

/// The maximum length of a statement that is shown, in characters.
const SHOWN: usize = 120;

/// The statement of a step; `None` after reporting an error.
pub(super) fn resolve(
    scenario: &Scenario,
    request: &RequestSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<ResolvedAction> {
    let (name, field) = scenario.file.database_of(request)?;
    let address = address(field, filler);
    let values: Vec<_> =
        request.values.value().into_iter().flatten().map(|field| value(field, filler)).collect();
    let (address, values): (_, Vec<LiveText>) =
        (address?, values.into_iter().collect::<Option<_>>()?);
    let (location, text) = request.sql.located()?;
    let writes = request.writes.value() == Some(&true);
    let read = if writes { SqlStatement::parse_writing } else { SqlStatement::parse_reading };
    let statement = match read(text.as_str()) {
        Ok(statement) => statement,
        Err(StatementError { problem, remedy }) => {
            return filler.report(&location.value, problem, remedy);
        }
    };
    if statement.parameters() != values.len() {
        let at = request.values.location().map_or(&location.value, |values| &values.value);
        let (wanted, given) = (statement.parameters(), values.len());
        let problem =
            format!("the statement takes {}, but `values` has {given}", values_of(wanted));
        return filler.report(at, problem, "write exactly one for each of `$1`, `$2` …");
    }
    Some(ResolvedAction {
        line: format!("SQL {name}: {}", one_line(text.as_str())),
        headers: Vec::new(),
        ask: RequestAction::Sql(Box::new(SqlPlan {
            database: name.clone(),
            address,
            statement,
            values,
        })),
        live: LiveParts::default(),
    })
}

/// The address of a database. Its URL and the password in it are secret.
fn address(
    field: &ScenarioField<Template>,
    filler: &mut TemplateFiller<'_>,
) -> Option<DatabaseAddress> {
    let (location, template) = field.located()?;
    let text = filler.fill(&location.value, template)?;
    let url = if text.guessed { DatabaseAddress::PLACEHOLDER } else { text.value.trim() };
    match DatabaseAddress::parse(url) {
        Ok(address) => {
            filler.secrets.extend(address.secret_password().map(str::to_owned));
            Some(address)
        }
        Err(AddressError { problem, remedy }) => filler.report(&location.value, problem, remedy),
    }
}

fn value(field: &ScenarioField<Template>, filler: &mut TemplateFiller<'_>) -> Option<LiveText> {
    let (location, template) = field.located()?;
    let FilledTemplate { value, live, .. } = filler.fill_nullable(&location.value, template)?;
    Some(live.unwrap_or_else(|| LiveText::default().after(&value)))
}

fn values_of(count: usize) -> String {
    match count {
        0 => "no values".to_owned(),
        1 => "1 value".to_owned(),
        several => format!("{several} values"),
    }
}

/// A statement on one line, cut if it is long.
fn one_line(statement: &str) -> String {
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let cut: String = line.chars().take(SHOWN).collect();
    format!("{cut}…")
}
