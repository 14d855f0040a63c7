//! A run comes back from the database unchanged, and the database has it once.

use time::macros::datetime;
use tollgate::history::{History, HistoryFilter};
use tollgate::record::{Interval, ShardRecord, ShardSharing};
use tollgate::store::{self, DatabaseError};

use crate::bench::{contents, intervals, keep, listed, migrated, open, record, tollgate};
use crate::cluster::{self, Cluster};
use crate::runs::{self, SMALL};

#[test]
fn an_imported_run_is_summarised_with_its_budgets_and_caveats() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let artifact = folder.path().join("a.json");
    let content = r#"{"timestamp": "2025-10-10T02:56:01.069Z", "target": "https://shop.example/app?mock=1",
        "budgetMs": 800, "durationMs": 243.0, "status": 200, "ok": true, "error": null}"#;
    std::fs::write(&artifact, content).unwrap();
    let runs = folder.path().join("runs");
    let mut import = tollgate();
    let import = import.args(["import", "synthetic-check"]).arg(&artifact).arg("--runs-dir");
    assert!(import.arg(&runs).output().unwrap().status.success());
    let path = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let mut database = open(&migrated(&cluster, "kept"));
    assert!(keep(&mut database, &path));
    let summaries = database.summaries(&HistoryFilter::default()).unwrap();
    assert_eq!(summaries, [listed(&record(&path))]);
    let facts = summaries[0].requests[0].imported.as_ref().unwrap();
    assert_eq!(facts.budgets, ["max < 800ms", "errors = 0"]);
    assert!(facts.caveats.len() >= 5, "{facts:?}");
}

#[test]
fn a_run_comes_back_from_the_database_unchanged() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let url = migrated(&cluster, "kept");
    let mut database = open(&url);
    let paths = [1, 2, 3].map(|seed| runs::write(folder.path(), seed, SMALL));
    for path in &paths {
        assert!(keep(&mut database, path));
    }
    for path in &paths {
        let record = record(path);
        let name = path.file_name().unwrap().to_str().unwrap();
        let digits = &record.id.simple().to_string()[24..];
        for named in [name, digits, &record.id.to_string(), &record.id.simple().to_string()] {
            let fetched = database.fetch_run(named).unwrap();
            assert_eq!(*fetched.record, record, "{named}");
            assert!(!fetched.pruned);
        }
        let expected: Vec<Interval> =
            store::read_intervals(path).unwrap().map(Result::unwrap).collect();
        assert_eq!(intervals(&mut database, &record), expected);
    }
    let summaries = database.summaries(&HistoryFilter::default()).unwrap();
    assert_eq!(summaries, paths.map(|path| listed(&record(&path))));
    for unknown in
        ["2026-01-01T00-00-00Z-00000000", "nothing", "", "00000000-0000-7000-8000-000000000000"]
    {
        assert!(
            matches!(database.fetch_run(unknown), Err(DatabaseError::NoRun { .. })),
            "{unknown}"
        );
    }
}

#[test]
fn the_database_lists_the_runs_that_match() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let mut database = open(&migrated(&cluster, "listed"));
    for seed in 0..6 {
        keep(&mut database, &runs::write(folder.path(), seed, SMALL));
    }
    let mut starts = |wanted: HistoryFilter| {
        let runs = database.summaries(&wanted).unwrap();
        runs.iter()
            .map(|run| (run.started - datetime!(2026-01-01 00:00 UTC)).whole_minutes())
            .collect::<Vec<_>>()
    };
    let tag = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    assert_eq!(starts(HistoryFilter::default()), [0, 10, 20, 30, 40, 50]);
    let (since, until) =
        (Some(datetime!(2026-01-01 00:10 UTC)), Some(datetime!(2026-01-01 00:40 UTC)));
    assert_eq!(starts(HistoryFilter { since, until, ..HistoryFilter::default() }), [10, 20, 30]);
    assert_eq!(
        starts(HistoryFilter { tags: tag("environment", "staging"), ..HistoryFilter::default() }),
        [0, 20, 40]
    );
    assert_eq!(
        starts(HistoryFilter { tags: tag("team", "checkout ü"), ..HistoryFilter::default() }).len(),
        6
    );
    assert_eq!(
        starts(HistoryFilter {
            tags: tag("team", "x'; drop schema tollgate; --"),
            ..HistoryFilter::default()
        })
        .len(),
        0
    );
    let scenario =
        |name: &str| HistoryFilter { scenario: Some(name.to_owned()), ..HistoryFilter::default() };
    assert_eq!(starts(scenario("tile-loader-live")).len(), 6);
    assert_eq!(starts(scenario("other")).len(), 0);
}

