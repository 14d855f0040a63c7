//! The sections of a session's plan file, and their keys.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::DeValue;

use crate::record::session::ColdState;
use crate::scenario::reading::{
    Diagnostics, ReadValue, SchemaKey, SectionReader, TextValue, read_text, section_schema,
    text_schema, wrong_type,
};
use crate::scenario::{Diagnostic, JsonTemplate, PlainText, ScenarioField};
use crate::units::near::nearest;
use crate::units::{Rate, UnitError, parse_duration};

/// Marks a key that its section must have.
const REQUIRED: bool = true;

crate::scenario::file::section! {
    /// A tuning session: what is tried, how often, and from which cold state.
    "the session's plan" SessionFile {
        /// The name of the session: 1 to 80 characters.
        name: PlainText = REQUIRED,
        /// The scenario whose requests are sent, relative to the folder of this file. Its `[load]`
        /// and its budgets are those of the steady stage.
        scenario: PlainText = REQUIRED,
        /// The Fly app. It must be named on the command line, too.
        app: PlainText,
        /// The state that the app is brought into before each attempt: `stop`, `suspend`,
        /// `restart`, `idle:5m` or `none`.
        cold: ColdState = REQUIRED,
        /// How many times each configuration is tried, 1 to 100. Default: 6.
        rounds: u32,
        /// The seed of the order of the configurations within rounds. Default: 0.
        seed: u64,
        /// The warm-up curve.
        curve: CurveSection,
        /// What is tried. The first configuration is what the others are compared with. Default:
        /// the app as it is.
        configuration: Vec<ScenarioField<ConfigurationSection>>,
    }
}

crate::scenario::file::section! {
    /// The requests after the first one, at a low constant rate, until the app is steady.
    "[curve]" CurveSection {
        /// The rate, at most 20/s. Default: 2/s.
        rate: Rate,
        /// How long the curve may last, at most 1h. Default: 2m.
        limit: Duration,
    }
}

crate::scenario::file::section! {
    /// One configuration of the app. Without `machine` and `command` it changes nothing.
    "[[configuration]]" ConfigurationSection {
        /// Its name: 1 to 80 characters, unique within the session.
        name: PlainText = REQUIRED,
        /// Why it may help.
        hypothesis: PlainText,
        /// A merge patch (RFC 7396) of the machine's config, which the Machines API applies.
        machine: JsonTemplate,
        /// A command that applies it: the program and its arguments. No shell reads it.
        command: CommandWords,
    }
}

/// Every section and its keys. Diagnostics use them to say where a misplaced key belongs.
const SECTIONS: [(&str, &[&str]); 3] = [
    ("the top of the file, above the first [section]", SessionFile::KEYS),
    ("[curve]", CurveSection::KEYS),
    ("[[configuration]]", ConfigurationSection::KEYS),
];

/// A program and its arguments; at least the program, which is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandWords(pub Vec<String>);

impl ReadValue for CommandWords {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let list = match value.get_ref() {
            DeValue::Array(list) => list,
            DeValue::String(line) => {
                let remedy = format!("write one string for each word: `{}`", words_of(line));
                diagnostics.add(wrong_type(value, "a list of words", remedy));
                return None;
            }
            _ => {
                let remedy = "write `[\"fly\", \"scale\", \"memory\", \"2048\"]`";
                diagnostics.add(wrong_type(value, "a list of words", remedy));
                return None;
            }
        };
        let words: Vec<Option<String>> =
            list.iter().map(|word| read_word(word, diagnostics)).collect();
        let words: Vec<String> = words.into_iter().collect::<Option<_>>()?;
        let (problem, remedy) = match words.as_slice() {
            [] => (
                "the command is empty".to_owned(),
                "write the program and its arguments".to_owned(),
            ),
            [program, ..] if program.trim().is_empty() => {
                ("the program has no name".to_owned(), "write the program first".to_owned())
            }
            [line] if line.trim().contains(char::is_whitespace) => (
                format!("`{line}` is read as the name of one program, because no shell splits it"),
                format!("write `{}`", words_of(line)),
            ),
            _ => return Some(Self(words)),
        };
        diagnostics.add(Diagnostic::new(value.span(), problem, remedy));
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
    }
}

fn read_word(word: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<String> {
    let Some(text) = word.get_ref().as_str() else {
        diagnostics.add(wrong_type(word, "a word", "put it in quotes"));
        return None;
    };
    if text.contains('\0') {
        let problem = "an argument cannot contain a null character";
        diagnostics.add(Diagnostic::new(word.span(), problem, "remove it"));
        return None;
    }
    Some(text.to_owned())
}

/// A command line as a list in TOML, split at blanks.
fn words_of(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(", "))
}

impl ReadValue for ColdState {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        read_text(value, diagnostics)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        text_schema::<Self>()
    }
}

/// The cold states that have no duration.
const PLAIN_STATES: [(&str, ColdState); 4] = [
    ("stop", ColdState::Stop),
    ("suspend", ColdState::Suspend),
    ("restart", ColdState::Restart),
    ("none", ColdState::None),
];

/// The longest pause of `idle`.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

impl TextValue for ColdState {
    const EXAMPLES: &[&str] = &["stop", "suspend", "restart", "idle:5m", "none"];

    fn from_text(text: &str) -> Result<Self, UnitError> {
        if let Some((_, state)) = PLAIN_STATES.iter().find(|(word, _)| *word == text) {
            return Ok(*state);
        }
        let (word, pause) =
            text.split_once(':').map_or((text, None), |(word, pause)| (word, Some(pause)));
        match (word, pause) {
            ("idle", Some(pause)) => idle(pause),
            ("idle", None) => Err(UnitError::new(
                "`idle` has no duration",
                "write `idle:5m`: no request for 5 minutes",
            )),
            _ => Err(unknown_state(text, word)),
        }
    }
}

fn idle(pause: &str) -> Result<ColdState, UnitError> {
    let pause = parse_duration(pause)?;
    if pause.is_zero() || pause > LONGEST_PAUSE {
        return Err(UnitError::new(
            "a pause lasts up to 24h",
            "write `idle:5m`, or `none` for no pause",
        ));
    }
    Ok(ColdState::Idle { pause })
}

fn unknown_state(text: &str, word: &str) -> UnitError {
    let problem = format!("unknown cold state `{text}`");
    let words = ["stop", "suspend", "restart", "none", "idle"];
    let lower = word.to_ascii_lowercase();
    let meant = match lower.as_str() {
        "stopped" | "boot" => Some("stop"),
        "suspended" | "resume" => Some("suspend"),
        "reboot" | "restarted" => Some("restart"),
        "pause" | "wait" | "sleep" | "idle" => Some("idle:5m"),
        "warm" | "off" | "" => Some("none"),
        lower => nearest(lower, &words).map(|near| if near == "idle" { "idle:5m" } else { near }),
    };
    let choices = "write `stop`, `suspend`, `restart`, `idle:5m` or `none`";
    UnitError::new(problem, meant.map_or(choices.to_owned(), |meant| format!("write `{meant}`")))
}
