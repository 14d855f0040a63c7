//! Resolves how the target is reached. The command line takes precedence over the scenario.

use std::io::ErrorKind;
use std::path::PathBuf;

use url::{Host, Url};

use super::base_url::BaseUrl;
use super::route;
use super::template_filler::TemplateFiller;
use crate::files;
use crate::library_text::describe_io;
use crate::plan::overrides::PlanOverrides;
use crate::plan::proxy::ProxyPlan;
use crate::plan::target_plan::{
    AddressFamily, CertificateTrust, ClientIdentity, ExchangeTimeouts, HttpProtocol,
    PinnedAddresses, TargetPlan,
};
use crate::record::Dimension;
use crate::scenario::file::TargetSection;
use crate::scenario::{
    AlreadyReported, HttpVersion, IpFamily, PlainText, Scenario, ScenarioField, Span,
};

/// How the target is reached; `None` after reporting an error. Sets in `base` whether its name is
/// looked up.
pub(super) fn resolve(
    scenario: &Scenario,
    base: &mut BaseUrl,
    overrides: &PlanOverrides,
    filler: &mut TemplateFiller<'_>,
) -> Option<TargetPlan> {
    let unwritten = TargetSection::default();
    let target = scenario.file.target.value().unwrap_or(&unwritten);
    let trust = trust(scenario, target, overrides, filler);
    let identity = identity(scenario, target, filler);
    let resolve = given_addresses(target, overrides);
    let family = family(target, overrides);
    let proxies = route::proxies(target, base.unix_socket.is_some(), overrides, filler);
    let proxy = proxies.as_ref().and_then(|proxies| proxies.for_url(&base.url));
    (base.no_lookup, base.no_tunnel) = (no_lookup(base, &resolve, proxy), no_tunnel(base, proxy));
    let allowed_hosts = allowed_hosts(target, overrides);
    if !base.guessed {
        let reached = proxy.map_or(&base.url, |proxy| &proxy.url);
        reachable(target, reached, family, &resolve, filler);
        looked_up(target, reached, &allowed_hosts, filler);
    }
    Some(TargetPlan {
        base_url: base.url.clone(),
        protocol: protocol(target, overrides),
        trust: trust?,
        identity: identity.ok()?,
        unix_socket: base.unix_socket.clone(),
        proxies: proxies?,
        family,
        pinned_addresses: resolve,
        allowed_hosts,
        dns_refresh: target.dns_refresh(),
        tls_resumption: target.is_resuming(),
        timeouts: timeouts(target),
    })
}

/// What a reader of the figures must know, one sentence for each caveat.
pub(super) fn caveats(target: &TargetPlan) -> Vec<String> {
    let insecure = (target.trust == CertificateTrust::AnyCertificate)
        .then(|| "TLS certificates are not verified (`insecure`)".to_owned());
    let pinned = target.pinned_addresses.iter().map(|PinnedAddresses { host, port, addresses }| {
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        format!("{host}:{port} is not looked up: `resolve` gives {}", addresses.join(", "))
    });
    insecure.into_iter().chain(proxied(target)).chain(pinned).collect()
}

/// The caveat of a target that is reached by a proxy.
fn proxied(target: &TargetPlan) -> Option<String> {
    if let Some(proxy) = target.proxies.for_url(&target.base_url) {
        return Some(format!("connections go through the proxy {proxy}, so its time counts"));
    }
    let other = target.proxies.https.as_ref().or(target.proxies.http.as_ref())?;
    Some(format!("connections to other hosts may go through the proxy {other}"))
}

/// Why no connection to the base URL waits for a look-up; `None` if one may.
fn no_lookup(
    base: &BaseUrl,
    resolve: &[PinnedAddresses],
    proxy: Option<&ProxyPlan>,
) -> Option<&'static str> {
    if base.unix_socket.is_some() {
        return Some("the target is a Unix socket");
    }
    let reached = proxy.map_or(&base.url, |proxy| &proxy.url);
    let is_name = matches!(reached.host(), Some(Host::Domain(_)));
    let is_given = resolve.iter().any(|pinned| pinned.is_of(reached));
    match (is_name, is_given, proxy.is_some()) {
        (false, _, false) => Some("the target is an address, not a name"),
        (false, _, true) => Some("the proxy is an address, not a name"),
        (true, true, false) => Some("the target's addresses are given by `resolve`"),
        (true, true, true) => Some("the proxy's addresses are given by `resolve`"),
        (true, false, _) => None,
    }
}

/// Why no connection to the base URL needs a proxy's tunnel; `None` if it does.
fn no_tunnel(base: &BaseUrl, proxy: Option<&ProxyPlan>) -> Option<&'static str> {
    match proxy {
        None => Some("no proxy is used"),
        Some(_) if base.url.scheme() == "http" => Some("plain http needs no tunnel"),
        Some(_) => None,
    }
}

fn protocol(target: &TargetSection, overrides: &PlanOverrides) -> HttpProtocol {
    let written = target.http.value().map_or(HttpProtocol::Negotiated, |version| match version {
        HttpVersion::Auto => HttpProtocol::Negotiated,
        HttpVersion::One => HttpProtocol::Http1,
        HttpVersion::Two => HttpProtocol::Http2,
    });
    overrides.protocol.unwrap_or(written)
}

fn family(target: &TargetSection, overrides: &PlanOverrides) -> AddressFamily {
    let written = target.ip.value().map_or(AddressFamily::Any, |ip| match ip {
        IpFamily::V4 => AddressFamily::V4,
        IpFamily::V6 => AddressFamily::V6,
    });
    overrides.family.unwrap_or(written)
}

