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
        variables: vec![
            variable("API_TOKEN", VariableOrigin::Secret { is_required: true }),
            variable("COUPON", VariableOrigin::Secret { is_required: false }),
            variable("REGION", VariableOrigin::PublicElsewhere),
            variable("TOLLGATE_TARGET", VariableOrigin::Public("https://shop.example".to_owned())),
        ],
        length: Duration::from_secs(70),
        meeting,
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
    for path in ["/repo/shop.toml", "../shop.toml", "a/../../shop.toml"] {
        let job = with_file(|file| file.typed = path.to_owned());
        for engine in [github(), gitlab()] {
            assert!(
                refused(&job, &engine).contains("is not a path inside the repository"),
                "{path}"
            );
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
}

#[test]
fn variables_that_github_cannot_hold_are_refused() {
    for (names, expected) in [
        (
            ["GITHUB_ORG", "B"],
            "`GITHUB_ORG` cannot be a variable of GitHub: it begins with GITHUB_",
        ),
        (["Token", "TOKEN"], "differs from another only in case"),
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
