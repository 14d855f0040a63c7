//! The first page of help, with the commands in groups by purpose.

use std::fmt::Write as _;

use clap::Command;

/// The commands by purpose, in the order that a new user needs them.
const GROUPS: &[(&str, &[&str])] = &[
    ("Measure", &["demo", "doctor", "run", "duet", "merge", "fleet", "synthetic-check"]),
    ("Tune", &["tune", "warm"]),
    ("Write scenarios", &["init", "check", "schema"]),
    ("Look back", &["show", "history", "report", "compare", "import"]),
    ("Store", &["sync", "db"]),
    ("Rehearse", &["target"]),
    ("Shell", &["completions", "man"]),
];

pub(super) const EXAMPLES: &str = "\
Examples:
  tollgate demo                              watch a run and get its report
  tollgate run https://staging.example/      measure a URL
  tollgate run https://staging.example/ --budget 'p95 < 300ms' --rate 20/s --duration 60s
  tollgate run scenarios/shop.toml           run a scenario file
  tollgate run --help                        all flags of the command, with examples

Every flag can be set in the environment: --runs-dir with TOLLGATE_RUNS_DIR, a flag of the rehearsal
target with a name such as TOLLGATE_TARGET_SEED. An empty variable counts as not set.";

/// Groups the commands on the first page of help.
pub(super) fn group_commands(command: Command) -> Command {
    let groups = groups(&command);
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}Options:\n{{options}}{{after-help}}"
    );
    command.help_template(template)
}

fn groups(command: &Command) -> String {
    let width =
        command.get_subcommands().map(|command| command.get_name().len()).max().unwrap_or(0);
    let known = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let others =
        command.get_subcommands().map(Command::get_name).filter(|name| !known(name)).collect();
    let groups = GROUPS.iter().map(|(heading, names)| (*heading, names.to_vec()));
    let mut text = String::new();
    for (heading, names) in groups.chain([("Other", others)]) {
        let found: Vec<_> = names.iter().filter_map(|name| command.find_subcommand(name)).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{heading}:");
        for command in found {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {:width$}  {about}", command.get_name());
        }
        text.push('\n');
    }
    text
}
