//! The body of a request: as it is written, as JSON, or from a file.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use bytes::Bytes;

use super::filling::Filler;
use super::live::LiveBody;
use crate::scenario::Scenario;
use crate::scenario::file::Request;
use crate::units::ByteSize;

/// Bodies are held in memory.
const LARGEST: ByteSize = ByteSize(1 << 30);

/// What a request sends.
#[derive(Default)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// Whether it was written as JSON, which its headers are to say.
    pub(super) is_json: bool,
    /// It again, where it is known only while running.
    pub(super) live: Option<LiveBody>,
}

/// The body of a request, empty where none is written; nothing where something is wrong.
pub(super) fn resolve(
    scenario: &Scenario,
    request: &Request,
    filler: &mut Filler<'_>,
) -> Option<Body> {
    if let Some((place, text)) = request.body.placed() {
        let text = filler.fill_live(&place.value, text)?;
        let live = text.live.map(LiveBody::Text);
        return Some(Body { bytes: Bytes::from(text.value), is_json: false, live });
    }
    if let Some((place, json)) = request.body_json.placed() {
        if json.is_json_as_text() {
            let problem =
                "`body_json` is a text that holds JSON: it is sent as a JSON string, in quotes";
            filler.doubt(
                &place.value,
                problem,
                "write it as a table or a list of TOML, or use `body`",
            );
        }
        let (value, _) = filler.fill_live_json(&place.value, json)?;
        let (bytes, live) = match value.fixed() {
            Some(fixed) => (Bytes::from(fixed.to_string()), None),
            None => (Bytes::new(), Some(LiveBody::Json(value))),
        };
        return Some(Body { bytes, is_json: true, live });
    }
    let Some((place, path)) = request.body_file.placed() else { return Some(Body::default()) };
    let path = scenario.source.resolve(path.as_str());
    match bytes_of(&path) {
        Ok(bytes) => Some(Body { bytes: Bytes::from(bytes), ..Body::default() }),
        Err(error) => {
            let (problem, remedy) = wrong(&path, &error);
            filler.complain(&place.value, problem, remedy)
        }
    }
}

fn wrong(path: &Path, error: &io::Error) -> (String, String) {
    let shown = path.display();
    let remedy = "name a file, seen from the scenario's folder".to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => (format!("there is no file {shown}"), remedy),
        io::ErrorKind::IsADirectory => (format!("{shown} is no file"), remedy),
        io::ErrorKind::FileTooLarge => {
            let problem = "bodies of that size do not fit into memory".to_owned();
            (problem, format!("name a file of at most {} MiB", LARGEST.0 >> 20))
        }
        _ => (format!("{shown} cannot be read: {error}"), "make the file readable".to_owned()),
    }
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for a writer, and a device may have no end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST.0 + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST.0 { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
