//! A run's folder and the database give the same output.

use std::path::Path;
use std::process::{Command, Output};

use tollgate::store::{self, DatabaseError};

use crate::bench::{migrated, open, output_text, sync, tollgate, tollgate_with_reports};
use crate::cluster::{self, Cluster};
use crate::runs::{self, SMALL};

/// A database with three runs, and their folders.
fn stored(cluster: &Cluster) -> (tempfile::TempDir, String) {
    let (runs, url) = (tempfile::tempdir().unwrap(), migrated(cluster, "store"));
    for seed in 1..=3 {
        runs::write(runs.path(), seed, SMALL);
    }
    let output = sync(runs.path(), &url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    (runs, url)
}

fn command(words: &[&str], runs: &Path) -> Command {
    let mut command = tollgate_with_reports();
    command.args(words).arg("--runs-dir").arg(runs);
    command
}

/// What is printed, except the lines that name the folder.
fn without_folders(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().filter(|line| !line.starts_with("Wrote ")).collect::<Vec<_>>().join("\n")
}

fn name(seed: u64) -> String {
    let id = runs::id(seed).simple().to_string();
    format!("2026-01-01T00-{seed}0-00Z-{}", &id[24..])
}

#[test]
fn a_run_from_the_database_gets_back_the_folder_that_it_had() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (runs, url) = stored(&cluster);
    let elsewhere = tempfile::tempdir().unwrap();
    let here = command(&["show", &name(2)], runs.path()).output().unwrap();
    let there = command(&["show", &name(2)[21..]], elsewhere.path())
        .env("DATABASE_URL", &url)
        .output()
        .unwrap();
    assert_eq!(there.status.code(), here.status.code(), "{}", output_text(&there));
    assert_eq!(without_folders(&there), without_folders(&here));
    let files =
        std::fs::read_dir(runs.path().join(name(2))).unwrap().map(|file| file.unwrap().file_name());
    let files: Vec<_> = files.filter(|file| file != "store.json").collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let [one, other] = [&runs, &elsewhere]
            .map(|runs| std::fs::read(runs.path().join(name(2)).join(&file)).unwrap());
        assert!(one == other, "{}", file.display());
    }
    let sent = sync(elsewhere.path(), &url).output().unwrap();
    assert!(output_text(&sent).contains("0 runs uploaded"), "{}", output_text(&sent));
}

#[test]
fn a_folder_that_was_not_restored_whole_from_the_database_does_not_count() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (_runs, url) = stored(&cluster);
    let mut database = open(&url);
    let fetched = database.fetch_run(&name(1)).unwrap();
    for cut in [0, 1, 40] {
        let elsewhere = tempfile::tempdir().unwrap();
        let mut left = cut;
        let cut_off = store::restore_folder(elsewhere.path(), &fetched.record, |folder| {
            database.intervals(&fetched.record, |interval| {
                left -= 1;
                if left < 0 {
                    Err(std::io::Error::other("cut off").into())
                } else {
                    Ok::<_, DatabaseError>(folder.add(&interval)?)
                }
            })
        });
        assert!(cut_off.is_err());
        assert_eq!(
            store::run_folders(elsewhere.path()).unwrap(),
            [] as [std::path::PathBuf; 0],
            "{cut}"
        );
    }
}