fn trust(
    scenario: &Scenario,
    target: &TargetSection,
    overrides: &PlanOverrides,
    filler: &mut TemplateFiller<'_>,
) -> Option<CertificateTrust> {
    let file = pem_file(scenario, &target.tls_ca, filler);
    if overrides.insecure || target.insecure.value() == Some(&true) {
        return Some(CertificateTrust::AnyCertificate);
    }
    file.map(|file| file.map_or(CertificateTrust::System, CertificateTrust::File)).ok()
}

fn identity(
    scenario: &Scenario,
    target: &TargetSection,
    filler: &mut TemplateFiller<'_>,
) -> Result<Option<ClientIdentity>, AlreadyReported> {
    let certificate = pem_file(scenario, &target.tls_cert, filler);
    let key = pem_file(scenario, &target.tls_key, filler);
    let pair = certificate?.zip(key?);
    Ok(pair.map(|(certificate, key)| ClientIdentity { certificate, key }))
}

/// The addresses of the command line, then those of the scenario, each name once.
fn given_addresses(target: &TargetSection, overrides: &PlanOverrides) -> Vec<PinnedAddresses> {
    let written = target.resolve.value().into_iter().flatten().filter_map(ScenarioField::value);
    let mut all: Vec<PinnedAddresses> = Vec::new();
    for pinned in
        overrides.pinned_addresses.iter().cloned().chain(written.map(PinnedAddresses::from))
    {
        if all.iter().all(|known| (&known.host, known.port) != (&pinned.host, pinned.port)) {
            all.push(pinned);
        }
    }
    all
}

/// The hosts of the scenario and of the command line, each once.
fn allowed_hosts(target: &TargetSection, overrides: &PlanOverrides) -> Vec<String> {
    let written = target.allow_hosts.value().into_iter().flatten().filter_map(ScenarioField::value);
    let mut all: Vec<String> = Vec::new();
    let typed = overrides.allowed_hosts.iter().map(|host| host.to_ascii_lowercase());
    for host in written.map(|host| host.as_str().to_owned()).chain(typed) {
        if !all.contains(&host) {
            all.push(host);
        }
    }
    all
}

/// Reports known addresses that are all of the IP version that may not be used.
fn reachable(
    target: &TargetSection,
    base: &Url,
    family: AddressFamily,
    pinned: &[PinnedAddresses],
    filler: &mut TemplateFiller<'_>,
) {
    let fits = |is_v4: bool| match family {
        AddressFamily::Any => true,
        AddressFamily::V4 => is_v4,
        AddressFamily::V6 => !is_v4,
    };
    let (what, reachable) = match (base.host(), pinned.iter().find(|pinned| pinned.is_of(base))) {
        (Some(Host::Ipv4(_)), _) => ("the target is an IPv4 address", fits(true)),
        (Some(Host::Ipv6(_)), _) => ("the target is an IPv6 address", fits(false)),
        (_, Some(pinned)) => (
            "the addresses given for the target are of the other version",
            pinned.addresses.iter().any(|address| fits(address.is_ipv4())),
        ),
        (_, None) => return,
    };
    if !reachable {
        let version = if family == AddressFamily::V4 { 4 } else { 6 };
        let at: Span = target
            .ip
            .location()
            .map_or_else(|| target.base_url.value_span(), |ip| ip.value.clone());
        let problem = format!("only IPv{version} may be used, but {what}");
        filler.report::<()>(&at, problem, "allow the other version of IP, or name another address");
    }
}

/// Warns about addresses of a name that is never looked up: one of the two is probably misspelt.
fn looked_up(
    target: &TargetSection,
    base: &Url,
    allowed_hosts: &[String],
    filler: &mut TemplateFiller<'_>,
) {
    for (location, pinned) in
        target.resolve.value().into_iter().flatten().filter_map(ScenarioField::located)
    {
        let pinned = PinnedAddresses::from(pinned);
        if !pinned.is_of(base) && !allowed_hosts.contains(&pinned.host) {
            let home = base.host_str().unwrap_or_default();
            let port = base.port_or_known_default().unwrap_or_default();
            let problem = format!("`{}:{}` is never looked up", pinned.host, pinned.port);
            let remedy =
                format!("the target is `{home}:{port}`, and `allow_hosts` does not list this host");
            filler.warn(&location.value, problem, remedy);
        }
    }
}

/// The PEM file that a key names, if the key is written.
fn pem_file(
    scenario: &Scenario,
    field: &ScenarioField<PlainText>,
    filler: &mut TemplateFiller<'_>,
) -> Result<Option<PathBuf>, AlreadyReported> {
    let Some((location, path)) = field.located() else { return Ok(None) };
    let path = scenario.source.resolve(path.as_str());
    let problem = match files::open_regular(&path) {
        // The engine reports the other errors, as it reads the file.
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            format!("{} cannot be read: {}", path.display(), describe_io(&error))
        }
        _ if path.is_file() => return Ok(Some(path)),
        _ => format!("there is no file {}", path.display()),
    };
    filler.report::<()>(
        &location.value,
        problem,
        "name a PEM file relative to the scenario's folder",
    );
    Err(AlreadyReported)
}

fn timeouts(target: &TargetSection) -> ExchangeTimeouts {
    let of = |dimension| {
        target.timeout_of(dimension).map_or(target.whole_timeout(), |(_, timeout)| timeout)
    };
    ExchangeTimeouts {
        dns: of(Dimension::Dns),
        connect: of(Dimension::Connect),
        tls: of(Dimension::Tls),
        first_byte: of(Dimension::FirstByte),
        whole: target.whole_timeout(),
    }
}
