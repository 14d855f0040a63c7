//! The body of a request: as it is written, as JSON, or from a file.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::template_filler::TemplateFiller;
use crate::files;
use crate::plan::live::LiveBody;
use crate::scenario::Scenario;
use crate::scenario::file::RequestSection;
use crate::units::ByteSize;

/// The largest body; bodies are held in memory.
const LARGEST: ByteSize = ByteSize(1 << 30);

/// The body of a request.
#[derive(Default)]
pub(super) struct RequestBody {
    pub(super) bytes: Bytes,
    /// Whether it was written as JSON. The headers then say so.
    pub(super) is_json: bool,
    /// The body with its live values, if it is known only during the run.
    pub(super) live: Option<LiveBody>,
}

/// The body of a request, empty if none is written; `None` after reporting an error.
pub(super) fn resolve(
    scenario: &Scenario,
    request: &RequestSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<RequestBody> {
    if let Some((location, text)) = request.body.located() {
        let text = filler.fill_live(&location.value, text)?;
        let live = text.live.map(LiveBody::Text);
        return Some(RequestBody { bytes: Bytes::from(text.value), is_json: false, live });
    }
    if let Some((location, json)) = request.body_json.located() {
        if json.is_json_as_text() {
            let problem =
                "`body_json` is a string that holds JSON: it is sent as a quoted JSON string";
            filler.warn(
                &location.value,
                problem,
                "write it as a TOML table or list, or use `body`",
            );
        }
        let (value, _) = filler.fill_live_json(&location.value, json)?;
        let (bytes, live) = match value.fixed() {
            Some(fixed) => (Bytes::from(fixed.to_string()), None),
            None => (Bytes::new(), Some(LiveBody::Json(value))),
        };
        return Some(RequestBody { bytes, is_json: true, live });
    }
    let Some((location, path)) = request.body_file.located() else {
        return Some(RequestBody::default());
    };
    let path = scenario.source.resolve(path.as_str());
    match files::read_regular(&path, LARGEST) {
        Ok(bytes) => Some(RequestBody { bytes: Bytes::from(bytes), ..RequestBody::default() }),
        Err(error) => {
            let (problem, remedy) = wrong(&path, &error);
            filler.report(&location.value, problem, remedy)
        }
    }
}

fn wrong(path: &Path, error: &io::Error) -> (String, String) {
    let display = path.display();
    let remedy = "name a file relative to the scenario's folder".to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => (format!("there is no file {display}"), remedy),
        io::ErrorKind::IsADirectory => (format!("{display} is not a file"), remedy),
        io::ErrorKind::InvalidInput => (format!("{display} cannot be read: {error}"), remedy),
        io::ErrorKind::FileTooLarge => {
            let problem = "bodies of that size do not fit into memory".to_owned();
            (problem, format!("name a file of at most {} MiB", LARGEST.0 >> 20))
        }
        _ => (format!("{display} cannot be read: {error}"), "make the file readable".to_owned()),
    }
}
