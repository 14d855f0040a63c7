//! Metrics of a run for an OpenTelemetry collector, by OTLP over HTTP.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use url::Url;

use super::super::exit::CommandError;
use super::super::log;
use super::web_request::{WebService, below, parse_service_url, secret_header};
use super::{FinishedRun, HEADING, OutputArtifact, OutputError, RunOutput, delivered, variable};
use crate::plan::SecretSet;
use crate::report;

/// Headers that every request to a collector sends, for instance with a token.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// The same for metrics alone; it replaces [`HEADERS`].
const METRICS_HEADERS: &str = "OTEL_EXPORTER_OTLP_METRICS_HEADERS";

/// Attributes of the resource.
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// The attribute `service.name`.
const SERVICE: &str = "OTEL_SERVICE_NAME";

/// The collector to send metrics to.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Flags {
    /// Send the figures to this OpenTelemetry collector as OTLP metrics; `/v1/metrics` is added.
    /// Headers are in `OTEL_EXPORTER_OTLP_HEADERS`
    #[arg(long, value_name = "URL", help_heading = HEADING)]
    otlp: Option<String>,
}

impl Flags {
    /// Refuses a URL that is wrong, or holds a password.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        self.url().map(|_| ())
    }

    /// The URL for metrics; `None` if there is none.
    fn url(&self) -> Result<Option<Url>, CommandError> {
        let url = self.otlp.as_ref().map(|text| parse_service_url("--otlp", text)).transpose()?;
        Ok(url.map(metrics_url))
    }

    /// The collector; `None` if there is none.
    pub(super) fn output(&self) -> Result<Option<Box<dyn RunOutput>>, CommandError> {
        let Some(url) = self.url()? else { return Ok(None) };
        let name = if variable(METRICS_HEADERS).is_some() { METRICS_HEADERS } else { HEADERS };
        let given = pairs(name, &variable(name).unwrap_or_default())?;
        let secrets = SecretSet::new(given.iter().flat_map(|(_, value)| parts(value)));
        log::add_secrets(&secrets);
        let mut attributes = pairs(ATTRIBUTES, &variable(ATTRIBUTES).unwrap_or_default())?;
        if let Some(service) = variable(SERVICE) {
            attributes.retain(|(key, _)| key != "service.name");
            attributes.push(("service.name".to_owned(), service));
        }
        let headers = headers(name, &given)?;
        Ok(Some(Box::new(OtlpUpload { url, headers, attributes, secrets })))
    }
}

/// The URL for metrics below the one of a collector, unless it is that already.
fn metrics_url(url: Url) -> Url {
    if url.path().trim_end_matches('/').ends_with("/v1/metrics") {
        return url;
    }
    below(&url, &["v1", "metrics"])
}

/// The pairs of a variable such as `key=value,other=value`. Values may be percent-encoded
/// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables>).
fn pairs(name: &str, text: &str) -> Result<Vec<(String, String)>, CommandError> {
    let wrong = || {
        CommandError::usage(format!("error: {name} is not a list such as `key=value,other=value`"))
    };
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong())?;
        Ok((key.trim().to_owned(), value.into_owned()))
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

fn headers(source: &str, given: &[(String, String)]) -> Result<HeaderMap, CommandError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| {
            CommandError::usage(format!("error: {source} has a name that no header can have"))
        })?;
        let (name, value) = secret_header(source, name, value)?;
        headers.append(name, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    Ok(headers)
}

/// A header's value, and the token of one such as `Bearer abc`: a target may echo it alone.
fn parts(value: &str) -> Vec<String> {
    let words = value.split_whitespace().map(str::to_owned);
    std::iter::once(value.to_owned()).chain(words).collect()
}

/// Sends a run's metrics to a collector.
struct OtlpUpload {
    url: Url,
    headers: HeaderMap,
    attributes: Vec<(String, String)>,
    secrets: SecretSet,
}

impl RunOutput for OtlpUpload {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let message = report::otlp_metrics(&run.record, &run.ci(), &self.attributes);
        let sent = WebService::new(&self.headers)
            .send(Method::POST, &self.url, Bytes::from(message))
            .and_then(|answer| match answer.status {
                status if status.is_success() => report::otlp_rejection(&answer.body)
                    .map_or(Ok(()), |why| Err(log::redact(&why))),
                status => Err(refusal(status.as_u16())),
            });
        delivered(
            sent.map(|()| format!("Sent metrics to {}", self.url))
                .map_err(|why| format!("metrics not sent to {}: {why}", self.url)),
        )
    }

    fn secrets(&self) -> SecretSet {
        self.secrets.clone()
    }
}

/// What a status other than 2xx means.
fn refusal(status: u16) -> String {
    match status {
        401 | 403 => format!("the collector refuses it ({status}); set {HEADERS}"),
        404 => "nothing there takes OTLP metrics (404); check the path".to_owned(),
        415 => "the collector takes no protobuf over HTTP (415); check the port".to_owned(),
        _ => format!("the collector answered {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_for_metrics_is_added_unless_it_is_there() {
        for (given, used) in [
            ("http://localhost:4318", "http://localhost:4318/v1/metrics"),
            ("http://localhost:4318/", "http://localhost:4318/v1/metrics"),
            ("https://h/otlp", "https://h/otlp/v1/metrics"),
            ("https://h/otlp/v1/metrics", "https://h/otlp/v1/metrics"),
        ] {
            assert_eq!(metrics_url(Url::parse(given).unwrap()).as_str(), used);
        }
    }

    #[test]
    fn pairs_are_separated_by_commas_and_decoded() {
        let given = "Authorization=Basic%20YTpi, x-scope = a=b ,,";
        let expected = [("Authorization", "Basic YTpi"), ("x-scope", "a=b")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(pairs(HEADERS, given).unwrap(), expected);
        for wrong in ["Zebra", "a=%ff"] {
            let error = pairs(HEADERS, wrong).unwrap_err().to_string();
            assert!(error.contains(HEADERS) && !error.contains("Zebra"), "{error}");
        }
        assert!(headers(HEADERS, &[("a b".to_owned(), "c".to_owned())]).is_err());
    }
}
