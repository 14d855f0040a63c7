//! What becomes of a job.

use super::super::job::{
    AttachedContent, FileContent, JobFile, JobName, JobSource, JobVariable, MeetingPlace,
};
use super::*;

const WAIT: Duration = Duration::from_mins(5);

fn variable(name: &str, origin: VariableOrigin) -> JobVariable {
    JobVariable { name: name.to_owned(), origin }
}

fn attached(written: &str, path: &str, content: FileContent) -> AttachedContent {
    AttachedContent { written: written.to_owned(), path: path.to_owned(), content }
}

fn job(shards: u32, attached: Vec<AttachedContent>) -> FleetJob {
    FleetJob {
        name: JobName::parse("shop").unwrap(),
        shards,
        sources: vec![JobSource::File(JobFile {
            typed: "load/shop.toml".to_owned(),
            path: "/home/me/load/shop.toml".to_owned(),
            content: b"a".to_vec(),
            attached,
        })],
        flags: vec!["--rate".to_owned(), "80/s".to_owned()],
        ca: None,
        merge_flags: Vec::new(),
        variables: vec![
            variable("TENANT", VariableOrigin::Public("eu".to_owned())),
            variable("TOKEN", VariableOrigin::Secret { is_required: true }),
            variable("NOTE", VariableOrigin::Secret { is_required: false }),
            variable("BASE", VariableOrigin::PublicElsewhere),
        ],
        length: Duration::from_mins(4),
        meeting: MeetingPlace::Store,
        times: MeetingTimes::default(),
        repository: "/home/me".to_owned(),
        run_suffix: "1a2b3c4d".to_owned(),
        reads_store: false,
    }
}

fn try_fleet(job: &FleetJob, regions: &[&str]) -> Result<FlyFleet, JobError> {
    let name = FleetName { name: "shop".to_owned(), mark: "shop/7".to_owned() };
    let kind = FlyMachineKind {
        size: MachineSize::shared(2),
        image: "registry.fly.io/load:1".to_owned(),
        entrypoint: None,
        rendezvous_wait: WAIT,
        lead: Some(Duration::from_secs(90)),
    };
    let regions = regions.iter().map(|region| (*region).to_owned()).collect();
    FlyFleet::of_job(job, name, regions, kind)
}

fn fleet(shards: u32, regions: &[&str]) -> FlyFleet {
    try_fleet(&job(shards, Vec::new()), regions).unwrap()
}

#[test]
fn each_machine_has_its_shard_its_files_and_no_way_to_outlive_its_run() {
    let machines: Vec<_> = fleet(2, &["ord"]).machines().collect();
    assert_eq!(machines[1].name, "shop-2");
    let command = "run /fleet/shop.toml --rendezvous shop --rendezvous-wait 5m4s --lead 1m30s \
                   --shard auto \
                   --shard-exit done --report none --rate 80/s";
    let expected = json!({
        "image": "registry.fly.io/load:1",
        "init": {"cmd": command.split(' ').collect::<Vec<_>>()},
        "env": {"TENANT": "eu", "TOLLGATE_SHARD_INDEX": "1", "TOLLGATE_SHARD_COUNT": "2"},
        "files": [{"guest_path": "/fleet/shop.toml", "raw_value": "YQ=="}],
        "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512},
        "metadata": {"tollgate_fleet": "shop/7", "tollgate_shard": "2/2"},
        "restart": {"policy": "no"},
        "auto_destroy": true,
    });
    assert_eq!(machines[1].config, expected);
}

#[test]
fn regions_take_turns_and_the_summary_counts_them() {
    let fleet = fleet(5, &["ord", "fra"]);
    let regions: Vec<_> = fleet.machines().map(|machine| machine.region).collect();
    assert_eq!(regions, ["ord", "fra", "ord", "fra", "ord"]);
    let expected = "5 machines: 3 in ord, 2 in fra\n  each shared-cpu-2x with 512 MB, from \
                    registry.fly.io/load:1, for at most 14m";
    assert_eq!(fleet.summary(), expected);
}

#[test]
fn a_variable_of_the_scenario_cannot_change_the_place_of_a_shard() {
    let mut fleet = fleet(3, &["ord"]);
    fleet.variables.insert("TOLLGATE_SHARD_INDEX".to_owned(), "0".to_owned());
    fleet.kind.entrypoint = Some("/usr/local/bin/tollgate".to_owned());
    let config = fleet.machines().last().unwrap().config;
    assert_eq!(config["env"]["TOLLGATE_SHARD_INDEX"], "2");
    assert_eq!(config["init"]["entrypoint"], json!(["/usr/local/bin/tollgate"]));
}

