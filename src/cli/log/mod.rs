//! Events on stderr: a line of text each for people, or one JSON object in pino's format.
//!
//! Results such as the verdict's table are not events. They go through
//! [`Console`](super::console::Console).

mod event;
mod human;
mod pino;

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::exit::CommandError;
use crate::plan::SecretSet;
use event::LogEvent;

/// The target of events that only people need, such as advice on what to type next.
pub(super) const PEOPLE_ONLY: &str = "tollgate::screen";

/// The target of events that people see in another form, such as progress bars or the verdict's
/// table. Programs get them, and people with `--log-level debug`.
pub(super) const PROGRAMS_ONLY: &str = "tollgate::life";

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Text for people, with progress bars on a terminal
    Human,
    /// One JSON object per line, in the format of the logger pino
    Pino,
}

/// The least severe events that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum LogLevel {
    /// Only the error that ends the program
    Error,
    /// Also warnings
    Warn,
    /// Also progress
    Info,
    /// Also every settled second
    Debug,
}

/// What is written on stderr, and how.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct Flags {
    /// The format of messages on stderr
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "human", global = true)]
    log_format: LogFormat,
    /// How many messages to write on stderr
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info", global = true)]
    log_level: LogLevel,
    /// Show no progress; warnings and the verdict are still printed
    #[arg(long, short, global = true)]
    quiet: bool,
}

impl Flags {
    /// The flags of a command line that cannot be parsed: usage errors have pino's format too.
    pub(super) fn guess(words: &[std::ffi::OsString]) -> Self {
        let words: Vec<_> =
            words.iter().map_while(|word| word.to_str().filter(|word| *word != "--")).collect();
        let typed = words.iter().enumerate().rev().find_map(|(at, word)| {
            match word.strip_prefix("--log-format") {
                Some("") => words.get(at + 1).copied(),
                Some(rest) => rest.strip_prefix('='),
                None => None,
            }
        });
        let variable = std::env::var("TOLLGATE_LOG_FORMAT").ok();
        let pino = typed.or(variable.as_deref()) == Some("pino");
        let log_format = if pino { LogFormat::Pino } else { LogFormat::Human };
        Self { log_format, log_level: LogLevel::Info, quiet: false }
    }

    fn filter(self) -> EventFilter {
        let detail = if self.quiet { self.log_level.min(LogLevel::Warn) } else { self.log_level };
        let level = match detail {
            LogLevel::Error => Level::ERROR,
            LogLevel::Warn => Level::WARN,
            LogLevel::Info => Level::INFO,
            LogLevel::Debug => Level::DEBUG,
        };
        EventFilter { format: self.log_format, level }
    }
}

static FILTER: OnceLock<EventFilter> = OnceLock::new();

/// Values that no event may show. A secret that looks like an ordinary word is not searched for,
/// because it would blank out that word in our own texts. What a target sends is redacted where it
/// is received.
static SECRETS: LazyLock<RwLock<SecretSet>> = LazyLock::new(RwLock::default);

/// Writes events as `flags` ask from here on. Only the first call has an effect.
pub(super) fn start(flags: Flags) {
    let filter = *FILTER.get_or_init(|| flags.filter());
    // A program with its own subscriber keeps it.
    let _already_set =
        tracing::subscriber::set_global_default(Registry::default().with(LogLayer(filter)));
    if filter.format == LogFormat::Pino {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.to_string();
            tracing::error!(
                fatal = true,
                err.r#type = "panic",
                err.message = message,
                "a defect of tollgate"
            );
        }));
    }
}

/// Redacts these values, too, in every event from here on.
pub(super) fn add_secrets(secrets: &SecretSet) {
    SECRETS.write().unwrap_or_else(PoisonError::into_inner).extend(secrets);
}

/// Replaces every secret in a text of ours, except those that look like an ordinary word.
pub(super) fn redact(text: &str) -> String {
    SECRETS.read().unwrap_or_else(PoisonError::into_inner).redact_tokens(text).into_owned()
}

/// Whether a program reads stderr: then only events may be written there.
pub(super) fn for_programs() -> bool {
    FILTER.get().is_some_and(|filter| filter.format == LogFormat::Pino)
}

