use std::time::Duration;

use super::*;

/// Two machines for a scenario with a data file, a body, and one variable of each kind.
fn job(meeting: MeetingPlace) -> FleetJob {
    let attached = |written: &str, content: FileContent| AttachedContent {
        written: written.to_owned(),
        path: format!("/repo/scenarios/{written}"),
        content,
    };
    let scenario = JobFile {
        typed: "scenarios/shop.toml".to_owned(),
        path: "/repo/scenarios/shop.toml".to_owned(),
        content: b"name = \"shop\"\n".to_vec(),
        attached: vec![
            attached("data/users.csv", FileContent::Public(b"id\n7\n".to_vec())),
            attached("body.bin", FileContent::Public(vec![0xff, 0x00])),
        ],
    };
    let variable = |name: &str, origin| JobVariable { name: name.to_owned(), origin };
    FleetJob {
        name: JobName::parse("shop").unwrap(),
        shards: 2,
        sources: vec![JobSource::File(scenario)],
        flags: ["--rate", "200/s", "--tag=purpose=release"].map(str::to_owned).to_vec(),
        ca: None,
        merge_flags: Vec::new(),
        variables: vec![
            variable("API_TOKEN", VariableOrigin::Secret { is_required: true }),
            variable("COUPON", VariableOrigin::Secret { is_required: false }),
            variable("REGION", VariableOrigin::PublicElsewhere),
            variable("TOLLGATE_TARGET", VariableOrigin::Public("https://shop.example".to_owned())),
        ],
        length: Duration::from_secs(70),
        meeting,
        times: MeetingTimes::default(),
        repository: "/repo".to_owned(),
        run_suffix: "1a2b3c4d".to_owned(),
        reads_store: false,
    }
}

const STORED: MeetingPlace = MeetingPlace::Store;
const FIXED: MeetingPlace = MeetingPlace::StartTime(Duration::from_mins(5));

fn kubernetes() -> FleetEngine {
    let image = "ghcr.io/OWNER/tollgate:1.2.3".to_owned();
    let store_ca = Some("-----BEGIN CERTIFICATE-----\n".to_owned());
    FleetEngine::Kubernetes { image, secret: JobName::parse("tollgate").unwrap(), store_ca }
}

fn github() -> FleetEngine {
    FleetEngine::GitHub { action: "OWNER/tollgate@v1.2.3".to_owned() }
}

fn gitlab() -> FleetEngine {
    FleetEngine::GitLab { release: "https://example.org/releases/download/v1.2.3".to_owned() }
}

