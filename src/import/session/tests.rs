use proptest::prelude::*;
use time::macros::datetime;

use super::configuration::StatedConfiguration;
use super::sample::read_time;
use super::*;
use crate::record::Failure;
use crate::record::session::{CurveEnd, StartKind};

const HEADER: &str = "timestamp,target,durationMs,budgetMs,status,note,source\n";
const LIVE: &str = "https://staging.example/app?mock=0";

/// A table in the form of a team's log: exact and approximate times, sizes in notes, URLs and
/// statuses that are missing.
fn table() -> String {
    format!(
        "{HEADER}\
         2025-10-11T02:08:37Z,{LIVE},545.2,800,200,\"shared-cpu-2x:1024MB, 1 of 2 started\",a\n\
         2025-10-11T02:15:33Z,{LIVE},521.85,800,200,after fly scale memory 2048 (02:12:10Z),a\n\
         2025-10-11T02:15:45Z,{LIVE},468.48,800,200,shared-cpu-2x:2048MB,a\n\
         2025-10-11T02:15:49Z,{LIVE},400.32,300,200,shared-cpu-2x:2048MB,a\n\
         2025-10-11T07:17Z (approx),staging (URL not stated),421,800,not recorded,rounded,b\n\
         2025-10-11T07:17Z (approx),staging (URL not stated),437,800,not recorded,rounded,b\n\
         2025-10-11T20:29:56Z,{LIVE},598.89,800,not recorded (marked Pass),run 1,c\n\
         by 2025-10-12T04:36Z,staging,617,,,rounded,d\n"
    )
}

fn import(samples: Vec<RecordedSample>, ranges: &[&str]) -> SessionRecord {
    let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
    let files = vec!["records.csv".to_owned()];
    let import = SessionImport { name: "old records".to_owned(), files, samples, ranges };
    import.session().unwrap()
}

fn imported(table: &str, ranges: &[&str]) -> SessionRecord {
    import(read_table(table.as_bytes()).unwrap(), ranges)
}

fn names(record: &SessionRecord) -> Vec<&str> {
    record.plan.configurations.iter().map(|one| one.name.as_str()).collect()
}

#[test]
fn requests_become_attempts_by_time_and_configurations_by_their_notes() {
    let record = imported(&table(), &[]);
    assert_eq!(
        names(&record),
        ["shared-cpu-2x, 1024 MB", "shared-cpu-2x, 2048 MB", "not recorded"]
    );
    let attempts: Vec<_> = record
        .attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.round, attempt.configuration, attempt.first.len()))
        .collect();
    assert_eq!(attempts, [(1, 1, 0, 1), (2, 2, 1, 3), (3, 3, 2, 2), (4, 4, 2, 1), (5, 5, 2, 1)]);
    let second = &record.attempts[1];
    assert_eq!(second.first[0].latency, Duration::from_micros(521_850));
    assert_eq!(second.first[1].due, Duration::from_secs(12));
    assert_eq!((second.start, second.curve_end), (StartKind::Unknown, CurveEnd::Skipped));
    assert_eq!(record.provenance.imported_from.as_deref(), Some("records.csv"));
    assert_eq!(record.plan.base_url, "https://staging.example");
    assert_eq!(record.plan.budgets.len(), 2);
}

#[test]
fn spans_that_the_user_gives_override_the_notes() {
    let ranges = ["2 GB = 2025-10-11T02:12Z..2025-10-11T20:00Z", "later=2025-10-11T20:00Z.."];
    let record = imported(&table(), &ranges);
    assert_eq!(names(&record), ["2 GB", "later", "shared-cpu-2x, 1024 MB"]);
    let of: Vec<usize> = record.attempts.iter().map(|attempt| attempt.configuration).collect();
    assert_eq!(of, [2, 0, 0, 1, 1]);
}

#[test]
fn a_span_is_a_name_and_two_times() {
    let range = |text: &str| text.parse::<ConfigurationRange>();
    let all = range("a=b=..").unwrap();
    assert_eq!(all.name, "a=b");
    assert!(all.contains(datetime!(2025-10-11 00:00 UTC)));
    let day = range("day=2025-10-11..2025-10-12").unwrap();
    assert!(day.contains(datetime!(2025-10-11 00:00 UTC)));
    assert!(!day.contains(datetime!(2025-10-12 00:00 UTC)));
    assert!(day.overlaps(&all) && day.overlaps(&range("x=2025-10-11T23:59Z..").unwrap()));
    assert!(!day.overlaps(&range("x=2025-10-12..").unwrap()));
    for (wrong, words) in [
        ("2 GB", "has no `=`"),
        ("=..", "1 to 80 characters"),
        ("a=2025-10-11", "has no `..`"),
        ("a=yesterday..", "`yesterday` is no time"),
        ("a=2025-10-12..2025-10-11", "ends before it starts"),
    ] {
        let error = range(wrong).unwrap_err();
        assert!(error.problem.contains(words), "{wrong}: {error}");
        assert!(error.remedy.contains("write it like"), "{wrong}: {error}");
    }
}

