//! Tests over all commands: variables, help, manual.

use std::collections::BTreeMap;

use clap::{ArgAction, Command};

/// Every command with the words that select it. It is built, so that it has all its flags.
fn commands() -> Vec<(String, Command)> {
    let mut first = super::command().term_width(100);
    first.build();
    with_subcommands("tollgate", &first)
}

fn with_subcommands(typed: &str, command: &Command) -> Vec<(String, Command)> {
    let below = command.get_subcommands().filter(|command| command.get_name() != "help");
    let below =
        below.flat_map(|below| with_subcommands(&format!("{typed} {}", below.get_name()), below));
    std::iter::once((typed.to_owned(), command.clone())).chain(below).collect()
}

/// The visible flags of a command, except help and version.
fn flags(command: &Command) -> impl Iterator<Item = &clap::Arg> {
    let sets_option = |arg: &&clap::Arg| {
        !matches!(
            arg.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        )
    };
    command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some() && !arg.is_hide_set())
        .filter(sets_option)
}

#[test]
fn every_flag_has_a_variable_and_flags_share_one_only_if_they_mean_the_same() {
    let mut meanings: BTreeMap<String, String> = BTreeMap::new();
    for (typed, command) in commands() {
        for flag in flags(&command) {
            let long = flag.get_long().unwrap();
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            let mentioned =
                || help.split("[env: ").nth(1).map(|rest| rest.trim_end_matches(']').to_owned());
            let variable = flag.get_env().map(|name| name.to_string_lossy().into_owned());
            let variable =
                variable.or_else(mentioned).unwrap_or_else(|| panic!("{typed} --{long}"));
            assert!(
                variable.starts_with("TOLLGATE_") || variable == "SYNTHETIC_CHECK_TOKEN",
                "{variable}"
            );
            // Scenario files use this variable.
            assert_ne!(variable, "TOLLGATE_TARGET");
            let of_target = typed == "tollgate target" && !flag.is_global_set();
            let owner = match typed.as_str() {
                _ if of_target => "target",
                // The budgets and units of an imported log are not those of a run.
                "tollgate import hlog" if ["budget", "unit"].contains(&long) => "import hlog",
                _ => "",
            };
            let meaning = format!("{owner} --{long}");
            let other = meanings.insert(variable.clone(), meaning.clone());
            assert!(
                other.as_ref().is_none_or(|other| *other == meaning),
                "{variable}: {meaning}, {other:?}"
            );
            assert!(flag.is_hide_env_values_set() || flag.get_env().is_none(), "{typed} --{long}");
        }
    }
}

#[test]
fn the_help_of_every_command_matches_its_snapshot() {
    for (typed, mut command) in commands() {
        let help = command.render_long_help().to_string();
        let help: Vec<_> = help.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(format!("help_of_{}", typed.replace(' ', "_")), help.join("\n"));
    }
}

#[test]
fn the_first_page_of_help_lists_each_command_once() {
    let (_, mut first) = commands().remove(0);
    let page = first.render_help().to_string();
    for command in first.get_subcommands().filter(|command| command.get_name() != "help") {
        let line = format!("  {} ", command.get_name());
        assert_eq!(
            page.lines().filter(|printed| printed.starts_with(&line)).count(),
            1,
            "{line}in {page}"
        );
    }
    assert!(!page.contains("Other:"), "{page}");
}

#[test]
fn every_page_of_the_manual_names_every_flag_of_its_command() {
    for (typed, command) in commands() {
        let (_, page) = super::man::page(&command).unwrap();
        let page = String::from_utf8(page).unwrap().replace('\\', "");
        for flag in flags(&command) {
            let long = format!("--{}", flag.get_long().unwrap());
            assert!(page.contains(&long), "{long} in the page of {typed}");
        }
    }
}
