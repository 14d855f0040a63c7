//! A site from days that were added up before is the site from the runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tollgate::record::RunRecord;
use tollgate::store::{RunDraft, RunFolder};

use crate::bench::{migrated, output_text, sync, tollgate};
use crate::cluster::{self, Cluster};
use crate::history_year::{self, YearShape};

/// Two periods of ten days, with a run every twelve hours.
const SHAPE: YearShape = YearShape { days: 20, hours: 12, exchanges: 40 };
/// The rollups by their days, and when each was made.
const MADE: &str = "select day, made from tollgate.rollups order by day";

/// A database with the runs, and their folders.
struct History {
    cluster: Cluster,
    runs: tempfile::TempDir,
    url: String,
}

impl History {
    fn start() -> Self {
        let (cluster, runs) = (Cluster::start(), tempfile::tempdir().unwrap());
        history_year::records(SHAPE).for_each(|record| write(runs.path(), &record));
        let url = migrated(&cluster, "store");
        let history = Self { cluster, runs, url };
        history.sync();
        history
    }

    fn sync(&self) {
        let output = sync(self.runs.path(), &self.url).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    }

    fn sql(&self, statements: &str) -> Vec<Vec<String>> {
        self.cluster.sql("store", statements)
    }

    /// The site from the database.
    fn site(&self) -> BTreeMap<String, String> {
        self.site_as(&self.url)
    }

    fn site_as(&self, url: &str) -> BTreeMap<String, String> {
        self.build("database", url, &[])
    }

    fn build(&self, from: &str, url: &str, further: &[&str]) -> BTreeMap<String, String> {
        let out = tempfile::tempdir().unwrap();
        let mut command = tollgate();
        command.args(["report", "--since", "2025-12-09", "--until", "2025-12-19", "--from", from]);
        // Partners get the same pages, without the reports of runs.
        command.args(["--audience", "partner", "--format", "html", "--format", "json"]);
        command.args(["--timezone", "Europe/Berlin"]).args(further);
        command.arg("--runs-dir").arg(self.runs.path()).arg("--out").arg(out.path());
        let built = command.env("DATABASE_URL", url).output().unwrap();
        assert_eq!(built.status.code(), Some(0), "{}", output_text(&built));
        assert!(!output_text(&built).contains("WARNING"), "{}", output_text(&built));
        let names = ["index.html", "summary.md", "history.json"];
        names.map(|name| (name.to_owned(), read(&out.path().join(name)))).into()
    }

    /// The site, which must be the same if nothing was added up before; also the days that were
    /// added up for it.
    fn checked_site(&self) -> (BTreeMap<String, String>, Vec<String>) {
        let before = self.sql(MADE);
        let site = self.site();
        let changed = self.sql(MADE).into_iter().filter(|row| !before.contains(row));
        let days = changed.map(|row| row[0].clone()).collect();
        self.sql("create table kept as table tollgate.rollups; delete from tollgate.rollups");
        assert!(self.site() == site);
        self.sql("delete from tollgate.rollups; insert into tollgate.rollups table kept");
        self.sql("drop table kept");
        (site, days)
    }
}