#[test]
fn times_are_read_as_people_write_them() {
    use TimePrecision::{Approximate, Exact, NotLater};
    for (text, expected, precision) in [
        ("2025-10-11T02:08:37Z", datetime!(2025-10-11 02:08:37 UTC), Exact),
        ("2025-10-11T02:08:37.5+02:00", datetime!(2025-10-11 00:08:37.5 UTC), Exact),
        ("2025-10-11 02:08:37", datetime!(2025-10-11 02:08:37 UTC), Exact),
        ("2025-10-11T07:17Z (approx)", datetime!(2025-10-11 07:17 UTC), Approximate),
        ("~2025-10-11T07:17:01Z", datetime!(2025-10-11 07:17:01 UTC), Approximate),
        ("2025-10-11T07:17Z", datetime!(2025-10-11 07:17 UTC), Approximate),
        ("by 2025-10-12T04:36Z", datetime!(2025-10-12 04:36 UTC), NotLater),
        ("2025-10-12", datetime!(2025-10-12 00:00 UTC), Approximate),
    ] {
        assert_eq!(read_time(text), Some((expected, precision)), "{text}");
    }
    for wrong in ["", "yesterday", "2025-13-01T00:00Z", "07:17", "1960-01-01T00:00:00Z", "by", "é"]
    {
        assert_eq!(read_time(wrong), None, "{wrong}");
    }
}

#[test]
fn notes_state_sizes_and_memory_in_several_forms() {
    for (note, expected) in [
        ("shared-cpu-2x:1024MB, 1 of 2 machines started", "shared-cpu-2x, 1024 MB"),
        ("after fly scale memory 2048 (02:12:10Z)", "2048 MB"),
        ("fly scale vm performance-1x", "performance-1x"),
        ("memory = \"2gb\"", "2048 MB"),
        ("SHARED-CPU-1X with memory 512 MB", "shared-cpu-1x, 512 MB"),
        ("rounded in source", "not recorded"),
        ("memory leak after 3 runs", "not recorded"),
        ("", "not recorded"),
    ] {
        assert_eq!(StatedConfiguration::read(note).name(), expected, "{note}");
    }
}

#[test]
fn what_can_and_cannot_be_concluded_is_stated() {
    let record = imported(&table(), &[]);
    let notes = record.provenance.import_notes.join("\n");
    for words in [
        "in 5 attempts, 8 answered requests that took 400 ms to 617 ms, half of them at most 468 ms",
        "6 of 6 were below 800ms",
        "0 of 1 were below 300ms",
        "Compared with the mean of the later ones, the first request of an attempt was slower in 0 of 1 \
         attempt without a recorded URL (16 ms faster); in 1 of 1 attempt on `/app?mock=0` (87.5 ms \
         slower). A cold machine",
        "So few prove nothing about a p95, which needs at least 67.",
        "`shared-cpu-2x, 1024 MB` has 1 attempt",
        "would have been seen in 8 of 10 cases",
        "To see one of 100 ms takes about",
        "tried in one stretch",
        "For 3 attempts the configuration is not recorded",
        "no figure is that of a cold start",
        "Redirects were followed unseen",
        "8 of 8 times also hold the start of Node's `fetch`",
        "1 request was judged by the budget of the other kind of page",
        "For 4 requests no status is recorded",
        "For 3 requests the URL is not recorded",
        "The time of 3 requests is approximate",
    ] {
        assert!(notes.contains(words), "{words} in\n{notes}");
    }
}

/// A table with so many requests of each page, 10 s apart, each with a budget of its own.
fn pages(counts: [usize; 2]) -> String {
    let row = |page: usize, index: usize| {
        let at = datetime!(2025-10-11 00:00 UTC) + Duration::from_secs(index as u64 * 10);
        let at = at.format(&time::format_description::well_known::Rfc3339).unwrap();
        let (budget, millis) = [(300, 200 - index % 2), (800, 500 + index % 3)][page];
        format!("{at},https://staging.example/app?mock={},{millis},{budget},200,n,s\n", 1 - page)
    };
    let rows = (0..2).flat_map(|page| (0..counts[page]).map(move |index| row(page, index)));
    HEADER.to_owned() + &rows.collect::<String>()
}

#[test]
fn only_budgets_with_too_few_requests_are_said_to_prove_nothing() {
    let notes = |counts| imported(&pages(counts), &[]).provenance.import_notes.join("\n");
    assert!(notes([66, 66]).contains("So few prove nothing about a p95"));
    let mixed = notes([67, 66]);
    assert!(mixed.contains("Those judged by 800ms prove nothing about a p95"), "{mixed}");
    assert!(!notes([67, 67]).contains("p95"));
}

#[test]
fn first_requests_are_held_against_later_ones_of_their_own_page() {
    let notes = imported(&pages([3, 3]), &[]).provenance.import_notes.join("\n");
    for words in [
        "in 1 of 1 attempt on `/app?mock=1` (500 µs slower)",
        "in 0 of 1 attempt on `/app?mock=0` (1.5 ms faster)",
    ] {
        assert!(notes.contains(words), "{notes}");
    }
}

