//! Flags of `run` after `--`: which of them the shards read, which the merge, and which cannot be
//! passed on.

use clap::{Arg, Args as _, Command};

use super::job_command::JobCommand;
use crate::cli::exit::CommandError;
use crate::cli::{log, quick, run};
use crate::fleet::MeetingPlace;

/// Flags that the job itself gives to each shard.
const OWN: [&str; 7] =
    ["shard", "start-at", "shard-exit", "rendezvous", "of", "verdict", "runs-dir"];

/// Flags of what is not done by several machines together.
const UNSHARED: [&str; 8] = [
    "every",
    "times",
    "continue",
    "baseline",
    "fail-if-slower",
    "print-scenario",
    "evidence",
    "evidence-note",
];

/// Flags that report a run. A shard is not the whole, so they are for the merge.
const REPORTING: [&str; 8] =
    ["output", "junit", "metrics", "ci", "comment", "comment-name", "otlp", "require-store"];

/// Flags for the shards and for the merge.
const FOR_BOTH: [&str; 1] = ["report"];

/// Flags of a rendezvous.
const MEETING: [&str; 2] = ["rendezvous-wait", "lead"];

/// One flag with its value, as they are typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PassedFlag {
    /// The long name, without dashes.
    pub(super) name: String,
    pub(super) value: Option<String>,
    words: Vec<String>,
}

/// The flags after `--`.
#[derive(Debug)]
pub(super) struct PassedFlags(Vec<PassedFlag>);

impl PassedFlags {
    /// Reads words that follow `--`. Refuses what cannot be passed on.
    pub(super) fn read(words: &[String], command: JobCommand) -> Result<Self, CommandError> {
        let flags = Self(split(words)?);
        for flag in &flags.0 {
            check(&flag.name, command)?;
        }
        Ok(flags)
    }

    /// All of them, in the order in which they are typed.
    pub(super) fn all(&self) -> &[PassedFlag] {
        &self.0
    }

    /// The words for each shard, without `--ca`.
    pub(super) fn for_shards(&self) -> Vec<String> {
        self.words(|name| name != "ca" && !REPORTING.contains(&name))
    }

    /// The words for the merge.
    pub(super) fn for_merge(&self) -> Vec<String> {
        self.words(|name| REPORTING.contains(&name) || FOR_BOTH.contains(&name))
    }

    /// The file that `--ca` names.
    pub(super) fn ca(&self) -> Option<&str> {
        self.0.iter().find(|flag| flag.name == "ca")?.value.as_deref()
    }

    fn words(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let wanted = self.0.iter().filter(|flag| is_wanted(&flag.name));
        wanted.flat_map(|flag| flag.words.iter().cloned()).collect()
    }
}

/// `run` with the flags that all commands have.
pub(super) fn run_command() -> Command {
    let messages = log::Flags::augment_args(Command::new("tollgate"));
    let run = run::Args::augment_args(Command::new("tollgate run").no_binary_name(true));
    run.args(messages.get_arguments().cloned())
}

/// Splits words into flags. Refuses sources, whose files would not reach the shards. Ends at a word
/// that is not a flag of `run`, which its parser refuses.
fn split(words: &[String]) -> Result<Vec<PassedFlag>, CommandError> {
    let command = run_command();
    let mut flags = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if !word.starts_with('-') || matches!(word.as_str(), "-" | "--") {
            // A URL may hold a password.
            let shown = if quick::is_url(word.as_ref()) { "a URL" } else { word };
            return Err(CommandError::usage(format!(
                "error: {shown} comes after `--`, where only flags of `tollgate run` belong; write URLs and files \
                 before `--`"
            )));
        }
        let Some((arg, attached)) = find(&command, word) else { break };
        let takes_value = arg.get_action().takes_values();
        let next = if takes_value && attached.is_none() { words.next() } else { None };
        flags.push(PassedFlag {
            name: arg.get_long().unwrap_or_default().to_owned(),
            value: attached.map(str::to_owned).or_else(|| next.cloned()),
            words: std::iter::once(word).chain(next).cloned().collect(),
        });
    }
    Ok(flags)
}

/// The flag that a word names, and the value in the same word. Of several short flags in one word,
/// the last one, which alone may have a value.
fn find<'a, 'b>(command: &'a Command, word: &'b str) -> Option<(&'a Arg, Option<&'b str>)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let is_named = |arg: &&Arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long() == Some(name) || aliases.contains(&name)
        };
        return Some((command.get_arguments().find(is_named)?, value));
    }
    let mut found = None;
    for (at, short) in word.char_indices().skip(1) {
        let arg = command.get_arguments().find(|arg| arg.get_short() == Some(short))?;
        if arg.get_action().takes_values() {
            let rest = &word[at + short.len_utf8()..];
            let rest = rest.strip_prefix('=').unwrap_or(rest);
            return Some((arg, (!rest.is_empty()).then_some(rest)));
        }
        found = Some((arg, None));
    }
    found
}

