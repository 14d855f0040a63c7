//! Resolves what the connections to a target go through: a Unix socket, a proxy, or nothing.

use std::os::unix::net::SocketAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::template_filler::TemplateFiller;
use crate::plan::overrides::PlanOverrides;
use crate::plan::proxy::{ParsedProxy, ProxyBypass, ProxyChoice, ProxyNotation, ProxyPlan};
use crate::scenario::file::TargetSection;
use crate::scenario::{AlreadyReported, Scenario, Span};

/// The scheme of a base URL whose host is the percent-encoded path of a Unix socket.
pub(super) const UNIX_SCHEME: &str = "http+unix";

const UNIX_REMEDY: &str =
    "write the path of the socket with `%2F` for `/`: `http+unix://%2Frun%2Fapp.sock`";

/// The socket of a base URL, and the URL that requests over it have; the error is a problem and its
/// remedy.
pub(super) fn over_unix_socket(
    url: &Url,
    scenario: &Scenario,
) -> Result<(PathBuf, Url), (&'static str, &'static str)> {
    let encoded = url.host_str().unwrap_or_default();
    let path = percent_decode_str(encoded).decode_utf8().unwrap_or_default();
    if path.is_empty() {
        return Err(("the base URL names no socket", UNIX_REMEDY));
    }
    if url.port().is_some() {
        return Err(("a Unix socket has no port", UNIX_REMEDY));
    }
    let socket = scenario.source.resolve(&path);
    if SocketAddr::from_pathname(&socket).is_err() {
        let remedy = "link the socket to a shorter path, such as `/tmp/app.sock`";
        return Err(("the path of the socket is too long for this system", remedy));
    }
    // Only the socket decides where the connection goes. `Host` is `localhost`, as with curl.
    match Url::parse(&format!("http://localhost{}", url.path())) {
        Ok(plain) => Ok((socket, plain)),
        Err(_) => Err(("the base URL cannot be read", UNIX_REMEDY)),
    }
}

/// The proxies of the target; `None` after reporting an error.
pub(super) fn proxies(
    target: &TargetSection,
    is_unix: bool,
    overrides: &PlanOverrides,
    filler: &mut TemplateFiller<'_>,
) -> Option<ProxyChoice> {
    if overrides.proxy_from_environment && !is_unix {
        let at = target.base_url.value_span();
        return from_environment(&at, filler);
    }
    let Some((location, template)) = target.proxy.located() else {
        return Some(ProxyChoice::default());
    };
    let text = filler.fill(&location.value, template)?;
    if is_unix {
        let remedy = "remove `proxy`, or name the target by its host";
        return filler.report(&location.value, "a Unix socket is not reached by a proxy", remedy);
    }
    if text.guessed {
        return Some(ProxyChoice::default());
    }
    match ProxyPlan::parse(&text.value, ProxyNotation::Complete) {
        Ok(ParsedProxy { proxy, secrets }) => {
            filler.secrets.extend(secrets);
            Some(ProxyChoice::always(proxy))
        }
        Err(error) => filler.report(&location.value, error.problem, error.remedy),
    }
}

/// The proxies that the environment names, as curl reads them: in lower case first, an empty
/// variable counts as unset, and `ALL_PROXY` stands in for the other two.
fn from_environment(at: &Span, filler: &mut TemplateFiller<'_>) -> Option<ProxyChoice> {
    // A web server hands a request's header `Proxy` to CGI programs as HTTP_PROXY
    // (https://httpoxy.org).
    let is_cgi = filler.environment_value("REQUEST_METHOD").is_some();
    let http = if is_cgi { &["http_proxy"][..] } else { &["http_proxy", "HTTP_PROXY"] };
    let https = &["https_proxy", "HTTPS_PROXY"];
    let http = proxy_of(http, at, filler);
    let https = proxy_of(https, at, filler);
    let bypass = ["no_proxy", "NO_PROXY"];
    let bypass = bypass.into_iter().find_map(|name| filler.environment_value(name));
    let bypass = ProxyBypass::parse(bypass.as_deref().unwrap_or_default());
    Some(ProxyChoice { http: http.ok()?, https: https.ok()?, bypass })
}

/// The proxy in the first of these variables that is set.
fn proxy_of(
    names: &[&'static str],
    at: &Span,
    filler: &mut TemplateFiller<'_>,
) -> Result<Option<ProxyPlan>, AlreadyReported> {
    let mut names = names.iter().copied().chain(["all_proxy", "ALL_PROXY"]);
    let set = names.find_map(|name| Some((name, filler.environment_value(name)?)));
    let Some((name, text)) = set else { return Ok(None) };
    match ProxyPlan::parse(&text, ProxyNotation::Curl) {
        Ok(ParsedProxy { proxy, secrets }) => {
            filler.secrets.extend(secrets);
            Ok(Some(proxy))
        }
        Err(error) => {
            let remedy = format!("correct {name}, or leave out `--proxy-from-env`");
            filler.report::<()>(at, format!("{name}: {}", error.problem), remedy);
            Err(AlreadyReported)
        }
    }
}
