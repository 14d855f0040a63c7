//! The base URL of a scenario, and URLs relative to it.

use std::path::PathBuf;

use url::Url;

use super::route::{self, UNIX_SCHEME};
use super::template_filler::TemplateFiller;
use crate::library_text::describe_url;
use crate::scenario::Scenario;
use crate::scenario::file::TargetSection;
use crate::scenario::scheme_remedy;

/// A base URL, and how it is shown.
pub(super) struct BaseUrl {
    pub(super) url: Url,
    pub(super) shown: String,
    /// Whether variables are missing or wrong, so that the URL is a placeholder.
    pub(super) guessed: bool,
    /// The Unix socket that it names. The URL is then one of `http://localhost`.
    pub(super) unix_socket: Option<PathBuf>,
    /// Why no connection to it waits for a look-up; `None` if one may.
    pub(super) no_lookup: Option<&'static str>,
    /// Why no connection to it needs a proxy's tunnel; `None` if it does.
    pub(super) no_tunnel: Option<&'static str>,
}

impl BaseUrl {
    /// The placeholder for an unknown base URL.
    pub(super) fn placeholder() -> Option<Self> {
        let url = Url::parse("http://placeholder.invalid").ok()?;
        Some(Self::new(url, String::new(), true))
    }

    fn new(url: Url, shown: String, guessed: bool) -> Self {
        Self { url, shown, guessed, unix_socket: None, no_lookup: None, no_tunnel: None }
    }

    /// The URL of a path that starts with `/`.
    pub(super) fn join(&self, path: &str) -> Result<Url, url::ParseError> {
        Url::parse(&format!("{}{path}", self.url.as_str().trim_end_matches('/')))
    }
}

/// The base URL; `None` after reporting an error.
pub(super) fn base_url(
    scenario: &Scenario,
    target: &TargetSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<BaseUrl> {
    let (location, template) = target.base_url.located()?;
    let text = filler.fill(&location.value, template)?;
    let mistake = |url: &Url| base_url_mistake(url);
    match Url::parse(&text.value) {
        Ok(url) if mistake(&url).is_none() => {
            let shown = if text.guessed {
                text.shown
            } else {
                url.as_str().trim_end_matches('/').to_owned()
            };
            let base = BaseUrl::new(url, shown, text.guessed);
            if base.url.scheme() != UNIX_SCHEME {
                return Some(base);
            }
            match route::over_unix_socket(&base.url, scenario) {
                Ok((socket, url)) => Some(BaseUrl { unix_socket: Some(socket), url, ..base }),
                Err((problem, remedy)) => filler.report(&location.value, problem, remedy),
            }
        }
        _ if text.guessed => {
            BaseUrl::placeholder().map(|base| BaseUrl { shown: text.shown, ..base })
        }
        // The URL itself is never shown, because it may contain a password.
        Ok(url) => {
            let (problem, remedy) = mistake(&url)?;
            filler.report(&location.value, problem, remedy)
        }
        Err(url::ParseError::RelativeUrlWithoutBase) => filler.report(
            &location.value,
            "the base URL has no scheme",
            "start it with `https://` or `http://`",
        ),
        Err(error) => filler.report(
            &location.value,
            format!("the base URL cannot be read: {}", describe_url(error)),
            "write a URL such as `https://example.org`",
        ),
    }
}

fn base_url_mistake(url: &Url) -> Option<(&'static str, &'static str)> {
    let plain = "write scheme, host and perhaps port and path: `https://example.org`";
    if !matches!(url.scheme(), "http" | "https" | UNIX_SCHEME) {
        return Some((
            "the base URL is neither http nor https",
            scheme_remedy(url.scheme()).unwrap_or(
                "start it with `http://` or `https://`, or with `http+unix://` for a Unix socket",
            ),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some((
            "the base URL contains a user name or password",
            "send credentials in `[headers]`",
        ));
    }
    (url.query().is_some() || url.fragment().is_some())
        .then_some(("the base URL contains a query or fragment", plain))
}

/// The URL of a path or of a complete URL. The error is a problem and its remedy.
pub(super) fn url_of(text: &str, base: &BaseUrl) -> Result<Url, (String, &'static str)> {
    let url = if text.starts_with('/') { base.join(text) } else { Url::parse(text) };
    url.map_err(|error| {
        (
            format!("this is not a URL: {}", describe_url(error)),
            "write a path such as `/app?mock=1`",
        )
    })
}
