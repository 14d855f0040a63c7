//! Describes rows if there are too many or too few of them.

use std::fmt::Write as _;

use serde_json::Value;

use super::describe;
use crate::record::AnswerDetail;

/// The maximum length of the description, in characters.
const LONGEST: usize = 160;

/// The longest value of a column that is shown. A longer one is left out completely: redaction
/// could not find a part of a secret.
const LONGEST_VALUE: usize = 60;

/// Room for `; and 1,234,567,890 more`.
const REST: usize = 25;

/// The name that Postgres gives to a column without one.
const NAMELESS: &str = "?column?";

/// The number of rows and, unless the response is sensitive, the columns of the first ones by name.
/// A single column is named once, before all rows.
pub(super) fn describe_rows(rows: &[Value], is_sensitive: bool) -> String {
    let mut text = match rows.len() {
        0 => return "no rows".to_owned(),
        1 => "1 row".to_owned(),
        count => format!("{} rows", describe::group_digits(count)),
    };
    if is_sensitive {
        return text;
    }
    if let Some(column) = only_column(rows) {
        text.extend([", ", column]);
    }
    let mut named = 0;
    for row in rows.iter().map(describe_row) {
        let separator = if named == 0 { ": " } else { "; " };
        let is_last = named + 1 == rows.len();
        let room = if is_last { LONGEST } else { LONGEST - REST };
        if length(&text) + length(separator) + length(&row) > room {
            break;
        }
        text.extend([separator, &row]);
        named += 1;
    }
    if 0 < named && named < rows.len() {
        // Writing to a string does not fail.
        let _ = write!(text, "; and {} more", describe::group_digits(rows.len() - named));
    }
    text
}

/// The longest value of a column that is kept in a record. A longer one is left out completely.
const LONGEST_KEPT: usize = 500;

/// The longest row that is kept in a record, in characters.
const LONGEST_ROW: usize = 2_000;

/// Every row as `column=value …`, up to [`AnswerDetail::MAX_ROWS`], and how many further ones there
/// are. A row that is longer than [`LONGEST_ROW`] keeps its first columns.
///
/// Control characters stay, because redaction would not find a secret without them. Replace them
/// after it.
pub(super) fn keep_rows(rows: &[Value]) -> (Vec<String>, u64) {
    let kept: Vec<_> = rows.iter().take(AnswerDetail::MAX_ROWS).map(keep_row).collect();
    let further = (rows.len() - kept.len()) as u64;
    (kept, further)
}

fn keep_row(row: &Value) -> String {
    let cells: Vec<String> = match row {
        Value::Object(columns) => {
            let name =
                |name: &str| if name == NAMELESS { String::new() } else { format!("{name}=") };
            let cell = |(column, value): (&String, &Value)| {
                format!("{}{}", name(column), describe_cell(value, LONGEST_KEPT))
            };
            columns.iter().map(cell).collect()
        }
        Value::Array(columns) => {
            columns.iter().map(|value| describe_cell(value, LONGEST_KEPT)).collect()
        }
        value => vec![describe_cell(value, LONGEST_KEPT)],
    };
    let mut text = String::new();
    for cell in cells {
        let separator = if text.is_empty() { "" } else { " " };
        if length(&text) + length(&cell) + 3 > LONGEST_ROW {
            text.extend([separator, "…"]);
            break;
        }
        text.extend([separator, &cell]);
    }
    text
}

