//! The data file of a scenario: its rows, which of them the plan uses, and whether they fit.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::attached_file;
use super::base_url::{BaseUrl, url_of};
use super::data_source::{DataFile, DataSource, no_such_column, place};
use super::template_filler::TemplateFiller;
use crate::plan::data::{ColumnTooLarge, DataFormat, DataMistake, DataPlan, DataRows};
use crate::plan::live::{LiveValueError, TextBuffer};
use crate::plan::load_plan::LoadPlan;
use crate::plan::request_plan::RequestPlan;
use crate::record::{PlannedData, RowOrder};
use crate::scenario::file::DataSection;
use crate::scenario::{PlainText, Scenario, ScenarioField, Span};

/// Reads the data file, if the scenario has one.
pub(super) fn read(scenario: &Scenario, filler: &mut TemplateFiller<'_>) -> DataSource {
    match &scenario.file.data {
        ScenarioField::Absent => DataSource::Unwritten,
        ScenarioField::Invalid => DataSource::Unreadable,
        ScenarioField::Present(_, data) => match read_file(scenario, data, filler) {
            Some(file) => DataSource::Read(Box::new(file)),
            None => DataSource::Unreadable,
        },
    }
}

fn read_file(
    scenario: &Scenario,
    data: &DataSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<DataFile> {
    let (location, name) = data.file.located()?;
    let at = &location.value;
    let name = name.as_str();
    let format = match DataFormat::of_name(name) {
        Ok(format) => format,
        Err(remedy) => {
            let problem = format!("`{name}` is not a kind of file that rows are read from");
            return filler.report(at, problem, remedy);
        }
    };
    let bytes = match attached_file::read(&scenario.source.resolve(name)) {
        Ok(bytes) => bytes,
        Err((problem, remedy)) => return filler.report(at, problem, remedy),
    };
    let mut rows = match format.read(&bytes) {
        Ok(rows) => rows,
        Err(mistakes) => return report(&mistakes, name, at, filler),
    };
    for field in data.public.value().into_iter().flatten() {
        publish(field, &mut rows, filler);
    }
    let sha256 = rows.table.is_public().then(|| format!("{:x}", Sha256::digest(&bytes)));
    Some(DataFile { name: name.to_owned(), sha256, rows, used: BTreeSet::new() })
}

fn report<T>(
    mistakes: &[DataMistake],
    name: &str,
    at: &Span,
    filler: &mut TemplateFiller<'_>,
) -> Option<T> {
    for DataMistake { line, problem, remedy } in mistakes {
        let place = line.map_or_else(|| name.to_owned(), |line| format!("{name}:{line}"));
        filler.report::<()>(at, format!("{place}: {problem}"), *remedy);
    }
    None
}

fn publish(field: &ScenarioField<PlainText>, rows: &mut DataRows, filler: &mut TemplateFiller<'_>) {
    let Some((location, name)) = field.located() else { return };
    if !rows.table.publish(name.as_str()) {
        let names: Vec<&str> = rows.table.names().collect();
        let (problem, remedy) = no_such_column(name.as_str(), &names);
        filler.report::<()>(&location.value, problem, remedy);
    }
}

/// Adds a column with the path and query of each value of another one, which is a path below the
/// base URL. `None` after reporting the first value that is not a path.
pub(super) fn path_column(
    column: usize,
    base: &BaseUrl,
    at: &Span,
    filler: &mut TemplateFiller<'_>,
) -> Option<usize> {
    let DataSource::Read(file) = &mut filler.data else { return None };
    let derived = file.rows.table.derive(column, |path| path_of(path, base));
    match derived {
        Ok(derived) => {
            file.used.insert(derived);
            Some(derived)
        }
        Err((row, problem)) => {
            let problem = format!("{}: {problem}", file.place(row));
            filler.report(at, problem, "write paths that start with `/`, or `/` before the value")
        }
    }
}

/// Path and query of a path below the base URL, as they are sent.
fn path_of(path: &str, base: &BaseUrl) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("the value does not start with `/`");
    }
    if path.contains('#') {
        return Err("the value has a fragment, which is never sent");
    }
    let url = url_of(path, base).map_err(|_| "the value is not a path")?;
    Ok(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

/// Reports, for each step, the first row with a value that the step cannot use: one that no header
/// can hold, that would leave the path, or that is empty although it is searched for.
fn rehearse(
    scenario: &Scenario,
    requests: &[&RequestPlan],
    data: &Rc<DataPlan>,
    place: impl Fn(usize) -> String,
    filler: &mut TemplateFiller<'_>,
) {
    for (request, plan) in scenario.file.requests().zip(requests) {
        if !plan.live.uses_columns() {
            continue;
        }
        let mut texts = TextBuffer::default();
        let wrong = data.all_rows().filter_map(|(position, row)| {
            let refused = plan.live.rehearse(row, &mut texts).err()?;
            Some((position, refused))
        });
        let wrong = wrong.min_by_key(|(position, _)| *position);
        if let Some((row, LiveValueError::Unsendable(what))) = wrong {
            let problem = format!("{}: a value of this row is not valid in {what}", place(row));
            let remedy = "change the value, or leave the row out";
            filler.report::<()>(&request.name.value_span(), problem, remedy);
        }
    }
}

/// The rows for the engine and the words for the record. Reports a plan that needs more rows than
/// there are, and warns about rows that nothing uses.
pub(super) fn plan(
    scenario: &Scenario,
    load: Option<&mut LoadPlan>,
    requests: &[&RequestPlan],
    filler: &mut TemplateFiller<'_>,
) -> Option<(DataPlan, PlannedData)> {
    let DataSource::Read(file) = std::mem::take(&mut filler.data) else { return None };
    let DataFile { name, sha256, rows: DataRows { table, lines }, used } = *file;
    let data = scenario.file.data.value()?;
    if used.is_empty() {
        let remedy =
            "write `${{data.column}}` in a path, header, body or value, or remove `[data]`";
        filler.warn(
            &scenario.file.data.key_span(),
            "no request uses a value of the data file",
            remedy,
        );
    }
    let order = data.order.value().copied().unwrap_or_default();
    if let (RowOrder::Once, Some(load)) = (order, load) {
        let at = data.order.location().map_or(0..0, |location| location.value.clone());
        enough(table.rows() as u64, scenario.warmup.requests, load, &at, filler);
    }
    let seed = scenario.file.seed.value().copied().unwrap_or_default();
    let Ok(plan) = DataPlan::of(&table, |column| used.contains(&column), order, seed) else {
        let remedy = "use fewer rows: all used values together have at most 4 GiB";
        return filler.report(&data.file.value_span(), "the used values are too large", remedy);
    };
    let planned = PlannedData {
        file: file_name(&name),
        rows: table.rows() as u64,
        sha256,
        order,
        seed: (order == RowOrder::Shuffle).then_some(seed),
    };
    let plan = Rc::new(plan);
    rehearse(scenario, requests, &plan, |row| place(&name, &lines, row), filler);
    Some((DataPlan::clone(&plan), planned))
}

/// The file as the scenario names it. Of an absolute path only the last part is shown, because its
/// folders tell about the machine.
fn file_name(name: &str) -> String {
    let path = Path::new(name);
    let relative = path.is_relative().then_some(path.as_os_str());
    let shown = relative.or_else(|| path.file_name()).unwrap_or_default();
    shown.to_string_lossy().into_owned()
}

/// Checks that each arrival has a row of its own. A closed load without a number of arrivals ends
/// with the last row.
fn enough(rows: u64, warmup: u64, load: &mut LoadPlan, at: &Span, filler: &mut TemplateFiller<'_>) {
    let arrivals = match load {
        LoadPlan::Open { schedule, .. } => schedule.count(),
        LoadPlan::Closed { iterations: Some(iterations), .. } => *iterations,
        LoadPlan::Closed { iterations, .. } => {
            *iterations = Some(rows.saturating_sub(warmup));
            1
        }
    };
    if arrivals.saturating_add(warmup) <= rows {
        return;
    }
    let of_warmup =
        if warmup == 0 { String::new() } else { format!(" and {warmup} of the warm-up") };
    let plural = if arrivals == 1 { "" } else { "s" };
    let problem =
        format!("{arrivals} arrival{plural}{of_warmup} need a row each, and the file has {rows}");
    let remedy = if arrivals <= rows {
        "add rows, or write `[warmup]` with `requests = 0`"
    } else {
        "add rows, shorten the load, or write `sequential`, which starts again"
    };
    filler.report::<()>(at, problem, remedy);
}

impl From<ColumnTooLarge> for &'static str {
    fn from(ColumnTooLarge: ColumnTooLarge) -> Self {
        "the values of the column are too large"
    }
}
