//! Keys and URL schemes of other tools, and what to write instead.

/// Words that are not keys of a section, the keys that their authors probably mean, and what to
/// write.
struct ForeignKey {
    /// The sections that it concerns, as diagnostics name them.
    sections: &'static [&'static str],
    /// In lower case, without `_` and `-`.
    words: &'static [&'static str],
    /// Known keys that count as written, so that they are not also reported as missing.
    meant: &'static [&'static str],
    remedy: &'static str,
}

const fn key(
    sections: &'static [&'static str],
    words: &'static [&'static str],
    meant: &'static [&'static str],
    remedy: &'static str,
) -> ForeignKey {
    ForeignKey { sections, words, meant, remedy }
}

const TOP: &[&str] = &["the file"];
const TARGET: &[&str] = &["[target]"];
const LOAD: &[&str] = &["[load]"];
const STAGE: &[&str] = &["a stage"];
const REQUEST: &[&str] = &["[[request]]"];
const EXPECT: &[&str] = &["[request.expect]"];
const CAPTURE: &[&str] = &["a capture"];
const GATE: &[&str] = &["[gate]"];
const ANYWHERE: &[&str] = &[];

/// The first entry that fits counts.
#[rustfmt::skip]
const KEYS: [ForeignKey; 53] = [
    key(TARGET, &["url", "uri", "host", "baseurl", "base", "address", "endpoint"], &["base_url"],
        "did you mean `base_url`?"),
    key(EXPECT, &["body"], &["body_contains", "body_matches", "json"],
        "did you mean `body_contains`, `body_matches` or `json`?"),
    key(EXPECT, &["bodyjson"], &["json"], "did you mean `json`?"),
    key(EXPECT, &["url"], &["final_url"], "did you mean `final_url`?"),
    key(EXPECT, &["code", "statuscode"], &["status"], "did you mean `status`?"),
    key(LOAD, &["rate", "rps", "qps", "arrivalrate", "arrivals", "requestspersecond"],
        &["arrival_rate"], "write `arrival_rate = \"20/s\"`"),
    key(LOAD, &["vus", "users", "virtualusers", "concurrency", "maxvus", "preallocatedvus", "threads",
        "workers", "clients"], &["connections"],
        "write `connections = 16`; without `arrival_rate` they send again at each answer"),
    key(LOAD, &["ramp", "ramping", "rampup", "phases", "steps"], &["stages"],
        "write `stages = [{ duration = \"30s\", rate = \"100/s\" }]`"),
    key(LOAD, &["requests", "total", "count", "arrivalcount", "n"], &[],
        "write `iterations = 100` in a closed load; an open one ends with its `duration`"),
    key(LOAD, &["executor", "model", "type", "mode"], &[],
        "leave it out: `arrival_rate` or `stages` make an open load, `connections` alone a closed one"),
    key(LOAD, &["timeunit", "unit"], &[], "leave it out: the rate has its unit, `20/s` or `90/min`"),
    key(LOAD, &["interval", "repeat", "period", "cron"], &["every"], "write `every = \"5m\"`"),
    key(LOAD, &["seed", "random", "jitter"], &[],
        "write `poisson = { seed = 1 }` for random arrivals; the seed of weights and rows is `seed` at the top"),
    key(LOAD, &["batch", "batches", "batchsize", "burst", "burstdelay", "burstrate"], &["batch_every"],
        "write `batch_every = \"1ms\"`"),
    key(LOAD, &["thinktime", "sleep", "pause", "delay", "pacing"], &[], NO_PAUSES),
    key(STAGE, &["target", "arrivalrate", "vus", "rps", "rampto", "to"], &["rate"],
        "write `rate = \"100/s\"`: the rate at the end of the stage"),
    key(STAGE, &["time", "for", "length"], &["duration"], "write `duration = \"30s\"`"),
    key(TOP, &["budget", "threshold", "thresholds", "slo", "slos", "ensure", "limits"], &["budgets"],
        "write `budgets = [\"p95 < 300ms\"]`"),
    key(TOP, &["scenarios", "scenario"], &[],
        "write one file for each scenario, and run them together: `tollgate run a.toml b.toml`"),
    key(TOP, &["requests", "steps", "flow", "http"], &["request"],
        "write each as a section `[[request]]` with a `name` and a `path`"),
    key(TOP, &["options", "config", "settings"], &[],
        "write the sections `[target]`, `[load]` and `[warmup]`"),
    key(TOP, &["env", "environment", "variables", "vars"], &[],
        "write `${NAME}` where the value belongs, and set the variable for the run"),
    key(TOP, &["before", "beforeall", "beforescenario", "init", "login", "onstart", "prepare"], &[],
        "write each step that runs once before the warm-up as a section `[[setup]]`"),
    key(TOP, &["after", "afterall", "afterscenario", "cleanup", "onstop"], &[],
        "write each step that runs once after the run as a section `[[teardown]]`"),
    key(TOP, &["csv", "payload", "feeder", "feeders", "dataset", "datafile"], &[],
        "write `[data]` with `file = \"rows.csv\"`, and `${{data.column}}` where a value belongs"),
    key(TOP, &["vus", "stages", "rate", "arrivalrate", "executor", "phases", "rps"], &[],
        "write it in `[load]`: `arrival_rate = \"20/s\"` or `stages = […]`"),
    key(TOP, &["baseurl", "url", "host", "endpoint"], &[],
        "write it in `[target]`: `base_url = \"https://example.org\"`"),
    key(ANYWHERE, &["cookiejar", "cookiesjar", "jar", "usecookies"], &[],
        "write `cookies = \"arrival\"`, which keeps cookies from one step to the next"),
    key(ANYWHERE, &["httpproxy", "httpsproxy", "proxyurl", "proxies", "allproxy"], &[],
        "write `proxy = \"http://proxy.example:3128\"` in `[target]`"),
    key(ANYWHERE, &["weights", "weighted", "probability", "frequency"], &[],
        "write `weight = 3` in each `[[request]]` that is one of several"),
    key(ANYWHERE, &["websocket", "ws", "grpc", "socketio"], &[],
        "remove it: tollgate sends HTTP/1.1, HTTP/2 and SQL; probe an HTTP path of the same service"),
    key(GATE, &["abortonfail", "abort", "failfast", "earlystop"], &["stop_early"],
        "write `stop_early = \"fail\"`, which is the default"),
    key(GATE, &["consecutive", "consecutivefailures", "failures", "maxfailures", "failurelimit",
        "rollbackafter", "inarow"], &["fail_after"],
        "write `fail_after = 2` to fail after two failed runs in a row"),
    key(GATE, &["retry", "retries", "rerun", "extend"], &["on_inconclusive"],
        "write `on_inconclusive = \"extend 60s\"` to measure for longer"),
    key(TARGET, &["verify", "sslverify", "insecureskiptlsverify", "skiptlsverify", "rejectunauthorized"],
        &["insecure"], "write `insecure = true` to accept any certificate"),
    key(TARGET, &["ca", "cacert", "cafile"], &["tls_ca"], "did you mean `tls_ca`?"),
    key(TARGET, &["cert", "clientcert"], &["tls_cert"], "did you mean `tls_cert`?"),
    key(TARGET, &["key", "clientkey"], &["tls_key"], "did you mean `tls_key`?"),
    key(TARGET, &["hosts", "dns"], &["resolve"],
        "write `resolve = [\"example.org:443:192.0.2.1\"]`"),
    key(TARGET, &["http2", "httpversion", "protocol"], &["http"], "write `http = \"2\"`"),
    key(TARGET, &["keepalive", "disablekeepalive", "noconnectionreuse", "novuconnectionreuse"], &[],
        "write `connections = \"fresh\"` in `[load]`, so that every arrival opens its own"),
    key(REQUEST, &["retries", "attempts"], &["retry"], "write `retry = { times = 2 }`"),
    key(REQUEST, &["assert", "assertions", "checks", "check", "validate"], &["expect"],
        "write `expect = { status = 200 }`"),
    key(REQUEST, &["thinktime", "think", "sleep", "pause", "delay"], &[], NO_PAUSES),
    key(REQUEST, &["query", "params", "qs"], &[],
        "write it in the path: `path = \"/search?q=tea\"`"),
    key(REQUEST, &["json", "data", "payload"], &["body"], "did you mean `body_json` or `body`?"),
    key(REQUEST, &["form"], &["body"],
        "write `body = \"a=1&b=2\"` and the header `Content-Type = \"application/x-www-form-urlencoded\"`"),
    key(REQUEST, &["auth", "basicauth", "bearer", "token"], &[],
        "write `headers = { Authorization = \"Bearer ${TOKEN}\" }`"),
    key(REQUEST, &["followredirects", "followredirect", "maxredirects"], &["redirects"],
        "write `redirects = 5`"),
    key(REQUEST, &["uri", "endpoint"], &["path", "url"], "did you mean `path` or `url`?"),
    key(REQUEST, &["extract", "save", "captures", "variables"], &["capture"],
        "write `capture = { id = { json = \"/id\" } }`"),
    key(CAPTURE, &["regexp", "pattern", "match"], &["regex"], "did you mean `regex`?"),
    key(CAPTURE, &["jsonpath", "path", "pointer"], &["json"],
        "write `json = \"/items/0/id\"`: a JSON pointer"),
];

