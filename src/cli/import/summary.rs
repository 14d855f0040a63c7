//! Prints the runs of an import and their total.

use std::path::Path;

use serde_json::{Value, json};

use super::super::console::{Console, OutputFormat};
use super::super::exit::CommandError;
use super::super::results;
use super::ImportFlags;
use super::files::LeftOutFile;
use super::writer::ImportedRun;
use crate::record::RunRecord;

/// Prints each run as it is imported, and the total at the end.
pub(super) struct ImportSummary {
    console: Console,
    runs: Vec<Value>,
    imported: usize,
    there: usize,
    left_out: Vec<LeftOutFile>,
}

/// Maximum number of files that are named as left out; JSON names all.
const MAX_NAMED: usize = 50;

impl ImportSummary {
    pub(super) fn new(flags: &ImportFlags) -> Self {
        Self {
            console: Console { output: flags.output },
            runs: Vec::new(),
            imported: 0,
            there: 0,
            left_out: Vec::new(),
        }
    }

    /// Prints the run of one file.
    pub(super) fn print_run(
        &mut self,
        file: &Path,
        record: &RunRecord,
        imported: &ImportedRun,
    ) -> Result<(), CommandError> {
        let ImportedRun { folder, is_new } = imported;
        *(if *is_new { &mut self.imported } else { &mut self.there }) += 1;
        if self.console.output == OutputFormat::Json {
            self.runs.push(json!({
                "file": file.display().to_string(),
                "run": record.id,
                "folder": folder.display().to_string(),
                "imported": is_new,
                "verdict": record.verdict.decision,
            }));
        }
        let there = if *is_new { "" } else { "  was already there" };
        self.console.print_result(&format!("{}{there}", results::run_line(record, folder)))
    }

    /// Warns of the files that are left out, and of how many have another ending.
    pub(super) fn warn_left_out(&mut self, files: Vec<LeftOutFile>, of_other_endings: u64) {
        for LeftOutFile { why, .. } in files.iter().take(MAX_NAMED) {
            tracing::warn!("Left out: {}", why.replace(char::is_control, " "));
        }
        if files.len() > MAX_NAMED {
            let more = files.len() - MAX_NAMED;
            tracing::warn!("Left out: {more} more files; `--output json` names all");
        }
        if of_other_endings > 0 {
            let files = if of_other_endings == 1 { "file has" } else { "files have" };
            tracing::info!("{of_other_endings} other {files} another ending: not read");
        }
        self.left_out = files;
    }

    /// Prints the total. The noun for the files is given as singular and plural; `counts` follow
    /// it.
    pub(super) fn print_total(
        self,
        (one, many): (&str, &str),
        counts: &[(u64, &str)],
    ) -> Result<(), CommandError> {
        let (imported, there) = (self.imported, self.there);
        let files = imported + there;
        let noun = if files == 1 { one } else { many };
        let runs = if imported == 1 { "run" } else { "runs" };
        let mut summary =
            format!("{files} {noun}: {imported} {runs} imported, {there} already there");
        let mut counts: Vec<_> =
            counts.iter().map(|(count, what)| format!("{count} {what}")).collect();
        let left_out = self.left_out.len();
        let noun = if left_out == 1 { "file" } else { "files" };
        counts.extend((left_out > 0).then(|| format!("{left_out} other {noun} left out")));
        if !counts.is_empty() {
            summary = format!("{summary}; {}", counts.join(", "));
        }
        self.console.print_result(&summary)?;
        if self.console.output == OutputFormat::Json {
            let left_out: Vec<_> = self
                .left_out
                .iter()
                .map(|file| json!({ "file": file.path.display().to_string(), "why": file.why }))
                .collect();
            let all = json!({
                "imported": imported,
                "there_already": there,
                "runs": self.runs,
                "left_out": left_out,
            });
            Console::print_json(
                &serde_json::to_string_pretty(&all).map_err(CommandError::internal)?,
            )?;
        }
        Ok(())
    }
}
