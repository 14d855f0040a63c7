//! Environment variables that look like those of flags, and are not.
//!
//! A CI job that sets `TOLLGATE_DURATON` would get a run of another length without noticing. So a
//! mistyped variable is an error where a target is judged, and a warning elsewhere.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory as _;

use super::exit::CommandError;
use super::{Cli, flag_variables, quick, usage, variables};
use crate::scenario::Scenario;
use crate::units::near::nearest;

const PREFIX: &str = "TOLLGATE_";

/// Variables that belong to no flag: the usual variable of a scenario's base URL, the place of this
/// machine for `--shard auto`, and those of tollgate's own tests. A name that ends with `_` stands
/// for all names that begin with it.
const OTHERS: [&str; 5] = [
    "TOLLGATE_TARGET",
    "TOLLGATE_SHARD_INDEX",
    "TOLLGATE_SHARD_COUNT",
    "TOLLGATE_TESTS_",
    "TOLLGATE_BROWSER",
];

/// Commands whose variables have no part for the command: `TOLLGATE_RATE`, not
/// `TOLLGATE_RUN_RATE`.
const SHARED_PARTS: [&str; 4] = ["RUN_", "CHECK_", "DOCTOR_", "DUET_"];

/// A variable that no flag reads.
#[derive(Debug, PartialEq, Eq)]
struct StrayVariable {
    name: String,
    /// What was probably meant: ``did you mean `TOLLGATE_RATE`?``
    tip: Option<String>,
}

/// Refuses mistyped variables, and warns of others that nothing on this command line reads, and of
/// proxies that are not used. `sources` are URLs and scenario files.
pub(super) fn check(sources: &[OsString]) -> Result<(), CommandError> {
    note_proxies();
    let strays = strays(&|| used_by(sources));
    for StrayVariable { name, .. } in strays.iter().filter(|stray| stray.tip.is_none()) {
        tracing::warn!(
            "WARNING: neither a flag nor a scenario named here reads the variable `{name}`: unset \
             it, or see `tollgate run --help` for the names of the flags' variables"
        );
    }
    refuse(strays)
}

/// Refuses mistyped variables of a command that judges a target without scenarios.
pub(super) fn check_mistyped() -> Result<(), CommandError> {
    refuse(strays(&|| used_by(&[])))
}

fn refuse(strays: Vec<StrayVariable>) -> Result<(), CommandError> {
    let problem = |StrayVariable { name, tip }: StrayVariable| {
        Some(format!("error: no flag reads the variable `{name}`: {}\n  rename or unset it", tip?))
    };
    let mistyped: Vec<_> = strays.into_iter().filter_map(problem).collect();
    if mistyped.is_empty() { Ok(()) } else { Err(CommandError::usage(mistyped.join("\n"))) }
}

/// Warns of mistyped variables.
pub(super) fn warn() {
    for StrayVariable { name, tip } in strays(&BTreeSet::new) {
        if let Some(tip) = tip {
            tracing::warn!("WARNING: no flag reads the variable `{name}`: {tip}");
        }
    }
}

/// The stray variables of this process. `used` has the names that the sources use; reading them
/// takes time, so it is called only if there is a candidate.
fn strays(used: &dyn Fn() -> BTreeSet<String>) -> Vec<StrayVariable> {
    let known = flag_variables::all_variables(&Cli::command());
    let set = variables::utf8_variables().filter(|(_, value)| !value.is_empty());
    let candidates: Vec<_> = set.filter_map(|(name, _)| stray(&name, &known)).collect();
    if candidates.is_empty() {
        return candidates;
    }
    let used = used();
    candidates.into_iter().filter(|stray| !used.contains(&stray.name)).collect()
}

/// Whether a variable is one that no flag reads although its name says so, and what it was meant to
/// be.
fn stray(name: &str, known: &BTreeSet<String>) -> Option<StrayVariable> {
    let upper = name.to_ascii_uppercase();
    let is_other = OTHERS
        .iter()
        .any(|other| upper == *other || other.ends_with('_') && upper.starts_with(other));
    if known.contains(name) || is_other {
        return None;
    }
    let stray = |tip| Some(StrayVariable { name: name.to_owned(), tip });
    let meant = |meant: &str| stray(Some(format!("did you mean `{meant}`?")));
    if known.contains(&upper) {
        return meant(&upper);
    }
    let Some(flag) = upper.strip_prefix(PREFIX) else {
        // The prefix itself may be mistyped: `TOLGATE_RATE`.
        let (prefix, rest) = upper.split_once('_')?;
        let right = format!("{PREFIX}{rest}");
        let is_near =
            prefix.starts_with("TOL") && strsim::damerau_levenshtein(prefix, "TOLLGATE") <= 2;
        return if is_near && known.contains(&right) { meant(&right) } else { None };
    };
    let without_part = SHARED_PARTS.iter().find_map(|part| flag.strip_prefix(part));
    let shared = without_part.map(|rest| format!("{PREFIX}{rest}"));
    if let Some(shared) = shared.filter(|shared| known.contains(shared)) {
        return meant(&shared);
    }
    let flags: Vec<&str> = known.iter().filter_map(|name| name.strip_prefix(PREFIX)).collect();
    if let Some(near) = nearest(flag, &flags) {
        return meant(&format!("{PREFIX}{near}"));
    }
    let foreign = format!("--{}", flag.to_ascii_lowercase().replace('_', "-"));
    stray(usage::instead_of(&foreign).map(|tip| format!("as a flag, {tip}.")))
}

