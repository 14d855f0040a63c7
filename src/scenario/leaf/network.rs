//! How a target is reached: versions, addresses, hosts.

use std::net::IpAddr;
use std::str::FromStr;

use super::pattern;
use super::text_value::TextValue;
use crate::units::UnitError;

/// The HTTP version that `http` selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// The version that the target chooses.
    Auto,
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

impl TextValue for HttpVersion {
    const EXAMPLES: &[&str] = &["auto", "1.1", "2"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        match text {
            "auto" => Ok(Self::Auto),
            "1.1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            _ => Err(UnitError::new(
                format!("unknown HTTP version `{text}`"),
                "write `auto`, `1.1` or `2`",
            )),
        }
    }
}

/// The IP version that `ip` selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl TextValue for IpFamily {
    const EXAMPLES: &[&str] = &["4", "6"];
    const IS_CHOICE: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        match text {
            "4" => Ok(Self::V4),
            "6" => Ok(Self::V6),
            _ => Err(UnitError::new(format!("unknown IP version `{text}`"), "write `4` or `6`")),
        }
    }
}

/// A host as a URL holds it: a name in lower case, an IPv4 address, or an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The host.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TextValue for HostName {
    const EXAMPLES: &[&str] = &["login.example.org"];

    fn pattern() -> Option<String> {
        Some(pattern::HOST.to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl FromStr for HostName {
    type Err = UnitError;

    /// Reads `login.example.org`, `127.0.0.1`, `[::1]` or `::1`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bare_address = text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
        let host =
            url::Host::parse(&if bare_address { format!("[{text}]") } else { text.to_owned() });
        match host {
            // A star would look like a pattern but match nothing.
            Ok(host) if !text.contains('*') => Ok(Self(host.to_string())),
            _ => Err(UnitError::new(
                format!("`{text}` is not a host"),
                "write a name or an address alone, such as `login.example.org`",
            )),
        }
    }
}

/// The addresses of one host and port, in curl's notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveEntry {
    /// The host.
    pub host: HostName,
    /// The port.
    pub port: u16,
    /// Its addresses; at least one.
    pub addresses: Vec<IpAddr>,
}

impl TextValue for ResolveEntry {
    const EXAMPLES: &[&str] = &["example.org:443:127.0.0.1"];

    fn pattern() -> Option<String> {
        Some(pattern::ADDRESSES.to_owned())
    }

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl FromStr for ResolveEntry {
    type Err = UnitError;

    /// Reads `example.org:443:127.0.0.1,[::1]`: a host, a port, and one or more addresses.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = |problem: String| {
            UnitError::new(
                problem,
                "write `HOST:PORT:ADDRESS[,ADDRESS]`, such as `example.org:443:127.0.0.1`",
            )
        };
        let (host, rest) =
            host_and_rest(text).ok_or_else(|| wrong(format!("`{text}` has no host and port")))?;
        let host = host.parse().map_err(|UnitError { problem, .. }| wrong(problem))?;
        let (port, addresses) =
            rest.split_once(':').ok_or_else(|| wrong(format!("`{text}` has no address")))?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|&port| digits && port > 0);
        let port = port.ok_or_else(|| wrong(format!("`{text}` has no valid port")))?;
        let address = |written: &str| {
            let bare = written
                .strip_prefix('[')
                .and_then(|inner| inner.strip_suffix(']'))
                .unwrap_or(written);
            bare.parse::<IpAddr>().map_err(|_| wrong(format!("`{written}` is not an address")))
        };
        let addresses = addresses.split(',').map(address).collect::<Result<_, _>>()?;
        Ok(Self { host, port, addresses })
    }
}

/// The host at the start of a text, including brackets, and the text after its colon.
fn host_and_rest(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':')? };
    let rest = text[end..].strip_prefix(':')?;
    (end > 0).then_some((&text[..end], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, u16, Vec<String>)> {
        let ResolveEntry { host, port, addresses } = text.parse().ok()?;
        Some((host.0, port, addresses.iter().map(IpAddr::to_string).collect()))
    }

    #[test]
    fn curls_notation_is_read() {
        let known = |host: &str, port, addresses: &[&str]| {
            Some((
                host.to_owned(),
                port,
                addresses.iter().map(|&address| address.to_owned()).collect(),
            ))
        };
        assert_eq!(parsed("Example.org:443:127.0.0.1"), known("example.org", 443, &["127.0.0.1"]));
        assert_eq!(
            parsed("a:80:10.0.0.1,[::1],fe80::1"),
            known("a", 80, &["10.0.0.1", "::1", "fe80::1"])
        );
        assert_eq!(parsed("[::1]:80:127.0.0.1"), known("[::1]", 80, &["127.0.0.1"]));
    }

    #[test]
    fn any_other_notation_is_refused_and_the_remedy_shows_the_right_one() {
        for text in [
            "",
            "a",
            "a:80",
            "a:80:",
            ":80:::1",
            "a:x:::1",
            "a:80:b",
            "a:80:1.2.3.4,",
            "a:99999:::1",
            "[::1]",
            "a:+80:::1",
            "a:0:::1",
            "*:80:::1",
            "+a:80",
            "-a:80",
        ] {
            let error = text.parse::<ResolveEntry>().unwrap_err();
            assert!(error.remedy.contains("example.org:443:127.0.0.1"), "{text}");
        }
    }

    #[test]
    fn a_host_is_read_as_a_url_holds_it() {
        for (text, host) in [
            ("Login.Example.org", "login.example.org"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(text.parse::<HostName>().unwrap().as_str(), host);
        }
        for text in ["", "a b", "https://a", "a:80", "a/b", "*.example.org", "a@b"] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
