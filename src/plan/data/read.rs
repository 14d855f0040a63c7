//! Reads the rows of a data file in any of its formats.

use super::mistakes::{DataMistake, DataMistakes, DataRows};
use super::{csv, json_lines};
use crate::units::near::nearest;

/// How a data file writes its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum DataFormat {
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl DataFormat {
    /// The format that a file's name ends with. The error is the remedy.
    pub(in crate::plan) fn of_name(name: &str) -> Result<Self, String> {
        const KNOWN: [&str; 3] = ["csv", "jsonl", "ndjson"];
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            "json" => {
                Err("write one object a line: `jq -c '.[]' rows.json > rows.jsonl`".to_owned())
            }
            "tsv" | "tab" => Err("separate the values by commas, in a `.csv`".to_owned()),
            other => Err(match nearest(other, &KNOWN) {
                Some(near) => format!("did you mean `.{near}`?"),
                None => "name a `.csv` with a header line, or a `.jsonl` with one object a line"
                    .to_owned(),
            }),
        }
    }

    /// Reads all rows. The error holds the first few mistakes.
    pub(in crate::plan) fn read(self, bytes: &[u8]) -> Result<DataRows, Vec<DataMistake>> {
        if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return Err(DataMistakes::of_file("the file is UTF-16", "save it as UTF-8"));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            let remedy = match self {
                Self::Csv => "write a header line with the names of the columns, then the rows",
                Self::JsonLines => "write one object a line: `{\"id\": 7}`",
            };
            return Err(DataMistakes::of_file("the file is empty", remedy));
        }
        match self {
            Self::Csv => csv::read(bytes),
            Self::JsonLines => json_lines::read(bytes),
        }
    }
}
