//! `tollgate db`: the schema that runs are stored in.

use std::time::Duration;

use super::console::{Console, Output};
use super::doctor::worst;
use super::exit::{Exit, Problem};
use super::keeping::Store;
use crate::doctor;
use crate::record::checkup::State;
use crate::report;
use crate::store::{Database, Pruned};
use crate::units::{UnitError, parse_duration, written};

const EXAMPLES: &str = "\
Examples:
  export DATABASE_URL=postgresql://postgres:postgres@127.0.0.1:54322/postgres
  tollgate db migrate                 make the schema `tollgate`, or bring it up to date
  tollgate db status                  version, rights, row level security, size
  tollgate db prune --keep 180d       drop the intervals of older runs; their totals stay
  tollgate db expose                  read-only views for Supabase's API

Exit codes: 0 done, or no line of `status` fails; 1 one does: the database does not answer, its
schema is missing, old or unprotected, or the user has no rights; 2 a wrong flag or URL; 4 the
database could not do what it was asked to.";

/// Make, examine and tend the database that runs are stored in
///
/// Runs are kept in a schema of their own, `tollgate`, in Supabase's Postgres or any other of version 14 or later.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the schema, or bring it up to date
    ///
    /// All migrations are applied in one transaction, or none. It makes the roles `tollgate_writer`, which may store runs and
    /// read none, and `tollgate_reader`, which may read them. So it is for the database's owner, such as Supabase's `postgres`.
    Migrate(Store),
    /// Say how the schema and this user's rights stand
    Status(Store),
    /// Drop the intervals of old runs
    ///
    /// Their totals stay, with their histograms, so that no figure that was shown changes; reports lack the plots over time.
    Prune(Prune),
    /// Make read-only views for Supabase's API
    ///
    /// The views stand in a schema of their own, which has to be added to the schemas that the API exposes (Project settings,
    /// API). They read with the rights of whoever asks, so that row level security holds.
    Expose(Expose),
}

#[derive(Debug, clap::Args)]
struct Prune {
    #[command(flatten)]
    store: Store,
    /// How long intervals are kept: a day or longer, such as `180d`
    #[arg(long, value_name = "DURATION", value_parser = parse_keep)]
    keep: Duration,
    /// Say what would be dropped, and drop nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct Expose {
    #[command(flatten)]
    store: Store,
    /// The schema of the views
    #[arg(long, value_name = "NAME", default_value = "tollgate_api")]
    schema: String,
    /// A role that may read them; may be repeated
    #[arg(long = "to", value_name = "ROLE", default_value = "service_role")]
    roles: Vec<String>,
    /// Take the views and the rights to them away
    #[arg(long, conflicts_with = "roles")]
    hide: bool,
}

pub(super) fn db(args: &Args) -> Result<Exit, Problem> {
    match &args.command {
        Command::Migrate(store) => migrate(store),
        Command::Status(store) => status(store),
        Command::Prune(args) => prune(args),
        Command::Expose(args) => expose(args),
    }
}

fn say(text: &str) -> Result<(), Problem> {
    Console { output: Output::Text }.result(text)
}

fn migrate(store: &Store) -> Result<Exit, Problem> {
    let address = store.needed()?;
    let applied = Database::open(&address)?.migrate()?;
    let shown = address.shown();
    say(&match applied[..] {
        [] => format!("The schema `tollgate` in {shown} is up to date."),
        _ => format!(
            "Applied {} in {shown}: the schema `tollgate` is up to date.",
            applied.join(", ")
        ),
    })?;
    Ok(Exit::Pass)
}

fn status(store: &Store) -> Result<Exit, Problem> {
    let address = store.needed()?;
    let findings: Vec<_> = doctor::store(&address)
        .into_iter()
        .map(|finding| finding.rewritten(super::log::clean))
        .collect();
    let console = Console { output: Output::Text };
    say(&report::checkup(&findings, console.width(), console.colours_results()))?;
    Ok(if worst(&findings) == State::Fail { Exit::Fail } else { Exit::Pass })
}

fn prune(args: &Prune) -> Result<Exit, Problem> {
    let address = args.store.needed()?;
    let Pruned { runs, intervals } = Database::open(&address)?.prune(args.keep, args.dry_run)?;
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    let (would, keep) = (if args.dry_run { "Would drop" } else { "Dropped" }, in_days(args.keep));
    say(&format!(
        "{would} {intervals} intervals of {runs} that started more than {keep} ago; their totals stay."
    ))?;
    Ok(Exit::Pass)
}

/// How long intervals are kept. `6m` are six minutes, and seldom what is meant.
fn parse_keep(text: &str) -> Result<Duration, UnitError> {
    let keep = parse_duration(text)?;
    if (Duration::from_hours(24)..=Duration::from_hours(24 * 36_500)).contains(&keep) {
        return Ok(keep);
    }
    Err(UnitError::new(
        format!("`{text}` is not from one day to a hundred years"),
        "write days, such as `180d`",
    ))
}

/// Whole days as such: humans keep things for 180 days, and not for five months, 27 days and 19 hours.
fn in_days(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match duration.as_secs() {
        DAY => "a day".to_owned(),
        seconds if seconds > 0 && seconds % DAY == 0 => format!("{} days", seconds / DAY),
        _ => written(duration),
    }
}

fn expose(args: &Expose) -> Result<Exit, Problem> {
    let address = args.store.needed()?;
    let mut database = Database::open(&address)?;
    if args.hide {
        database.hide(&args.schema)?;
        say(&format!(
            "The views in `{}` are gone, and so are the rights to read through them.",
            args.schema
        ))?;
        return Ok(Exit::Pass);
    }
    database.expose(&args.schema, &args.roles)?;
    for (role, who) in [
        ("anon", "has the API's public key"),
        ("authenticated", "signs up to the project's application"),
    ] {
        if args.roles.iter().any(|named| named == role) {
            tracing::warn!(
                "WARNING: {role}: whoever {who} can read hosts, tags, commits and what was seen now"
            );
        }
    }
    let (schema, roles) = (&args.schema, args.roles.join(", "));
    say(&format!(
        "{roles} may read the views runs, requests, seconds, verdicts and failures in the schema `{schema}`.\n\
         Add `{schema}` to the API's exposed schemas (Supabase: Project settings, API) to reach them over REST."
    ))?;
    Ok(Exit::Pass)
}
