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
        shell.args(["job.sh", "shard"]).env("DATABASE_URL", "x").env("SLURM_ARRAY_JOB_ID", "7");
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
        workshop.printed("kubernetes", &file, &[], &[] as &[&str]),
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
        let printed = workshop.printed("gitlab", "scenario.toml", more, &["--tag", "note=x: y"]);
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
