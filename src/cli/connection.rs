//! Flags that override how a target is reached.

use std::time::Duration;

use clap::ValueEnum;

use super::log::PROGRAMS_ONLY;
use crate::engine;
use crate::plan::{AddressFamily, HttpProtocol, PinnedAddresses, Plan, PlanOverrides};
use crate::scenario::{HttpVersion, IpFamily};
use crate::units::{UnitError, parse_duration};

/// Which protocol is used, and how certificates are checked.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionFlags {
    /// The HTTP version; there is no fallback: a target that does not support it fails [default:
    /// the scenario's, else auto]
    #[arg(long, value_enum, value_name = "VERSION")]
    http: Option<HttpFlag>,
    /// Accept any TLS certificate, so that the server may be anyone; every output warns of it
    #[arg(long)]
    insecure: bool,
}

/// Which hosts and addresses a target has.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct AddressFlags {
    /// Use only IPv4 addresses
    #[arg(long, short = '4', conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use only IPv6 addresses
    #[arg(long, short = '6')]
    ipv6: bool,
    /// Use these addresses for a host instead of DNS, as in curl; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDRESS[,ADDRESS]", value_parser = str::parse::<PinnedAddresses>)]
    resolve: Vec<PinnedAddresses>,
    /// Another host that redirects may lead to; may be repeated
    #[arg(long, value_name = "HOST", value_parser = parse_host)]
    allow_host: Vec<String>,
}

/// An HTTP version, as the flag takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HttpFlag {
    /// HTTP/2 if the target offers it in the TLS handshake, else HTTP/1.1
    Auto,
    /// Only HTTP/1.1
    #[value(name = "1.1")]
    One,
    /// Only HTTP/2; without TLS, with prior knowledge
    #[value(name = "2")]
    Two,
}

impl AddressFlags {
    /// The IP version that was asked for, and the flag that says it.
    pub(super) fn family(&self) -> Option<(&'static str, IpFamily)> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(("--ipv4", IpFamily::V4)),
            (_, true) => Some(("--ipv6", IpFamily::V6)),
            _ => None,
        }
    }
}

impl ConnectionFlags {
    /// The HTTP version that was asked for.
    pub(super) fn version(&self) -> Option<HttpVersion> {
        self.http.map(|http| match http {
            HttpFlag::Auto => HttpVersion::Auto,
            HttpFlag::One => HttpVersion::One,
            HttpFlag::Two => HttpVersion::Two,
        })
    }

    /// The overrides of these flags and of the address flags.
    pub(super) fn overrides(
        &self,
        addresses: &AddressFlags,
        duration: Option<Duration>,
    ) -> PlanOverrides {
        let AddressFlags { ipv4, ipv6, resolve, allow_host } = addresses;
        PlanOverrides {
            duration,
            protocol: self.http.map(|http| match http {
                HttpFlag::Auto => HttpProtocol::Negotiated,
                HttpFlag::One => HttpProtocol::Http1,
                HttpFlag::Two => HttpProtocol::Http2,
            }),
            family: match (ipv4, ipv6) {
                (true, _) => Some(AddressFamily::V4),
                (_, true) => Some(AddressFamily::V6),
                _ => None,
            },
            pinned_addresses: resolve.clone(),
            allowed_hosts: allow_host.clone(),
            insecure: self.insecure,
            adds_to_earlier: false,
            every: None,
            shard_plan: None,
            duet_seed: None,
            proxy_from_environment: false,
        }
    }

