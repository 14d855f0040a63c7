//! What is told on stderr while working: events, each shown to people as a line or written as pino's JSON.
//!
//! Results (the verdict's table, records) are not told: they go through [`Console`](super::console::Console).

mod human;
mod pino;
mod said;

use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::exit::Problem;
use crate::plan::Secrets;
use said::Said;

/// The target of events that are for a person at a terminal and for no program.
pub(super) const SCREEN: &str = "tollgate::screen";

/// The target of events that a person sees otherwise (by bars, the verdict's table): told to programs, and to people
/// who ask for `--log-level debug`.
pub(super) const LIFE: &str = "tollgate::life";

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people, with progress bars on a terminal
    Human,
    /// One JSON object a line, as the logger pino writes them
    Pino,
}

/// The least grave events that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Detail {
    /// What ends the program
    Error,
    /// And what must not go unnoticed
    Warn,
    /// And what is going on
    Info,
    /// And every settled second
    Debug,
}

/// What is told on stderr, and how.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct Flags {
    /// How stderr is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "human", global = true)]
    log_format: Format,
    /// How much is told on stderr
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info", global = true)]
    log_level: Detail,
    /// Show no progress; warnings and the verdict are still printed
    #[arg(long, short, global = true)]
    quiet: bool,
}

impl Flags {
    /// What the flags would be where they could not be read as a whole: a usage error is told in pino's format too.
    pub(super) fn glimpsed(words: &[std::ffi::OsString]) -> Self {
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
        let log_format = if pino { Format::Pino } else { Format::Human };
        Self { log_format, log_level: Detail::Info, quiet: false }
    }

    fn filter(self) -> Filter {
        let detail = if self.quiet { self.log_level.min(Detail::Warn) } else { self.log_level };
        let level = match detail {
            Detail::Error => Level::ERROR,
            Detail::Warn => Level::WARN,
            Detail::Info => Level::INFO,
            Detail::Debug => Level::DEBUG,
        };
        Filter { format: self.log_format, level }
    }
}

static FILTER: OnceLock<Filter> = OnceLock::new();

/// Values that no event may show, whoever tells it.
static HIDDEN: LazyLock<RwLock<Secrets>> = LazyLock::new(RwLock::default);

/// Tells events from here on as `flags` ask; the first call counts.
pub(super) fn start(flags: Flags) {
    let filter = *FILTER.get_or_init(|| flags.filter());
    // A program that brought a subscriber of its own keeps it.
    let _kept = tracing::subscriber::set_global_default(Registry::default().with(Teller(filter)));
    if filter.format == Format::Pino {
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

/// Blots these values, too, out of every event from here on.
pub(super) fn hide(secrets: &Secrets) {
    HIDDEN.write().unwrap_or_else(PoisonError::into_inner).extend(secrets);
}

/// A text without the values that no event may show.
pub(super) fn clean(text: &str) -> String {
    HIDDEN.read().unwrap_or_else(PoisonError::into_inner).blot(text).into_owned()
}

/// Whether stderr is for a program: nothing but events may be written there.
pub(super) fn for_programs() -> bool {
    FILTER.get().is_some_and(|filter| filter.format == Format::Pino)
}

/// The format's name, as it is typed.
pub(super) fn format_name() -> &'static str {
    if for_programs() { "pino" } else { "human" }
}

/// Whether progress is told.
pub(super) fn shows_progress() -> bool {
    FILTER.get().is_none_or(|filter| filter.level >= Level::INFO)
}

/// Whether bars may be drawn on stderr.
pub(super) fn may_draw() -> bool {
    !for_programs() && std::io::stderr().is_terminal()
}

/// Tells the error that ends the program.
pub(super) fn fatal(problem: &Problem) {
    let text = problem.to_string();
    let first = text.lines().next().unwrap_or_default();
    tracing::error!(fatal = true, err.r#type = problem.kind(), err.message = text, "{first}");
}

/// Which events are told.
#[derive(Debug, Clone, Copy)]
struct Filter {
    format: Format,
    level: Level,
}

impl Filter {
    /// Other crates' events are never told: they know no secrets.
    fn lets(&self, event: &Metadata<'_>) -> bool {
        let ours = event.target() == "tollgate" || event.target().starts_with("tollgate::");
        let meant = match self.format {
            Format::Human => event.target() != LIFE || self.level >= Level::DEBUG,
            Format::Pino => event.target() != SCREEN,
        };
        ours && meant && event.is_event() && *event.level() <= self.level
    }
}

/// The layer that writes events to stderr.
struct Teller(Filter);

impl<S: Subscriber> Layer<S> for Teller {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.0.lets(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.lets(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.0.level))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::of(event);
        {
            let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
            said.rewrite(|text| hidden.blot(text).into_owned());
        }
        let mut line = match self.0.format {
            Format::Human => human::line(&said),
            Format::Pino => pino::line(&said, &pino::Origin::here()),
        };
        line.push('\n');
        // Where stderr cannot be written there is nobody to tell; results and the exit code do not depend on it.
        let _unheard = std::io::stderr().write_all(line.as_bytes());
    }
}
