//! The scenarios of both sides of a duet.

use std::ffi::OsString;
use std::path::Path;

use super::address::Address;
use super::{UrlScenarios, is_url};
use crate::cli::exit::CommandError;
use crate::scenario::{OverrideValue, Scenario, ScenarioErrors, ScenarioOverrides, Template};

/// The sides in the order of a duet, as the names of their flags and as the ends of their names.
pub(super) const SIDES: [(&str, &str); 2] = [("--a", " (a)"), ("--b", " (b)")];

/// The base URLs of both sides.
pub(in crate::cli) struct DuetUrls([Template; 2]);

/// Parses a URL of a duet.
pub(in crate::cli) fn parse_duet_url(text: &str) -> Result<String, &'static str> {
    if is_url(text.as_ref()) {
        Ok(text.to_owned())
    } else if Path::new(text).extension().is_some_and(|end| end.eq_ignore_ascii_case("toml")) {
        Err("write a URL here, and the scenario file after both URLs")
    } else {
        Err("write a URL that begins with http://, https:// or http+unix://")
    }
}

impl DuetUrls {
    /// Reads the URLs. Errors never show them, because they may contain a password. With `files`,
    /// the URLs are the base URLs of these scenario files.
    pub(in crate::cli) fn new(typed: [&str; 2], files: &[OsString]) -> Result<Self, CommandError> {
        if files.iter().any(|file| is_url(file)) {
            return Err(CommandError::usage(
                "error: a duet has two targets, which --a and --b name: leave out the third URL; a \
                 scenario file may stand there",
            ));
        }
        let read = |typed: &str| {
            Address::read(typed)?;
            Template::parse(typed).map_err(|_| {
                CommandError::usage(
                    "error: a variable in a URL is malformed; write ${NAME}, and $${ for ${ itself",
                )
            })
        };
        let [a, b] = typed;
        let urls = Self([read(a)?, read(b)?]);
        if !files.is_empty() {
            check_bases(typed)?;
        }
        Ok(urls)
    }
}

/// Refuses URLs that cannot be the base URLs of files, and warns of paths: those of the requests
/// follow them.
fn check_bases(typed: [&str; 2]) -> Result<(), CommandError> {
    for ((flag, _), url) in SIDES.iter().zip(typed) {
        let path = Address::read(url)?.path;
        if path.contains('?') || url.contains('#') {
            return Err(CommandError::usage(format!(
                "error: {flag} is the base URL of the scenario files, so it cannot have a query or \
                 fragment: write scheme, host and perhaps port and path, such as \
                 `https://staging.example`"
            )));
        }
        if path.trim_end_matches('/').contains('/') {
            tracing::warn!(
                "WARNING: {flag} is the base URL of the scenario files, so its path comes before \
                 the path of each request. Leave the path out, or leave out the files to measure \
                 this URL alone."
            );
        }
    }
    Ok(())
}

impl UrlScenarios {
    /// The scenarios of both sides, A before B for each of them: the composed ones if no file is
    /// named, otherwise each file with the base URL of each side.
    pub(in crate::cli) fn read_sides(
        &self,
        files: &[OsString],
        urls: &DuetUrls,
    ) -> Result<Vec<Scenario>, ScenarioErrors> {
        if files.is_empty() {
            return self
                .read(&self.scenarios.iter().map(|one| one.url.clone()).collect::<Vec<_>>());
        }
        let read = |file: &OsString| {
            let scenario = Scenario::read(Path::new(file))?;
            let sides = SIDES.iter().zip(&urls.0).map(|((flag, end), url)| {
                let base_url = OverrideValue { origin: (*flag).to_owned(), value: url.clone() };
                let overrides =
                    ScenarioOverrides { base_url: Some(base_url), ..self.overrides.clone() };
                Ok(scenario.clone().with_overrides(&overrides)?.with_name_end(end))
            });
            // Both sides have the same mistakes, so those of one are enough.
            sides.collect::<Result<Vec<_>, _>>()
        };
        Ok(ScenarioErrors::gather(files.iter().map(read).collect::<Vec<_>>())?.concat())
    }
}
