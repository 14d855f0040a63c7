//! The proxies that connections to a target go through.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::library_text::describe_url;
use crate::units::UnitError;

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyPlan {
    /// Scheme, host and port, without credentials.
    pub url: Url,
    /// The value of `Proxy-Authorization`, marked as sensitive.
    pub authorization: Option<HeaderValue>,
}

/// Which proxy the connections to an origin go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyChoice {
    /// The proxy for `http` origins.
    pub http: Option<ProxyPlan>,
    /// The proxy for `https` origins.
    pub https: Option<ProxyPlan>,
    /// The hosts that are reached without a proxy.
    pub bypass: ProxyBypass,
}

/// Hosts that are reached without a proxy, by curl's rules for `NO_PROXY`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyBypass(Vec<String>);

/// A proxy and what must never be shown of it.
pub(super) struct ParsedProxy {
    pub(super) proxy: ProxyPlan,
    /// The password, or a user without one, and the credentials as the header holds them.
    pub(super) secrets: Vec<String>,
}

/// How the text of a proxy is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyNotation {
    /// Scheme, host and port are written.
    Complete,
    /// As in curl's variables: without a scheme it is an HTTP proxy, and without a port it listens
    /// on 1080.
    Curl,
}

const REMEDY: &str = "write `http://HOST:PORT`, or `http://USER:${PASSWORD}@HOST:PORT`";

/// The port of a proxy that names none, as in curl.
const CURL_PORT: u16 = 1080;

impl ProxyPlan {
    /// Reads a proxy. Errors never show it, because it may contain a password.
    pub(super) fn parse(text: &str, notation: ProxyNotation) -> Result<ParsedProxy, UnitError> {
        let wrong = |problem: &str| UnitError::new(problem.to_owned(), REMEDY);
        let text = text.trim();
        let whole = match (text.contains("://"), notation) {
            (true, _) => text.to_owned(),
            (false, ProxyNotation::Curl) => format!("http://{text}"),
            (false, ProxyNotation::Complete) => return Err(wrong("the proxy has no scheme")),
        };
        // A password with a raw `/`, `?` or `#` ends the host early, so the rest is misread.
        let misread = |problem: String| {
            let remedy = format!(
                "{REMEDY}; in a password, write `/` as `%2F`, `?` as `%3F` and `#` as `%23`"
            );
            UnitError { problem, remedy }
        };
        let mut url = Url::parse(&whole).map_err(|error| {
            misread(format!("the URL of the proxy cannot be read: {}", describe_url(error)))
        })?;
        if url.scheme() != "http" {
            let problem = format!("a proxy of the scheme `{}` is not supported", url.scheme());
            let remedy = "name an HTTP proxy, which also serves https targets: `http://HOST:PORT`";
            return Err(UnitError::new(problem, remedy));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(misread("the URL of the proxy has more than a host and a port".to_owned()));
        }
        if !names_port(&whole) {
            match notation {
                ProxyNotation::Curl => set_port(&mut url, CURL_PORT),
                ProxyNotation::Complete => return Err(wrong("the proxy has no port")),
            }
        }
        let (authorization, secrets) = credentials(&url)
            .map_err(|()| wrong("the proxy's user or password contains a control character"))?;
        let _has_host = (url.set_username(""), url.set_password(None));
        Ok(ParsedProxy { proxy: Self { url, authorization }, secrets })
    }
}

/// Whether a URL names its port, even if that is the default of its scheme.
fn names_port(url: &str) -> bool {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = authority.and_then(|authority| authority.rsplit('@').next()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn set_port(url: &mut Url, port: u16) {
    // Only a URL without a host refuses a port, and a URL of http always has one.
    let _has_host = url.set_port(Some(port));
}

/// The header of Basic authentication (RFC 7617), and what is secret in it.
fn credentials(url: &Url) -> Result<(Option<HeaderValue>, Vec<String>), ()> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok((None, Vec::new()));
    }
    let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let typed = url.password().unwrap_or_default();
    let (user, password) = (decode(url.username()), decode(typed));
    if user.iter().chain(&password).any(u8::is_ascii_control) {
        return Err(());
    }
    let encoded = STANDARD.encode([&user[..], b":", &password[..]].concat());
    let mut header = HeaderValue::from_str(&format!("Basic {encoded}")).map_err(|_| ())?;
    header.set_sensitive(true);
    // A user without a password is a token.
    let (typed, secret) = if typed.is_empty() { (url.username(), user) } else { (typed, password) };
    let secret = String::from_utf8_lossy(&secret).into_owned();
    Ok((Some(header), vec![secret, typed.to_owned(), encoded]))
}

/// Shows host and port; the credentials stay out.
impl fmt::Display for ProxyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.url.port_or_known_default().unwrap_or_default();
        write!(f, "http://{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for ProxyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl ProxyChoice {
    /// The same proxy for every origin.
    pub(super) fn always(proxy: ProxyPlan) -> Self {
        Self { http: Some(proxy.clone()), https: Some(proxy), bypass: ProxyBypass::default() }
    }

    /// The proxy for the connections to a host over `http`, or `https` if `secure`; `None` if they
    /// go straight to it.
    pub fn for_host(&self, secure: bool, host: &Host) -> Option<&ProxyPlan> {
        let proxy = if secure { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.bypass.includes(host))
    }

    /// The proxy for the origin of a URL.
    pub fn for_url(&self, url: &Url) -> Option<&ProxyPlan> {
        let host = url.host()?.to_owned();
        self.for_host(url.scheme() == "https", &host)
    }
}

