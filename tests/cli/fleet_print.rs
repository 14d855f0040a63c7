//! `tollgate fleet print`: what engines read, and that nothing typed can change its meaning.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::bench::{Bench, PLAIN, text, tollgate};

/// What a shell, YAML or an engine might read as something else.
const HOSTILE: [&str; 9] = [
    "it's a \"day\" of $HOME $(touch broken) `touch broken` \\n",
    "a: b # c",
    "- x",
    "line\nEND\nexit 9\n---\nkind: Secret",
    "${{ secrets.ALL }} $$(HOME) $$$$ %PATH% $CI_JOB_TOKEN",
    "*anchor &x !tag {a} [b] | > no",
    "tab\there \u{85}\u{2028}\u{7} é 日",
    "' || touch broken; '",
    " blanks ",
];

/// A folder with a scenario, and the commands that print files for it.
struct Workshop {
    bench: Bench,
}

impl Workshop {
    fn new(top: &str, rest: &str) -> Self {
        let load = PLAIN.replace("duration = \"1s\"", "duration = \"3s\"");
        Self { bench: Bench::new("${TOLLGATE_TARGET}", top, &format!("{rest}{load}")) }
    }

    fn folder(&self) -> &Path {
        self.bench.folder.path()
    }

    /// Prints the file of an engine for the scenario `file`, with `flags` for `run`.
    fn print(
        &self,
        engine: &str,
        file: &str,
        more: &[&str],
        flags: &[impl AsRef<OsStr>],
    ) -> Output {
        let mut command = tollgate();
        command.current_dir(self.folder()).args(["fleet", "print", engine]);
        command.args(["--shards", "2"]).args(more).arg(file).arg("--").args(flags);
        command.env("TOLLGATE_TARGET", "http://127.0.0.1:9/it's $HOME").output().unwrap()
    }

    /// The same, successfully.
    fn printed(
        &self,
        engine: &str,
        file: &str,
        more: &[&str],
        flags: &[impl AsRef<OsStr>],
    ) -> String {
        let output = self.print(engine, file, more, flags);
        assert_eq!(output.status.code(), Some(0), "{file:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Another name for the scenario file.
    fn link(&self, name: &str) -> String {
        let path = self.folder().join(name);
        std::fs::copy(&self.bench.scenario, path).unwrap();
        name.to_owned()
    }

    /// A program that prints its arguments, each with a zero byte behind it.
    fn echo(&self, name: &str) -> PathBuf {
        let folder = self.folder().join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// The arguments that such a program gets from a command.
    fn arguments(&self, command: &mut Command) -> Vec<String> {
        let path = format!("{}:{}", self.folder().join("bin").display(), env!("PATH"));
        let output = command.current_dir(self.folder()).env("PATH", path).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!self.folder().join("broken").exists());
        let all = text(&output.stdout);
        all.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
    }
}

/// File names that an engine might read as something else. None of them is a flag.
fn hostile_names() -> impl Iterator<Item = String> {
    HOSTILE.iter().map(|name| format!("{}.toml", name.replace('/', " ").replace("- x", "n- x")))
}

fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

/// A flag with this text: a tag has no control characters, and a body may have no variable.
fn flag_with(text: &str) -> [String; 2] {
    if text.contains(char::is_control) {
        ["--expect-body".to_owned(), text.to_owned()]
    } else {
        ["--tag".to_owned(), format!("note={text}")]
    }
}

/// The first words of `run` for a file and a flag.
fn expected_words(file: &str, flag: &[String; 2]) -> Vec<String> {
    [["run".to_owned(), file.to_owned()].as_slice(), flag].concat()
}

#[test]
fn a_manifest_gives_kubernetes_every_text_as_it_was_typed() {
    let workshop = Workshop::new("", "");
    for (name, flag) in hostile_names().zip(HOSTILE.map(flag_with)) {
        let file = workshop.link(&name);
        let all = documents(&workshop.printed("kubernetes", &file, &[], &flag));
        let kinds: Vec<_> = all.iter().map(|one| one["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ConfigMap", "Job", "Job"]);
        let pod = &all[1]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let arguments: Vec<_> =
            container["args"].as_array().unwrap()[..4].iter().map(expanded).collect();
        assert_eq!(arguments, expected_words(&format!("/scenarios/{file}"), &flag));
        let target = container["env"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "TOLLGATE_TARGET");
        assert_eq!(expanded(&target.unwrap()["value"]), "http://127.0.0.1:9/it's $HOME");
        let item = &pod["volumes"][1]["projected"]["sources"][0]["configMap"]["items"][0];
        assert_eq!(item["path"], file.as_str());
        let content = &all[0]["data"][item["key"].as_str().unwrap()];
        assert_eq!(content, &std::fs::read_to_string(&workshop.bench.scenario).unwrap());
    }
}

/// What Kubernetes makes of a text: `$$` is `$`, and `$(NAME)` is replaced.
fn expanded(text: &Value) -> String {
    let (mut expanded, mut rest) = (String::new(), text.as_str().unwrap());
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        assert!(!after.starts_with('('), "{text} would be replaced");
        expanded.push_str(&rest[..=at]);
        rest = after.strip_prefix('$').unwrap_or(after);
    }
    expanded + rest
}

#[test]
fn a_script_gives_slurm_every_text_as_it_was_typed() {
    let workshop = Workshop::new("", "");
    workshop.echo("tollgate");
    for (name, flag) in hostile_names().zip(HOSTILE.map(flag_with)) {
        let file = workshop.link(&name);
        let script = workshop.printed("slurm", &file, &[], &flag);
        std::fs::write(workshop.folder().join("job.sh"), script).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["job.sh", "shard", "trial-7"]).env("DATABASE_URL", "x");
        let arguments = workshop.arguments(&mut shell);
        assert_eq!(arguments[..4], expected_words(&file, &flag));
        assert_eq!(arguments[4..], ["--shard", "auto", "--rendezvous", "trial-7"]);
    }
}

