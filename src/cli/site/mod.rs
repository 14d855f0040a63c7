//! `tollgate report`: a site of latency history.

mod folder;
mod page_mark;
mod pages;
mod period;
mod run_pages;
mod session_pages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::ValueEnum;

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::history::TimeBound;
use super::source::{RunSource, warn_left_out};
use super::{source, tags, tune};
use crate::engine::clock;
use crate::history::{
    ENVIRONMENT_TAG, HistoryFilter, HistoryScope, NamedZone, ScenarioHistory, change_marks,
};
use crate::report::{HistorySite, SiteAudience, SiteOptions};
use folder::SiteFolder;

const EXAMPLES: &str = "\
Examples:
  tollgate report --since 30d --out site
  tollgate report --since 90d --environment production --timezone Europe/Berlin --out site
  tollgate report --since 30d --audience partner --public-tag deploy --out partner
  tollgate report --since 2026-10-01 --until 2026-11-01 --format csv --format json --out october
  tollgate report --since 30d --from database --out site

Ages count whole days up to the end of today, so that two builds on one day differ only by their runs.
A file is written only if its content differs. The pages need no server, script or network.

Exit codes:
  0  the site was written, even if no run started in the period
  2  usage: a flag or the database's URL is wrong, or a folder cannot be read or written
  4  internal: the database does not respond, a page could not be made, or a defect";

/// Write a static site of latency history: trends, budgets and change points
///
/// Reads run folders or the database. The site has an index, a page for each scenario and
/// environment, a summary for partners, and the reports of the runs that its tables name.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder to write the site into; it is created if it does not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The start of the period: an age such as 30d, or a day or time
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = str::parse::<TimeBound>)]
    since: TimeBound,
    /// The end of the period, in the same formats [default: the end of today]
    #[arg(long, value_name = "TIME", value_parser = str::parse::<TimeBound>)]
    until: Option<TimeBound>,
    /// Only this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Only runs tagged with this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Only runs with this tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tags::parse)]
    tags: Vec<(String, String)>,
    /// The time zone of days, weeks and hours: a name of the IANA database such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = str::parse::<NamedZone>)]
    timezone: NamedZone,
    /// Who opens the site
    #[arg(long, value_enum, default_value = "team")]
    audience: AudienceName,
    /// The key of a tag that partners may see, or `commit`; may be repeated
    #[arg(long = "public-tag", value_name = "KEY", default_value = "deploy")]
    public_tags: Vec<String>,
    /// What to write; may be repeated
    #[arg(long = "format", value_enum, default_value = "html")]
    formats: Vec<SiteFormat>,
    #[command(flatten)]
    from: source::Flags,
    /// The folder that contains the session folders
    #[arg(
        long,
        value_name = "DIR",
        default_value = tune::DEFAULT_SESSIONS_DIR,
        env = "TOLLGATE_SESSIONS_DIR"
    )]
    sessions_dir: PathBuf,
}

/// Who opens a site, as the flag takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AudienceName {
    /// Those who run the probes: everything is shown
    Team,
    /// A partner: without hosts, addresses, reports of runs, and tags that are not named public
    Partner,
}

impl AudienceName {
    fn name(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Partner => "partner",
        }
    }
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum SiteFormat {
    /// The pages, with the summary as `summary.md` too
    Html,
    /// The summary and the pages of scenarios as markdown, with their plots as SVG
    Md,
    /// One line per run and request: `history.csv`
    Csv,
    /// The figures of the pages: `history.json`
    Json,
    /// The plots as PNG
    Png,
    /// The plots as SVG
    Svg,
}

pub(super) fn report(args: &Args) -> Result<ExitStatus, CommandError> {
    let scope = period::scope(args, clock::wall_clock())?;
    let mut folder = SiteFolder::open(&args.out, args.audience.name())?;
    let source = args.from.source()?;
    let mut site = read_site(args, &source, scope.clone())?;
    let formats: BTreeSet<SiteFormat> = args.formats.iter().copied().collect();
    if formats.contains(&SiteFormat::Html) && args.audience == AudienceName::Team {
        let linked = run_pages::write_runs(&site, &source, &mut folder)?;
        site.link_runs(&linked);
        let sessions = session_pages::write_sessions(args, &scope, &source, &mut folder)?;
        site.link_sessions(sessions);
    }
    pages::write_formats(&formats, &site, &mut folder)?;
    if site.is_empty() {
        tracing::warn!("WARNING: no matching run {} started in this period", source.describe());
    }
    let has_pages = [SiteFormat::Html, SiteFormat::Md].iter().any(|it| formats.contains(it));
    let scenarios = if has_pages { site.slugs().len() as u64 } else { 0 };
    Console { output: OutputFormat::Text }.print_result(&folder.sentence(scenarios))?;
    Ok(ExitStatus::Pass)
}

/// Reads the runs of the period and of the one before it.
fn read_site(
    args: &Args,
    source: &RunSource,
    scope: HistoryScope,
) -> Result<HistorySite, CommandError> {
    let filter = args.filter(&scope);
    let (mut histories, mut damaged) = (Vec::new(), Vec::new());
    let mut left_out = source.each_series(&filter, &scope, |series| {
        let (history, sentences) = ScenarioHistory::of(series, &scope, &change_marks);
        histories.extend(history);
        damaged.extend(sentences);
    })?;
    left_out.extend(damaged);
    warn_left_out(&left_out);
    Ok(HistorySite::new(histories, args.options(scope)))
}

impl Args {
    /// The runs of the period and of the one before it.
    fn filter(&self, scope: &HistoryScope) -> HistoryFilter {
        let mut tags: BTreeMap<String, String> = self.tags.iter().cloned().collect();
        tags.extend(self.environment.clone().map(|name| (ENVIRONMENT_TAG.to_owned(), name)));
        HistoryFilter {
            scenario: self.scenario.clone(),
            tags,
            // No run is older than 1970, and a database knows no year before 4713 BC.
            since: scope
                .since
                .checked_sub(scope.until - scope.since)
                .filter(|since| since.year() >= 1970),
            until: Some(scope.until),
            ..HistoryFilter::default()
        }
    }

    fn options(&self, scope: HistoryScope) -> SiteOptions {
        let audience = match self.audience {
            AudienceName::Team => SiteAudience::Team,
            AudienceName::Partner => SiteAudience::Partner,
        };
        SiteOptions { scope, audience, public_tags: self.public_tags.iter().cloned().collect() }
    }
}