#[test]
fn lists_and_comparisons_are_the_same_from_the_database() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (runs, url) = stored(&cluster);
    let nowhere = runs.path().join("nowhere");
    let (one, other) = (name(1), name(3));
    for words in [
        &["history"][..],
        &["history", "--output", "json"],
        &["history", "--output", "csv"],
        &["history", "--scenario", "tile-loader-live", "--environment", "production"],
        &[
            "history",
            "--verdict",
            "fail",
            "--since",
            "2026-01-01T00:15:00Z",
            "--tag",
            "team=checkout ü",
        ],
        &["compare", &one, &other],
        &["compare", &one, &other, "--output", "json"],
    ] {
        let here = command(words, runs.path()).output().unwrap();
        let there = command(words, &nowhere).env("DATABASE_URL", &url).output().unwrap();
        assert_eq!(there.status.code(), Some(0), "{words:?}: {}", output_text(&there));
        assert!(!here.stdout.is_empty(), "{words:?}");
        assert_eq!(without_folders(&there), without_folders(&here), "{words:?}");
    }
    let by_name = command(&["compare", &one, &other], runs.path()).output().unwrap();
    let typed = [format!("gone/{one}/run.json"), format!("gone/{}", &other[..17])];
    let by_path = command(&["compare", &typed[0], &typed[1]], &nowhere)
        .env("DATABASE_URL", &url)
        .output()
        .unwrap();
    assert_eq!(without_folders(&by_path), without_folders(&by_name), "{}", output_text(&by_path));
    let folders = command(&["history", "--from", "folders"], &nowhere)
        .env("DATABASE_URL", &url)
        .output()
        .unwrap();
    assert!(output_text(&folders).contains("There is no run in"), "{}", output_text(&folders));
    let unknown =
        command(&["show", "00000000"], &nowhere).env("DATABASE_URL", &url).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2), "{}", output_text(&unknown));
    assert!(
        output_text(&unknown).contains("there is no run 00000000 in postgres@127.0.0.1"),
        "{}",
        output_text(&unknown)
    );
}

#[test]
fn a_pruned_run_of_the_database_shows_the_same_figures_as_before() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (runs, url) = stored(&cluster);
    let db = |words: &[&str]| {
        tollgate().arg("db").args(words).env("DATABASE_URL", &url).output().unwrap()
    };
    let pretended = db(&["prune", "--keep", "1d", "--dry-run"]);
    assert!(
        output_text(&pretended).contains("Would delete 186 intervals of 3 runs"),
        "{}",
        output_text(&pretended)
    );
    let pruned = db(&["prune", "--keep", "1d"]);
    assert!(
        output_text(&pruned).contains("Deleted 186 intervals of 3 runs"),
        "{}",
        output_text(&pruned)
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let here = command(&["show", &name(2)], runs.path()).output().unwrap();
    let there =
        command(&["show", &name(2)], elsewhere.path()).env("DATABASE_URL", &url).output().unwrap();
    assert!(output_text(&there).contains("were pruned"), "{}", output_text(&there));
    let figures =
        |output| without_folders(output).lines().take(12).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(figures(&there), figures(&here));
    let [one, other] = [&runs, &elsewhere]
        .map(|runs| std::fs::read(runs.path().join(name(2)).join("run.json")).unwrap());
    assert!(one == other);
}

#[test]
fn the_doctor_reports_what_keeps_a_database_from_storing_runs() {
    const CANARY: &str = "Zebra7f3a9c51";
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    migrated(&cluster, "store");
    cluster.create_database("empty");
    cluster.sql("store", &format!("create role stranger login password '{CANARY}'"));
    cluster
        .sql("store", &format!("create role ci login password '{CANARY}' in role tollgate_writer"));
    let status = |url: &str| {
        let output = tollgate().args(["db", "status"]).env("DATABASE_URL", url).output().unwrap();
        assert!(!output_text(&output).contains(CANARY), "{}", output_text(&output));
        (output.status.code(), output_text(&output))
    };
    let found = |url: &str, code: i32, words: &str| {
        let (exit, text) = status(url);
        assert!(exit == Some(code) && text.contains(words), "{exit:?}: {text}");
    };
    found(&cluster.url_of("store"), 0, "this user may store runs, read them, change the schema");
    found(&cluster.url_as("ci", CANARY, "store"), 0, "this user may store runs");
    found(&cluster.url_of("empty"), 1, "`tollgate db migrate` makes it");
    found(
        &cluster.url_as("stranger", CANARY, "store"),
        1,
        "there is none, or this user may not see it",
    );
    cluster.sql(
        "store",
        "grant usage on schema tollgate to stranger; grant select on tollgate.migrations to stranger",
    );
    cluster.sql(
        "store",
        "create policy stranger_reads on tollgate.migrations for select to stranger using (true)",
    );
    found(
        &cluster.url_as("stranger", CANARY, "store"),
        1,
        "this user may neither store nor read runs",
    );
    found(&cluster.url_as("nobody", CANARY, "store"), 1, "check user name and password");
    cluster.sql("store", "alter table tollgate.runs disable row level security");
    found(&cluster.url_of("store"), 1, "tollgate.runs: row level security is off");
    let whole = tollgate()
        .args(["doctor", "--output", "json"])
        .env("DATABASE_URL", cluster.url_of("store"))
        .output()
        .unwrap();
    assert_eq!(whole.status.code(), Some(1), "{}", output_text(&whole));
    assert!(output_text(&whole).contains("\"row level security\""), "{}", output_text(&whole));
}

