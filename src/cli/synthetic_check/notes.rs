//! Messages about what the old check hid; pure.

use memchr::memmem;
use url::Url;

use super::settings::{CheckSettings, is_mock, is_tile_page, url_budget};
use crate::cli::secret_names::names_secret;
use crate::engine::probe::{FetchOutcome, FetchedPage};

/// `data-testid`s of the tile page, in its order.
const TILES: [&str; 6] = [
    "tile-ops-metrics",
    "tile-sales-pulse",
    "tile-fulfillment-health",
    "tile-inventory-heatmap",
    "tile-cx-escalations",
    "tile-seo-content",
];

/// Path to which the app redirects requests without a session.
const LOGIN: &str = "/auth/login";

/// Longest URL shown, in characters.
const MAX_SHOWN: usize = 300;

/// A warning about a token in the URL: the one that the header sends, or the value of a parameter
/// whose name says that it is secret.
pub(super) fn url_note(settings: &CheckSettings) -> Option<String> {
    let url = &settings.request.url;
    let has_secret_name =
        url.query_pairs().any(|(name, value)| !value.is_empty() && names_secret(&name));
    (has_secret_name || settings.secrets.is_echoed_in(url.as_str())).then(|| {
        "the URL contains a token, and proxies and servers write URLs to their logs; send it only \
         in the header, with SYNTHETIC_CHECK_TOKEN"
            .to_owned()
    })
}

/// Warnings about a finished request, in the order of what happened.
pub(super) fn check_notes(settings: &CheckSettings, fetch: &FetchOutcome) -> Vec<String> {
    let url = &settings.request.url;
    let mut notes = Vec::new();
    let designed = url_budget(url);
    if is_tile_page(url) && (settings.budget - designed).abs() > f64::EPSILON {
        notes.push(format!(
            "the budget of {} ms does not fit the URL: mock={} is designed for {designed} ms; \
             `--budget auto` chooses by the URL",
            settings.budget,
            u8::from(is_mock(url)),
        ));
    }
    for redirect in &fetch.redirects {
        let (from, to) = (&redirect.from, &redirect.to);
        let other = Some(to.origin()).filter(|origin| *origin != from.origin());
        let origin = other.map(|origin| origin.ascii_serialization()).unwrap_or_default();
        let status = redirect.status.as_u16();
        let note = format!(
            "redirect followed: {status} {} → {origin}{}",
            shown_path(from),
            shown_path(to)
        );
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    match &fetch.response {
        Ok(page) if is_tile_page(url) && page.status.is_success() => {
            notes.extend(page_note(settings, &fetch.url, page));
        }
        Ok(_) => {}
        Err(refused) => notes.push(format!(
            "no answer from {}: {}: {}",
            fetch.url.origin().ascii_serialization(),
            refused.failure.description(),
            refused.seen.chars().take(MAX_SHOWN).collect::<String>()
        )),
    }
    notes
}

/// What is wrong with a page that was requested as the tile page.
fn page_note(settings: &CheckSettings, url: &Url, page: &FetchedPage) -> Option<String> {
    let contains = |text: &str| memmem::find(&page.body, text.as_bytes()).is_some();
    let missing: Vec<_> = TILES
        .map(|tile| format!("data-testid=\"{tile}\""))
        .into_iter()
        .filter(|marker| !contains(marker))
        .collect();
    let has_login_form = missing.len() == TILES.len() && contains("<form") && contains(LOGIN);
    if url.path().trim_end_matches('/') == LOGIN || has_login_form {
        let token = if settings.secrets.is_empty() {
            "; X-Hotdash-Synthetic has the default token, set SYNTHETIC_CHECK_TOKEN"
        } else {
            ""
        };
        return Some(format!("this is the login page, not the tile page{token}"));
    }
    if missing.is_empty() {
        return None;
    }
    if !page.is_whole {
        return Some("the page broke off before all its tiles had arrived".to_owned());
    }
    Some(format!("not in the page: {}", missing.join(", ")))
}

/// The path without its query, which may contain a secret; `mock` alone is shown.
fn shown_path(url: &Url) -> String {
    let query = match url.query() {
        None => "",
        Some("mock=0") => "?mock=0",
        Some("mock=1") => "?mock=1",
        Some(_) => "?…",
    };
    format!("{}{query}", url.path()).chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::super::settings::tests::read;
    use super::*;
    use crate::engine::probe::FollowedRedirect;

    const LIVE: &str = "https://shop.example/app?mock=0";

    fn notes(to: &str, budget: &str, body: &str, is_whole: bool) -> Vec<String> {
        let settings = read(&[LIVE, "--budget", budget], &[]).unwrap();
        let (from, to): (Url, Url) = (LIVE.parse().unwrap(), to.parse().unwrap());
        let redirect = FollowedRedirect { status: StatusCode::FOUND, from, to: to.clone() };
        let redirects = if to.as_str() == LIVE { vec![] } else { vec![redirect] };
        let headers = http::HeaderMap::new();
        let page = FetchedPage { status: StatusCode::OK, headers, body: body.into(), is_whole };
        let elapsed = Duration::from_millis(100);
        check_notes(&settings, &FetchOutcome { redirects, url: to, elapsed, response: Ok(page) })
    }

    fn tiles() -> String {
        TILES.map(|tile| format!("<section data-testid=\"{tile}\">")).concat()
    }

    #[test]
    fn a_complete_page_within_its_design_budget_has_no_notes() {
        assert!(notes(LIVE, "auto", &tiles(), true).is_empty());
    }

    #[test]
    fn a_redirect_to_the_login_page_is_reported_without_its_query() {
        let notes = notes("https://shop.example/auth/login?shop=zebra", "auto", "", true);
        assert_eq!(notes[0], "redirect followed: 302 /app?mock=0 → /auth/login?…");
        assert!(notes[1].starts_with("this is the login page") && notes[1].contains("default"));
        let form = r#"<form method="post" action="/auth/login">"#;
        assert!(self::notes(LIVE, "auto", form, true)[0].starts_with("this is the login page"));
    }

    #[test]
    fn another_origin_is_named() {
        let notes = notes("https://other.example/app", "auto", &tiles(), true);
        assert_eq!(notes, ["redirect followed: 302 /app?mock=0 → https://other.example/app"]);
    }

    #[test]
    fn a_budget_that_does_not_fit_the_tile_page_is_reported() {
        let note = notes(LIVE, "300", &tiles(), true).remove(0);
        assert!(note.contains("300 ms does not fit the URL: mock=0 is designed for 800 ms"));
    }

    #[test]
    fn missing_tiles_are_named_unless_the_page_broke_off() {
        let torn = tiles().replace("tile-seo-content", "");
        let missing = ["not in the page: data-testid=\"tile-seo-content\""];
        assert_eq!(notes(LIVE, "auto", &torn, true), missing);
        assert!(notes(LIVE, "auto", &torn, false)[0].contains("broke off"));
        assert!(notes(LIVE, "auto", &tiles(), false).is_empty());
    }
}