#[test]
fn files_keep_their_places_and_secret_ones_come_from_the_app() {
    let files = vec![
        attached("body.json", "/home/me/load/body.json", FileContent::Public(b"{}".to_vec())),
        attached("../data/users.csv", "/home/me/data/users.csv", FileContent::SecretRows),
        attached("/etc/probe.key", "/etc/probe.key", FileContent::PrivateKey),
    ];
    let fleet = try_fleet(&job(2, files), &["ord"]).unwrap();
    let machine = fleet.machines().next().unwrap();
    let expected = json!([
        {"guest_path": "/etc/probe.key", "secret_name": "FILE_PROBE_KEY"},
        {"guest_path": "/fleet/data/users.csv", "secret_name": "FILE_USERS_CSV"},
        {"guest_path": "/fleet/load/body.json", "raw_value": "e30="},
        {"guest_path": "/fleet/load/shop.toml", "raw_value": "YQ=="},
    ]);
    assert_eq!(machine.config["files"], expected);
    assert_eq!(machine.config["init"]["cmd"][1], "/fleet/load/shop.toml");
    let remedy = "FILE_USERS_CSV=\"$(base64 </home/me/data/users.csv | tr -d '\\n')\"";
    assert_eq!(fleet.secret_remedy("FILE_USERS_CSV"), remedy);
    assert_eq!(fleet.secret_remedy("TOKEN"), "TOKEN=…");
}

#[test]
fn secrets_that_the_app_lacks_are_named() {
    let fleet = fleet(2, &["ord"]);
    let missing = |of_app: &[&str]| {
        fleet.missing_secrets(&of_app.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(missing(&[]), ["BASE", "DATABASE_URL", "TOKEN"]);
    assert_eq!(missing(&["TOKEN", "BASE", "TOLLGATE_STORE"]), [""; 0]);
    assert_eq!(missing(&["TOKEN", "BASE", "DATABASE_URL", "OTHER"]), [""; 0]);
}

#[test]
fn files_that_are_too_large_or_alike_are_refused() {
    let large = vec![attached("a", "/a", FileContent::Public(vec![0; 1 << 20]))];
    let error = try_fleet(&job(2, large), &["ord"]).unwrap_err().to_string();
    assert!(error.contains("1025 KiB") && error.contains("into the image"), "{error}");
    let alike = vec![
        attached("a/k.pem", "/a/k.pem", FileContent::PrivateKey),
        attached("b/k.pem", "/b/k.pem", FileContent::PrivateKey),
    ];
    let error = try_fleet(&job(2, alike), &["ord"]).unwrap_err().to_string();
    assert!(error.contains("FILE_K_PEM; rename one"), "{error}");
}

#[test]
fn a_url_stays_as_it_is() {
    let mut job = job(2, Vec::new());
    job.sources = vec![JobSource::Url("https://shop.example/?a=b".to_owned())];
    job.flags = vec!["--report=all".to_owned()];
    let config = try_fleet(&job, &["ord"]).unwrap().machines().next().unwrap().config;
    assert_eq!(config["init"]["cmd"][1], "https://shop.example/?a=b");
    assert_eq!(config["files"], json!([]));
    assert!(!config["init"]["cmd"].as_array().unwrap().contains(&json!("none")));
}

#[test]
fn the_authorities_of_a_url_reach_the_machine() {
    let mut job = job(2, Vec::new());
    job.sources = vec![JobSource::Url("https://shop.example/".to_owned())];
    job.ca = Some(JobFile {
        typed: "../ca.pem".to_owned(),
        path: "/home/ca.pem".to_owned(),
        content: b"pem".to_vec(),
        attached: Vec::new(),
    });
    let config = try_fleet(&job, &["ord"]).unwrap().machines().next().unwrap().config;
    let expected = json!([{"guest_path": "/fleet/ca.pem", "raw_value": "cGVt"}]);
    assert_eq!(config["files"], expected);
    let words = config["init"]["cmd"].as_array().unwrap();
    assert_eq!(words[words.len() - 2..], ["--ca", "/fleet/ca.pem"]);
}