#[test]
fn a_password_of_the_database_is_in_no_file_and_in_no_output() {
    const CANARY: &str = "Zebra/7f3a#9c51";
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    migrated(&cluster, "store");
    cluster.sql(
        "store",
        &format!(
            "create role ci login password '{CANARY}' in role tollgate_writer, tollgate_reader"
        ),
    );
    let url = cluster.url_as("ci", CANARY, "store");
    let runs = tempfile::tempdir().unwrap();
    let away = url.replace(&cluster.port().to_string(), "1");
    for url in [&url, &away] {
        for pino in [&[][..], &["--log-format", "pino", "--log-level", "debug"]] {
            let run = ["run", "http://127.0.0.1:1", "--duration", "1s", "--store", url];
            let commands = [&run[..], &["sync", "--store", url], &["history", "--store", url]];
            for words in commands.into_iter().chain([&["db", "status", "--store", url][..]]) {
                let mut command = tollgate_with_reports();
                command.args(words).args(pino);
                if words[0] != "db" {
                    command.arg("--runs-dir").arg(runs.path());
                }
                let output = command.output().unwrap();
                assert_no_secret(&output_text(&output));
            }
        }
    }
    let dump =
        ["select record::text from tollgate.runs", "select command::text from tollgate.runs"];
    assert_eq!(cluster.sql("store", dump[0]).len(), 2);
    for sql in dump {
        assert_no_secret(&cluster.sql("store", sql).concat().join("\n"));
    }
    for folder in std::fs::read_dir(runs.path()).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            assert_no_secret(&String::from_utf8_lossy(
                &std::fs::read(file.unwrap().path()).unwrap(),
            ));
        }
    }
}

fn assert_no_secret(text: &str) {
    for form in ["Zebra/7f3a", "Zebra%2F7f3a", "7f3a#9c51", "7f3a%239c51"] {
        assert!(!text.contains(form), "{text}");
    }
}

#[test]
fn a_site_from_the_database_equals_the_site_from_the_folders() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let (runs, url) = stored(&cluster);
    let sites = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let build = |from: &str, out: &Path| {
        let formats = ["--format", "html", "--format", "json", "--format", "csv"];
        let period = ["report", "--since", "2026-01-01", "--until", "2026-01-02", "--from", from];
        let built = command(&[&period[..], &formats].concat(), runs.path())
            .env("DATABASE_URL", &url)
            .arg("--out")
            .arg(out)
            .output()
            .unwrap();
        assert_eq!(built.status.code(), Some(0), "{}", output_text(&built));
    };
    build("folders", sites[0].path());
    build("database", sites[1].path());
    for name in [
        "index.html",
        "summary.html",
        "summary.md",
        "history.json",
        "history.csv",
        "scenarios",
        "runs",
    ] {
        let [here, there] = sites.each_ref().map(|site| content(&site.path().join(name)));
        assert!(here == there && !here.is_empty(), "{name}: {here:.2000}\n\n{there:.2000}");
    }
}

/// The text of a file, or of all files in a folder with their names.
fn content(path: &Path) -> String {
    if path.is_file() {
        return std::fs::read_to_string(path).unwrap();
    }
    let mut files: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let file = |path: &std::path::PathBuf| {
        format!("{}\n{}", path.file_name().unwrap().display(), content(path))
    };
    files.iter().map(file).collect()
}