/// Refuses a flag that cannot be passed on.
fn check(name: &str, command: JobCommand) -> Result<(), CommandError> {
    let refused = |why: String| Err(CommandError::usage(format!("error: --{name} {why}")));
    if name == "store" {
        let holder = command.holder();
        return refused(format!(
            "may hold a password, which {holder} must not; set DATABASE_URL where the shards run"
        ));
    }
    if OWN.contains(&name) {
        return refused(format!(
            "cannot be passed on: {} itself; leave it out",
            command.setter_phrase()
        ));
    }
    if UNSHARED.contains(&name) {
        return refused(
            "cannot be passed on: several machines cannot share it; leave it out".to_owned(),
        );
    }
    let needs_store = MEETING.contains(&name) || name == "require-store";
    match command {
        JobCommand::Fly if MEETING.contains(&name) || REPORTING.contains(&name) => {
            refused("belongs to the fleet, not to one machine; write it before `--`".to_owned())
        }
        JobCommand::Print(MeetingPlace::StartTime(_)) if needs_store => refused(
            "is for machines that meet in a database; leave it out, or --without-store".to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::{baseline, evidence, outputs, rendezvous, shard};

    fn read(words: &[&str]) -> PassedFlags {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        PassedFlags::read(&words, JobCommand::Print(MeetingPlace::Store)).unwrap()
    }

    #[test]
    fn each_flag_goes_to_the_shards_or_to_the_merge_with_its_value() {
        let flags = read(&[
            "--rate",
            "9/s",
            "--junit",
            "out.xml",
            "-4",
            "--metrics=m.txt",
            "-H",
            "X: --junit",
            "--ca",
            "ca.pem",
            "--comment",
            "--report=none",
            "--commit",
            "abc",
            "-6c5",
            "--lead=9s",
        ]);
        let shards = [
            "--rate",
            "9/s",
            "-4",
            "-H",
            "X: --junit",
            "--report=none",
            "--commit",
            "abc",
            "-6c5",
            "--lead=9s",
        ];
        assert_eq!(flags.for_shards(), shards);
        let merge = ["--junit", "out.xml", "--metrics=m.txt", "--comment", "--report=none"];
        assert_eq!(flags.for_merge(), merge);
        assert_eq!(flags.ca(), Some("ca.pem"));
        let connections = &flags.all()[9];
        assert_eq!(
            (connections.name.as_str(), connections.value.as_deref()),
            ("connections", Some("5"))
        );
    }

    /// The names of a group of flags.
    fn names<T: clap::Args>() -> BTreeSet<String> {
        let command = T::augment_args(Command::new("group"));
        command.get_arguments().filter_map(|arg| Some(arg.get_long()?.to_owned())).collect()
    }

    #[test]
    fn no_flag_that_reports_a_run_or_names_its_place_is_forgotten() {
        let listed = |lists: &[&[&str]]| -> BTreeSet<String> {
            lists.iter().flat_map(|list| list.iter()).map(|&name| name.to_owned()).collect()
        };
        let mut reporting = names::<outputs::Flags>();
        reporting.extend(["output".to_owned()]);
        assert_eq!(reporting, listed(&[&REPORTING, &["store"]]));
        let mut places = names::<shard::Flags>();
        places.extend(names::<rendezvous::Flags>());
        places.insert("runs-dir".to_owned());
        assert_eq!(places, listed(&[&OWN, &MEETING]));
        let unshared = listed(&[&UNSHARED]);
        assert!(names::<evidence::Flags>().is_subset(&unshared));
        assert!(names::<baseline::Flags>().is_subset(&unshared));
        let all = names::<run::Args>();
        let known = listed(&[&OWN, &UNSHARED, &REPORTING, &FOR_BOTH, &MEETING, &["ca", "store"]]);
        assert!(known.is_subset(&all), "{:?}", known.difference(&all));
    }

    #[test]
    fn a_refusal_speaks_of_the_command_that_was_typed() {
        let refused = |word: &str, command| {
            PassedFlags::read(&[word.to_owned()], command).unwrap_err().to_string()
        };
        let print = JobCommand::Print(MeetingPlace::Store);
        for (word, command, expected) in [
            ("--shard=1/2", print, "--shard cannot be passed on: the printed file sets it itself"),
            (
                "--shard=1/2",
                JobCommand::Fly,
                "--shard cannot be passed on: the fleet sets it itself",
            ),
            ("--store=x", JobCommand::Fly, "which the configuration of a machine must not"),
            ("--junit=x", JobCommand::Fly, "not to one machine; write it before `--`"),
            ("--lead=9s", JobCommand::Fly, "not to one machine; write it before `--`"),
            ("--evidence=x", print, "several machines cannot share it"),
            ("shop.toml", print, "shop.toml comes after `--`"),
            ("--", print, "-- comes after `--`"),
        ] {
            let said = refused(word, command);
            assert!(said.contains(expected), "{said}");
        }
        let said = refused("https://u:hunter2@shop.example/", print);
        assert!(said.contains("a URL comes after `--`") && !said.contains("hunter2"), "{said}");
    }
}
