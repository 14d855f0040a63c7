//! The scenario file as it is written, with the places of its values, so that an error points at its line.
//!
//! A file is read in three steps, each of which finds all mistakes it can before it gives up: the TOML itself,
//! then every value by its type (`file`), then what the values mean together (`check`). What depends on
//! the environment is judged by `plan`.

mod check;
mod complaint;
mod field;
mod leaf;
mod load;
mod render;
mod schema;
mod source;
mod template;

pub mod file;

use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use complaint::Complaints;
use field::Read as _;
use file::File;

pub use complaint::{Point, ScenarioErrors, Span, Warning};
pub use field::{Entries, Field, Place};
pub use leaf::{
    Connections, GivenAddresses, Host, HttpVersion, IpFamily, JsonNumber, JsonTemplate,
    PatternText, RampRate, Sql, Statuses, When, Words,
};
pub use load::{LoadShape, Model, WarmupShape};
pub use schema::schema;
pub use source::Source;
pub use template::{Part, Template};

pub(crate) use complaint::Complaint;

/// What one scenario file says.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where it was read from, and its text.
    pub source: Arc<Source>,
    /// Its keys, as they are written.
    pub file: File,
    /// What its `[load]` asks for.
    pub load: LoadShape,
    /// What its `[warmup]` asks for, defaults filled in.
    pub warmup: WarmupShape,
}

impl Scenario {
    /// Reads a scenario file. The error holds every mistake found in it.
    pub fn read(path: &Path) -> Result<Self, ScenarioErrors> {
        Self::from_source(Source::read(path)?)
    }

    /// Reads several files. The error holds every mistake of every one of them.
    pub fn read_all<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<Self>, ScenarioErrors> {
        ScenarioErrors::gather(paths.iter().map(|path| Self::read(path.as_ref())))
    }

    /// Reads a scenario from text; `source_name` stands where a file's path would. The error holds every mistake
    /// found in it.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, ScenarioErrors> {
        Self::from_source(Source::new(source_name, text))
    }

    /// Its name; those of one run differ.
    pub fn name(&self) -> &str {
        self.file.name.given().map_or("", Words::as_str)
    }

    fn from_source(source: Source) -> Result<Self, ScenarioErrors> {
        let source = Arc::new(source);
        let mut complaints = Complaints::default();
        let understood = understand(&source, &mut complaints);
        match understood {
            Some((file, load, warmup)) if complaints.is_empty() => {
                Ok(Self { source, file, load, warmup })
            }
            _ => Err(ScenarioErrors::of(&source, complaints.into_inner())),
        }
    }
}

fn understand(
    source: &Source,
    complaints: &mut Complaints,
) -> Option<(File, LoadShape, WarmupShape)> {
    let (table, mistakes) = DeTable::parse_recoverable(source.text());
    for mistake in mistakes {
        complaints.add(Complaint::syntax(&mistake));
    }
    if !complaints.is_empty() {
        return None;
    }
    let span = table.span();
    let root = toml::Spanned::new(span, toml::de::DeValue::Table(table.into_inner()));
    let file = File::read(&root, complaints)?;
    let (load, warmup) = check::file(&file, complaints)?;
    Some((file, load, warmup))
}