#[test]
fn a_pipeline_gives_gitlab_every_text_as_it_was_typed() {
    let workshop = Workshop::new("", "");
    let program = workshop.echo("tollgate");
    std::fs::copy(program, workshop.folder().join("tollgate")).unwrap();
    for (name, flag) in hostile_names().zip(HOSTILE.map(flag_with)) {
        let file = workshop.link(&name);
        let all = documents(&workshop.printed("gitlab", &file, &[], &flag));
        let [pipeline] = all.as_slice() else { panic!("{all:?}") };
        let target = pipeline["shard"]["variables"]["TOLLGATE_TARGET"].as_str().unwrap();
        assert_eq!(target, "http://127.0.0.1:9/it's $$HOME");
        let script = pipeline["shard"]["script"][0].as_str().unwrap();
        let mut shell = Command::new("sh");
        let arguments = workshop.arguments(shell.args(["-c", script]).env("CI_PIPELINE_ID", "7"));
        assert_eq!(arguments[..4], expected_words(&file, &flag));
        assert_eq!(arguments[4..], ["--shard", "auto", "--rendezvous", "trial-7"]);
    }
}

#[test]
fn a_workflow_gives_github_every_text_as_it_was_typed_or_is_refused() {
    let workshop = Workshop::new("", "");
    let program = workshop.echo("tollgate");
    for (name, flag) in hostile_names().zip(HOSTILE.map(flag_with)) {
        let file = workshop.link(&name);
        if flag[1].contains(char::is_control) || file.contains(char::is_control) {
            let output = workshop.print("github", &file, &[], &flag);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
            assert!(text(&output.stderr).contains("control character"), "{}", text(&output.stderr));
            continue;
        }
        let all = documents(&workshop.printed("github", &file, &[], &flag));
        let [workflow] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(workflow["on"], "workflow_dispatch");
        let inputs = &workflow["jobs"]["shard"]["steps"][1]["with"];
        let evaluated = |name: &str| {
            let text = inputs[name].as_str().unwrap();
            let text = text.replace("${{ github.run_id }}", "7");
            assert_eq!(text.matches("${{").count(), 2 * text.matches("'${{'").count(), "{text}");
            text.replace("${{ '${{' }}", "${{")
        };
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/action/run.sh");
        let mut action = Command::new("bash");
        action.arg(run).env("GATE_BINARY", &program).env("GITHUB_OUTPUT", "/dev/null");
        action.env("GATE_SCENARIO", evaluated("scenario")).env("GATE_ARGS", evaluated("args"));
        let arguments = workshop.arguments(&mut action);
        assert_eq!(arguments[..4], expected_words(&file, &flag));
        assert_eq!(arguments[4..8], ["--shard", "auto", "--rendezvous", "trial-7"]);
    }
}