#[test]
fn the_file_of_every_engine_matches_its_snapshot() {
    for (name, engine, meeting) in [
        ("kubernetes", kubernetes(), STORED),
        ("slurm", FleetEngine::Slurm, STORED),
        ("slurm_without_store", FleetEngine::Slurm, FIXED),
        ("github", github(), STORED),
        ("github_without_store", github(), FIXED),
        ("gitlab", gitlab(), STORED),
        ("gitlab_without_store", gitlab(), FIXED),
    ] {
        let text = job(meeting).write(&engine).unwrap();
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(name, text);
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// A file with certificates, by its absolute path.
fn authorities(path: &str) -> JobFile {
    JobFile {
        typed: path.trim_start_matches("/repo/").to_owned(),
        path: path.to_owned(),
        content: b"the authorities".to_vec(),
        attached: Vec::new(),
    }
}

/// All engines with both meeting places, except that Kubernetes needs a database.
fn written(change: impl Fn(&mut FleetJob)) -> Vec<String> {
    let cases = [
        (kubernetes(), STORED),
        (FleetEngine::Slurm, STORED),
        (FleetEngine::Slurm, FIXED),
        (github(), STORED),
        (github(), FIXED),
        (gitlab(), STORED),
        (gitlab(), FIXED),
    ];
    let write = |(engine, meeting)| {
        let mut job = job(meeting);
        change(&mut job);
        job.write(&engine).unwrap()
    };
    cases.map(write).to_vec()
}

#[test]
fn a_longer_wait_and_lead_count_in_the_limits_of_the_engine() {
    let longer = |job: &mut FleetJob| {
        job.flags = words("--rendezvous-wait 40m --lead 20m");
        let [wait, lead] = [40, 20].map(Duration::from_mins);
        job.times = MeetingTimes { wait: Some(wait), lead: Some(lead) };
    };
    let text = written(longer);
    // 40 + 20 minutes, 3 more, and a load of 70 s: 65 minutes, and 5 more for the merge.
    let limits = [
        ["activeDeadlineSeconds: 3900", "activeDeadlineSeconds: 4200"],
        ["--time=65", "--time=70"],
        ["timeout-minutes: 65", "timeout-minutes: 70"],
        ["timeout: 65 minutes", "timeout: 70 minutes"],
    ];
    // Kubernetes starts the merge together with the shards.
    assert!(text[0].contains("        - --rendezvous-wait\n        - 65m\n"), "{}", text[0]);
    for (at, expected) in [0, 1, 3, 5].into_iter().zip(limits) {
        assert!(expected.iter().all(|limit| text[at].contains(limit)), "{}", text[at]);
        // The other engines start it once the shards have ended, so that none comes any more.
        assert_eq!(at == 0, !text[at].contains("--rendezvous-wait=10s"), "{}", text[at]);
    }
    for at in [2, 4, 6] {
        assert!(!text[at].contains("--rendezvous-wait=10s"), "{}", text[at]);
    }
}

#[test]
fn outputs_of_the_run_are_flags_of_the_merge() {
    let flags = "--junit out/junit.xml --metrics=m.txt --otlp https://otlp.example";
    for text in written(|job| job.merge_flags = words(flags)) {
        let (shards, merge) = text.rsplit_once(" merge").unwrap();
        let (shards, merge) = match text.rsplit_once("command: merge") {
            Some(github) => github,
            None if text.contains("kind: Job") => text.rsplit_once("- merge\n").unwrap(),
            None => (shards, merge),
        };
        assert!(!shards.contains("--junit") && !shards.contains("m.txt"), "{shards}");
        let merge = merge.split_whitespace().filter(|word| *word != "-");
        let merge = merge.collect::<Vec<_>>().join(" ");
        assert!(merge.contains(flags), "{merge}");
    }
    let text = written(|job| job.merge_flags = words(flags));
    let artifacts = "  - reports/runs/\n    - out/junit.xml\n    - m.txt\n    reports:\n      \
                     junit: out/junit.xml\n      metrics: m.txt\n";
    assert!(text[5].contains(artifacts), "{}", text[5]);
    assert!(
        text[3].contains("outputs.run }}\n          out/junit.xml\n          m.txt"),
        "{}",
        text[3]
    );
    let secret = "OTEL_EXPORTER_OTLP_HEADERS: ${{ secrets.OTEL_EXPORTER_OTLP_HEADERS }}";
    assert!(text[4].contains(secret), "{}", text[4]);
    assert!(text[0].contains("key: OTEL_EXPORTER_OTLP_HEADERS, optional: true"), "{}", text[0]);
}

#[test]
fn a_comment_of_gitlab_has_the_token() {
    let text = FleetJob { merge_flags: words("--comment"), ..job(STORED) };
    let text = text.write(&gitlab()).unwrap();
    assert!(text.contains("variable GITLAB_TOKEN") && text.contains(" --comment\n"), "{text}");
}

#[test]
fn the_file_of_ca_is_where_the_shards_look_for_it() {
    let text = written(|job| {
        job.sources = vec![JobSource::Url("https://shop.example/".to_owned())];
        job.ca = Some(authorities("/repo/tls/ca.pem"));
    });
    assert!(text[0].contains("- --ca\n        - /scenarios/ca.pem\n"), "{}", text[0]);
    assert!(text[0].contains("  ca.pem: the authorities\n"), "{}", text[0]);
    for text in &text[1..] {
        assert!(text.contains("--ca tls/ca.pem"), "{text}");
    }
}

#[test]
fn a_scenario_in_a_subfolder_has_its_path_from_the_root_of_the_repository() {
    for engine in [github(), gitlab()] {
        let text = with_file(|file| file.typed = "shop.toml".to_owned()).write(&engine).unwrap();
        assert!(text.contains(" scenarios/shop.toml"), "{text}");
        let text = with_file(|file| file.path = "/repo/-shop.toml".to_owned()).write(&engine);
        assert!(text.as_ref().unwrap().contains(" ./-shop.toml"), "{text:?}");
    }
}

#[test]
fn a_file_that_may_not_run_as_it_is_comes_with_a_doubt() {
    let warnings = |job: &FleetJob, engine: &FleetEngine| job.warnings(engine).join("\n");
    for (engine, flag) in [(kubernetes(), "--image"), (github(), "--action")] {
        let said = warnings(&job(STORED), &engine);
        assert!(said.contains("is a placeholder") && said.ends_with(flag), "{said}");
    }
    assert_eq!(warnings(&job(STORED), &gitlab()), "");
    assert_eq!(warnings(&job(STORED), &FleetEngine::Slurm), "");
    let lost = FleetJob { merge_flags: words("--junit=j.xml"), ..job(STORED) };
    assert!(warnings(&lost, &kubernetes()).contains("--junit writes j.xml in the pod"));
    let absolute = with_file(|file| file.attached[0].written = "/etc/ca.pem".to_owned());
    assert!(warnings(&absolute, &FleetEngine::Slurm).contains("needs /etc/ca.pem at this place"));
}

/// Why a job cannot be written.
fn refused(job: &FleetJob, engine: &FleetEngine) -> String {
    job.write(engine).unwrap_err().to_string()
}

/// The job with another scenario file.
fn with_file(change: impl FnOnce(&mut JobFile)) -> FleetJob {
    let mut job = job(STORED);
    if let [JobSource::File(file)] = job.sources.as_mut_slice() {
        change(file);
    }
    job
}

#[test]
fn what_an_engine_cannot_run_is_refused_with_its_remedy() {
    let mut many = job(STORED);
    many.shards = 300;
    assert!(refused(&many, &github()).contains("at most 256 jobs; write `--shards 256` or less"));
    assert!(refused(&many, &gitlab()).contains("at most 200; write `--shards 200` or less"));
    let outside = [
        with_file(|file| file.path = "/repository/shop.toml".to_owned()),
        with_file(|file| file.attached[0].path = "/data/users.csv".to_owned()),
        with_file(|file| file.attached[0].written = "/repo/scenarios/users.csv".to_owned()),
        FleetJob { ca: Some(authorities("/ca.pem")), ..job(STORED) },
    ];
    for (at, job) in outside.iter().enumerate() {
        for engine in [github(), gitlab()] {
            assert!(refused(job, &engine).contains("is not in the repository"), "{at}");
        }
    }
    let key = with_file(|file| file.attached[0].content = FileContent::PrivateKey);
    assert!(refused(&key, &github()).contains("which a repository must not hold"));
    let absolute = with_file(|file| file.attached[0].written = "/etc/ca.pem".to_owned());
    assert!(refused(&absolute, &kubernetes()).contains("relative to the folder of the scenario"));
    let large =
        with_file(|file| file.attached[1].content = FileContent::Public(vec![0xff; 800_000]));
    assert!(refused(&large, &kubernetes()).contains("a ConfigMap has at most 1048576"));
    assert!(refused(&job(FIXED), &kubernetes()).contains("share no folder"));
    let comment = FleetJob { merge_flags: words("--comment"), ..job(STORED) };
    for engine in [kubernetes(), FleetEngine::Slurm, github()] {
        assert!(refused(&comment, &engine).contains("--comment is for the pull request"));
    }
}

#[test]
fn variables_that_github_cannot_hold_are_refused() {
    for (names, expected) in [
        (
            ["GITHUB_ORG", "B"],
            "`GITHUB_ORG` cannot be a variable of GitHub: it begins with GITHUB_",
        ),
        (["Token", "TOKEN"], "differs from another only in case"),
        (["GITHUB_TOKEN", "B"], "begins with GITHUB_, which GitHub reserves"),
        (["RUNNER_TEMP", "B"], "begins with RUNNER_, which the runner reserves"),
        (["GATE_ARGS", "B"], "begins with GATE_, which the action reserves"),
        (["TOLLGATE_SHARD_INDEX", "B"], "begins with TOLLGATE_SHARD_, which the workflow reserves"),
    ] {
        let mut job = job(STORED);
        let variable = |name: &str| JobVariable {
            name: name.to_owned(),
            origin: VariableOrigin::Secret { is_required: true },
        };
        job.variables = names.map(variable).to_vec();
        assert!(refused(&job, &github()).contains(expected), "{names:?}");
    }
}

#[test]
fn words_that_the_action_would_read_as_others_are_quoted_or_refused() {
    let lines = |flags: &[&str]| {
        let mut job = job(STORED);
        job.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        job.write(&github())
    };
    for (flags, expected) in [
        (&["--tag", " a=b "][..], "--tag \" a=b \""),
        (&["--tag='a=b'"], "--tag=\"'a=b'\""),
        (&["-H", "X: y"], "          -H\n          X: y\n"),
        (&["--no-spin", "--insecure"], "--no-spin\n          --insecure\n"),
        (&["--tag", "a=${{ secrets.X }}"], "--tag a=${{ '${{' }} secrets.X }}"),
    ] {
        let text = lines(flags).unwrap();
        assert!(text.contains(expected), "{flags:?}: {text}");
    }
    for flags in [&["-HX: y"][..], &["-H", " X: y"], &["--tag", "a=b\nc"], &["--tag=a=b\nc"]] {
        let error = lines(flags).unwrap_err().to_string();
        assert!(error.contains("the action cannot pass"), "{flags:?}: {error}");
    }
}

#[test]
fn secret_files_are_named_and_mounted_but_not_copied() {
    let job = with_file(|file| {
        file.attached[0].content = FileContent::SecretRows;
        file.attached[1].content = FileContent::PrivateKey;
    });
    let text = job.write(&kubernetes()).unwrap();
    for expected in [
        "kubectl create secret generic tollgate-files --from-file=body.bin=/repo/scenarios/body.bin \
         --from-file=users.csv=/repo/scenarios/data/users.csv",
        "name: tollgate-files",
        "{key: users.csv, path: data/users.csv}",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!text.contains("binaryData") && !text.contains("users.csv: |"), "{text}");
}

#[test]
fn a_job_has_the_name_of_its_scenario() {
    for (scenario, end, expected) in [
        ("Shop, checkout (EU)", "", "shop-checkout-eu"),
        ("42 home", "-20261124-150000", "home-20261124-150000"),
        ("日本", "", "tollgate"),
        ("", "-1", "tollgate-1"),
    ] {
        let name = JobName::of_scenario(scenario, end);
        assert_eq!(name.as_str(), expected);
        assert_eq!(JobName::parse(expected), Ok(name));
    }
    let long = JobName::of_scenario(&"very ".repeat(20), "-20261124-150000");
    assert!(JobName::parse(long.as_str()).is_ok(), "{long:?}");
    for text in ["", "-a", "a-", "A", "a_b", "1a", "a b", "a\nb", &"a".repeat(53)] {
        assert!(JobName::parse(text).is_err(), "{text}");
    }
}

#[test]
fn files_of_one_name_in_two_folders_keep_their_places() {
    let mut job = job(STORED);
    let file = |path: &str| {
        JobSource::File(JobFile {
            typed: path.to_owned(),
            path: format!("/repo/{path}"),
            content: path.as_bytes().to_vec(),
            attached: Vec::new(),
        })
    };
    job.sources = vec![file("eu/shop.toml"), file("us/shop.toml"), file("us-2/shop.toml")];
    let text = job.write(&kubernetes()).unwrap();
    for expected in [
        "- /scenarios/eu/shop.toml\n        - /scenarios/us/shop.toml\n        - /scenarios/us-2/shop.toml",
        "shop.toml: eu/shop.toml",
        "{key: file-2, path: us-2/shop.toml}",
        "{key: file-3, path: us/shop.toml}",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    job.sources = vec![JobSource::Url("https://shop.example/".to_owned())];
    let text = job.write(&kubernetes()).unwrap();
    assert!(text.contains("- https://shop.example/\n") && !text.contains("/scenarios"), "{text}");
}
