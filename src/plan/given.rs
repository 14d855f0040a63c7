//! Addresses that are given instead of looked up.

use std::str::FromStr;

use url::Url;

use super::Resolve;
use crate::scenario::ResolveEntry;
use crate::units::UnitError;

impl Resolve {
    /// Whether these are the addresses of a URL's host and port.
    pub(super) fn is_of(&self, url: &Url) -> bool {
        matches!(url.host(), Some(url::Host::Domain(name)) if name == self.host)
            && url.port_or_known_default() == Some(self.port)
    }
}

impl From<&ResolveEntry> for Resolve {
    fn from(given: &ResolveEntry) -> Self {
        let ResolveEntry { host, port, addresses } = given;
        Self { host: host.as_str().to_owned(), port: *port, addresses: addresses.clone() }
    }
}

impl FromStr for Resolve {
    type Err = UnitError;

    /// Reads `example.org:443:127.0.0.1,[::1]`: a host, a port and one address or more.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        text.parse::<ResolveEntry>().map(|given| Self::from(&given))
    }
}
