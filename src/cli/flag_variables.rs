//! Gives every flag an environment variable, by one rule.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::builder::{FalseyValueParser, OsStr as Name, Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

/// Commands that share flags and therefore variables: `TOLLGATE_RUNS_DIR` is for `run` and `show`.
/// Other commands have their own variables, such as `TOLLGATE_TARGET_SEED`.
const SHARING: &[&str] =
    &["demo", "doctor", "run", "duet", "tune", "warm", "merge", "check", "show", "compare"];

/// Gives each flag of a command and of its subcommands its variable.
///
/// An empty variable counts as not set. So does `0`, `false`, `no` or `off` for a flag without a
/// value. A repeatable flag takes one value per line. Help shows the names but not the values.
pub(super) fn name_flags(command: Command) -> Command {
    let own = command.mut_args(|arg| name_flag(arg, "TOLLGATE"));
    own.mut_subcommands(|command| {
        let nested = format!("TOLLGATE_{}", upper(command.get_name()));
        let is_shared = SHARING.contains(&command.get_name());
        let own = if is_shared { "TOLLGATE" } else { &nested };
        name_flags_below(command, own, &nested)
    })
}

/// Does the same with a prefix for the command's own flags and one for those of its subcommands,
/// which they extend: `TOLLGATE_IMPORT_HLOG_UNIT`.
fn name_flags_below(command: Command, prefix: &str, nested: &str) -> Command {
    let own = command.mut_args(|arg| name_flag(arg, prefix));
    own.mut_subcommands(|command| {
        let prefix = format!("{nested}_{}", upper(command.get_name()));
        name_flags_below(command, &prefix, &prefix)
    })
}

/// Names the flags of one command as [`name_flags`] does.
pub(super) fn name_flags_of(command: Command, name: &str) -> Command {
    command.mut_args(|arg| name_flag(arg, &format!("TOLLGATE_{}", upper(name))))
}

fn name_flag(arg: Arg, prefix: &str) -> Arg {
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue);
    let Some(long) = arg.get_long().filter(|_| takes && !arg.is_hide_set()) else { return arg };
    let name = variable_of(&arg, long, prefix);
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let repeats = matches!(arg.get_action(), ArgAction::Append);
    let arg = if is_switch { arg.value_parser(FalseyValueParser::new()) } else { arg };
    // A variable holds one value per line. A typed value may contain line breaks itself.
    let has_lines =
        std::env::var_os(&name).is_some_and(|value| value.as_encoded_bytes().contains(&b'\n'));
    let arg = if repeats && has_lines { arg.value_delimiter('\n') } else { arg };
    if std::env::var_os(&name).is_none_or(|value| sets_flag(&value, is_switch)) {
        arg.env(Name::from(name)).hide_env_values(true)
    } else {
        mention_variable(arg.env(Resettable::<Name>::Reset), &name)
    }
}

/// The variable of a flag: its own, or one made of the prefix and its name.
fn variable_of(arg: &Arg, long: &str, prefix: &str) -> String {
    match arg.get_env() {
        Some(own) => own.to_string_lossy().into_owned(),
        None => format!("{prefix}_{}", upper(long)),
    }
}

/// The variables of all flags of a command that [`name_flags`] has not changed, and of its
/// subcommands.
pub(super) fn all_variables(command: &Command) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect_variables(command, ("TOLLGATE", "TOLLGATE"), true, &mut names);
    names
}

/// Collects with one prefix for the command's own flags and one for its subcommands.
fn collect_variables(
    command: &Command,
    (own, nested): (&str, &str),
    is_top: bool,
    names: &mut BTreeSet<String>,
) {
    let flags = command.get_arguments();
    names.extend(flags.filter_map(|arg| Some(variable_of(arg, arg.get_long()?, own))));
    for command in command.get_subcommands() {
        let name = command.get_name();
        let below = format!("{nested}_{}", upper(name));
        let own = if is_top && SHARING.contains(&name) { nested } else { &below };
        collect_variables(command, (own, &below), false, names);
    }
}

/// Where the value of a shared flag comes from: the flag itself, such as `--budget`, if it was
/// typed, else its variable.
pub(super) fn origin(flag: &str) -> String {
    let variable = format!("TOLLGATE_{}", upper(flag.trim_start_matches('-')));
    let is_set = std::env::var_os(&variable).is_some_and(|value| !value.is_empty());
    if is_set && !is_typed(flag) { variable } else { flag.to_owned() }
}

/// Whether a flag was typed, so that a command that cannot use it should say so. A variable may be
/// set for other commands.
pub(super) fn is_typed(flag: &str) -> bool {
    std::env::args_os().any(|word| is_flag(&word.to_string_lossy(), flag))
}

/// The verb for doing without a flag or a variable.
pub(super) fn leave_out(origin: &str) -> &'static str {
    if origin.starts_with('-') { "remove" } else { "unset" }
}

/// Whether a typed word is a flag, in its long or its short form, with or without a value.
fn is_flag(word: &str, flag: &str) -> bool {
    const SHORT: [(&str, &str); 3] =
        [("--connections", "-c"), ("--header", "-H"), ("--method", "-X")];
    let short = SHORT.iter().find(|(long, _)| *long == flag).map(|(_, short)| *short);
    word.split('=').next() == Some(flag)
        || short.is_some_and(|short| !word.starts_with("--") && word.starts_with(short))
}

/// The variable that holds the value rejected by clap; `None` if the value was typed.
pub(super) fn rejected_variable(
    mut command: &Command,
    typed: &[OsString],
    error: &clap::Error,
) -> Option<String> {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else { return None };
    // Other kinds of error do not concern a value.
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    for word in typed.iter().filter_map(|word| word.to_str()) {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let long = wrong.strip_prefix("--")?.split([' ', '=', '[']).next()?;
    let flag = command.get_arguments().find(|arg| arg.get_long() == Some(long))?;
    let is_typed = |word: &str| {
        let short = flag.get_short().is_some_and(|short| word.starts_with(&format!("-{short}")));
        word.split('=').next() == Some(&format!("--{long}")) || short
    };
    let is_typed = typed.iter().any(|word| is_typed(&word.to_string_lossy()));
    flag.get_env().filter(|_| !is_typed).map(|name| name.to_string_lossy().into_owned())
}

fn upper(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}

/// Whether a variable's value sets a flag.
fn sets_flag(value: &OsStr, is_switch: bool) -> bool {
    let says_no = |value: &str| {
        ["0", "false", "f", "no", "n", "off"].contains(&value.to_ascii_lowercase().as_str())
    };
    !(value.is_empty() || is_switch && value.to_str().is_some_and(says_no))
}

/// Adds the variable's name to the help of a flag whose variable clap must not read.
fn mention_variable(arg: Arg, name: &str) -> Arg {
    let with = |help: Option<&StyledStr>| help.map(|help| format!("{help} [env: {name}]"));
    let (short, long) = (with(arg.get_help()), with(arg.get_long_help()));
    let arg = short.into_iter().fold(arg, Arg::help);
    long.into_iter().fold(arg, Arg::long_help)
}