    /// The same settings as keys of a scenario's `[target]`.
    pub(super) fn keys(&self, addresses: &AddressFlags) -> Vec<(&'static str, toml::Value)> {
        let list =
            |texts: Vec<String>| toml::Value::Array(texts.into_iter().map(Into::into).collect());
        let mut keys: Vec<(&'static str, toml::Value)> = Vec::new();
        if let Some(version) = self.http.and_then(|http| http.to_possible_value()) {
            keys.push(("http", version.get_name().into()));
        }
        match (addresses.ipv4, addresses.ipv6) {
            (true, _) => keys.push(("ip", "4".into())),
            (_, true) => keys.push(("ip", "6".into())),
            _ => {}
        }
        if !addresses.resolve.is_empty() {
            keys.push(("resolve", list(addresses.resolve.iter().map(curl_notation).collect())));
        }
        if !addresses.allow_host.is_empty() {
            keys.push(("allow_hosts", list(addresses.allow_host.clone())));
        }
        if self.insecure {
            keys.push(("insecure", true.into()));
        }
        keys
    }
}

/// Warns of everything that a reader of the plan's figures must know. If the report repeats it on
/// the same screen, only programs are warned.
pub(super) fn warn_caveats(plan: &Plan, is_repeated: bool) {
    for scenario in &plan.scenarios {
        let name = &scenario.shown.name;
        for caveat in &scenario.shown.caveats {
            if is_repeated {
                tracing::warn!(target: PROGRAMS_ONLY, scenario = name, "WARNING: {name}: {caveat}");
            } else {
                tracing::warn!(scenario = name, "WARNING: {name}: {caveat}");
            }
        }
    }
}

/// Warns of what this machine may run out of during the run.
pub(super) fn warn_machine_limits(plan: &Plan) {
    for doubt in engine::port_warnings(plan) {
        tracing::warn!("WARNING: {doubt}");
    }
}

fn curl_notation(resolve: &PinnedAddresses) -> String {
    let PinnedAddresses { host, port, addresses } = resolve;
    let addresses =
        addresses.iter().map(|ip| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
    format!("{host}:{port}:{}", addresses.collect::<Vec<_>>().join(","))
}

fn parse_host(text: &str) -> Result<String, UnitError> {
    let host = url::Host::parse(text).map_err(|_| {
        UnitError::new(
            format!("`{text}` is not a host"),
            "write a name or address without scheme and port: `login.example.org`",
        )
    })?;
    Ok(host.to_string())
}

/// Parses a period of repetition, from a second to a day as in a scenario file.
pub(super) fn parse_period(text: &str) -> Result<Duration, UnitError> {
    let period = parse_duration(text)?;
    if period < Duration::from_secs(1) || period > Duration::from_hours(24) {
        let remedy = "write a period from `1s` to `24h`, such as `5m`";
        return Err(UnitError::new(format!("`{text}` is not a repetition period"), remedy));
    }
    Ok(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    #[command(no_binary_name = true)]
    struct ParsedFlags {
        #[command(flatten)]
        connection: ConnectionFlags,
        #[command(flatten)]
        addresses: AddressFlags,
    }

    fn typed(words: &str) -> ParsedFlags {
        ParsedFlags::try_parse_from(words.split_whitespace()).unwrap()
    }

    #[test]
    fn flags_become_overrides_and_the_same_keys_of_a_scenario() {
        let ParsedFlags { connection, addresses } = typed(
            "--http 2 --insecure -6 --resolve Example.org:443:127.0.0.1,[::1] --allow-host LOGIN.example.org",
        );
        let overrides = connection.overrides(&addresses, Some(Duration::from_secs(7)));
        assert_eq!(overrides.protocol, Some(HttpProtocol::Http2));
        assert_eq!(overrides.family, Some(AddressFamily::V6));
        assert_eq!(overrides.duration, Some(Duration::from_secs(7)));
        assert_eq!(
            overrides.pinned_addresses,
            ["example.org:443:127.0.0.1,::1".parse::<PinnedAddresses>().unwrap()]
        );
        assert_eq!(overrides.allowed_hosts, ["login.example.org"]);
        assert!(overrides.insecure);
        let keys =
            connection.keys(&addresses).into_iter().map(|(key, value)| format!("{key} = {value}"));
        assert_eq!(
            keys.collect::<Vec<_>>(),
            [
                r#"http = "2""#,
                r#"ip = "6""#,
                r#"resolve = ["example.org:443:127.0.0.1,[::1]"]"#,
                r#"allow_hosts = ["login.example.org"]"#,
                "insecure = true",
            ]
        );
    }

    #[test]
    fn without_flags_nothing_is_overridden() {
        let ParsedFlags { connection, addresses } = typed("");
        let overrides = connection.overrides(&addresses, None);
        assert!(
            overrides.protocol.is_none()
                && overrides.family.is_none()
                && overrides.duration.is_none()
        );
        assert!(
            overrides.pinned_addresses.is_empty()
                && overrides.allowed_hosts.is_empty()
                && !overrides.insecure
        );
        assert!(connection.keys(&addresses).is_empty());
    }
}
