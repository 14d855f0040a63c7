//! Checks the section for data rows. What its file holds is checked when the plan is made.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::file::ScenarioFile;
use super::require;
use crate::record::RowOrder;

pub(super) fn all(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let Some((location, data)) = file.data.located() else { return };
    require(&data.file, "file", "\"rows.csv\"", location.key.clone(), diagnostics);
    if let Some((location, name)) = data.file.located()
        && name.as_str().trim().is_empty()
    {
        let remedy = "name a `.csv` or `.jsonl` next to the scenario";
        diagnostics.add(Diagnostic::new(location.value.clone(), "no file is named", remedy));
    }
    let every = file.load.value().and_then(|load| load.every.location());
    if let (Some((location, RowOrder::Once)), Some(_)) = (data.order.located(), every) {
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            "`once` cannot be combined with `every`: each repetition uses the same rows",
            "write `sequential`, or remove `every`",
        ));
    }
}
