//! Classifies visitors: bots, holders of the synthetic token, everyone else.

use http::HeaderMap;
use http::header::USER_AGENT;
use secrecy::{ExposeSecret, SecretString};

/// Header that carries the synthetic token.
pub(super) const SYNTHETIC_HEADER: &str = "x-hotdash-synthetic";

/// User agents of the platform that embeds the app; never classified as bots.
const PLATFORM_AGENTS: [&[u8]; 2] = [b"shopify pos/", b"shopify mobile/"];

const BOT_MARKS: [&[u8]; 14] = [
    b"bot",
    b"crawl",
    b"spider",
    b"slurp",
    b"headless",
    b"curl/",
    b"wget/",
    b"python-requests",
    b"python-urllib",
    b"go-http-client",
    b"apache-httpclient",
    b"okhttp",
    b"axios/",
    b"libwww-perl",
];

/// Whether the user agent looks like a program's. A missing user agent does not, as in the app.
pub(super) fn is_bot(headers: &HeaderMap) -> bool {
    let Some(agent) = headers.get(USER_AGENT) else { return false };
    let agent = agent.as_bytes().to_ascii_lowercase();
    let has = |mark: &&[u8]| memchr::memmem::find(&agent, mark).is_some();
    !PLATFORM_AGENTS.iter().any(has) && BOT_MARKS.iter().any(has)
}

/// Whether the request carries the synthetic token.
pub(super) fn carries_token(headers: &HeaderMap, token: &SecretString) -> bool {
    headers.get(SYNTHETIC_HEADER).is_some_and(|offered| is_secret(offered.as_bytes(), token))
}

/// Whether `offered` is the secret; takes the same time for every wrong value of the right length.
/// An empty secret matches nothing.
pub(super) fn is_secret(offered: &[u8], secret: &SecretString) -> bool {
    let secret = secret.expose_secret().as_bytes();
    let difference = offered
        .iter()
        .zip(secret)
        .fold(0, |difference, (a, b)| std::hint::black_box(difference | (a ^ b)));
    !secret.is_empty() && offered.len() == secret.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )])
    }

    #[test]
    fn programs_are_bots_and_the_synthetic_check_is_not() {
        for agent in [
            "Googlebot/2.1",
            "curl/8.5.0",
            "Mozilla/5.0 HeadlessChrome/126",
            "python-requests/2.31",
        ] {
            assert!(is_bot(&headers("user-agent", agent)), "{agent}");
        }
        for agent in [
            "Shopify POS/HotDashSyntheticCheck",
            "Shopify POS/9 bot",
            "Mozilla/5.0 Firefox/128",
            "",
        ] {
            assert!(!is_bot(&headers("user-agent", agent)), "{agent}");
        }
        assert!(!is_bot(&HeaderMap::new()));
    }

    #[test]
    fn only_the_whole_token_is_honoured() {
        let token = SecretString::from("staging");
        for (offered, honoured) in
            [("staging", true), ("stagin", false), ("staging2", false), ("", false)]
        {
            assert_eq!(
                carries_token(&headers(SYNTHETIC_HEADER, offered), &token),
                honoured,
                "{offered}"
            );
        }
        assert!(!carries_token(&HeaderMap::new(), &token));
        assert!(!carries_token(&headers(SYNTHETIC_HEADER, ""), &SecretString::from("")));
    }
}
