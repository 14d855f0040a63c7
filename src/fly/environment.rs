//! Access to Fly, as the environment describes it.

use std::net::IpAddr;

use url::{Host, Url};

use super::token::FlyToken;
use crate::library_text::describe_url;

/// Flyctl reads the same variables, except the two for Prometheus.
const TOKEN: &str = "FLY_API_TOKEN";
const MACHINES_URL: &str = "FLY_FLAPS_BASE_URL";
const PROMETHEUS_URL: &str = "FLY_PROMETHEUS_URL";
const ORGANISATION: &str = "FLY_ORG";

/// <https://fly.io/docs/machines/api/working-with-machines-api/#api-addresses>
const DEFAULT_MACHINES_URL: &str = "https://api.machines.dev";

/// <https://fly.io/docs/monitoring/metrics/#querying>
const DEFAULT_PROMETHEUS_URL: &str = "https://api.fly.io/prometheus";

/// Where Fly's APIs are, and the token for them.
#[derive(Debug, Clone)]
pub struct FlyEnvironment {
    /// The base of the Machines API, without `/v1`.
    pub(super) machines_url: Url,
    /// The base of Prometheus, without the organisation.
    pub(super) prometheus_url: Url,
    /// The slug of the organisation whose metrics are read; `None` if it is not named.
    pub(super) organisation: Option<String>,
    pub(super) token: FlyToken,
}

/// Everything that is wrong with the variables, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct EnvironmentError(Vec<String>);

impl FlyEnvironment {
    /// Reads `FLY_API_TOKEN`, `FLY_FLAPS_BASE_URL`, `FLY_PROMETHEUS_URL` and `FLY_ORG`. A variable
    /// that is empty counts as not set.
    ///
    /// The error names everything that is wrong, with its remedy, and quotes no value.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let mut problems = Vec::new();
        let value = |name: &str| {
            variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let token = keep(read_token(value(TOKEN)), &mut problems);
        let mut url = |name: &str, default: &str| {
            let text = value(name).unwrap_or_else(|| default.to_owned());
            keep(read_url(name, &text), &mut problems)
        };
        let machines_url = url(MACHINES_URL, DEFAULT_MACHINES_URL);
        let prometheus_url = url(PROMETHEUS_URL, DEFAULT_PROMETHEUS_URL);
        let organisation = keep(read_organisation(value(ORGANISATION)), &mut problems);
        match (token, machines_url, prometheus_url, organisation) {
            (Some(token), Some(machines_url), Some(prometheus_url), Some(organisation)) => {
                Ok(Self { machines_url, prometheus_url, organisation, token })
            }
            _ => Err(EnvironmentError(problems)),
        }
    }

    /// The base URL of the Machines API, without `/v1`.
    pub fn machines_url(&self) -> &Url {
        &self.machines_url
    }

    /// The token, which hides itself in texts.
    pub fn token(&self) -> &FlyToken {
        &self.token
    }
}

fn keep<T>(read: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    read.map_err(|problem| problems.push(problem)).ok()
}

fn read_token(text: Option<String>) -> Result<FlyToken, String> {
    let remedy = "`fly tokens create deploy --app NAME` prints one";
    let text = text.ok_or_else(|| format!("{TOKEN} is not set; {remedy}"))?;
    FlyToken::parse(&text).map_err(|why| format!("{TOKEN} {why}; {remedy}"))
}

fn read_organisation(text: Option<String>) -> Result<Option<String>, String> {
    let is_plain = |text: &String| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if text.as_ref().is_some_and(|text| !is_plain(text)) {
        return Err(format!(
            "{ORGANISATION} is not the slug of an organisation; `fly orgs list` lists them"
        ));
    }
    Ok(text)
}

/// Parses a base URL. The token must not cross a network in clear, so `http` is for this machine
/// and for Fly's private network only.
fn read_url(name: &str, text: &str) -> Result<Url, String> {
    let wrong = |why: &str| Err(format!("{name} {why}; write `https://host.example`"));
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(&format!("is not a URL: {}", describe_url(error))),
    };
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_private(&host) => {}
        ("http", Some(_)) => return wrong("would send the token unencrypted"),
        _ => return wrong("is not an https URL"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("contains a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has a query or a fragment");
    }
    Ok(url)
}

/// Whether a host is this machine, or in Fly's private network (6PN: `fdaa::/16`, `.internal`).
fn is_private(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".internal"),
        Host::Ipv4(address) => IpAddr::from(*address).is_loopback(),
        Host::Ipv6(address) => address.is_loopback() || address.segments()[0] == 0xfdaa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<FlyEnvironment, EnvironmentError> {
        FlyEnvironment::read(|name| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_token_is_enough_and_flys_public_addresses_are_the_default() {
        let environment = read(&[(TOKEN, "Zebra"), (ORGANISATION, "")]).unwrap();
        assert_eq!(environment.machines_url.as_str(), "https://api.machines.dev/");
        assert_eq!(environment.prometheus_url.as_str(), "https://api.fly.io/prometheus");
        assert_eq!(environment.organisation, None);
        assert!(!format!("{environment:?}").contains("Zebra"));
    }

    #[test]
    fn a_missing_token_is_an_error_with_its_remedy() {
        for variables in [&[][..], &[(TOKEN, "")], &[(TOKEN, "  ")]] {
            let expected = "FLY_API_TOKEN is not set; `fly tokens create deploy --app NAME` \
                            prints one";
            assert_eq!(read(variables).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn everything_wrong_is_named_at_once_and_nothing_is_quoted() {
        let variables = [
            (TOKEN, "Zebra Zebra"),
            (MACHINES_URL, "http://zebra.example"),
            (PROMETHEUS_URL, "https://u:zebra@h/"),
            (ORGANISATION, "zebra/../x"),
        ];
        let error = read(&variables).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 4, "{error}");
        for ((name, _), line) in variables.iter().zip(error.lines()) {
            assert!(line.starts_with(name) && line.contains("; "), "{line}");
        }
        assert!(!error.to_lowercase().contains("zebra"), "{error}");
    }

    #[test]
    fn the_token_is_sent_unencrypted_to_this_machine_and_flys_private_network_only() {
        for (url, is_taken) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080/base", true),
            ("http://[::1]:80", true),
            ("http://_api.internal:4280", true),
            ("http://[fdaa:0:1::3]:4280", true),
            ("https://api.machines.dev", true),
            ("http://api.machines.dev", false),
            ("http://10.0.0.1", false),
            ("http://internal.example", false),
            ("ftp://localhost", false),
            ("localhost:8080", false),
            ("https://h/?a=b", false),
            ("", true),
        ] {
            let taken = read(&[(TOKEN, "t"), (MACHINES_URL, url)]);
            assert_eq!(taken.is_ok(), is_taken, "{url}: {taken:?}");
        }
    }
}