#[test]
fn a_shard_is_listed_only_in_its_merged_run_from_the_database_and_from_folders_with_any_filter() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let mut database = open(&migrated(&cluster, "merged"));
    // The merged run starts with its first shard. It has no environment, because its shards have
    // different ones.
    let [merged, one, other, alone] =
        [0, 1, 2, 4].map(|seed| runs::write(folder.path(), seed, SMALL));
    let mut record = record(&merged);
    record.provenance.tags.remove("environment");
    let parts = [1, 2].map(|shard| ShardRecord {
        shard,
        run: runs::id(u64::from(shard)),
        host: "probe".to_owned(),
        clock: None,
    });
    let start = datetime!(2026-01-01 00:00 UTC);
    record.measurement.sharing =
        Some(ShardSharing { of: 2, start, parts: parts.to_vec(), lost: Vec::new() });
    store::complete_folder(&merged, &record).unwrap();
    for path in [&merged, &one, &other, &alone] {
        keep(&mut database, path);
    }
    let staging = [("environment".to_owned(), "staging".to_owned())].into();
    for (filter, minutes) in [
        (HistoryFilter::default(), &[0, 40][..]),
        (HistoryFilter { tags: staging, ..HistoryFilter::default() }, &[40]),
        (
            HistoryFilter {
                since: Some(datetime!(2026-01-01 00:10 UTC)),
                ..HistoryFilter::default()
            },
            &[40],
        ),
        (
            HistoryFilter {
                until: Some(datetime!(2026-01-01 00:10 UTC)),
                ..HistoryFilter::default()
            },
            &[0],
        ),
        (
            HistoryFilter {
                until: Some(datetime!(2026-01-01 00:00 UTC)),
                ..HistoryFilter::default()
            },
            &[],
        ),
    ] {
        let of_folders = store::read_summaries(folder.path(), store::SummaryDetail::Listed)
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>();
        for runs in [database.summaries(&filter).unwrap(), of_folders] {
            let history = History::from_runs(runs, &filter);
            let rows = history.trends.first().map_or(&[][..], |trend| &trend.rows);
            let starts: Vec<_> =
                rows.iter().map(|row| (row.run.started - start).whole_minutes()).collect();
            assert_eq!(starts, minutes, "{filter:?}");
        }
    }
}

#[test]
fn a_run_of_the_database_is_found_by_a_beginning_of_its_name_that_no_other_shares() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let mut database = open(&migrated(&cluster, "named"));
    let paths = [1, 2].map(|seed| runs::write(folder.path(), seed, SMALL));
    for path in &paths {
        keep(&mut database, path);
    }
    // Names are in UTC, whatever the server's time zone.
    cluster.sql("named", "alter database named set timezone = 'Asia/Kolkata'");
    let mut database = open(&cluster.url_of("named"));
    for (path, lengths) in paths.iter().zip([15..=29, 15..=29]) {
        let name = path.file_name().unwrap().to_str().unwrap();
        for length in lengths {
            let fetched = database.fetch_run(&name[..length]).unwrap();
            assert_eq!(fetched.record.name(), name, "{length}");
        }
        let upper = name[21..].to_ascii_uppercase();
        assert_eq!(database.fetch_run(&upper).unwrap().record.name(), name);
    }
    let several = database.fetch_run("2026-01-01T00-").unwrap_err().to_string();
    for id in [1, 2].map(runs::id) {
        assert!(several.contains(&id.to_string()), "{several}");
    }
    for unknown in
        ["2026-01-01T05-", "2026-01-0%", "2026_01-01T00-10", "%", "run.json", "x-00000000"]
    {
        assert!(
            matches!(database.fetch_run(unknown), Err(DatabaseError::NoRun { .. })),
            "{unknown}"
        );
    }
}