/// Writes the folder of a run whose intervals are gone.
fn write(runs_dir: &Path, record: &RunRecord) {
    let RunRecord { format, id, provenance, plan, measurement, .. } = record.clone();
    let draft = RunDraft { format, id, provenance, plan, measurement };
    RunFolder::create(runs_dir, &draft).unwrap().finish(record).unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_site_from_rollups_equals_the_one_from_runs_and_the_one_from_folders() {
    if cluster::is_left_out() {
        return;
    }
    let history = History::start();
    let folders = history.build("folders", &history.url, &[]);
    let first = history.site();
    let made = history.sql(MADE);
    // The oldest day of the earlier period and the last day of the later one are there too.
    assert_eq!(made.len(), 20, "{made:?}");
    let second = history.site();
    assert!(folders == first && first == second);
    assert_eq!(history.sql(MADE), made);
    let slower = history.build("database", &history.url, &["--tag", "deploy=5"]);
    assert!(slower != first);
    let days = "select count(distinct series) from tollgate.rollups";
    assert_eq!(history.sql(days), [["2"]]);
    assert!(history.site() == first);
}

#[test]
fn only_the_days_of_late_deleted_and_merged_runs_are_added_up_again() {
    if cluster::is_left_out() {
        return;
    }
    let history = History::start();
    let (first, days) = history.checked_site();
    assert_eq!(days.len(), 20);
    let mut late = history_year::record(SHAPE, 12 * 24).unwrap();
    late.id = history_year::id(1);
    late.provenance.started += Duration::from_mins(30);
    write(history.runs.path(), &late);
    history.sync();
    let (with_late, days) = history.checked_site();
    assert_eq!(days, ["2025-12-11"]);
    assert!(with_late != first);
    history.sql(&format!("delete from tollgate.runs where id = '{}'", late.id));
    let (without, days) = history.checked_site();
    assert_eq!(days, ["2025-12-11"]);
    assert!(without == first);
    // The newest run of the third day counts for a run of the fifth.
    let on_day = |day: u32| {
        format!("(started at time zone 'Europe/Berlin')::date = date '2025-12-09' + {day}")
    };
    let parts = format!(
        "update tollgate.runs set parts = array(select id from tollgate.runs where {} limit 1) \
         where id = (select id from tollgate.runs where {} order by started desc limit 1)",
        on_day(5),
        on_day(3)
    );
    history.sql(&parts);
    let (merged, days) = history.checked_site();
    assert_eq!(days, ["2025-12-14"]);
    assert!(merged != first);
}

#[test]
fn a_user_who_may_not_write_and_an_older_schema_give_the_same_site() {
    if cluster::is_left_out() {
        return;
    }
    let history = History::start();
    let roles = [("watcher", "tollgate_reader"), ("builder", "tollgate_reader, tollgate_writer")];
    let [reader, both] = roles.map(|(user, roles)| {
        history.sql(&format!("create role {user} login password 'x' in role {roles}"));
        history.cluster.url_as(user, "x", "store")
    });
    let first = history.site_as(&reader);
    assert!(history.sql(MADE).is_empty());
    assert!(history.site_as(&both) == first);
    let made = history.sql(MADE);
    assert_eq!(made.len(), 20);
    assert!(history.site_as(&reader) == first);
    history.sql("alter database store set default_transaction_read_only = on");
    assert!(history.site() == first);
    history.cluster.sql("postgres", "alter database store reset all");
    assert_eq!(history.sql(MADE), made);
    history.sql(
        "drop table tollgate.rollups; alter table tollgate.verdicts drop column written; \
         delete from tollgate.migrations where version >= 4",
    );
    assert!(history.site() == first);
    let out = tempfile::tempdir().unwrap();
    let mut team = tollgate();
    team.args(["report", "--since", "2025-12-18", "--until", "2025-12-19", "--from", "database"]);
    let team = team.arg("--out").arg(out.path()).env("DATABASE_URL", &history.url).output();
    let team = team.unwrap();
    assert_eq!(team.status.code(), Some(0), "{}", output_text(&team));
    assert!(out.path().join("index.html").exists());
}

#[test]
fn pruning_deletes_the_rollups_of_runs_that_are_gone() {
    if cluster::is_left_out() {
        return;
    }
    let history = History::start();
    history.site();
    history.sql("delete from tollgate.runs where started < '2025-12-01'");
    let pruned = tollgate()
        .args(["db", "prune", "--keep", "36500d"])
        .env("DATABASE_URL", &history.url)
        .output()
        .unwrap();
    assert_eq!(pruned.status.code(), Some(0), "{}", output_text(&pruned));
    assert_eq!(history.sql("select min(day) from tollgate.rollups"), [["2025-12-01"]]);
}

#[test]
fn damaged_rollups_are_added_up_again() {
    if cluster::is_left_out() {
        return;
    }
    let history = History::start();
    let first = history.site();
    for damage in [
        "payload = ''",
        "payload = '\\x00ff'",
        "payload = substring(payload for length(payload) - 9)",
        "payload = set_byte(payload, 200, 255 - get_byte(payload, 200))",
        "payload = (select payload from tollgate.rollups where day = '2025-12-12')",
        "format = 0, payload = 'another'",
        "runs = '{}'",
    ] {
        history.sql(&format!("update tollgate.rollups set {damage} where day = '2025-12-11'"));
        let (site, days) = history.checked_site();
        assert!(site == first, "{damage}");
        assert_eq!(days, ["2025-12-11"], "{damage}");
    }
}
