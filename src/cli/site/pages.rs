//! Makes the files of a site and writes those that changed.

use std::collections::BTreeSet;

use super::SiteFormat;
use super::folder::SiteFolder;
use crate::cli::exit::CommandError;
use crate::report::{self, HistorySite};

/// Writes the files of some formats, each file once.
pub(super) fn write_formats(
    formats: &BTreeSet<SiteFormat>,
    site: &HistorySite,
    folder: &mut SiteFolder,
) -> Result<(), CommandError> {
    let has = |format| formats.contains(&format);
    if has(SiteFormat::Csv) {
        folder.put("history.csv", report::site_csv(site).as_bytes())?;
    }
    if has(SiteFormat::Json) {
        let json = report::site_json(site).map_err(CommandError::internal)?;
        folder.put("history.json", (json + "\n").as_bytes())?;
    }
    write_plots(site, folder, (has(SiteFormat::Svg) || has(SiteFormat::Md), has(SiteFormat::Png)))?;
    if has(SiteFormat::Html) || has(SiteFormat::Md) {
        folder.put("summary.md", report::summary_markdown(site).as_bytes())?;
    }
    if has(SiteFormat::Md) {
        write_markdown(site, folder)?;
    }
    if has(SiteFormat::Html) {
        write_pages(site, folder)?;
    }
    Ok(())
}

fn write_pages(site: &HistorySite, folder: &mut SiteFolder) -> Result<(), CommandError> {
    for slug in site.slugs() {
        let page = report::scenario_html(site, slug).unwrap_or_default();
        folder.put(&format!("scenarios/{slug}.html"), page.as_bytes())?;
    }
    folder.put("summary.html", report::summary_html(site).as_bytes())?;
    // The index comes last: whoever opens it finds every page that it refers to.
    folder.put("index.html", report::index_html(site).as_bytes())
}

fn write_markdown(site: &HistorySite, folder: &mut SiteFolder) -> Result<(), CommandError> {
    for slug in site.slugs() {
        let page = report::scenario_markdown(site, slug).unwrap_or_default();
        folder.put(&format!("{slug}.md"), page.as_bytes())?;
    }
    Ok(())
}

/// Writes each plot as SVG, as PNG, or both.
fn write_plots(
    site: &HistorySite,
    folder: &mut SiteFolder,
    (as_svg, as_png): (bool, bool),
) -> Result<(), CommandError> {
    if !as_svg && !as_png {
        return Ok(());
    }
    for plot in report::history_plots(site) {
        if as_svg {
            let svg = plot.svg().map_err(CommandError::internal)?;
            folder.put(&format!("{}.svg", plot.name), svg.as_bytes())?;
        }
        if as_png {
            let png = plot.png().map_err(CommandError::internal)?;
            folder.put(&format!("{}.png", plot.name), &png)?;
        }
    }
    Ok(())
}
