//! Makes the files of a site and writes those that changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::SiteFolder;
use super::{Args, SiteFormat};
use crate::cli::exit::CommandError;
use crate::cli::source::{self, LocatedRun, RunSource, warn_left_out};
use crate::record::{Interval, run_name};
use crate::report::{self, HistorySite, ReportModel, SessionModel};
use crate::store::{self, Database, DatabaseError, FetchedRun};

/// Writes the files of one format.
pub(super) fn write_format(
    format: SiteFormat,
    site: &HistorySite,
    folder: &mut SiteFolder,
) -> Result<(), CommandError> {
    match format {
        SiteFormat::Html => write_pages(site, folder),
        SiteFormat::Md => write_markdown(site, folder),
        SiteFormat::Csv => folder.put("history.csv", report::site_csv(site).as_bytes()),
        SiteFormat::Json => {
            let json = report::site_json(site).map_err(CommandError::internal)?;
            folder.put("history.json", (json + "\n").as_bytes())
        }
        SiteFormat::Png | SiteFormat::Svg => write_plots(format, site, folder),
    }
}

fn write_pages(site: &HistorySite, folder: &mut SiteFolder) -> Result<(), CommandError> {
    for slug in site.slugs() {
        let page = report::scenario_html(site, slug).unwrap_or_default();
        folder.put(&format!("scenarios/{slug}.html"), page.as_bytes())?;
    }
    folder.put("summary.html", report::summary_html(site).as_bytes())?;
    folder.put("summary.md", report::summary_markdown(site).as_bytes())?;
    // The index comes last: whoever opens it finds every page that it refers to.
    folder.put("index.html", report::index_html(site).as_bytes())
}

fn write_markdown(site: &HistorySite, folder: &mut SiteFolder) -> Result<(), CommandError> {
    for slug in site.slugs() {
        let page = report::scenario_markdown(site, slug).unwrap_or_default();
        folder.put(&format!("{slug}.md"), page.as_bytes())?;
    }
    write_plots(SiteFormat::Svg, site, folder)?;
    folder.put("summary.md", report::summary_markdown(site).as_bytes())
}

fn write_plots(
    format: SiteFormat,
    site: &HistorySite,
    folder: &mut SiteFolder,
) -> Result<(), CommandError> {
    for plot in report::history_plots(site).map_err(CommandError::internal)? {
        match format {
            SiteFormat::Png => folder.put(&format!("{}.png", plot.name), &plot.png)?,
            _ => folder.put(&format!("{}.svg", plot.name), plot.svg.as_bytes())?,
        }
    }
    Ok(())
}

/// Writes the report of each run that a page names; returns the names of those that have one. A run
/// that cannot be read is not linked.
pub(super) fn write_runs(
    site: &HistorySite,
    source: &RunSource,
    folder: &mut SiteFolder,
) -> Result<BTreeSet<String>, CommandError> {
    let (mut written, mut unread) = (BTreeSet::new(), Vec::new());
    for name in site.linked_runs() {
        match run_page(&name, source) {
            Ok(page) => {
                folder.put(&format!("runs/{name}.html"), page.as_bytes())?;
                written.insert(name);
            }
            Err(error) => unread.push(format!("the page of the run {name}: {error}")),
        }
    }
    warn_left_out(&unread);
    Ok(written)
}

fn run_page(name: &str, source: &RunSource) -> Result<String, CommandError> {
    match source.find(Path::new(name))? {
        LocatedRun::Folder(folder) => {
            let record = source::record(folder.clone())?;
            // Without its intervals a report only lacks the plots over time.
            let intervals = store::read_intervals(&folder).into_iter().flatten();
            let model = ReportModel::new(&record, intervals.map_while(Result::ok));
            Ok(report::html(&model))
        }
        LocatedRun::Database(database, fetched) => stored_page(database, &fetched),
    }
}

/// The page of a run that is only in the database.
fn stored_page(mut database: Database, fetched: &FetchedRun) -> Result<String, CommandError> {
    let mut intervals: Vec<Interval> = Vec::new();
    database.intervals(&fetched.record, |interval| {
        intervals.push(interval);
        Ok::<_, DatabaseError>(())
    })?;
    database.close();
    Ok(report::html(&ReportModel::new(&fetched.record, intervals)))
}

/// Writes the report of each tuning session that started in the period; returns their file names by
/// title.
pub(super) fn write_sessions(
    args: &Args,
    folder: &mut SiteFolder,
) -> Result<BTreeMap<String, String>, CommandError> {
    let scope = super::period::scope(args, crate::engine::clock::wall_clock())?;
    let mut pages = BTreeMap::new();
    for (_, record) in store::list_sessions(&args.sessions_dir)? {
        let Ok(record) = record else { continue };
        let started = record.provenance.started;
        if started < scope.since || started >= scope.until {
            continue;
        }
        let file = format!("{}.html", run_name(started, record.id));
        let page = report::session_html(&SessionModel::new(&record));
        folder.put(&format!("sessions/{file}"), page.as_bytes())?;
        pages.insert(format!("{} · {}", run_name(started, record.id), record.name), file);
    }
    Ok(pages)
}
