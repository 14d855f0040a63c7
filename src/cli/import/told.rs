//! What is printed of an import.

use std::path::Path;

use serde_json::{Value, json};

use super::super::console::{Console, Output};
use super::super::exit::Problem;
use super::super::reporting;
use super::Settings;
use super::keep::Kept;
use crate::record::RunRecord;

/// Tells of each run as it is kept, and of all at the end.
pub(super) struct Teller {
    console: Console,
    runs: Vec<Value>,
    imported: usize,
    there: usize,
}

impl Teller {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            console: Console { output: settings.output },
            runs: Vec::new(),
            imported: 0,
            there: 0,
        }
    }

    /// Tells of one file's run.
    pub(super) fn tell(
        &mut self,
        file: &Path,
        record: &RunRecord,
        kept: &Kept,
    ) -> Result<(), Problem> {
        let Kept { folder, is_new } = kept;
        *(if *is_new { &mut self.imported } else { &mut self.there }) += 1;
        if self.console.output == Output::Json {
            self.runs.push(json!({
                "file": file.display().to_string(),
                "run": record.id,
                "folder": folder.display().to_string(),
                "imported": is_new,
                "verdict": record.verdict.decision,
            }));
        }
        let there = if *is_new { "" } else { "  was there already" };
        self.console.result(&format!("{}{there}", reporting::line(record, folder)))
    }

    /// Tells of all files together: how many of these `noun`s there were, and `counts` of them.
    pub(super) fn tell_all(
        self,
        (one, many): (&str, &str),
        counts: &[(u64, &str)],
    ) -> Result<(), Problem> {
        let (imported, there) = (self.imported, self.there);
        let files = imported + there;
        let noun = if files == 1 { one } else { many };
        let runs = if imported == 1 { "run" } else { "runs" };
        let mut summary =
            format!("{files} {noun}: {imported} {runs} imported, {there} were there already");
        let counts: Vec<_> = counts.iter().map(|(count, what)| format!("{count} {what}")).collect();
        if !counts.is_empty() {
            summary = format!("{summary}; {}", counts.join(", "));
        }
        self.console.result(&summary)?;
        if self.console.output == Output::Json {
            let all = json!({ "imported": imported, "there_already": there, "runs": self.runs });
            Console::plain(&serde_json::to_string_pretty(&all).map_err(Problem::internal)?)?;
        }
        Ok(())
    }
}