impl ProxyBypass {
    /// Reads a list: names, addresses or networks (`10.0.0.0/8`), separated by commas or blanks. A
    /// name includes its subdomains. A single `*` includes every host.
    pub fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
        let plain = entries.map(|entry| {
            let entry = entry.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
            entry.trim_start_matches('[').trim_end_matches(']').to_owned()
        });
        Self(plain.filter(|entry| !entry.is_empty()).collect())
    }

    /// Whether a host is reached without a proxy.
    pub fn includes(&self, host: &Host) -> bool {
        let is_all = self.0.len() == 1 && self.0[0] == "*";
        is_all || self.0.iter().any(|entry| matches(entry, host))
    }
}

fn matches(entry: &str, host: &Host) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let rest = name.strip_suffix(entry);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        Host::Ipv4(ip) => contains(entry, IpAddr::V4(*ip)),
        Host::Ipv6(ip) => contains(entry, IpAddr::V6(*ip)),
    }
}

/// Whether an address or a network contains an address.
fn contains(entry: &str, ip: IpAddr) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (entry, Some(128)),
    };
    let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else { return false };
    let same = |a: u128, b: u128, width: u32| {
        let ignored = width.saturating_sub(bits);
        a.checked_shr(ignored).unwrap_or(0) == b.checked_shr(ignored).unwrap_or(0)
    };
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            same(u128::from(network.to_bits()), u128::from(ip.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => same(network.to_bits(), ip.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> Result<ParsedProxy, UnitError> {
        ProxyPlan::parse(text, ProxyNotation::Complete)
    }

    #[test]
    fn credentials_become_a_header_and_are_never_shown() {
        let parsed = complete("http://me:p%40ss%20word@proxy.test:3128").unwrap();
        let header = parsed.proxy.authorization.clone().unwrap();
        assert_eq!(header, "Basic bWU6cEBzcyB3b3Jk");
        assert!(header.is_sensitive());
        assert_eq!(parsed.proxy.to_string(), "http://proxy.test:3128");
        assert_eq!(format!("{:?}", parsed.proxy), "Proxy(http://proxy.test:3128)");
        assert_eq!(parsed.secrets, ["p@ss word", "p%40ss%20word", "bWU6cEBzcyB3b3Jk"]);
        assert!(complete("http://proxy.test:80/").unwrap().proxy.authorization.is_none());
    }

    #[test]
    fn what_is_not_an_http_proxy_is_refused_without_showing_it() {
        for (text, problem) in [
            ("me:hunter2@proxy.test:3128", "has no scheme"),
            ("http://me:hunter2@proxy.test", "has no port"),
            ("http://me:hunter2@proxy.test:", "has no port"),
            ("socks5://me:hunter2@proxy.test:1080", "`socks5` is not supported"),
            ("https://me:hunter2@proxy.test:443", "`https` is not supported"),
            ("http://me:hunter2@proxy.test:3128/hunter2", "more than a host"),
            ("http://me:hunter2@:3128", "cannot be read"),
            ("http://me:hunter2@a:99999", "cannot be read"),
            ("http://me:hunter2%0d%0aX@proxy.test:3128", "control character"),
        ] {
            let error = complete(text).err().unwrap();
            assert!(error.problem.contains(problem), "{text}: {}", error.problem);
            assert!(!format!("{} {}", error.problem, error.remedy).contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn variables_are_read_as_curl_reads_them() {
        for (text, shown) in [
            ("proxy.test", "http://proxy.test:1080"),
            ("proxy.test:8080", "http://proxy.test:8080"),
            ("http://proxy.test:80", "http://proxy.test:80"),
            ("http://proxy.test/", "http://proxy.test:1080"),
            ("me:pass@[::1]:8080", "http://[::1]:8080"),
            ("http://[::1]", "http://[::1]:1080"),
        ] {
            let parsed = ProxyPlan::parse(text, ProxyNotation::Curl).unwrap();
            assert_eq!(parsed.proxy.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn hosts_bypass_the_proxy_by_curls_rules() {
        for (list, host, expected) in [
            ("example.org", "example.org", true),
            ("example.org", "www.EXAMPLE.org", true),
            (".example.org", "example.org", true),
            ("example.org", "badexample.org", false),
            ("a.test, example.org", "example.org.", true),
            ("a.test example.org", "example.org", true),
            ("*", "example.org", true),
            ("*.org", "example.org", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.0.0.0/x", "10.0.0.0", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("::1", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("fe80::/10", "[fe80::1]", true),
            ("", "example.org", false),
            (",", "example.org", false),
        ] {
            let host = Host::parse(host).unwrap();
            assert_eq!(ProxyBypass::parse(list).includes(&host), expected, "{list}: {host}");
        }
    }
}
