//! The command with which each peer sends 200/s over 50 connections for 40 s, as far as it can.

use std::path::Path;

use super::read::{after_percents, json, lua, request_log};
use crate::truth::Millis;

/// Whether a peer accepts a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// 200/s.
    Rate,
    /// As fast as answers arrive.
    None,
}

/// One way of running one program.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) program: &'static str,
    pub(super) label: &'static str,
    /// The command, words separated by spaces; `{url}`, `{header}` and `{folder}` are filled in.
    pub(super) line: &'static str,
    pub(super) pace: Pace,
    pub(super) how: &'static str,
    /// Reads p50, p95 and p99 from the output, or from a file in the folder.
    pub(super) read: fn(&str, &Path) -> Option<[Option<Millis>; 3]>,
}

/// Files that some peers need in their folder.
pub(super) const FILES: [(&str, &str); 3] =
    [("quantiles.lua", LUA), ("k6.js", K6), ("vegeta.sh", VEGETA)];

/// wrk does not print a p95 without a script.
const LUA: &str = "done = function(summary, latency, requests)
  io.write(string.format('quantiles %f %f %f\\n',
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000))
end
";

const K6: &str = "import http from 'k6/http';
export const options = {
  scenarios: { oracle: { executor: 'constant-arrival-rate', rate: 200, timeUnit: '1s', duration: '40s',
    preAllocatedVUs: 50, maxVUs: 50 } },
  summaryTrendStats: ['p(50)', 'p(95)', 'p(99)'],
};
const [name, value] = __ENV.HEADER.split(': ');
export default function () { http.get(__ENV.URL, { headers: { [name]: value } }); }
export function handleSummary(data) { return { stdout: JSON.stringify(data.metrics.http_req_duration.values) }; }
";

const VEGETA: &str = "echo \"GET $2\" |
  vegeta attack -rate=200/s -duration=40s -connections=50 -max-workers=50 -header=\"$1\" |
  vegeta report -type=json
";

/// The peers.
pub(super) const PEERS: [Peer; 12] = [
    Peer {
        program: "wrk2",
        label: "wrk2 -R200",
        line: "wrk2 -t1 -c50 -d40s -R200 -s {folder}/quantiles.lua -H {header} {url}",
        pace: Pace::Rate,
        how: "corrected; the first 10 s are not counted",
        read: |printed, _| lua(printed),
    },
    Peer {
        program: "oha",
        label: "oha -q 200",
        line: "oha --no-tui -z 40s -c 50 -q 200 --output-format json -H {header} {url}",
        pace: Pace::Rate,
        how: "counted from when it was sent",
        read: |printed, _| json(printed, OHA, 1e3),
    },
    Peer {
        program: "oha",
        label: "oha -q 200 --latency-correction",
        line: "oha --no-tui -z 40s -c 50 -q 200 --latency-correction --output-format json -H {header} {url}",
        pace: Pace::Rate,
        how: "counted from when it was due",
        read: |printed, _| json(printed, OHA, 1e3),
    },
    Peer {
        program: "vegeta",
        label: "vegeta -rate 200 -max-workers 50",
        line: "sh {folder}/vegeta.sh {header} {url}",
        pace: Pace::Rate,
        how: "counted from when it was sent",
        read: |printed, _| {
            json(printed, ["/latencies/50th", "/latencies/95th", "/latencies/99th"], 1e-6)
        },
    },
    Peer {
        program: "k6",
        label: "k6 constant-arrival-rate, 50 VUs",
        line: "k6 run --quiet -e URL={url} -e HEADER={header} {folder}/k6.js",
        pace: Pace::Rate,
        how: "drops arrivals that find no free VU",
        read: |printed, _| json(printed, ["/p(50)", "/p(95)", "/p(99)"], 1.0),
    },
    Peer {
        program: "fortio",
        label: "fortio -qps 200",
        line: "fortio load -quiet -qps 200 -c 50 -t 40s -p 50,95,99 -json - -H {header} {url}",
        pace: Pace::Rate,
        how: "a closed loop with pauses",
        read: |printed, _| json(printed, FORTIO, 1e3),
    },
    Peer {
        program: "bombardier",
        label: "bombardier -r 200",
        line: "bombardier -c 50 -r 200 -d 40s -l -p r -o json -H {header} {url}",
        pace: Pace::Rate,
        how: "a closed loop with pauses",
        read: |printed, _| json(printed, BOMBARDIER, 1e-3),
    },
    Peer {
        program: "hey",
        label: "hey -q 4",
        line: "hey -z 40s -c 50 -q 4 -H {header} {url}",
        pace: Pace::Rate,
        how: "a closed loop with pauses",
        read: |printed, _| after_percents(printed, 1e3),
    },
    Peer {
        program: "h2load",
        label: "h2load --rps 4",
        line: "h2load --h1 -t1 -c50 -D40 --rps=4 --log-file={folder}/requests.log -H {header} {url}",
        pace: Pace::Rate,
        how: "a closed loop with pauses",
        read: |_, folder| request_log(&folder.join("requests.log")),
    },
    Peer {
        program: "autocannon",
        label: "autocannon -R 200",
        line: "autocannon -c 50 -R 200 -d 40 -j --no-progress -H {header} {url}",
        pace: Pace::Rate,
        how: "corrected in its own way; reports no p95",
        read: |printed, _| json(printed, ["/latency/p50", "", "/latency/p99"], 1.0),
    },
    Peer {
        program: "wrk",
        label: "wrk",
        line: "wrk -t1 -c50 -d40s -s {folder}/quantiles.lua -H {header} {url}",
        pace: Pace::None,
        how: "a closed loop without a rate",
        read: |printed, _| lua(printed),
    },
    Peer {
        program: "ab",
        label: "ab -k",
        line: "ab -q -k -t 40 -n 1000000 -c 50 -H {header} {url}",
        pace: Pace::None,
        how: "a closed loop without a rate",
        read: |printed, _| after_percents(printed, 1.0),
    },
];

const OHA: [&str; 3] =
    ["/latencyPercentiles/p50", "/latencyPercentiles/p95", "/latencyPercentiles/p99"];

const FORTIO: [&str; 3] = [
    "/DurationHistogram/Percentiles/0/Value",
    "/DurationHistogram/Percentiles/1/Value",
    "/DurationHistogram/Percentiles/2/Value",
];

const BOMBARDIER: [&str; 3] = [
    "/result/latency/percentiles/50",
    "/result/latency/percentiles/95",
    "/result/latency/percentiles/99",
];
