//! The scenario file that does what flags ask for.

use toml::Value;

use super::address::Address;
use super::{Around, DURATION, Flags};
use crate::units::written;

/// Requests a second unless `--rate` says otherwise.
const RATE: &str = "20/s";

/// What must hold unless `--budget` says otherwise: an answer of the right kind, nearly always.
pub(super) const BUDGET: &str = "errors < 1%";

/// Connections unless `--connections` says otherwise; what a scenario file has by default too.
const CONNECTIONS: u32 = 16;

/// The file's text; `headers` are names and values with variables in them.
pub(super) fn text(
    flags: &Flags,
    address: &Address,
    name: &str,
    headers: &[(String, String)],
    around: &Around<'_>,
) -> String {
    let budgets = match flags.budget.as_slice() {
        [] => texts([BUDGET]),
        budgets => texts(budgets),
    };
    let mut file = File::default();
    file.line("name", name);
    file.line("budgets", budgets);
    file.table("[target]");
    file.line("base_url", address.base_url.as_str());
    file.optional("timeout", flags.timeout.map(written));
    for (key, value) in &around.target {
        file.line(key, value.clone());
    }
    if !headers.is_empty() {
        file.table("[headers]");
        for (name, value) in headers {
            file.line(&key(name), value.as_str());
        }
    }
    request(&mut file, flags, address);
    load(&mut file, flags, around);
    file.0
}

fn request(file: &mut File, flags: &Flags, address: &Address) {
    let method = flags.method.as_deref().unwrap_or(if flags.body.is_some() { "POST" } else { "GET" });
    file.table("[[request]]");
    file.line("name", method);
    file.line("method", method);
    file.line("path", address.path.as_str());
    file.optional("body", flags.body.clone());
    file.optional("redirects", flags.redirects.filter(|&redirects| redirects > 0).map(i64::from));
    if !flags.expect_status.is_empty() || !flags.expect_body.is_empty() {
        file.table("[request.expect]");
        let statuses = flags.expect_status.iter().map(|&status| Value::from(i64::from(status))).collect();
        file.optional("status", (!flags.expect_status.is_empty()).then_some(Value::Array(statuses)));
        file.optional("body_contains", (!flags.expect_body.is_empty()).then(|| texts(&flags.expect_body)));
    }
}

fn load(file: &mut File, flags: &Flags, around: &Around<'_>) {
    file.table("[load]");
    if !flags.closed {
        file.line("arrival_rate", flags.rate.map_or(RATE.to_owned(), |rate| rate.to_string()));
    }
    file.line("duration", written(around.duration.unwrap_or(DURATION)));
    file.line("connections", i64::from(flags.connections.unwrap_or(CONNECTIONS)));
    file.optional("every", around.every.map(written));
}

/// A TOML file, written line by line.
#[derive(Default)]
struct File(String);

impl File {
    fn table(&mut self, head: &str) {
        self.0.extend(["\n", head, "\n"]);
    }

    fn line(&mut self, key: &str, value: impl Into<Value>) {
        self.0.extend([key, " = ", &value.into().to_string(), "\n"]);
    }

    fn optional(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.line(key, value);
        }
    }
}

fn texts<T: ToString>(texts: impl IntoIterator<Item = T>) -> Value {
    Value::Array(texts.into_iter().map(|text| Value::String(text.to_string())).collect())
}

/// A key as TOML writes it: bare where that is possible.
fn key(name: &str) -> String {
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if bare { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    const MEANT: &str = r#"
        name = "a name"
        budgets = ["p95 < 300ms", "errors = 0"]
        target = { base_url = "https://example.org", timeout = "5s", http = "2", insecure = true }
        headers = { Accept = '"x"', "X!" = "${Y}" }
        load = { arrival_rate = "1.5/s", duration = "1m", connections = 16, every = "5m" }
        [[request]]
        name = "PUT"
        method = "PUT"
        path = "/a?b=c"
        body = "'''\u0001\\"
        redirects = 3
        expect = { status = [200, 201], body_contains = ["\"it's\"\n${B}"] }
    "#;

    #[test]
    fn all_that_can_be_asked_for_stands_in_the_file() {
        let flags = Flags {
            budget: vec!["p95 < 300ms".parse().unwrap(), "errors = 0".parse().unwrap()],
            expect_status: vec![200, 201],
            expect_body: vec!["\"it's\"\n${B}".to_owned()],
            rate: Some("90/min".parse().unwrap()),
            method: Some("PUT".to_owned()),
            body: Some("'''\u{1}\\".to_owned()),
            redirects: Some(3),
            timeout: Some(Duration::from_secs(5)),
            ..Flags::default()
        };
        let around = Around {
            duration: Some(Duration::from_mins(1)),
            every: Some(Duration::from_mins(5)),
            target: vec![("http", "2".into()), ("insecure", true.into())],
            taken: BTreeSet::new(),
            variables: &BTreeMap::new(),
        };
        let address = Address::read("https://example.org/a?b=c").unwrap();
        let headers = [("Accept".to_owned(), "\"x\"".to_owned()), ("X!".to_owned(), "${Y}".to_owned())];
        let written = text(&flags, &address, "a name", &headers, &around);
        assert_eq!(written.parse::<toml::Table>().unwrap(), MEANT.parse().unwrap());
    }
}
