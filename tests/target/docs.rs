//! Compares `docs/target.md` with the rehearsal target.

use clap::Args as _;
use tollgate::plan::{Environment, Plan, PlanOverrides};
use tollgate::scenario::Scenario;
use tollgate::target::{FLY, SERVICES, TILE_LOADER, TargetSettings, pages};

fn text() -> String {
    std::fs::read_to_string("docs/target.md").unwrap()
}

#[test]
fn it_lists_every_path_with_behaviour_and_outcome() {
    let text = text();
    let listed = TILE_LOADER.into_iter().chain(SERVICES).chain(FLY);
    let listed = listed.map(|(path, does)| format!("| `{path}` | {does} |"));
    let beside = pages().map(|page| {
        format!("| `{}` | {} | {} | {} |", page.path, page.support, page.does, page.outcome)
    });
    let missing: Vec<String> =
        listed.chain(beside).filter(|line| !text.lines().any(|found| found == line)).collect();
    assert!(missing.is_empty(), "docs/target.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn it_names_only_existing_paths() {
    let text = text();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `/")?.split_once('`'));
    for (path, _) in rows {
        let path = format!("/{path}");
        let known = TILE_LOADER.iter().chain(&FLY).any(|(known, _)| *known == path)
            || pages().any(|page| page.path == path);
        assert!(known, "{path}");
    }
    let services = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    for (path, _) in
        services.filter(|(path, _)| path.starts_with("GET /") || path.starts_with("POST /"))
    {
        assert!(SERVICES.iter().any(|(known, _)| *known == path), "{path}");
    }
}

#[test]
fn it_lists_every_flag_and_every_value() {
    let text = text();
    let command = TargetSettings::augment_args(clap::Command::new("target"));
    for flag in command.get_arguments() {
        let name = flag.get_long().unwrap();
        let begins = [format!("| `--{name}`"), format!("| `--{name} ")];
        let row = text.lines().find(|line| begins.iter().any(|begin| line.starts_with(begin)));
        let row = row.unwrap_or_else(|| panic!("docs/target.md lacks --{name}"));
        if !flag.get_action().takes_values() {
            continue;
        }
        // Faults have separate tables.
        let has_table = ["fault", "tls-fault", "sick"].contains(&name);
        for value in flag.get_possible_values().iter().filter(|_| !has_table) {
            assert!(
                row.contains(&format!("`{}`", value.get_name())),
                "{} of --{name}",
                value.get_name()
            );
        }
        if ["tls-fault", "sick"].contains(&name) {
            for value in flag.get_possible_values() {
                assert!(
                    text.contains(&format!("\n| `{}` |", value.get_name())),
                    "{}",
                    value.get_name()
                );
            }
        }
    }
}

#[test]
fn its_scenarios_are_valid() {
    let text = text();
    let examples: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for example in examples {
        // The authority's file exists only after the example's target has started.
        std::fs::write(folder.path().join("ca.pem"), "").unwrap();
        let file = folder.path().join("example.toml");
        std::fs::write(&file, example).unwrap();
        let scenario = Scenario::read(&file).unwrap_or_else(|errors| panic!("{errors}"));
        Plan::resolve(&[scenario], &Environment::new([]), &PlanOverrides::default())
            .unwrap_or_else(|errors| panic!("{errors}"));
    }
}