/// The name of the only column, if there is just one.
fn only_column(rows: &[Value]) -> Option<&str> {
    let (name, _) =
        rows.first()?.as_object().filter(|columns| columns.len() == 1)?.iter().next()?;
    (name != NAMELESS && length(name) <= LONGEST_VALUE).then_some(name)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn describe_row(row: &Value) -> String {
    match row {
        Value::Object(columns) if columns.len() > 1 => {
            let named = columns
                .iter()
                .map(|(name, value)| format!("{name}={}", describe_cell(value, LONGEST_VALUE)));
            named.collect::<Vec<_>>().join(" ")
        }
        Value::Object(columns) => {
            columns.values().map(|value| describe_cell(value, LONGEST_VALUE)).collect()
        }
        Value::Array(columns) => {
            let cells = columns.iter().map(|value| describe_cell(value, LONGEST_VALUE));
            cells.collect::<Vec<_>>().join(" ")
        }
        value => describe_cell(value, LONGEST_VALUE),
    }
}

fn describe_cell(value: &Value, longest: usize) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if length(&text) <= longest { text } else { "…".to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(rows: &Value) -> String {
        describe_rows(rows.as_array().unwrap(), false)
    }

    #[test]
    fn rows_are_named_by_their_columns() {
        assert_eq!(text(&json!([])), "no rows");
        assert_eq!(
            text(&json!([{ "a": "public.leads", "b": "off" }])),
            "1 row: a=public.leads b=off"
        );
        let rows = json!([{ "a": "public.leads", "b": null }, { "a": 1.5, "b": { "c": [true] } }]);
        assert_eq!(text(&rows), "2 rows: a=public.leads b=null; a=1.5 b={\"c\":[true]}");
    }

    #[test]
    fn a_single_column_is_named_before_the_rows() {
        let rows = json!([{ "missing": "anon" }, { "missing": "authenticated" }]);
        assert_eq!(text(&rows), "2 rows, missing: anon; authenticated");
        assert_eq!(text(&json!([{ "?column?": 1 }])), "1 row: 1");
        assert_eq!(
            text(&json!([{ "missing": "x".repeat(60) }])),
            format!("1 row, missing: {}", "x".repeat(60))
        );
    }

    #[test]
    fn the_first_of_many_rows_are_named_and_the_rest_are_counted() {
        let rows: Vec<Value> =
            (0..1_234).map(|n| json!({ "table": format!("public.table_{n:04}") })).collect();
        let text = describe_rows(&rows, false);
        assert!(
            text.starts_with("1,234 rows, table: public.table_0000; public.table_0001; "),
            "{text}"
        );
        assert!(text.ends_with("; public.table_0005; and 1,228 more"), "{text}");
    }

    #[test]
    fn every_row_is_kept_up_to_a_limit_and_the_rest_is_counted() {
        let rows = |count: u64| (0..count).map(|n| json!({ "table": n, "rls": "off" })).collect();
        let kept = |rows: Vec<Value>| keep_rows(&rows);
        let (nine, further) = kept(rows(9));
        assert_eq!((nine.len(), nine[8].as_str(), further), (9, "rls=off table=8", 0));
        let (most, further) = kept(rows(1_234));
        assert_eq!((most.len(), further), (1_000, 234));
        assert_eq!(kept(vec![json!({ "?column?": "a\u{1b}[31m" })]).0, ["a\u{1b}[31m"]);
        assert_eq!(kept(vec![json!({ "a": "x".repeat(501), "b": 1 })]).0, ["a=… b=1"]);
        let wide = json!((0..100).map(|_| "x".repeat(500)).collect::<Vec<_>>());
        let (wide, _) = kept(vec![wide]);
        assert!(length(&wide[0]) <= LONGEST_ROW && wide[0].ends_with("x …"), "{}", wide[0]);
    }

    #[test]
    fn a_long_value_is_left_out_completely() {
        assert_eq!(text(&json!([{ "a": "x".repeat(61), "b": 1 }])), "1 row: a=… b=1");
        let long: Vec<Value> = (0..9).map(|_| "x".repeat(60).into()).collect();
        assert_eq!(text(&json!([long, { "b": 1 }])), "2 rows");
    }

    #[test]
    fn sensitive_rows_are_only_counted() {
        assert_eq!(describe_rows(&[json!({ "token": "s" })], true), "1 row");
        assert_eq!(describe_rows(&[], true), "no rows");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_description_of_rows_exceeds_its_limit(
            rows in prop::collection::vec(prop::collection::vec("\\PC{0,70}", 0..3), 0..9),
        ) {
            let rows: Vec<Value> = rows.into_iter().map(|row| json!(row)).collect();
            let text = describe_rows(&rows, false);
            prop_assert!(length(&text) <= LONGEST, "{}", text);
        }
    }
}
