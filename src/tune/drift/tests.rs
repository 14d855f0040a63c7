use super::*;

/// The staging app of an operator's team: one line a setting.
const STAGING: &str = "\
app = \"staging\"
primary_region = \"ord\"

[http_service]
  internal_port = 3000
  auto_stop_machines = \"stop\"
  auto_start_machines = true
  min_machines_running = 1
  [http_service.concurrency]
    type = \"requests\"
    soft_limit = 20
    hard_limit = 25

[[vm]]
  size = \"shared-cpu-1x\"
  memory = \"1gb\"
";

fn service() -> RunningService {
    RunningService {
        internal_port: Some(3000),
        protocol: Some("tcp".to_owned()),
        autostart: Some(true),
        autostop: Some("stop".to_owned()),
        min_machines_running: Some(1),
        counted: Some("requests".to_owned()),
        soft_limit: Some(20),
        hard_limit: Some(25),
    }
}

fn machine(id: &str) -> RunningMachine {
    RunningMachine {
        id: id.to_owned(),
        state: "started".to_owned(),
        region: "ord".to_owned(),
        group: Some("app".to_owned()),
        cpu_kind: Some("shared".to_owned()),
        cpus: Some(1),
        memory_mb: Some(1024),
        services: vec![service()],
    }
}

fn drift(file: &str, machines: &[RunningMachine]) -> DriftReport {
    let file = FlyToml::parse("fly.toml", file).unwrap_or_else(|errors| panic!("{errors}"));
    find_drift(&file, machines)
}

/// The differences, one a line: line of the file, what it says, what is found.
fn differences(file: &str, machines: &[RunningMachine]) -> Vec<String> {
    let report = drift(file, machines);
    let differing = report.settings.iter().filter(|setting| setting.differs());
    differing
        .flat_map(|setting| {
            let own = setting.differing.iter().map(ToString::to_string);
            let all: Vec<String> = own.chain(setting.together.clone()).collect();
            all.into_iter().map(move |found| format!("{}: {}: {found}", setting.line, setting.file))
        })
        .collect()
}

#[test]
fn a_machine_that_is_as_the_file_says_does_not_differ() {
    let report = drift(STAGING, &[machine("a"), machine("b")]);
    assert_eq!((report.count_differences(), report.machines), (0, 2));
    assert_eq!(report.notes, Vec::<String>::new());
    let lines: Vec<usize> = report.settings.iter().map(|setting| setting.line).collect();
    assert_eq!(lines, [2, 5, 6, 7, 8, 10, 11, 12, 15, 15, 16]);
    assert!(report.settings.iter().all(|setting| setting.compared == 2));
}

