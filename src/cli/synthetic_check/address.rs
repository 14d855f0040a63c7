//! Which URL is checked, from a URL, a host and a mode; pure. Errors show none of them: a URL may hold a password.

use url::Url;

/// A URL as it was written, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The flag or the variable.
    pub(super) name: &'a str,
    pub(super) url: &'a str,
}

/// The URL as it is told, and as it is asked for; the error says what is wrong and what to write.
///
/// A URL that nothing is changed in is told as it was written, as the old check told it. A host replaces the URL's
/// scheme, host and port; a mode sets its `mock`.
pub(super) fn addressed(
    written: Option<Place<'_>>,
    host: Option<&str>,
    mock: Option<bool>,
) -> Result<(String, Url), String> {
    let mut url = match (written, host) {
        (Some(place), None) => read(place)?,
        (Some(place), Some(host)) => moved(&read(place)?, &base(host)?),
        (None, Some(host)) if mock.is_some() => moved(&base("nowhere.invalid/app")?, &base(host)?),
        (None, Some(_)) => {
            return Err("a host alone is no page; add `--mode live` or `--mode mock`, or `--url`"
                .to_owned());
        }
        (None, None) => {
            return Err("no URL to check; set SYNTHETIC_CHECK_URL, STAGING_SMOKE_TEST_URL or \
             PRODUCTION_SMOKE_TEST_URL, or write `--url https://example.org/app?mock=0`"
                .to_owned());
        }
    };
    if let Some(mock) = mock {
        set_mock(&mut url, mock);
    }
    let told = match written {
        Some(place) if host.is_none() && mock.is_none() && is_one_word(place.url) => {
            place.url.to_owned()
        }
        _ => url.to_string(),
    };
    Ok((told, url))
}

fn read(Place { name, url }: Place<'_>) -> Result<Url, String> {
    checked(url)
        .map_err(|why| format!("{name} {why}; write it as `https://example.org/app?mock=0`"))
}

/// A host as it is typed: `example.org`, `example.org:8443`, or with a scheme before it; `https` without one.
fn base(host: &str) -> Result<Url, String> {
    let typed = host.trim();
    let whole = if typed.contains("://") { typed.to_owned() } else { format!("https://{typed}") };
    checked(&whole).map_err(|why| format!("--host {why}; write it as `example.org`"))
}

/// A URL that can be asked for.
fn checked(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is a URL of another scheme than http and https".to_owned());
    }
    // `fetch` refuses it, too.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password, which are never sent".to_owned());
    }
    Ok(url)
}

/// The page of one URL at the place of another.
fn moved(page: &Url, to: &Url) -> Url {
    let mut moved = to.clone();
    moved.set_path(page.path());
    moved.set_query(page.query());
    moved.set_fragment(page.fragment());
    moved
}

/// Sets the query's first `mock` and leaves further ones out; all else stays as it is written.
fn set_mock(url: &mut Url, mock: bool) {
    let pair = format!("mock={}", u8::from(mock));
    let mut is_set = false;
    let mut pairs: Vec<String> = Vec::new();
    for old in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        if old != "mock" && !old.starts_with("mock=") {
            pairs.push(old.to_owned());
        } else if !std::mem::replace(&mut is_set, true) {
            pairs.push(pair.clone());
        }
    }
    if !is_set {
        pairs.push(pair);
    }
    url.set_query(Some(&pairs.join("&")));
}

/// Whether a text keeps a line one: URLs are read with tabs and line breaks left out.
fn is_one_word(text: &str) -> bool {
    !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: Option<&str>, host: Option<&str>, mock: Option<bool>) -> Result<String, String> {
        let place = url.map(|url| Place { name: "--url", url });
        addressed(place, host, mock).map(|(told, _)| told)
    }

    #[test]
    fn a_host_moves_the_page_and_a_mode_sets_its_mock() {
        let url = Some("https://shop.example/app?a=1&mock=1&b&mock=1#top");
        let staging = Some("staging.example:8443");
        for (url, host, mock, expected) in [
            (url, None, None, "https://shop.example/app?a=1&mock=1&b&mock=1#top"),
            (url, None, Some(false), "https://shop.example/app?a=1&mock=0&b#top"),
            (url, staging, None, "https://staging.example:8443/app?a=1&mock=1&b&mock=1#top"),
            (
                url,
                Some("http://127.0.0.1:7/x"),
                Some(true),
                "http://127.0.0.1:7/app?a=1&mock=1&b#top",
            ),
            (None, staging, Some(false), "https://staging.example:8443/app?mock=0"),
            (None, Some("staging.example"), Some(true), "https://staging.example/app?mock=1"),
            (Some("https://shop.example"), None, None, "https://shop.example"),
            (Some("https://shop.example"), None, Some(true), "https://shop.example/?mock=1"),
            (Some("https://shop.example/a\n[b"), None, None, "https://shop.example/a[b"),
        ] {
            assert_eq!(told(url, host, mock).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_told_without_showing_it() {
        for (url, host, mock, why) in [
            (None, None, None, "no URL to check"),
            (None, None, Some(true), "no URL to check"),
            (None, Some("shop.example"), None, "--mode live"),
            (Some("/zebra"), None, None, "--url is no URL"),
            (Some("ftp://shop.example/zebra"), None, None, "another scheme"),
            (Some("https://zebra:stripes@shop.example/"), None, None, "user name or password"),
            (
                Some("https://shop.example/"),
                Some("zebra@shop.example"),
                None,
                "--host holds a user name",
            ),
            (Some("https://shop.example/"), Some("a zebra"), None, "--host is no URL"),
        ] {
            let error = told(url, host, mock).unwrap_err();
            assert!(error.contains(why) && !error.contains("zebra"), "{error}");
        }
    }
}
