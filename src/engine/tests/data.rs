//! Rows of a data file and weighted requests, as a scripted server sees them.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::harness::{Script, ScriptedDial, Turn, Watcher, conduct_part, millis, paused};
use crate::engine::stop_channel;
use crate::plan::fixture::planned;
use crate::plan::{Plan, Shard, ShardPlan};
use crate::record::{Measurement, Stage};

/// What a prober of a scenario measures, and the first line of each request that it sent.
struct ProbeResult {
    measurement: Measurement,
    lines: Vec<String>,
}

fn probe(plan: &Plan, shard: Shard, lanes: usize, turn: Turn) -> ProbeResult {
    let dials: Vec<_> = (0..lanes).map(|_| ScriptedDial::new(Script::always(turn))).collect();
    let requests: Vec<_> = dials.iter().map(|dial| dial.requests.clone()).collect();
    let part = Some(ShardPlan { shard, start: OffsetDateTime::UNIX_EPOCH, clock: None });
    let plan = Plan { shard_plan: part, ..plan.clone() };
    let mut watcher = Watcher::default();
    let run = conduct_part(plan, Some(millis(2_000)), dials, &mut watcher, stop_channel().1);
    let measurement = paused(run).unwrap();
    let sent = requests.iter().flat_map(|all| all.borrow().clone());
    let first_line = |request: String| request.lines().next().unwrap().to_owned();
    ProbeResult { measurement, lines: sent.map(first_line).collect() }
}

fn whole(plan: &Plan) -> ProbeResult {
    probe(plan, Shard::WHOLE, 1, Turn::Answer(millis(1)))
}

fn counted(lines: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    lines.into_iter().for_each(|line| *counts.entry(line).or_default() += 1);
    counts
}

fn rows(count: usize) -> String {
    std::iter::once("id".to_owned())
        .chain((0..count).map(|row| format!("r{row}")))
        .collect::<Vec<_>>()
        .join("\n")
}

const LOAD: &str = "[load]\narrival_rate = \"20/s\"\nduration = \"5s\"\nconnections = 8\n";
const NO_WARMUP: &str = "[warmup]\nrequests = 0\nconnections = 0\n";

fn reading(order: &str) -> String {
    format!(
        "seed = 3\n[data]\nfile = \"rows.csv\"\norder = \"{order}\"\n{LOAD}{NO_WARMUP}\
         [[request]]\nname = \"read\"\npath = \"/x/${{{{data.id}}}}\"\n"
    )
}

#[test]
fn all_probers_and_lanes_together_send_each_row_exactly_once() {
    for order in ["sequential", "shuffle", "once"] {
        let plan = planned(&reading(order), &rows(100));
        for of in [1, 2, 3] {
            let shards =
                (0..of).map(|index| probe(&plan, Shard { index, of }, 2, Turn::Answer(millis(1))));
            let sent = counted(shards.flat_map(|probed| probed.lines));
            assert_eq!(sent.len(), 100, "{order} over {of}");
            assert!(sent.values().all(|times| *times == 1), "{order} over {of}: {sent:?}");
        }
    }
}

#[test]
fn rows_are_sent_in_the_order_of_the_file_or_in_one_that_follows_from_the_seed() {
    let sent = |order: &str| whole(&planned(&reading(order), &rows(40))).lines;
    let first = |order: &str| sent(order)[..40].to_vec();
    let in_order: Vec<_> = (0..40).map(|row| format!("GET /shop/x/r{row} HTTP/1.1")).collect();
    assert_eq!(first("sequential"), in_order);
    let shuffled = first("shuffle");
    assert_ne!(shuffled, in_order);
    assert_eq!(shuffled, first("shuffle"));
    assert_ne!(shuffled, sent("shuffle")[40..80].to_vec());
}

#[test]
fn a_closed_load_that_uses_each_row_once_ends_with_the_rows() {
    let text = "[data]\nfile = \"rows.csv\"\norder = \"once\"\n\
        [load]\nconnections = 4\nduration = \"1h\"\n\
        [[request]]\nname = \"read\"\npath = \"/${{data.id}}\"\n";
    let plan = planned(text, &rows(50));
    for lanes in [1, 2] {
        let probed = probe(&plan, Shard::WHOLE, lanes, Turn::Answer(millis(1)));
        let read = &probed.measurement.scenarios[0].requests[0];
        assert_eq!((read.measured.tally.exchanges, probed.lines.len()), (46, 50));
        assert!(counted(probed.lines).values().all(|times| *times == 1));
    }
}

#[test]
fn the_warm_up_takes_rows_from_the_end() {
    let text = reading("sequential")
        .replace("requests = 0\nconnections = 0", "requests = 3\nconnections = 1");
    let lines = whole(&planned(&text, &rows(200))).lines;
    assert_eq!(lines[..4], [199, 198, 197, 0].map(|row| format!("GET /shop/x/r{row} HTTP/1.1")));
}