/// The format's name, as the flag takes it.
pub(super) fn format_name() -> &'static str {
    if for_programs() { "pino" } else { "human" }
}

/// Whether progress is shown.
pub(super) fn shows_progress() -> bool {
    FILTER.get().is_none_or(|filter| filter.level >= Level::INFO)
}

/// Whether bars may be drawn on stderr.
pub(super) fn may_draw() -> bool {
    !for_programs() && std::io::stderr().is_terminal()
}

/// Writes a command for the CI system that reads this program's output, on stderr: stdout may be
/// piped into a file. Nothing is written if programs read stderr as events.
pub(super) fn workflow_command(line: &str) {
    if !for_programs() {
        let line = redact(line) + "\n";
        // As for events, a closed stderr must not end the run.
        let _ignored = std::io::stderr().write_all(line.as_bytes());
    }
}

/// A text in which the runner of a job of GitHub Actions finds no command. Elsewhere the text stays
/// as it is.
///
/// The runner reads commands on stdout and on stderr, and texts of a target are on both. Without
/// this, a target could hide our annotations or add its own.
pub(super) fn without_commands(text: &str) -> Cow<'_, str> {
    if is_github_job() { break_commands(text).into() } else { text.into() }
}

/// Whether a job of GitHub Actions runs the program.
pub(super) fn is_github_job() -> bool {
    static IS_JOB: LazyLock<bool> =
        LazyLock::new(|| std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true"));
    *IS_JOB
}

/// The same JSON, with an escape in each `##[`, which only a string can contain.
pub(super) fn json_without_commands(json: &str) -> String {
    json.replace("##[", r"##\u005b")
}

/// Puts a space into `::name::` at the start of a line and into `##[name]` anywhere in it
/// (<https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>). An invisible
/// character would not do: the runner's comparisons may ignore it.
fn break_commands(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let start = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(start);
        let rest = rest.replace("##[", "## [");
        match rest.strip_prefix("::") {
            Some(command) => format!("{indent}: :{command}"),
            None => format!("{indent}{rest}"),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes the error that ends the program.
pub(super) fn fatal(problem: &CommandError) {
    let text = problem.to_string();
    let first = text.lines().next().unwrap_or_default();
    tracing::error!(fatal = true, err.r#type = problem.kind(), err.message = text, "{first}");
}

/// Which events are written.
#[derive(Debug, Clone, Copy)]
struct EventFilter {
    format: LogFormat,
    level: Level,
}

impl EventFilter {
    /// Events of other crates are never written: they may hold values that are not known as
    /// secrets.
    fn allows(&self, event: &Metadata<'_>) -> bool {
        let ours = event.target() == "tollgate" || event.target().starts_with("tollgate::");
        let fits_reader = match self.format {
            LogFormat::Human => event.target() != PROGRAMS_ONLY || self.level >= Level::DEBUG,
            LogFormat::Pino => event.target() != PEOPLE_ONLY,
        };
        ours && fits_reader && event.is_event() && *event.level() <= self.level
    }
}

/// The layer that writes events to stderr.
struct LogLayer(EventFilter);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.0.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.0.level))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut event = LogEvent::from_tracing(event);
        {
            let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
            event.rewrite(|text| secrets.redact_tokens(text).into_owned());
        }
        let mut line = match self.0.format {
            LogFormat::Human => without_commands(&human::line(&event)).into_owned(),
            LogFormat::Pino => {
                json_without_commands(&pino::line(&event, &pino::ProcessIdentity::current()))
            }
        };
        line.push('\n');
        // A closed stderr must not end the run: results and the exit code do not depend on it.
        let _ignored = std::io::stderr().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_has_a_command_of_a_runner() {
        let text = "  ::error::a\n::1 b::c\n:::add-mask::d\ne ###[group]f ::g";
        let broken = "  : :error::a\n: :1 b::c\n: ::add-mask::d\ne ### [group]f ::g";
        assert_eq!(break_commands(text), broken);
        let json = json_without_commands(r####"{"a":"###[b"}"####);
        assert!(!json.contains("##["), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["a"], "###[b");
    }
}
