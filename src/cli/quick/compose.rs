//! Writes the scenario file that is equivalent to the flags.

use std::ops::RangeInclusive;

use toml::Value;

use super::address::Address;
use super::{ComposeContext, DURATION, Flags};
use crate::plan::capacity;
use crate::scenario::{ConnectionSetting, LoadShape};
use crate::units::duration_literal;

/// The default of `--rate`.
const RATE: &str = "20/s";

/// The default of `--rate` for both sides of a duet together: each gets as much as a run.
const DUET_RATE: &str = "40/s";

/// The default of `--budget`.
pub(super) const BUDGET: &str = "errors < 1%";

/// The bounds of the default of `--connections`. The minimum is the default of a scenario file.
/// With more than the maximum, the warm-up would be a burst; further connections open on demand.
const CONNECTIONS: RangeInclusive<u32> = LoadShape::DEFAULT_CONNECTIONS..=100;

/// The text of the file. The headers are pairs of name and value, which may contain variables, as
/// may the proxy.
pub(super) fn text(
    flags: &Flags,
    address: &Address,
    name: &str,
    (headers, proxy): (&[(String, String)], Option<&str>),
    around: &ComposeContext<'_>,
) -> String {
    let budgets = match flags.budget.as_slice() {
        [] if around.is_duet => None,
        [] => Some(texts([BUDGET])),
        budgets => Some(texts(budgets)),
    };
    let mut file = File::default();
    file.line("name", name);
    file.optional("budgets", budgets);
    file.table("[target]");
    file.line("base_url", address.base_url.as_str());
    file.optional("timeout", flags.timeout.map(duration_literal));
    let ca = flags.ca.as_ref().map(|path| path.to_string_lossy().into_owned());
    file.optional("tls_ca", ca);
    file.optional("proxy", proxy.map(str::to_owned));
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
    let method =
        flags.method.as_deref().unwrap_or(if flags.body.is_some() { "POST" } else { "GET" });
    file.table("[[request]]");
    file.line("name", method);
    file.line("method", method);
    file.line("path", address.path.as_str());
    file.optional("body", flags.body.clone());
    file.optional("redirects", flags.redirects.filter(|&redirects| redirects > 0).map(i64::from));
    if !flags.expect_status.is_empty() || !flags.expect_body.is_empty() {
        file.table("[request.expect]");
        let statuses =
            flags.expect_status.iter().map(|&status| Value::from(i64::from(status))).collect();
        file.optional(
            "status",
            (!flags.expect_status.is_empty()).then_some(Value::Array(statuses)),
        );
        file.optional(
            "body_contains",
            (!flags.expect_body.is_empty()).then(|| texts(&flags.expect_body)),
        );
    }
}

fn load(file: &mut File, flags: &Flags, around: &ComposeContext<'_>) {
    file.table("[load]");
    if !flags.closed {
        let default = if around.is_duet { DUET_RATE } else { RATE };
        file.line("arrival_rate", flags.rate.map_or(default.to_owned(), |rate| rate.to_string()));
    }
    file.line("duration", duration_literal(around.duration.unwrap_or(DURATION)));
    let (connections, max_connections) = connections(flags);
    file.line(
        "connections",
        match connections {
            ConnectionSetting::Kept(number) => Value::from(i64::from(number)),
            ConnectionSetting::Fresh => Value::from("fresh"),
        },
    );
    file.optional("max_connections", max_connections.map(i64::from));
    file.optional("every", around.every.map(duration_literal));
}

/// How many connections are opened from the start, and the limit for further ones.
///
/// The default is the number of requests in progress if each takes as long as the largest ceiling
/// (Little's law). No request then waits for a connection while the target meets its budgets.
fn connections(flags: &Flags) -> (ConnectionSetting, Option<u32>) {
    let (requested, limit) = (flags.connections, flags.max_connections);
    let (connections, limit_of_default) = default_connections(flags);
    match requested {
        // Fresh connections need the same places as kept ones, but all of them open on demand.
        Some(ConnectionSetting::Fresh) => {
            (ConnectionSetting::Fresh, limit.or(limit_of_default).or(Some(connections)))
        }
        Some(kept) => (kept, limit),
        None => (ConnectionSetting::Kept(connections), limit.or(limit_of_default)),
    }
}

