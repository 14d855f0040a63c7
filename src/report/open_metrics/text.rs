//! Writes the text format: families, samples, labels and numbers.

/// A label's name and value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    Gauge,
    Histogram,
}

impl MetricKind {
    fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// OpenMetrics text that is being written, family by family.
#[derive(Default)]
pub(super) struct MetricsText {
    text: String,
    family: &'static str,
}

impl MetricsText {
    /// Starts a family. All its samples follow.
    pub(super) fn family(&mut self, name: &'static str, kind: MetricKind, unit: &str, help: &str) {
        self.family = name;
        self.text += &format!("# TYPE {name} {}\n", kind.name());
        if !unit.is_empty() {
            self.text += &format!("# UNIT {name} {unit}\n");
        }
        self.text += &format!("# HELP {name} {}.\n", escape(help));
    }

    /// Adds a sample of the family. A second sample of a series would be malformed.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[Label<'_>], value: f64) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let braced =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.text += &format!("{}{suffix}{braced} {}\n", self.family, number(value));
    }

    /// The whole text with its end mark.
    pub(super) fn finish(mut self) -> String {
        self.text += "# EOF\n";
        self.text
    }
}

/// Escapes what would end a label's value or a line. Some parsers take other control characters for
/// the end of a line, and no escape exists for them.
fn escape(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control() && c != '\n', "\u{FFFD}");
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A value: whole numbers without a decimal point.
fn number(value: f64) -> String {
    format!("{value}")
}

/// A number in the canonical form that a bucket's end must have: `0.3`, `1.0`, `1e-05`.
pub(super) fn canonical(value: f64) -> String {
    if value == 0.0 || value >= 1e-4 {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_buckets_are_canonical() {
        for (value, text) in
            [(0.3, "0.3"), (1.0, "1.0"), (30.0, "30.0"), (1e-4, "0.0001"), (2.5e-5, "2.5e-05")]
        {
            assert_eq!(canonical(value), text);
        }
    }

    #[test]
    fn a_label_cannot_end_its_value_or_its_line() {
        let mut text = MetricsText::default();
        text.family("a", MetricKind::Gauge, "", "b");
        text.sample("", &[("name", "x\"} 1\n\\\r# EOF")], 2.0);
        let expected = "# TYPE a gauge\n# HELP a b.\n\
                        a{name=\"x\\\"} 1\\n\\\\\u{FFFD}# EOF\"} 2\n# EOF\n";
        assert_eq!(text.finish(), expected);
    }
}
