//! `tollgate tune import` and `tollgate tune drift`, and the CPU quota in `check` and `doctor`.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use tollgate::target::{BackgroundTarget, TargetSettings};

use crate::bench::{text, tollgate};

const TABLE: &str = "timestamp,target,durationMs,budgetMs,status,note,source\n\
    2025-10-11T02:08:37Z,https://u:Zebra7f3a9c51@staging.example/app?mock=0,545.2,800,200,shared-cpu-2x:1024MB,a\n\
    2025-10-11T02:15:33Z,https://staging.example/app?mock=0,521.85,800,200,after fly scale memory 2048,a\n\
    2025-10-11T20:29:56Z,staging,598.89,800,not recorded,run 1,b\n\
    by 2025-10-12T04:36Z,staging,617,800,not recorded,rounded,c\n";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = tollgate();
        command.args(words).current_dir(self.0.path());
        command.env("TOLLGATE_SESSIONS_DIR", self.0.path().join("sessions"));
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn sessions(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.path().join("sessions"));
        entries.map_or_else(|_| Vec::new(), |all| all.map(|one| one.unwrap().path()).collect())
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn old_records_become_one_session_that_says_what_can_be_concluded() {
    let folder = Folder::new();
    folder.write("records.csv", TABLE);
    let output = folder.run(&["tune", "import", "records.csv"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed = text(&output.stdout);
    for words in ["No effect of a configuration can be concluded", "records.csv", "Wrote "] {
        assert!(printed.contains(words), "{words} in {printed}");
    }
    assert!(folder.sessions()[0].join("session.html").exists());
    let again = folder.run(&["tune", "import", "records.csv", "--output", "json"]);
    let record = json(&again);
    assert_eq!(record["attempts"].as_array().unwrap().len(), 4);
    assert_eq!(record["provenance"]["imported_from"], "records.csv");
    assert_eq!(record["plan"]["configurations"][1]["name"], "2048 MB");
    assert_eq!(folder.sessions().len(), 1, "importing again gives the same session");
    let session = std::fs::read_to_string(folder.sessions()[0].join("session.json")).unwrap();
    assert!(!session.contains("Zebra") && !printed.contains("Zebra"));
    let shown = folder.run(&["tune", "show", "latest"]);
    assert!(text(&shown.stdout).contains("no figure is that of a cold start"), "{shown:?}");
    let listed = folder.run(&["tune", "list"]);
    assert!(text(&listed.stdout).contains("  imported"), "{listed:?}");
}

#[test]
fn a_wrong_table_and_overlapping_spans_are_refused_and_nothing_is_imported() {
    let folder = Folder::new();
    folder
        .write("records.csv", &TABLE.replace("545.2", "fast").replace("by 2025-10-12", "someday"));
    folder.write("good.csv", TABLE);
    let output = folder.run(&["tune", "import", "records.csv", "good.csv"]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors.contains("records.csv:2: `durationMs` is not a number"), "{errors}");
    assert!(errors.contains("records.csv:5: `timestamp` is no time"), "{errors}");
    let spans = ["--configuration", "a=2025-10-11..", "--configuration", "b=..2025-10-12"];
    let overlap = folder.run(&[&["tune", "import", "good.csv"][..], &spans[..]].concat());
    assert_eq!(overlap.status.code(), Some(2));
    assert!(text(&overlap.stderr).contains("`a` and `b` overlap"), "{overlap:?}");
    assert_eq!(folder.sessions(), Vec::<PathBuf>::new());
}

const MATCHING: &str = "app = \"rehearsal\"\n\
    [[services]]\nINTERNAL_PORT\nauto_stop_machines = true\nauto_start_machines = true\n\
    [services.concurrency]\nsoft_limit = 20\nhard_limit = 25\n\
    [[vm]]\nsize = \"shared-cpu-1x\"\nmemory = \"1gb\"\n";

/// `tune drift` against simulated machines.
fn drift(folder: &Folder, target: &BackgroundTarget, file: &str, words: &[&str]) -> Output {
    folder.write("fly.toml", &file.replace("INTERNAL_PORT", "internal_port = 3000"));
    let mut command = folder.command(&["tune", "drift", "fly.toml", "--app", "rehearsal"]);
    command.args(words).env("FLY_API_TOKEN", "rehearsal-token");
    command.env("FLY_FLAPS_BASE_URL", target.base_url()).output().unwrap()
}

#[test]
fn drift_compares_the_machines_of_an_app_with_its_file() {
    let folder = Folder::new();
    let settings = TargetSettings::from_flags(&["--fly", "demo"]).unwrap();
    let target = BackgroundTarget::start(&settings).unwrap();
    let same = drift(&folder, &target, MATCHING, &[]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    assert!(text(&same.stdout).contains("Nothing differs in"), "{same:?}");
    let larger = drift(&folder, &target, &MATCHING.replace("1gb", "2048mb"), &[]);
    assert_eq!(larger.status.code(), Some(1), "{larger:?}");
    let printed = text(&larger.stdout);
    assert!(printed.contains("differs  fly.toml:11  memory = \"2048mb\""), "{printed}");
    assert!(printed.contains("1024 MB, not 2048 MB"), "{printed}");
    let report = json(&drift(&folder, &target, MATCHING, &["--output", "json"]));
    assert_eq!(report["machines"], 1);
    let wrong = drift(&folder, &target, &MATCHING.replace("1gb", "much"), &[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("fly.toml:11:11: `much` is not an amount"), "{wrong:?}");
    let mut without = folder.command(&["tune", "drift", "fly.toml", "--app", "rehearsal"]);
    folder.write("fly.toml", "app = \"rehearsal\"\n");
    let refused = without.env("FLY_API_TOKEN", "x").env("FLY_FLAPS_BASE_URL", target.base_url());
    assert_eq!(refused.output().unwrap().status.code(), Some(2));
}

#[test]
fn a_flag_of_a_place_that_a_command_does_not_look_at_is_refused() {
    let folder = Folder::new();
    let store = "--store=postgresql://127.0.0.1:9/none";
    for (words, problem) in [
        (&["tune", "list", store][..], "add --database"),
        (&["tune", "list", store, "--database", "--sessions-dir", "x"], "leave one of them out"),
        (&["tune", "restore", store], "unexpected argument '--store'"),
        (&["target", "--fly", "demo", "--workers", "2"], "cannot be used with"),
    ] {
        let output = folder.run(words);
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {messages}");
        assert!(messages.contains(problem), "{words:?}: {messages}");
    }
    // A variable may be set for other commands.
    let mut listed = folder.command(&["tune", "list"]);
    let listed = listed.env("TOLLGATE_STORE", "none").output().unwrap();
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
}

const SCENARIO: &str = "name = \"shop\"\nbudgets = [\"max < 1s\"]\n\
    [target]\nbase_url = \"http://127.0.0.1:9\"\n[[request]]\nname = \"home\"\npath = \"/\"\n\
    [load]\narrival_rate = \"20/s\"\nduration = \"90s\"\nconnections = 20\n";

#[test]
fn check_and_doctor_say_when_the_load_spends_the_quota() {
    let folder = Folder::new();
    let machine = "[machine]\nsize = \"shared-cpu-1x\"\ncount = 2\ncpu_per_request = \"15ms\"\n";
    folder.write("shop.toml", &format!("{SCENARIO}{machine}"));
    let check = folder.run(&["check", "shop.toml"]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let (printed, warned) = (text(&check.stdout), text(&check.stderr));
    assert!(
        printed.contains(
            "machines: 2 shared-cpu-1x; 20/s × 15ms CPU a request; the quota serves 8.3/s for any \
             time, and its starting balance is spent after 57s"
        ),
        "{printed}"
    );
    assert!(
        warned.contains("is spent after 57s at 20/s × 15ms, before the end of the run"),
        "{warned}"
    );
    let doctor = json(&folder.run(&["doctor", "shop.toml", "--output", "json"]));
    let findings = doctor["findings"].as_array().unwrap();
    let spent = |finding: &&Value| finding["what"].as_str().unwrap().contains("is spent after 57s");
    assert!(findings.iter().filter(spent).any(|finding| finding["state"] == "warn"), "{doctor}");
}

/// A session of the scenario with one attempt that used 1.5 CPU-seconds for 100 requests.
fn session() -> String {
    let sample = r#"{"request":"home","due_us":0,"latency_us":20000}"#;
    let curve = vec![sample; 99].join(",");
    format!(
        r#"{{"format":1,"id":"0199d0c2-0000-7000-8000-000000000000","name":"warm-up",
        "provenance":{{"started":"2026-11-29T04:00:00Z","tollgate":"0","command":[],
          "host":{{"name":"h","os":"linux","arch":"x86_64","cores":1}}}},
        "plan":{{"scenario":"shop","base_url":"http://127.0.0.1:9","cold":{{"state":"none"}},
          "rounds":1,"seed":0,"curve_rate":2.0,"curve_limit_us":1,"steady_load":"",
          "configurations":[{{"name":"as it is"}}]}},
        "attempts":[{{"number":1,"round":1,"configuration":0,"started":"2026-11-29T04:00:00Z",
          "took_us":60000000,"start":"ran","machine":"m1","machines_before":[{{"id":"m1",
          "state":"started","region":"ord","size":"shared-cpu-1x","cpus":1,"shared_cpus":true,
          "memory_mb":512}}],"first":[{sample}],"curve":[{curve}],"curve_end":"steady",
          "quota":{{"known":"known","reading":{{"m1":{{"throttled_us":0,"used_us":1500000}}}}}}}}]}}"#
    )
}

#[test]
fn without_a_stated_cpu_time_the_newest_session_of_the_scenario_says_it() {
    let folder = Folder::new();
    folder.write("shop.toml", SCENARIO);
    let unknown = text(&folder.run(&["check", "shop.toml"]).stdout);
    assert!(!unknown.contains("machines:"), "{unknown}");
    let place = folder.0.path().join("sessions/2026-11-29T04-00-00Z-0199d0c2");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("session.json"), session()).unwrap();
    let check = folder.run(&["check", "shop.toml"]);
    let (printed, warned) = (text(&check.stdout), text(&check.stderr));
    assert!(printed.contains("machines: 1 shared-cpu-1x; 20/s × 15ms CPU a request"), "{printed}");
    assert!(printed.contains("measured by session 2026-11-29T04-00-00Z"), "{printed}");
    assert!(
        warned.contains("WARNING: shop.toml: the quota of 1 shared-cpu-1x is spent after 21s"),
        "{warned}"
    );
    let doctor = json(&folder.run(&["doctor", "shop.toml", "--output", "json"]));
    let quota = |finding: &&Value| finding["name"] == "CPU quota";
    let finding = doctor["findings"].as_array().unwrap().iter().find(quota).unwrap().clone();
    assert_eq!(finding["state"], "warn", "{finding}");
}
