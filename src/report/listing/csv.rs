//! A history as comma-separated values (RFC 4180).

use std::borrow::Cow;

use time::format_description::well_known::Rfc3339;

use crate::history::{History, RequestTrend, TrendRow};

const HEAD: &str = "started,run,id,scenario,request,environment,host,git_commit,tags,exchanges,failed,\
                    ok_p50_us,ok_p95_us,ok_p99_us,ok_max_us,verdict,imported_from,budgets,caveats";

/// Renders a header line, then one line per run and request: the newest `most` runs of each
/// request, newest last. Durations are microseconds of the ok exchanges, empty if none succeeded or
/// if they are too few for the quantile. The last three columns are filled for imported runs.
///
/// Text that a spreadsheet would read as a formula gets a leading `'`.
pub fn history_csv(history: &History, most: usize) -> String {
    let mut text = format!("{HEAD}\r\n");
    for trend in &history.trends {
        for row in &trend.rows[trend.rows.len().saturating_sub(most)..] {
            text += &line(trend, row);
        }
    }
    text
}

fn line(trend: &RequestTrend, row: &TrendRow) -> String {
    let run = &row.run;
    let tags: Vec<String> = run.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let figure = |figure: Option<u64>| figure.map(|micros| micros.to_string()).unwrap_or_default();
    let latency = &row.latency;
    let (budgets, caveats) = row
        .imported
        .as_ref()
        .map(|facts| (facts.budgets.join("; "), facts.caveats.join("; ")))
        .unwrap_or_default();
    [
        run.started.format(&Rfc3339).unwrap_or_default(),
        run.name.clone(),
        run.id.to_string(),
        field(&trend.scenario),
        field(&trend.request),
        field(run.environment().unwrap_or_default()),
        field(&run.host),
        field(run.git_commit.as_deref().unwrap_or_default()),
        field(&tags.join(" ")),
        row.exchanges.to_string(),
        row.failed().to_string(),
        figure(latency.p50_us),
        figure(latency.p95_us),
        figure(latency.p99_us),
        figure(latency.max_us),
        row.decision.to_string(),
        field(run.imported_from().unwrap_or_default()),
        field(&budgets),
        field(&caveats),
    ]
    .join(",")
        + "\r\n"
}

/// Text as a field that is safe for terminals and spreadsheets, quoted only where necessary.
///
/// Formulas: <https://owasp.org/www-community/attacks/CSV_Injection>.
pub(super) fn field(text: &str) -> String {
    let plain = text.replace(char::is_control, "\u{FFFD}");
    let harmless = if plain.starts_with(['=', '+', '-', '@', '\u{FFFD}']) {
        Cow::Owned(format!("'{plain}"))
    } else {
        Cow::Borrowed(plain.as_str())
    };
    if harmless.contains([',', '"']) || harmless.trim() != harmless {
        format!("\"{}\"", harmless.replace('"', "\"\""))
    } else {
        harmless.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_when_necessary_and_is_never_a_formula() {
        for (text, written) in [
            ("tile page", "tile page"),
            ("a, \"b\"", "\"a, \"\"b\"\"\""),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@sum", "'@sum"),
            ("\t=1", "'\u{FFFD}=1"),
            ("a\r\nb\u{1b}[31m", "a\u{FFFD}\u{FFFD}b\u{FFFD}[31m"),
            (" x", "\" x\""),
        ] {
            assert_eq!(field(text), written);
        }
    }
}