#[test]
fn without_a_second_attempt_no_difference_can_be_told_from_chance() {
    let lines: Vec<String> = table().lines().take(3).map(str::to_owned).collect();
    let notes = imported(&lines.join("\n"), &[]).provenance.import_notes.join("\n");
    assert!(notes.contains("no configuration was tried twice"), "{notes}");
    let one = imported(&lines[..2].join("\n"), &[]).provenance.import_notes.join("\n");
    assert!(one.contains("only one is known, so nothing can be compared"), "{one}");
}

#[test]
fn artifacts_of_two_pages_are_configurations_of_their_own() {
    let artifact = |second: u32, mock: u32, status: &str| {
        let ok = status == "200";
        let text = format!(
            "{{\"timestamp\":\"2025-10-10T02:56:{second:02}.000Z\",\
             \"target\":\"https://u:hunter2@staging.example/app?mock={mock}\",\"budgetMs\":300,\
             \"durationMs\":242.98,\"status\":{status},\"ok\":{ok},\"error\":null}}"
        );
        ImportedArtifact::read(text.as_bytes()).unwrap().sample()
    };
    let samples = vec![
        artifact(20, 1, "200"),
        artifact(10, 0, "200"),
        artifact(30, 0, "null"),
        artifact(40, 1, "410"),
    ];
    let record = import(samples, &[]);
    assert_eq!(names(&record), ["not recorded · /app?mock=0", "not recorded · /app?mock=1"]);
    assert_eq!(record.attempts.len(), 2);
    assert_eq!(record.attempts[0].first[1].failure, Some(Failure::NoAnswer));
    assert_eq!(record.attempts[1].first[1].failure, Some(Failure::Status));
    assert!(!format!("{record:?}").contains("hunter2"));
}

#[test]
fn an_attempt_without_an_answer_has_a_problem_and_enters_no_figure() {
    let record = imported(
        &format!("{HEADER}2025-10-11T02:08:37Z,{LIVE},59.5,800,null,fetch failed,a\n"),
        &[],
    );
    assert_eq!(record.attempts[0].problem.as_deref(), Some("no request was answered as wanted"));
}

#[test]
fn the_same_records_are_the_same_session_and_others_are_not() {
    let record = imported(&table(), &[]);
    assert_eq!(record.id.get_version_num(), 7);
    assert_eq!(record.id, imported(&table(), &[]).id);
    assert_ne!(record.id, imported(&table().replace("545.2", "545.3"), &[]).id);
    assert_ne!(record.id, imported(&table(), &["a=.."]).id);
}

#[test]
fn every_mistake_of_a_table_is_named_with_its_line() {
    let mistakes = |text: &str| -> Vec<String> {
        read_table(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
    };
    let wrong = format!(
        "{HEADER}yesterday,{LIVE},-1,0,20,n,s\n2025-10-11T02:08:37Z,{LIVE},1,800,200,n,s\n\
         2025-10-11T02:08:37Z,{LIVE},1e99,,null,n,s\n2025-10-11T02:08:37Z,{LIVE},1,800\n"
    );
    let all = mistakes(&wrong);
    assert_eq!(all.len(), 6, "{all:?}");
    assert!(all[0].starts_with("2: `timestamp` is no time; write it like"), "{all:?}");
    assert!(all[4].starts_with("4: `durationMs`"), "{all:?}");
    assert!(all[5].starts_with("5: has 4 values, and the header line 7"), "{all:?}");
    for (text, words) in [
        ("", "has no header line"),
        ("a,b\n1,2\n", "there is no column `timestamp`"),
        (HEADER, "has no row"),
    ] {
        assert!(mistakes(text)[0].contains(words), "{text}");
    }
    assert!(read_table(b"\xff\xfe").unwrap_err()[0].what.contains("UTF-8"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, cell in "\\PC{0,40}", millis: f64) {
        let _either = read_table(&bytes);
        let row = format!("{HEADER}{cell},{cell},{millis},{cell},{cell},{cell},\n");
        let _either = read_table(row.as_bytes());
        let _either = read_time(&cell);
        let _either = StatedConfiguration::read(&cell);
        let _either = cell.parse::<ConfigurationRange>();
    }

    #[test]
    fn any_requests_make_a_session(times in prop::collection::vec((0_u32..100_000, 0_u32..5_000), 1..30)) {
        let row = |(second, millis): &(u32, u32)| {
            let at = datetime!(2025-10-11 00:00 UTC) + time::Duration::seconds(i64::from(*second));
            let at = at.format(&time::format_description::well_known::Rfc3339).unwrap();
            format!("{at},{LIVE},{millis},800,200,n,s\n")
        };
        let rows: Vec<String> = times.iter().map(row).collect();
        let record = imported(&format!("{HEADER}{}", rows.concat()), &[]);
        let requests: usize = record.attempts.iter().map(|attempt| attempt.first.len()).sum();
        prop_assert_eq!(requests, times.len());
    }
}