/// A change of a machine, and the difference that it makes.
type Edit = (fn(&mut RunningMachine), &'static str);

#[test]
fn each_setting_that_differs_is_named_with_its_line_and_its_machine() {
    let change = |edit: fn(&mut RunningMachine)| {
        let mut changed = machine("b");
        edit(&mut changed);
        differences(STAGING, &[machine("a"), changed])
    };
    let edits: [Edit; 12] = [
        (|it| it.memory_mb = Some(512), "16: memory = \"1gb\": b (ord, started): 512 MB"),
        (|it| it.memory_mb = None, "16: memory = \"1gb\": b (ord, started): not set"),
        (|it| it.cpus = Some(2), "15: size = \"shared-cpu-1x\" (CPUs): b (ord, started): 2 CPUs"),
        (
            |it| it.cpu_kind = Some("performance".to_owned()),
            "15: size = \"shared-cpu-1x\" (kind of CPUs): b (ord, started): performance CPUs",
        ),
        (
            |it| it.services[0].autostop = Some("suspend".to_owned()),
            "6: auto_stop_machines = \"stop\": b (ord, started): `suspend`",
        ),
        (
            |it| it.services[0].autostop = None,
            "6: auto_stop_machines = \"stop\": b (ord, started): `off`",
        ),
        (
            |it| it.services[0].autostart = Some(false),
            "7: auto_start_machines = true: b (ord, started): `false`",
        ),
        (
            |it| it.services[0].min_machines_running = Some(0),
            "8: min_machines_running = 1: b (ord, started): set to 0",
        ),
        (
            |it| it.services[0].counted = Some("connections".to_owned()),
            "10: type = \"requests\": b (ord, started): `connections`",
        ),
        (|it| it.services[0].soft_limit = Some(10), "11: soft_limit = 20: b (ord, started): 10"),
        (|it| it.services[0].hard_limit = None, "12: hard_limit = 25: b (ord, started): not set"),
        (
            |it| it.services[0].internal_port = Some(8080),
            "5: internal_port = 3000: b (ord, started): port 8080",
        ),
    ];
    for (edit, expected) in edits {
        assert_eq!(change(edit), [expected]);
    }
}

#[test]
fn the_memory_that_chatwoot_needs_is_read_in_every_form() {
    for memory in [
        "memory = \"2048mb\"",
        "memory = \"2gb\"",
        "memory = \"2GB\"",
        "memory = \"2 GiB\"",
        "memory = \"2048\"",
        "memory = 2048",
        "memory_mb = 2048",
        "memory = \"2.0gb\"",
        "size = \"shared-cpu-8x\"\ncpus = 1",
        "memory = \"1gb\"\nmemory_mb = 2048",
    ] {
        for header in ["[vm]", "[[vm]]", "[[compute]]"] {
            let file = format!("{header}\n{memory}\n");
            let mut enough = machine("a");
            enough.memory_mb = Some(2048);
            let report = drift(&file, &[enough]);
            assert_eq!(report.count_differences(), 0, "{file}: {report:?}");
            let found = differences(&file, &[machine("a")]);
            assert!(found[0].ends_with("a (ord, started): 1024 MB"), "{file}: {found:?}");
        }
    }
    let at_top = drift("vm_size = \"shared-cpu-1x\"\nvm_memory = \"2gb\"\n", &[machine("a")]);
    assert_eq!(at_top.count_differences(), 1);
    assert!(at_top.notes[0].starts_with("line 1: flyctl reads sizes only from `[[vm]]`"));
}

#[test]
fn a_size_without_cpus_means_the_smallest_one() {
    let mut large = machine("a");
    large.cpus = Some(2);
    assert_eq!(
        differences("[[vm]]\nmemory = \"1gb\"\n", &[large.clone()]),
        ["1: no `size` (CPUs): a (ord, started): 2 CPUs"]
    );
    let without = drift("app = \"a\"\n", &[large]);
    assert_eq!(without.count_differences(), 0);
    assert_eq!(
        without.notes[0],
        "no `[[vm]]` is for group `app`: a deploy keeps its memory and CPUs as they are"
    );
}

#[test]
fn true_and_false_are_the_old_forms_of_stop_and_off() {
    for (written, running, differs) in [
        ("true", Some("stop"), false),
        ("false", Some("off"), false),
        ("false", None, false),
        ("\"off\"", None, false),
        ("\"suspend\"", Some("suspend"), false),
        ("true", Some("suspend"), true),
        ("false", Some("stop"), true),
    ] {
        let file = STAGING.replace("\"stop\"", written);
        let mut one = machine("a");
        one.services[0].autostop = running.map(str::to_owned);
        let found = drift(&file, &[one]).count_differences();
        assert_eq!(found, usize::from(differs), "{written}, {running:?}");
    }
}

#[test]
fn a_minimum_holds_in_the_primary_region_and_needs_machines_that_run() {
    let file = STAGING.replace("min_machines_running = 1", "min_machines_running = 2");
    let of = |id: &str, region: &str, state: &str| {
        let mut one = machine(id);
        (one.region, one.state) = (region.to_owned(), state.to_owned());
        one.services[0].min_machines_running = Some(2);
        one
    };
    let started = |id: &str| of(id, "ord", "started");
    for (machines, expected) in [
        (vec![started("a"), started("b")], None),
        (vec![started("a"), of("b", "ord", "stopped")], Some("1 of 2 machines in `ord` run")),
        (vec![started("a"), of("b", "ord", "suspended")], Some("1 of 2 machines in `ord` run")),
        (vec![started("a"), of("b", "fra", "started")], Some("only 1 machine in `ord` can run")),
    ] {
        let found = differences(&file, &machines);
        let expected: Vec<_> =
            expected.iter().map(|it| format!("8: min_machines_running = 2: {it}")).collect();
        assert_eq!(found, expected);
    }
    let notes = drift(&file, &[started("a"), started("b"), of("c", "fra", "stopped")]).notes;
    assert_eq!(notes, ["c is in `fra`: `min_machines_running` does not hold there"]);
}

#[test]
fn an_app_without_machines_in_its_primary_region_has_moved() {
    let mut moved = machine("a");
    moved.region = "fra".to_owned();
    let found = differences(STAGING, &[moved]);
    assert_eq!(found[0], "2: primary_region = \"ord\": a (fra, started): in `fra`");
}

const GROUPS: &str = "\
[processes]
web = \"serve\"
worker = \"work\"

[[services]]
processes = [\"web\"]
internal_port = \"3000\"
concurrency = \"20,25\"

[[vm]]
memory = \"512mb\"

[[vm]]
processes = [\"worker\"]
memory = \"2gb\"
";

#[test]
fn each_process_group_is_compared_with_its_own_sections() {
    let of = |id: &str, group: &str, memory: u32| RunningMachine {
        group: Some(group.to_owned()),
        memory_mb: Some(memory),
        services: if group == "web" { vec![service()] } else { Vec::new() },
        ..machine(id)
    };
    let unstated = "7: no `auto_stop_machines`: a (ord, started): `stop`";
    let minimum = "7: no `min_machines_running`: a (ord, started): set to 1";
    let right = [of("a", "web", 512), of("b", "worker", 2048)];
    assert_eq!(differences(GROUPS, &right), [unstated, minimum]);
    let swapped = [of("a", "web", 2048), of("b", "worker", 512)];
    assert_eq!(
        differences(GROUPS, &swapped)[2..],
        [
            "11: memory = \"512mb\": a (ord, started): 2048 MB",
            "15: memory = \"2gb\": b (ord, started): 512 MB"
        ]
    );
    let alone = differences(GROUPS, &[of("a", "web", 512), of("c", "old", 512)]);
    assert_eq!(alone[0], "1: process group `worker`: no machine runs it");
    let notes = drift(GROUPS, &[of("c", "old", 512)]).notes;
    assert!(notes.contains(&"c belongs to group `old`, which the file does not have".to_owned()));
}

#[test]
fn an_app_without_machines_lacks_every_group_and_has_no_setting_that_is_the_same() {
    let report = drift(STAGING, &[]);
    assert_eq!((report.machines, report.settings.len(), report.notes.len()), (0, 1, 0));
    assert_eq!(
        differences(GROUPS, &[]),
        [
            "1: process group `web`: no machine runs it",
            "1: process group `worker`: no machine runs it"
        ]
    );
    let gone = RunningMachine { state: "destroyed".to_owned(), ..machine("d") };
    let notes = drift(STAGING, &[gone]).notes;
    assert!(notes[0].starts_with("1 machine was left out: "), "{notes:?}");
}

#[test]
fn a_section_that_no_machine_was_compared_with_says_why() {
    let web = RunningMachine { group: Some("web".to_owned()), ..machine("a") };
    let notes = drift(GROUPS, std::slice::from_ref(&web)).notes;
    let unused = "line 13: this size was compared with no machine: no machine belongs to its group \
                  `worker`";
    assert_eq!(notes, [unused]);
    let renamed = GROUPS.replace("processes = [\"worker\"]", "processes = [\"jobs\"]");
    let notes = drift(&renamed, &[web]).notes;
    assert!(notes[0].ends_with("`[processes]` does not have its group `jobs`"), "{notes:?}");
    let unserved = STAGING.replace("[http_service]", "[http_service]\nprocesses = [\"jobs\"]");
    let notes = drift(&unserved, &[machine("a")]).notes;
    assert!(notes[0].contains("this service was compared with no machine"), "{notes:?}");
}

#[test]
fn machines_of_a_single_command_and_destroyed_ones_are_left_out() {
    let mut release = machine("r");
    release.group = Some("fly_app_release_command".to_owned());
    let mut gone = machine("d");
    gone.state = "destroyed".to_owned();
    let mut plain = machine("p");
    plain.group = None;
    let report = drift(STAGING, &[release, gone, plain]);
    assert_eq!((report.machines, report.count_differences()), (1, 0));
}

#[test]
fn a_service_that_the_file_lacks_is_named() {
    let mut two = machine("a");
    two.services.push(RunningService { internal_port: Some(9000), ..service() });
    let notes = drift(STAGING, &[two]).notes;
    assert_eq!(notes, ["a has a service on port 9000 that the file does not have"]);
}

#[test]
fn every_mistake_of_a_file_is_named_with_its_place_and_a_remedy() {
    let file = "app = 7\n[http_service]\ninternal_port = 0\nauto_stop_machines = \"maybe\"\n\
                [http_service.concurrency]\ntype = \"hits\"\nsoft_limit = -1\n\
                [[vm]]\nsize = \"huge\"\nmemory = \"two\"\ncpus = 1.5\ncpu_kind = \"fast\"\n";
    let errors = FlyToml::parse("fly.toml", file).unwrap_err();
    assert_eq!(errors.count(), 9, "{errors}");
    let text = errors.to_string();
    for words in [
        "fly.toml:3:17",
        "`maybe` is not a way to stop machines",
        "`huge` is not a size",
        "`two` is not an amount of memory",
        "write it like `\"2gb\"`",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let nothing = FlyToml::parse("fly.toml", "not toml at all").unwrap_err();
    assert_eq!(nothing.count(), 1);
    for lists in ["vm = 1", "services = [1]", "http_service = \"x\"", "[[services]]\nports = []"] {
        let parsed = FlyToml::parse("fly.toml", lists);
        assert_eq!(parsed.is_err(), !lists.contains("ports"), "{lists}");
    }
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "\\PC{0,60}", number in proptest::num::i64::ANY) {
        let file = format!("[[vm]]\nmemory = {text:?}\ncpus = {number}\n[[services]]\ninternal_port = {number}\n");
        if let Ok(file) = FlyToml::parse("fly.toml", &file) {
            let _report = find_drift(&file, &[machine("a")]);
        }
        let _either = FlyToml::parse("fly.toml", &text);
    }
}
