//! The headers of a request.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::template_filler::{FilledTemplate, TemplateFiller};
use crate::plan::live::LiveText;
use crate::scenario::{ScenarioField, Span, TableEntries, Template};

/// The headers to send.
#[derive(Clone, Default)]
pub(super) struct RequestHeaders(Vec<RequestHeader>);

/// One header, with the line that shows it.
#[derive(Clone)]
struct RequestHeader {
    name: HeaderName,
    value: HeaderValue,
    line: String,
    /// The value with its live values, if it has any.
    live: Option<LiveText>,
    /// Whether its variables are all empty. The header then replaces a shared one of its name, and
    /// is not sent.
    is_left_out: bool,
}

impl RequestHeaders {
    pub(super) fn replace(&mut self, own: Self) {
        self.0.retain(|header| own.0.iter().all(|replaced| replaced.name != header.name));
        self.0.extend(own.0);
    }

    /// The headers whose values the current step may use. Steps of the setup send no header with a
    /// value that a later one captures.
    pub(super) fn usable(mut self, filler: &TemplateFiller<'_>) -> Self {
        self.0.retain(|header| header.live.as_ref().is_none_or(|live| filler.knows_all_of(live)));
        self
    }

    pub(super) fn add_unless_written(
        &mut self,
        name: HeaderName,
        shown: &str,
        value: &'static str,
    ) {
        if self.0.iter().all(|header| header.name != name) {
            let (line, value) = (format!("{shown}: {value}"), HeaderValue::from_static(value));
            self.0.push(RequestHeader { name, value, line, live: None, is_left_out: false });
        }
    }

    pub(super) fn shown(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|header| !header.is_left_out)
            .map(|header| header.line.clone())
            .collect()
    }

    pub(super) fn live(&self) -> Vec<(HeaderName, LiveText)> {
        self.0
            .iter()
            .filter_map(|header| Some((header.name.clone(), header.live.clone()?)))
            .collect()
    }

    pub(super) fn into_map(self) -> HeaderMap {
        let sent = self.0.into_iter().filter(|header| !header.is_left_out);
        sent.map(|RequestHeader { name, value, .. }| (name, value)).collect()
    }
}

pub(super) fn of_entries(
    entries: &TableEntries<Template>,
    filler: &mut TemplateFiller<'_>,
) -> RequestHeaders {
    let headers = entries.iter().filter_map(|(written, field)| {
        let name = HeaderName::from_bytes(written.as_bytes()).ok()?;
        let (location, template) = field.located()?;
        let text = filler.fill_live(&location.value, template)?;
        let is_left_out = text.value.is_empty() && template.variables().next().is_some();
        let live = text.live.clone();
        let (value, shown) = of_text(written, &name, &location.value, text, filler)?;
        Some(RequestHeader { name, value, line: format!("{written}: {shown}"), live, is_left_out })
    });
    RequestHeaders(headers.collect())
}

/// The value of a header, and how it is shown.
pub(super) fn value(
    written: &str,
    name: &HeaderName,
    field: &ScenarioField<Template>,
    filler: &mut TemplateFiller<'_>,
) -> Option<(HeaderValue, String)> {
    let (location, template) = field.located()?;
    let text = filler.fill(&location.value, template)?;
    of_text(written, name, &location.value, text, filler)
}

fn of_text(
    written: &str,
    name: &HeaderName,
    at: &Span,
    text: FilledTemplate,
    filler: &mut TemplateFiller<'_>,
) -> Option<(HeaderValue, String)> {
    let Ok(mut value) = HeaderValue::from_bytes(text.value.as_bytes()) else {
        let problem =
            format!("the value of `{written}` contains a character that headers cannot contain");
        return filler.report(at, problem, "remove line ends and control characters");
    };
    let credential = CREDENTIALS.contains(name);
    value.set_sensitive(text.secret || credential);
    let shown = if credential && !names_its_secret_alone(&text.shown) {
        "•••".to_owned()
    } else {
        text.shown
    };
    Some((value, shown))
}

/// Whether a credential is written as only a scheme and a variable: `Bearer ${TOKEN}`.
fn names_its_secret_alone(shown: &str) -> bool {
    let (scheme, variable) = shown.split_once("${").unwrap_or((shown, ""));
    let name = variable.strip_suffix('}').unwrap_or_default();
    scheme.trim_end().bytes().all(|byte| byte.is_ascii_alphabetic())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Headers whose values are credentials even without a variable in them.
const CREDENTIALS: [HeaderName; 3] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];
