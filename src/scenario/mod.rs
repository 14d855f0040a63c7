//! The scenario file as it is written, with the location of every value, so that an error points at
//! its line.
//!
//! A file is read in three steps: the TOML itself, then every value by its type (`file`), then what
//! the values mean together (`check`). Each step finds all mistakes it can before it stops. What
//! depends on the environment is checked by `plan`.

mod budget_line;
mod check;
mod diagnostic;
mod errors;
mod field;
mod foreign_words;
mod leaf;
mod load;
mod overrides;
mod read;
mod redact;
mod references;
mod render;
mod schema;
mod section;
pub(crate) mod section_schema;
mod source;
mod template;
mod toml_value;

pub mod file;

/// What reads and describes sections of other files with located errors, as `tune` does.
pub(crate) mod reading {
    pub(crate) use super::diagnostic::Diagnostics;
    pub(crate) use super::field::ReadValue;
    pub(crate) use super::leaf::{TextValue, read_text, text_schema};
    pub(crate) use super::section::SectionReader;
    pub(crate) use super::section_schema::{self, SchemaKey};
    pub(crate) use super::toml_value::wrong_type;
}

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use diagnostic::Diagnostics;
use field::ReadValue as _;
use file::ScenarioFile;

pub use diagnostic::Span;
pub use errors::{DiagnosticParts, ScenarioErrors, ScenarioWarning};
pub use field::{KeyLocation, ScenarioField, TableEntries};
pub use leaf::{
    ConnectionSetting, CookieScope, HostName, HttpVersion, IpFamily, JsonNumber, JsonTemplate,
    MissingPolicy, PatternText, PlainText, RampRate, RequestWeight, ResolveEntry, SqlText,
    StartTime, StatusList,
};
pub use load::{LoadModel, LoadShape, WarmupShape};
pub use overrides::{OverrideValue, ScenarioOverrides};
pub use references::AttachedFile;
pub use schema::schema;
pub use source::ScenarioSource;
pub use template::{Template, TemplatePart};

pub(crate) use diagnostic::Diagnostic;
pub(crate) use field::AlreadyReported;
pub(crate) use foreign_words::scheme_remedy;
pub(crate) use read::{FileKind, read_source};
pub(crate) use template::{data_column, data_value, is_variable};

/// One scenario file.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where the file was read from, and its text.
    pub source: Arc<ScenarioSource>,
    /// The keys, as they are written.
    pub file: ScenarioFile,
    /// The load that `[load]` describes, with defaults filled in.
    pub load: LoadShape,
    /// The warm-up that `[warmup]` describes, with defaults filled in.
    pub warmup: WarmupShape,
    /// What the command line replaced, by what, and in place of what: one sentence each.
    pub overridden: Vec<String>,
    /// The flag or variable whose budgets replace those of the file.
    pub budget_origin: Option<String>,
}

impl Scenario {
    /// Reads a scenario file. The error holds every mistake found in it.
    pub fn read(path: &Path) -> Result<Self, ScenarioErrors> {
        Self::from_source(read_source(path, &FileKind::SCENARIO)?)
    }

    /// Reads several files. The error holds every mistake in all of them.
    pub fn read_all<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<Self>, ScenarioErrors> {
        ScenarioErrors::gather(paths.iter().map(|path| Self::read(path.as_ref())))
    }

    /// Reads a scenario from text. Errors show `source_name` as the path of the file. The error
    /// holds every mistake found in it.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, ScenarioErrors> {
        Self::from_source(ScenarioSource::new(source_name, text))
    }

    /// The name of the scenario. It is unique within a run.
    pub fn name(&self) -> &str {
        self.file.name.value().map_or("", PlainText::as_str)
    }

    /// The same scenario with an addition to its name, as one side of a duet.
    #[must_use]
    pub fn with_name_end(mut self, end: &str) -> Self {
        if let ScenarioField::Present(_, name) = &mut self.file.name {
            name.append(end);
        }
        self
    }

    fn from_source(source: ScenarioSource) -> Result<Self, ScenarioErrors> {
        let source = Arc::new(source);
        let mut diagnostics = Diagnostics::default();
        let understood = understand(&source, &mut diagnostics);
        match understood {
            Some((file, load, warmup)) if diagnostics.is_empty() => {
                Ok(Self { source, file, load, warmup, overridden: Vec::new(), budget_origin: None })
            }
            _ => Err(ScenarioErrors::of(&source, diagnostics.into_inner())),
        }
    }
}

/// The mistakes of a text that is not TOML: keys that are there twice, or the first mistake of
/// another kind. After such a mistake the parser guesses, and would report every line of a file in
/// another format.
fn syntax_mistakes(mistakes: &[toml::de::Error]) -> Vec<Diagnostic> {
    let others = mistakes.iter().filter(|mistake| !Diagnostic::is_duplicate_key(mistake));
    let first = others.min_by_key(|mistake| mistake.span().map_or(0, |span| span.start));
    match first {
        Some(first) => vec![Diagnostic::syntax(first)],
        None => mistakes.iter().map(Diagnostic::syntax).collect(),
    }
}

fn understand(
    source: &ScenarioSource,
    diagnostics: &mut Diagnostics,
) -> Option<(ScenarioFile, LoadShape, WarmupShape)> {
    let root = parse_root(source, diagnostics)?;
    let file = ScenarioFile::read(&root, diagnostics)?;
    let (load, warmup) = check::file(&file, diagnostics)?;
    Some((file, load, warmup))
}

/// Reads a file's TOML; `None` after reporting errors of its syntax.
pub(crate) fn parse_root<'t>(
    source: &'t ScenarioSource,
    diagnostics: &mut Diagnostics,
) -> Option<toml::Spanned<DeValue<'t>>> {
    let (table, mistakes) = DeTable::parse_recoverable(source.text());
    diagnostics.add_all(syntax_mistakes(&mistakes));
    if !diagnostics.is_empty() {
        return None;
    }
    let span = table.span();
    Some(toml::Spanned::new(span, DeValue::Table(table.into_inner())))
}
