//! `tollgate db`: manages the schema that runs are stored in.

use std::time::Duration;

use super::console::{Console, OutputFormat};
use super::doctor::worst;
use super::exit::{CommandError, ExitStatus};
use super::store_flags::StoreFlags;
use crate::doctor;
use crate::record::checkup::CheckState;
use crate::report;
use crate::store::{Database, PruneCount};
use crate::units::{UnitError, duration_literal, parse_age};

const EXAMPLES: &str = "\
Examples:
  export DATABASE_URL=postgresql://postgres:postgres@127.0.0.1:54322/postgres
  tollgate db migrate                 create the schema `tollgate`, or update it
  tollgate db status                  version, rights, row level security, size
  tollgate db prune --keep 180d       delete the intervals of older runs; totals stay
  tollgate db expose                  read-only views for Supabase's API

Exit codes: 0 done, or no line of `status` fails; 1 a line of `status` fails: the database does not
respond, its schema is missing, old or unprotected, or the user lacks rights; 2 a flag or URL is
wrong; 4 the database failed.";

/// Create, check and maintain the database for runs
///
/// Runs are stored in the schema `tollgate` of Supabase's Postgres or any other Postgres 14 or
/// later.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: DatabaseCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DatabaseCommand {
    /// Create the schema, or update it
    ///
    /// All migrations are applied in one transaction. They create the roles `tollgate_writer`,
    /// which may store runs but not read them, and `tollgate_reader`, which may read them. This
    /// needs the database's owner, such as Supabase's `postgres`.
    Migrate(StoreFlags),
    /// Show the state of the schema and this user's rights
    Status(StoreFlags),
    /// Delete the intervals of old runs
    ///
    /// Totals and histograms stay, so no figure changes; reports lose their plots over time. The
    /// rollups of deleted runs are deleted too, and not counted.
    Prune(PruneArgs),
    /// Create read-only views for Supabase's API
    ///
    /// The views have a schema of their own. Add it to the schemas that the API exposes (Project
    /// settings, API). The views read with the rights of the API's user, so row level security
    /// applies.
    Expose(ExposeArgs),
}

#[derive(Debug, clap::Args)]
struct PruneArgs {
    #[command(flatten)]
    store: StoreFlags,
    /// How long to keep intervals: one day or more, such as `180d`
    #[arg(long, value_name = "DURATION", value_parser = parse_keep)]
    keep: Duration,
    /// Show what would be deleted, but delete nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct ExposeArgs {
    #[command(flatten)]
    store: StoreFlags,
    /// The schema for the views
    #[arg(long, value_name = "NAME", default_value = "tollgate_api")]
    schema: String,
    /// A role that may read the views; may be repeated
    #[arg(long = "to", value_name = "ROLE", default_value = "service_role")]
    roles: Vec<String>,
    /// Remove the views and the rights to them
    #[arg(long, conflicts_with = "roles")]
    hide: bool,
}

pub(super) fn db(args: &Args) -> Result<ExitStatus, CommandError> {
    match &args.command {
        DatabaseCommand::Migrate(store) => migrate(store),
        DatabaseCommand::Status(store) => status(store),
        DatabaseCommand::Prune(args) => prune(args),
        DatabaseCommand::Expose(args) => expose(args),
    }
}

fn print_text(text: &str) -> Result<(), CommandError> {
    Console { output: OutputFormat::Text }.print_result(text)
}

fn migrate(store: &StoreFlags) -> Result<ExitStatus, CommandError> {
    let address = store.required_address()?;
    let applied = Database::open(&address)?.migrate()?;
    let shown = address.display_name();
    print_text(&match applied[..] {
        [] => format!("The schema `tollgate` in {shown} is up to date."),
        _ => format!(
            "Applied {} in {shown}: the schema `tollgate` is up to date.",
            applied.join(", ")
        ),
    })?;
    Ok(ExitStatus::Pass)
}

fn status(store: &StoreFlags) -> Result<ExitStatus, CommandError> {
    let address = store.required_address()?;
    let findings: Vec<_> = doctor::store(&address)
        .into_iter()
        .map(|finding| finding.map_text(super::log::redact))
        .collect();
    let console = Console { output: OutputFormat::Text };
    print_text(&report::checkup_text(&findings, console.width(), console.has_colour()))?;
    Ok(if worst(&findings) == CheckState::Fail { ExitStatus::Fail } else { ExitStatus::Pass })
}

fn prune(args: &PruneArgs) -> Result<ExitStatus, CommandError> {
    let address = args.store.required_address()?;
    let PruneCount { runs, intervals, session_states } =
        Database::open(&address)?.prune(args.keep, args.dry_run)?;
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    let (would, keep) = (if args.dry_run { "Would delete" } else { "Deleted" }, in_days(args.keep));
    let states = match session_states {
        0 => String::new(),
        1 => " 1 replaced state of a session too; its newest stays.".to_owned(),
        states => format!(" {states} replaced states of sessions too; their newest stay."),
    };
    print_text(&format!(
        "{would} {intervals} intervals of {runs} that started more than {keep} ago; their totals stay.{states}"
    ))?;
    Ok(ExitStatus::Pass)
}

/// Parses how long to keep intervals. The minimum of a day catches `6m`, which is six minutes.
fn parse_keep(text: &str) -> Result<Duration, UnitError> {
    let keep = parse_age(text)?;
    if (Duration::from_hours(24)..=Duration::from_hours(24 * 36_500)).contains(&keep) {
        return Ok(keep);
    }
    Err(UnitError::new(
        format!("`{text}` is not between one day and a hundred years"),
        "write days, such as `180d`",
    ))
}

/// A duration in whole days if possible: `180 days` reads better than months, days and hours.
fn in_days(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match duration.as_secs() {
        DAY => "a day".to_owned(),
        seconds if seconds > 0 && seconds % DAY == 0 => format!("{} days", seconds / DAY),
        _ => duration_literal(duration),
    }
}

fn expose(args: &ExposeArgs) -> Result<ExitStatus, CommandError> {
    let address = args.store.required_address()?;
    let mut database = Database::open(&address)?;
    if args.hide {
        database.hide(&args.schema)?;
        print_text(&format!(
            "Removed the views in `{}` and the rights to read them.",
            args.schema
        ))?;
        return Ok(ExitStatus::Pass);
    }
    database.expose(&args.schema, &args.roles)?;
    for (role, who) in [
        ("anon", "with the API's public key"),
        ("authenticated", "with an account in the project's application"),
    ] {
        if args.roles.iter().any(|named| named == role) {
            tracing::warn!(
                "WARNING: {role}: everyone {who} can now read hosts, tags, commits and evidence"
            );
        }
    }
    let (schema, roles) = (&args.schema, args.roles.join(", "));
    print_text(&format!(
        "{roles} may read the views runs, requests, seconds, verdicts and failures in the schema `{schema}`.\n\
         Add `{schema}` to the API's exposed schemas (Supabase: Project settings, API) to reach them through REST."
    ))?;
    Ok(ExitStatus::Pass)
}