/// [`connections`] without `--connections`.
fn default_connections(flags: &Flags) -> (u32, Option<u32>) {
    let limit = flags.max_connections;
    if flags.closed {
        return (*CONNECTIONS.start(), None);
    }
    let rate = flags.rate.or_else(|| RATE.parse().ok());
    let wanted =
        rate.zip(capacity::largest_latency_ceiling(&flags.budget)).map_or(0, |(rate, longest)| {
            capacity::concurrent_arrivals(rate, longest).min(u64::from(LoadShape::MAX_CONNECTIONS))
        });
    let wanted = u32::try_from(wanted).unwrap_or(LoadShape::MAX_CONNECTIONS);
    let connections =
        wanted.clamp(*CONNECTIONS.start(), *CONNECTIONS.end()).min(limit.unwrap_or(u32::MAX));
    (connections, (wanted > connections).then_some(wanted))
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

/// A key as TOML writes it: bare if possible.
fn key(name: &str) -> String {
    let bare =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if bare { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ScenarioOverrides;
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    const MEANT: &str = r#"
        name = "a name"
        budgets = ["p95 < 300ms", "errors = 0"]
        target = { base_url = "https://example.org", timeout = "5s", http = "2", insecure = true, tls_ca = "/ca.pem", proxy = "http://me:${P}@proxy.test:3128" }
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
    fn every_flag_is_in_the_file() {
        let flags = Flags {
            budget: vec!["p95 < 300ms".parse().unwrap(), "errors = 0".parse().unwrap()],
            expect_status: vec![200, 201],
            expect_body: vec!["\"it's\"\n${B}".to_owned()],
            rate: Some("90/min".parse().unwrap()),
            method: Some("PUT".to_owned()),
            body: Some("'''\u{1}\\".to_owned()),
            redirects: Some(3),
            timeout: Some(Duration::from_secs(5)),
            ca: Some("/ca.pem".into()),
            ..Flags::default()
        };
        let around = ComposeContext {
            duration: Some(Duration::from_mins(1)),
            every: Some(Duration::from_mins(5)),
            target: vec![("http", "2".into()), ("insecure", true.into())],
            taken: BTreeSet::new(),
            shared: ScenarioOverrides::default(),
            variables: &BTreeMap::new(),
            is_duet: false,
        };
        let address = Address::read("https://example.org/a?b=c").unwrap();
        let headers =
            [("Accept".to_owned(), "\"x\"".to_owned()), ("X!".to_owned(), "${Y}".to_owned())];
        let written = text(
            &flags,
            &address,
            "a name",
            (&headers, Some("http://me:${P}@proxy.test:3128")),
            &around,
        );
        assert_eq!(written.parse::<toml::Table>().unwrap(), MEANT.parse().unwrap());
    }

    #[test]
    fn connections_follow_rate_and_ceiling_without_a_burst_of_warm_ups() {
        let of = |rate: &str, budget: &str, connections: Option<u32>, max_connections| {
            let (rate, budget) = (rate.parse().ok(), vec![budget.parse().unwrap()]);
            let connections = connections.map(ConnectionSetting::Kept);
            let flags = Flags { budget, rate, connections, max_connections, ..Flags::default() };
            let (connections, limit) = super::connections(&flags);
            let ConnectionSetting::Kept(number) = connections else { panic!() };
            (number, limit)
        };
        assert_eq!(of("20/s", "errors = 0", None, None), (16, None));
        assert_eq!(of("20/s", "p95 < 300ms", None, None), (16, None));
        assert_eq!(of("100/s", "p95 < 300ms", None, None), (30, None));
        assert_eq!(of("1000/s", "p95 < 300ms", None, None), (100, Some(300)));
        assert_eq!(of("1000000/s", "p95 < 10s", None, None), (100, Some(60_000)));
        assert_eq!(of("1000/s", "p95 < 300ms", Some(4), None), (4, None));
        assert_eq!(of("1000/s", "p95 < 300ms", Some(4), Some(8)), (4, Some(8)));
        assert_eq!(of("20/s", "p95 < 300ms", None, Some(4)), (4, Some(4)));
        let closed = Flags { closed: true, ..Flags::default() };
        assert_eq!(connections(&closed), (ConnectionSetting::Kept(16), None));
    }

    #[test]
    fn fresh_connections_have_as_many_places_as_kept_ones() {
        let of = |rate: &str, closed, max_connections| {
            let budget = vec!["p95 < 300ms".parse().unwrap()];
            let connections = Some(ConnectionSetting::Fresh);
            let rate = rate.parse().ok();
            let flags =
                Flags { budget, rate, connections, max_connections, closed, ..Flags::default() };
            super::connections(&flags)
        };
        assert_eq!(of("20/s", false, None), (ConnectionSetting::Fresh, Some(16)));
        assert_eq!(of("1000/s", false, None), (ConnectionSetting::Fresh, Some(300)));
        assert_eq!(of("1000/s", false, Some(8)), (ConnectionSetting::Fresh, Some(8)));
        assert_eq!(of("20/s", true, None), (ConnectionSetting::Fresh, Some(16)));
    }
}