#[test]
fn a_path_from_a_row_is_sent_as_it_is_and_other_values_are_encoded() {
    let text = format!(
        "[data]\nfile = \"rows.csv\"\n{LOAD}{NO_WARMUP}\
         [[request]]\nname = \"a\"\npath = \"${{{{data.path}}}}&q=${{{{data.path}}}}\"\n"
    );
    let lines = whole(&planned(&text, "path\n/a b?c=/d\n/../e?\n")).lines;
    assert_eq!(lines[0], "GET /shop/a%20b?c=/d&q=%2Fa%20b%3Fc%3D%2Fd HTTP/1.1");
    assert_eq!(lines[1], "GET /e?&q=%2F..%2Fe%3F HTTP/1.1");
}

#[test]
fn a_redirect_is_relative_to_the_path_of_the_row() {
    let text = format!(
        "[data]\nfile = \"rows.csv\"\n{LOAD}{NO_WARMUP}\
         [[request]]\nname = \"a\"\npath = \"/x/${{{{data.id}}}}/\"\nredirects = 1\n\
         [request.expect]\nfinal_url = \"/x/r1/next\"\nstatus = 302\n"
    );
    let plan = planned(&text, &rows(2));
    let moved = "HTTP/1.1 302 Found\r\nlocation: next\r\ncontent-length: 0\r\n\r\n";
    let probed = probe(&plan, Shard::WHOLE, 1, Turn::Raw(millis(1), moved));
    assert!(
        probed.lines.contains(&"GET /shop/x/r0/next HTTP/1.1".to_owned()),
        "{:?}",
        probed.lines
    );
    assert!(probed.lines.contains(&"GET /shop/x/r1/next HTTP/1.1".to_owned()));
}

#[test]
fn the_values_of_the_row_are_hidden_in_what_the_target_answers() {
    let text = format!(
        "[data]\nfile = \"rows.csv\"\npublic = [\"shown\"]\n{LOAD}{NO_WARMUP}\
         [[request]]\nname = \"a\"\npath = \"/\"\nheaders = {{ x-a = \"${{{{data.id}}}}${{{{data.shown}}}}\" }}\n\
         [request.expect]\njson = {{ \"/id\" = \"other\" }}\n"
    );
    let plan = planned(&text, "id,shown\nzebra-7f3a,public-value\n");
    let echo =
        "HTTP/1.1 200 OK\r\ncontent-length: 36\r\n\r\n{\"id\":\"Zebra-7F3A and public-value\"}";
    let probed = probe(&plan, Shard::WHOLE, 1, Turn::Raw(millis(1), echo));
    let evidence = format!("{:?}", probed.measurement.scenarios[0].requests[0].measured.evidence);
    assert!(evidence.contains("••• and public-value") && !evidence.contains("7F3A"), "{evidence}");
}

const WEIGHTED: &str = "seed = 9\n[load]\narrival_rate = \"100/s\"\nduration = \"10s\"\nconnections = 8\n\
    [[request]]\nname = \"read\"\npath = \"/read\"\nweight = 3\n\
    [[request]]\nname = \"write\"\npath = \"/write\"\n";

/// How often each request was sent in a stage.
fn sent(measurement: &Measurement, stage: Stage) -> Vec<u64> {
    let requests = &measurement.scenarios[0].requests;
    let of = |request: &crate::record::RequestMeasurement| match stage {
        Stage::Measured => request.measured.tally.exchanges,
        Stage::Warmup | Stage::Cold => {
            request.warmup.tally.exchanges + request.cold.tally.exchanges
        }
    };
    requests.iter().map(of).collect()
}

#[test]
fn each_arrival_sends_one_request_drawn_by_weight_and_the_same_on_every_prober() {
    let plan = planned(WEIGHTED, &rows(1));
    let probed = whole(&plan);
    let drawn = sent(&probed.measurement, Stage::Measured);
    // 1,000 draws of 3/4 have a standard deviation of 13.7.
    assert!(drawn.iter().sum::<u64>() == 1_000 && drawn[0].abs_diff(750) < 50, "{drawn:?}");
    assert_eq!(probed.measurement.scenarios[0].released, 1_000);
    let mut shared = vec![0, 0];
    for index in 0..3 {
        let part = probe(&plan, Shard { index, of: 3 }, 2, Turn::Answer(millis(1))).measurement;
        shared.iter_mut().zip(sent(&part, Stage::Measured)).for_each(|(all, own)| *all += own);
    }
    assert_eq!(shared, drawn);
}

#[test]
fn the_warm_up_sends_every_weighted_request() {
    let text = format!("{WEIGHTED}[warmup]\nconnections = 1\nrequests = 6\n");
    let probed = whole(&planned(&text, &rows(1)));
    assert_eq!(sent(&probed.measurement, Stage::Warmup), [3, 3]);
}

#[test]
fn a_dropped_arrival_counts_for_the_request_that_it_would_have_sent() {
    let text = WEIGHTED
        .replace("connections = 8", "connections = 1")
        .replace("[load]", "[warmup]\nrequests = 0\nconnections = 0\n[load]");
    let text = format!("{text}\n");
    let plan = planned(&text, &rows(1));
    let drawn = sent(&whole(&plan).measurement, Stage::Measured);
    let hung = probe(&plan, Shard::WHOLE, 1, Turn::Hang).measurement;
    assert_eq!(sent(&hung, Stage::Measured), drawn);
}