/// The names of all variables that sources, flags and their variables mention.
fn used_by(sources: &[OsString]) -> BTreeSet<String> {
    let files = sources.iter().filter(|source| !quick::is_url(source));
    let read = files.filter_map(|file| Scenario::read(Path::new(file)).ok());
    let mut used: BTreeSet<String> = read.flat_map(|file| file.variables()).collect();
    let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let set = variables::utf8_variables().filter(|(name, _)| name.starts_with(PREFIX));
    for text in typed.chain(set.map(|(_, value)| value)) {
        used.extend(mentioned(&text));
    }
    used
}

/// The names in a text that follow `${`.
fn mentioned(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = text.split("${").skip(1);
    names.map(|rest| rest.chars().take_while(|&c| is_part(c)).collect()).collect()
}

/// Notes that the variables of proxies have no effect by themselves. curl obeys them, so a reader
/// may believe that a run went through the proxy.
fn note_proxies() {
    const PROXIES: [&str; 6] =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_asked = std::env::args_os().any(|word| word == "--proxy-from-env")
        || is_set("TOLLGATE_PROXY_FROM_ENV");
    let set: Vec<_> = PROXIES.into_iter().filter(|name| is_set(name)).collect();
    if set.is_empty() || is_asked {
        return;
    }
    let verb = if set.len() == 1 { "is" } else { "are" };
    tracing::warn!(
        "NOTE: {} {verb} set; unlike curl, tollgate uses the variables of proxies only with \
         `--proxy-from-env` or if a scenario's `proxy` names them",
        set.join(", ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<StrayVariable> {
        stray(name, &flag_variables::all_variables(&Cli::command()))
    }

    fn tip(name: &str) -> Option<String> {
        of(name)?.tip
    }

    #[test]
    fn a_mistyped_variable_is_answered_with_the_right_one() {
        for (typed, meant) in [
            ("TOLLGATE_DURATON", "TOLLGATE_DURATION"),
            ("TOLLGATE_BUDGETS", "TOLLGATE_BUDGET"),
            ("TOLLGATE_CONECTIONS", "TOLLGATE_CONNECTIONS"),
            ("TOLLGATE_EXPECTED_STATUS", "TOLLGATE_EXPECT_STATUS"),
            ("TOLLGATE_RUN_BUDGET", "TOLLGATE_BUDGET"),
            ("TOLLGATE_CHECK_RATE", "TOLLGATE_RATE"),
            ("TOLGATE_RATE", "TOLLGATE_RATE"),
            ("TOLLAGTE_RATE", "TOLLGATE_RATE"),
            ("tollgate_rate", "TOLLGATE_RATE"),
            ("TOLLGATE_SYNTHETIC_CHECK_SAMPELS", "TOLLGATE_SYNTHETIC_CHECK_SAMPLES"),
            ("TOLLGATE_TARGET_SEDE", "TOLLGATE_TARGET_SEED"),
        ] {
            assert_eq!(tip(typed), Some(format!("did you mean `{meant}`?")), "{typed}");
        }
        let tip_of = |typed| tip(typed).unwrap_or_default();
        assert!(tip_of("TOLLGATE_VUS").contains("--closed --connections 8"));
        assert!(tip_of("TOLLGATE_RPS").contains("--rate 20/s"));
        assert!(tip_of("TOLLGATE_THRESHOLD").contains("--budget"));
    }

    #[test]
    fn a_variable_that_resembles_no_flag_has_no_tip_and_other_variables_are_no_strays() {
        assert!(of("TOLLGATE_SHOP_TENANT_NUMBER").is_some_and(|stray| stray.tip.is_none()));
        for name in [
            "TOLLGATE_RATE",
            "TOLLGATE_RUNS_DIR",
            "TOLLGATE_STORE",
            "TOLLGATE_IMPORT_HLOG_UNIT",
            "TOLLGATE_LOG_FORMAT",
            "TOLLGATE_TARGET",
            "TOLLGATE_TESTS_WITHOUT_NODE",
            "SYNTHETIC_CHECK_TOKEN",
            "TOLERANCE_RATE",
            "RATE",
            "HOME",
        ] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn a_text_mentions_the_variables_in_it() {
        assert_eq!(mentioned("a ${TOLLGATE_A}${TOLLGATE_B:-c} $D"), ["TOLLGATE_A", "TOLLGATE_B"]);
    }
}