const NO_PAUSES: &str =
    "leave it out: an open load sends at its planned rate, however long answers take";

/// The keys that an unknown key was probably meant to be, and what to write instead.
pub(super) fn key_remedy(
    section: &str,
    written: &str,
) -> Option<(&'static [&'static str], &'static str)> {
    let word = written.to_ascii_lowercase().replace(['_', '-'], "");
    let fits = |known: &&ForeignKey| {
        (known.sections.is_empty() || known.sections.contains(&section))
            && known.words.contains(&word.as_str())
    };
    KEYS.iter().find(fits).map(|known| (known.meant, known.remedy))
}

/// What to do about a URL of another scheme than http and https; `None` for one that is not known.
pub(crate) fn scheme_remedy(scheme: &str) -> Option<&'static str> {
    Some(match scheme.to_ascii_lowercase().as_str() {
        "ws" | "wss" => {
            "tollgate opens no WebSockets: probe an `https://` path of the same server, such as its \
             health check"
        }
        "grpc" | "grpcs" => {
            "tollgate sends no gRPC: probe an `https://` path of the same server, or its gateway"
        }
        "postgres" | "postgresql" => {
            "name it in `databases` of a scenario file, and query it by a request with `sql`"
        }
        "ftp" | "sftp" | "file" | "mqtt" | "amqp" | "redis" | "mysql" | "tcp" | "udp" => {
            "tollgate probes HTTP and PostgreSQL: name an `http://` or `https://` URL"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_written_as_it_is_compared() {
        for word in KEYS.iter().flat_map(|known| known.words) {
            let plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            assert!(plain, "{word}");
        }
    }

    #[test]
    fn keys_of_other_tools_are_answered_with_the_right_ones() {
        for (section, written, expected) in [
            ("[load]", "rate", "`arrival_rate = \"20/s\"`"),
            ("[load]", "vus", "`connections = 16`"),
            ("[load]", "preAllocatedVUs", "`connections = 16`"),
            ("[load]", "timeUnit", "`90/min`"),
            ("a stage", "target", "`rate = \"100/s\"`"),
            ("the file", "thresholds", "`budgets = [\"p95 < 300ms\"]`"),
            ("the file", "scenarios", "`tollgate run a.toml b.toml`"),
            ("the file", "before", "`[[setup]]`"),
            ("the file", "csv", "`[data]`"),
            ("[target]", "cookie_jar", "`cookies = \"arrival\"`"),
            ("[target]", "http_proxy", "`proxy = "),
            ("[[request]]", "weights", "`weight = 3`"),
            ("[[request]]", "think_time", "planned rate"),
            ("[[request]]", "websocket", "HTTP/1.1, HTTP/2 and SQL"),
            ("a capture", "jsonPath", "a JSON pointer"),
        ] {
            let (_, remedy) = key_remedy(section, written).unwrap_or_else(|| panic!("{written}"));
            assert!(remedy.contains(expected), "{written}: {remedy}");
        }
        assert!(key_remedy("[load]", "arrival_rates").is_none());
    }
}