/// Whoever can read the job could read it.
#[test]
fn a_typed_value_that_is_likely_a_secret_is_refused_and_one_that_may_be_is_a_warning() {
    let canary = "Zebra/7f3a9c51";
    let said = |words: &[&str]| {
        let mut command = tollgate();
        command.args(["fleet", "print", "kubernetes", "--shards", "2"]);
        command.args(words.iter().map(|word| word.replace("CANARY", canary)));
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert!(!said.contains(canary), "{said}");
        (output.status.code(), text(&output.stdout), said)
    };
    let url = "https://shop.example/x";
    for words in [
        &["https://shop.example/x?page=1&access_token=CANARY"][..],
        &[url, "--", "--header", "X-Client-Secret: CANARY"],
        &[url, "--", "-HAuthorization: Bearer CANARY"],
        &[url, "--", "--proxy", "http://me:CANARY@proxy.example:3128"],
        &[url, "--", "--otlp", "https://me:CANARY@otlp.example"],
        &[url, "--", "--store", "postgres://me:CANARY@h/d"],
        &[url, "--", "https://me:CANARY@shop.example"],
    ] {
        let (code, printed, said) = said(words);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
    }
    for (words, expected) in [
        (&["https://shop.example/x?q=CANARY"][..], "the query of a URL is in a printed file"),
        (&[url, "--", "--body", "pin=CANARY"], "the body of --body is in a printed"),
        (&[url, "--", "-H", "X-Kind: CANARY"], "the header X-Kind is in a printed"),
    ] {
        let (code, printed, said) = said(words);
        assert!(code == Some(0) && said.contains(expected), "{said}");
        assert!(printed.contains(canary), "{printed}");
    }
    let url = "https://shop.example/x?key=${SHOP_KEY}";
    let quiet = ["--body", "${SHOP_BODY}", "-H", "Authorization: Bearer ${T}", "-HAccept: a/b"];
    let (code, _, said) = said(&[&[url, "--image", "i", "--"], &quiet[..]].concat());
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

/// Its value has a password, and each engine has its own reference to it.
#[test]
fn the_address_of_the_store_is_never_a_variable_of_the_scenario() {
    let workshop = Workshop::new("public = [\"DATABASE_URL\"]", "X-Store = \"${DATABASE_URL}\"\n");
    for engine in ENGINES {
        let mut command = tollgate();
        command.current_dir(workshop.folder()).args(["fleet", "print", engine, "--shards", "2"]);
        command.arg("scenario.toml").env("TOLLGATE_TARGET", "http://shop.example");
        command.env("DATABASE_URL", "postgres://u:the-password@localhost/db");
        let output = command.output().unwrap();
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(printed.contains("DATABASE_URL") && !printed.contains("the-password"), "{printed}");
    }
    let output = workshop.print("slurm", "scenario.toml", &["--without-store"], &[] as &[&str]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let said = text(&output.stderr);
    assert!(said.contains("a scenario reads DATABASE_URL") && said.contains("rename it"), "{said}");
}

#[test]
fn a_placeholder_and_a_target_on_this_machine_are_warnings() {
    let workshop = Workshop::new("", "");
    for (engine, flag) in
        [("kubernetes", "--image"), ("github", "--action"), ("gitlab", "--release")]
    {
        let said = text(&workshop.print(engine, "scenario.toml", &[], &[] as &[&str]).stderr);
        assert!(said.contains("`OWNER` in ") && said.contains(flag), "{said}");
        assert!(said.contains("trial: 127.0.0.1 is this machine"), "{said}");
        let more = [flag, "https://acme.example/tollgate"];
        let said = text(&workshop.print(engine, "scenario.toml", &more, &[] as &[&str]).stderr);
        assert!(!said.contains("placeholder"), "{said}");
    }
    for (url, expected) in [
        ("http://localhost:9/", "localhost is this machine"),
        ("http://[::1]:9/", "[::1] is this machine"),
        ("http://shop.example/", ""),
    ] {
        let mut command = tollgate();
        let output = command.args(["fleet", "print", "slurm", "--shards", "2", url]).output();
        let said = text(&output.unwrap().stderr);
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}");
    }
}

#[test]
fn a_wait_after_the_dashes_counts_in_limits_and_outputs_are_those_of_the_merge() {
    let workshop = Workshop::new("", "");
    let flags = ["--rendezvous-wait", "40m", "--lead=20m", "--junit", "out.xml", "--rate=90/s"];
    let script = workshop.printed("slurm", "scenario.toml", &[], &flags);
    for expected in [
        "--time=64 ",
        "--time=69 ",
        "run scenario.toml --rendezvous-wait 40m --lead=20m --rate=90/s \\\n",
        "tollgate merge --rendezvous \"$2\" --rendezvous-wait=10s --junit out.xml || code=$?",
    ] {
        assert!(script.contains(expected), "{expected} is not in {script}");
    }
    for (flags, expected) in [
        (&["--lead", "9s"][..], "--lead is for machines that meet in a database"),
        (&["--require-store"], "--require-store is for machines that meet in a database"),
        (&["--comment-name", "x"], "--comment-name needs --comment"),
        (&["--evidence", "log.md"], "--evidence cannot be passed on: several machines"),
        (&["other.toml"], "other.toml comes after `--`"),
    ] {
        let output = workshop.print("slurm", "scenario.toml", &["--without-store"], flags);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn files_have_their_paths_from_the_root_of_the_repository() {
    let workshop = Workshop::new("", "");
    let folder = workshop.folder().join("load/eu");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir(workshop.folder().join(".git")).unwrap();
    let scenario = std::fs::read_to_string(&workshop.bench.scenario).unwrap();
    std::fs::write(folder.join("shop.toml"), scenario.replace("\"trial\"", "\"shop\"")).unwrap();
    let pem = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap().cert.pem();
    std::fs::write(folder.join("ca.pem"), &pem).unwrap();
    for engine in ["github", "gitlab"] {
        let print = |sources: &[&str]| {
            let mut command = tollgate();
            command.current_dir(&folder).args(["fleet", "print", engine, "--shards", "2"]);
            command.args(sources).env("TOLLGATE_TARGET", "http://shop.example").output().unwrap()
        };
        let output = print(&["shop.toml", "../../scenario.toml", "--", "--rate=9/s"]);
        let printed = text(&output.stdout);
        assert!(printed.contains(" load/eu/shop.toml"), "{printed}{}", text(&output.stderr));
        let mut lines = printed.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.all(|line| !line.contains("../")), "{printed}");
        let output = print(&["https://shop.example/", "--", "--ca", "ca.pem"]);
        assert!(text(&output.stdout).contains("--ca load/eu/ca.pem"), "{}", text(&output.stderr));
    }
    let mut command = tollgate();
    command.current_dir(&folder).args(["fleet", "print", "kubernetes", "--shards", "2"]);
    let output = command.args(["https://shop.example/", "--", "--ca", "ca.pem"]).output().unwrap();
    let all = documents(&text(&output.stdout));
    assert_eq!(all[0]["data"]["ca.pem"], pem);
    let arguments = all[1]["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(arguments.contains(r#""--ca","/scenarios/ca.pem""#), "{arguments}");
}

/// An old run of the same name must not give its verdict to the new one.
#[test]
fn two_manifests_of_one_typed_name_are_two_runs() {
    let workshop = Workshop::new("", "");
    let rendezvous = || {
        let more = ["--name", "shop"];
        let all =
            documents(&workshop.printed("kubernetes", "scenario.toml", &more, &[] as &[&str]));
        let name = |job: &Value| {
            let words = job["spec"]["template"]["spec"]["containers"][0]["args"].clone();
            let words = words.as_array().unwrap().clone();
            let at = words.iter().position(|word| word == "--rendezvous").unwrap();
            words[at + 1].as_str().unwrap().to_owned()
        };
        let (shards, merge) = (name(&all[1]), name(&all[2]));
        assert_eq!(shards, merge);
        assert!(shards.starts_with("shop-"), "{shards}");
        shards
    };
    assert_ne!(rendezvous(), rendezvous());
}

const ENGINES: [&str; 4] = ["kubernetes", "slurm", "github", "gitlab"];

#[test]
fn a_secret_is_named_and_its_value_is_nowhere() {
    let secret = "the-value-of-the-secret";
    let headers = "Authorization = \"Bearer ${API_TOKEN}\"\n[data]\nfile = \"rows.csv\"\n";
    let workshop = Workshop::new("", headers);
    std::fs::write(workshop.folder().join("rows.csv"), format!("key\n{secret}\n")).unwrap();
    for engine in ENGINES {
        let mut command = tollgate();
        command.current_dir(workshop.folder()).args(["fleet", "print", engine, "--shards", "2"]);
        command
            .arg("scenario.toml")
            .env("API_TOKEN", secret)
            .env("TOLLGATE_TARGET", "http://[::1]:9");
        command.env("DATABASE_URL", format!("postgres://u:{secret}@localhost/db"));
        let output = command.output().unwrap();
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{engine}: {said}");
        assert!(printed.contains("API_TOKEN") && printed.contains("DATABASE_URL"), "{printed}");
        assert!(!printed.contains(secret) && !said.contains(secret), "{printed}{said}");
    }
    for flag in [
        ["--header", "Authorization: Bearer the-value-of-the-secret"],
        ["--store", "postgres://u:the-value-of-the-secret@h/d"],
    ] {
        let output = workshop.print("slurm", "scenario.toml", &[], &flag);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains("which a printed file must not") && !said.contains(secret), "{said}");
    }
}

#[test]
fn a_plan_that_cannot_be_shared_is_refused_before_anything_is_printed() {
    let closed =
        Bench::new("http://127.0.0.1:9", "", &PLAIN.replace("arrival_rate = \"100/s\"\n", ""));
    let few = Bench::new("http://127.0.0.1:9", "", PLAIN);
    let heavy = Bench::new("http://shop.example", "", &PLAIN.replace("100/s", "200/s"));
    let print = |bench: &Bench, shards: &str, more: &[&str]| {
        let mut command = tollgate();
        command
            .args(["fleet", "print", "slurm", "--shards", shards])
            .arg(&bench.scenario)
            .args(more);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{more:?}");
        text(&output.stderr)
    };
    assert!(print(&closed, "2", &[]).contains("a closed load cannot be split"));
    assert!(print(&few, "5", &[]).contains("4 connections cannot be split across 5 machines"));
    assert!(print(&heavy, "2", &[]).contains("needs your consent"));
    assert!(print(&few, "1", &[]).contains("2..=1000"));
    assert!(print(&few, "2", &["missing.toml"]).contains("missing.toml"));
    assert!(print(&few, "2", &["--start-in", "1m"]).contains("--without-store"));
    assert!(print(&few, "2", &["--", "--shard", "1/2"]).contains("--shard cannot be passed on"));
    assert!(print(&few, "2", &["--", "--every=5m"]).contains("--every cannot be passed on"));
    assert!(print(&few, "2", &["--", "--durations", "1s"]).contains("unexpected argument"));
}

#[test]
fn flags_for_the_machines_decide_whether_the_plan_can_be_shared() {
    let few = Bench::new("http://shop.example", "", PLAIN);
    let mut command = tollgate();
    command.args(["fleet", "print", "slurm", "--shards", "5"]).arg(&few.scenario);
    command.args(["--", "--connections", "10", "--rate", "200/s", "--yes-load-this-host"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("--connections 10 --rate 200/s --yes-load-this-host"));
}

/// A program of other projects that `test.sh` installs; `None` if it did not.
fn foreign_program(name: &str) -> Option<Command> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parsers/bin").join(name);
    path.exists().then(|| Command::new(path))
}

#[test]
fn kubernetes_own_schemas_accept_the_manifest() {
    let Some(mut validate) = foreign_program("kubernetes-validate") else { return };
    let workshop = Workshop::new("", "X-Key = \"${KEY:-none}\"\n");
    let file = workshop.link(HOSTILE[0]);
    std::fs::write(
        workshop.folder().join("job.yaml"),
        workshop.printed("kubernetes", &file, &[], &["--otlp", "https://otlp.example"]),
    )
    .unwrap();
    let output = validate
        .args([OsStr::new("--strict"), workshop.folder().join("job.yaml").as_os_str()])
        .output()
        .unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.matches("passed").count() == 3, "{said}");
}

#[test]
fn gitlabs_own_schema_accepts_the_pipeline() {
    let workshop = Workshop::new("", "X-Key = \"${KEY:-none}\"\n");
    for more in [&[][..], &["--without-store", "--start-in", "2m"]] {
        let Some(mut check) = foreign_program("check-jsonschema") else { return };
        let file = workshop.folder().join("pipeline.yml");
        let flags = ["--tag", "note=x: y", "--junit", "junit.xml", "--metrics=m.txt", "--comment"];
        let printed = workshop.printed("gitlab", "scenario.toml", more, &flags);
        std::fs::write(&file, printed).unwrap();
        check.args(["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]);
        let output = check.arg(file).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stdout));
    }
}

#[test]
fn the_authorities_of_the_database_reach_the_pods_and_a_key_does_not() {
    let workshop = Workshop::new("", "");
    let file = workshop.folder().join("ca.pem");
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&file, pem).unwrap();
    let more = ["--store-ca", "ca.pem"];
    let all = documents(&workshop.printed("kubernetes", "scenario.toml", &more, &[] as &[&str]));
    assert_eq!(all[0]["data"]["database.ca"], pem);
    for job in &all[1..] {
        let variables = &job["spec"]["template"]["spec"]["containers"][0]["env"];
        assert!(variables.to_string().contains("/database/database.ca"), "{variables}");
    }
    std::fs::write(&file, pem.to_owned() + "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let output = workshop.print("kubernetes", "scenario.toml", &more, &[] as &[&str]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(text(&output.stderr).contains("certificates alone"), "{}", text(&output.stderr));
}

#[test]
fn another_reader_of_yaml_reads_the_same() {
    let Some(mut python) = foreign_program("python") else { return };
    let workshop = Workshop::new("", "");
    let flags = HOSTILE.iter().enumerate().flat_map(|(at, text)| {
        let [flag, text] = flag_with(text);
        [flag, text.replace("note", &format!("note{at}"))]
    });
    let flags: Vec<_> = flags.collect();
    let file = workshop.link(HOSTILE[3]);
    let printed = workshop.printed("kubernetes", &file, &[], &flags);
    std::fs::write(workshop.folder().join("job.yaml"), &printed).unwrap();
    let read = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf8', newline='')))))";
    let output =
        python.args(["-c", read]).arg(workshop.folder().join("job.yaml")).output().unwrap();
    let read: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read, documents(&printed));
}