#[test]
fn a_run_that_is_sent_again_or_by_several_programs_is_in_the_database_once() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let url = migrated(&cluster, "once");
    let path = runs::write(folder.path(), 1, SMALL);
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (url, path) = (url.clone(), path.clone());
            std::thread::spawn(move || keep(&mut open(&url), &path))
        })
        .collect();
    let sent: Vec<bool> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    assert_eq!(sent.iter().filter(|&&is_new| is_new).count(), 1, "{sent:?}");
    let once = contents(&cluster, "once");
    assert_eq!(once[0].1.split(' ').next(), Some("1"));
    assert!(!keep(&mut open(&url), &path));
    assert_eq!(contents(&cluster, "once"), once);
}

#[test]
fn pruning_the_database_deletes_old_intervals_and_changes_no_figure() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let mut database = open(&migrated(&cluster, "pruned"));
    let [old, new] = [1, 2].map(|seed| runs::write(folder.path(), seed, SMALL));
    for path in [&old, &new] {
        keep(&mut database, path);
    }
    cluster.sql(
        "pruned",
        "update tollgate.runs set started = now() where started > '2026-01-01 00:15+00'",
    );
    let before = database.summaries(&HistoryFilter::default()).unwrap();
    let keep_for = std::time::Duration::from_hours(1);
    let would = database.prune(keep_for, true).unwrap();
    assert_eq!((would.runs, would.intervals), (1, 62));
    let done = database.prune(keep_for, false).unwrap();
    assert_eq!(done, would);
    let again = database.prune(keep_for, false).unwrap();
    assert_eq!((again.runs, again.intervals), (0, 0));
    assert_eq!(database.summaries(&HistoryFilter::default()).unwrap(), before);
    let pruned = database.fetch_run(&record(&old).id.to_string()).unwrap();
    assert_eq!((pruned.record, pruned.pruned), (Box::new(record(&old)), true));
    assert_eq!(intervals(&mut database, &record(&old)).len(), 0);
    assert!(!database.fetch_run(&record(&new).id.to_string()).unwrap().pruned);
    assert_eq!(intervals(&mut database, &record(&new)).len(), 62);
    assert_eq!(
        cluster.sql("pruned", "select count(distinct run_id) from tollgate.interval_histograms")[0],
        ["1"]
    );
}

#[test]
fn everything_in_the_database_schema_has_a_comment_and_nothing_is_created_elsewhere() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    migrated(&cluster, "commented");
    let silent = "select c.relname, a.attname from pg_class c \
                  left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
                  where c.relnamespace = 'tollgate'::regnamespace and c.relkind = 'r' \
                  and (obj_description(c.oid, 'pg_class') is null or col_description(c.oid, a.attnum) is null)";
    assert_eq!(cluster.sql("commented", silent), [] as [Vec<String>; 0]);
    let others = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                  where n.nspname not in ('tollgate', 'pg_catalog', 'information_schema', 'pg_toast')";
    assert_eq!(cluster.sql("commented", others)[0], ["0"]);
    assert_eq!(open(&cluster.url_of("commented")).migrate().unwrap(), [] as [&str; 0]);
}

#[test]
fn no_query_leaves_a_transaction_of_the_database_open() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let mut database = open(&migrated(&cluster, "asked"));
    let path = runs::write(folder.path(), 1, SMALL);
    let record = record(&path);
    let closed = |what: &str| {
        let open = "select count(*) from pg_stat_activity where state like 'idle in transaction%'";
        assert_eq!(cluster.sql("postgres", open)[0], ["0"], "{what}");
    };
    database.migrate().unwrap();
    closed("migrate");
    for what in ["stored", "already there"] {
        keep(&mut database, &path);
        closed(what);
    }
    database.identity().unwrap();
    closed("identity");
    database.schema_status().unwrap();
    closed("standing");
    database.stored_runs(&[record.id]).unwrap();
    closed("which");
    database.summaries(&HistoryFilter::default()).unwrap();
    closed("summaries");
    database.fetch_run(&record.id.to_string()).unwrap();
    closed("fetch");
    intervals(&mut database, &record);
    closed("intervals");
    for pretend in [true, false] {
        database.prune(std::time::Duration::from_hours(1), pretend).unwrap();
        closed("prune");
    }
}
