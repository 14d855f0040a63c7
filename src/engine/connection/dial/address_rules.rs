//! Where an origin's addresses come from: its URL, the scenario, or a look-up.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use crate::plan::{AddressFamily, PinnedAddresses, TargetPlan};

/// The destination of a connection: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct UrlOrigin {
    /// Whether the scheme is `https`.
    pub(in crate::engine) secure: bool,
    pub(in crate::engine) host: Host,
    pub(in crate::engine) port: u16,
}

impl UrlOrigin {
    /// The origin of an `http` or `https` URL; other URLs have none.
    pub(in crate::engine) fn of(url: &Url) -> Option<Self> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { secure, host: url.host()?.to_owned(), port: url.port_or_known_default()? })
    }
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub(in crate::engine) enum RequestDestination<'a> {
    /// The base URL's origin.
    Home,
    /// The target of a redirect.
    Elsewhere(&'a UrlOrigin),
}

/// The addresses of a host, or the name to look up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HostAddresses<'a> {
    /// Known without a look-up; at least one.
    Known(Vec<SocketAddr>),
    /// Needs a look-up of this name.
    LookUp(&'a str),
}

/// Which addresses are used for which names.
#[derive(Debug, Clone)]
pub(super) struct AddressRules {
    family: AddressFamily,
    given: Vec<PinnedAddresses>,
}

impl AddressRules {
    pub(super) fn new(target: &TargetPlan) -> Self {
        Self { family: target.family, given: target.pinned_addresses.clone() }
    }

    /// Where an origin's addresses come from; the error says why none of them may be used.
    pub(super) fn addresses<'a>(&self, origin: &'a UrlOrigin) -> Result<HostAddresses<'a>, String> {
        let port = origin.port;
        let (written, known) = match &origin.host {
            Host::Ipv4(ip) => (ip.to_string(), vec![IpAddr::V4(*ip)]),
            Host::Ipv6(ip) => (ip.to_string(), vec![IpAddr::V6(*ip)]),
            Host::Domain(name) => match self.given.iter().find(|given| fits(given, name, port)) {
                Some(given) => (format!("what is given for {name}"), given.addresses.clone()),
                None => return Ok(HostAddresses::LookUp(name)),
            },
        };
        let known = known.into_iter().map(|ip| SocketAddr::new(ip, port));
        self.usable(&written, known).map(HostAddresses::Known)
    }

    /// The addresses of a host that may be used, each once; the error says why there is none.
    pub(super) fn usable(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, String> {
        let (family, fits): (_, fn(&SocketAddr) -> bool) = match self.family {
            AddressFamily::Any => ("", |_| true),
            AddressFamily::V4 => ("IPv4 ", SocketAddr::is_ipv4),
            AddressFamily::V6 => ("IPv6 ", SocketAddr::is_ipv6),
        };
        let mut usable: Vec<SocketAddr> = Vec::new();
        for address in found.filter(fits) {
            if !usable.contains(&address) {
                usable.push(address);
            }
        }
        if usable.is_empty() { Err(format!("no {family}address in {host}")) } else { Ok(usable) }
    }
}

fn fits(given: &PinnedAddresses, name: &str, port: u16) -> bool {
    given.port == port && given.host.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(family: AddressFamily) -> AddressRules {
        let given = |host: &str, addresses: &[&str]| PinnedAddresses {
            host: host.to_owned(),
            port: 443,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        AddressRules {
            family,
            given: vec![
                given("example.org", &["127.0.0.1", "::1", "127.0.0.1"]),
                given("example.org", &["127.0.0.9"]),
                given("four.test", &["127.0.0.4"]),
            ],
        }
    }

    fn known(family: AddressFamily, url: &str) -> Result<Vec<String>, String> {
        let origin = UrlOrigin::of(&Url::parse(url).unwrap()).unwrap();
        match names(family).addresses(&origin)? {
            HostAddresses::Known(addresses) => {
                Ok(addresses.iter().map(ToString::to_string).collect())
            }
            HostAddresses::LookUp(name) => Ok(vec![format!("look up {name}")]),
        }
    }

    #[test]
    fn given_addresses_apply_only_to_their_name_and_port_and_the_first_entry_counts() {
        assert_eq!(
            known(AddressFamily::Any, "https://EXAMPLE.org/").unwrap(),
            ["127.0.0.1:443", "[::1]:443"]
        );
        assert_eq!(
            known(AddressFamily::Any, "https://example.org:8443/").unwrap(),
            ["look up example.org"]
        );
        assert_eq!(
            known(AddressFamily::Any, "http://example.org/").unwrap(),
            ["look up example.org"]
        );
        assert_eq!(
            known(AddressFamily::Any, "https://www.example.org/").unwrap(),
            ["look up www.example.org"]
        );
    }

    #[test]
    fn only_addresses_of_the_required_family_are_used() {
        assert_eq!(known(AddressFamily::V4, "https://example.org/").unwrap(), ["127.0.0.1:443"]);
        assert_eq!(known(AddressFamily::V6, "https://example.org/").unwrap(), ["[::1]:443"]);
        assert_eq!(known(AddressFamily::V6, "http://[::1]:80/").unwrap(), ["[::1]:80"]);
        let none = known(AddressFamily::V6, "https://four.test/").unwrap_err();
        assert_eq!(none, "no IPv6 address in what is given for four.test");
        assert_eq!(
            known(AddressFamily::V6, "http://127.0.0.1/").unwrap_err(),
            "no IPv6 address in 127.0.0.1"
        );
    }
}
