//! Text of the command line that becomes part of a job, which others can read.

use std::ffi::OsString;

use super::job_command::JobCommand;
use super::passed_flags::PassedFlag;
use crate::cli::exit::CommandError;
use crate::cli::quick;
use crate::cli::secret_names::names_secret;
use crate::scenario::{Template, TemplatePart};

/// Headers that say what a client is and wants.
const PUBLIC_HEADERS: [&str; 9] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "host",
    "origin",
    "referer",
    "user-agent",
];

/// Refuses typed values whose names say that they are secret, and warns of others that may be.
/// Messages have the names alone.
pub(super) fn check(
    sources: &[OsString],
    flags: &[PassedFlag],
    command: JobCommand,
) -> Result<(), CommandError> {
    let urls = quick::urls(sources);
    for url in &urls {
        check_query(url, command)?;
    }
    for flag in flags {
        let value = flag.value.as_deref().unwrap_or_default();
        match flag.name.as_str() {
            "header" => check_header(value, command)?,
            "body" if has_text(value) => warn("the body of --body", "--body '${BODY}'", command),
            _ => {}
        }
    }
    Ok(())
}

fn check_query(url: &str, command: JobCommand) -> Result<(), CommandError> {
    let url = url.split('#').next().unwrap_or_default();
    let Some((_, query)) = url.split_once('?') else { return Ok(()) };
    let mut has_typed = false;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        if !has_text(value) {
            continue;
        }
        if names_secret(name) {
            return Err(refusal(&format!("`{name}` in the query of a URL"), command));
        }
        has_typed = true;
    }
    if has_typed {
        warn("the query of a URL", "`?key=${KEY}`", command);
    }
    Ok(())
}

fn check_header(typed: &str, command: JobCommand) -> Result<(), CommandError> {
    let Some(name) = quick::header_with_text(typed) else { return Ok(()) };
    if names_secret(&name) {
        return Err(refusal(&format!("the header {name}"), command));
    }
    if !PUBLIC_HEADERS.iter().any(|public| name.eq_ignore_ascii_case(public)) {
        warn(&format!("the header {name}"), &format!("--header '{name}: ${{VALUE}}'"), command);
    }
    Ok(())
}

fn refusal(what: &str, command: JobCommand) -> CommandError {
    CommandError::usage(format!(
        "error: the typed value of {what} is most likely a secret, which {} must not have; set a variable, and write \
         its name instead, such as `${{TOKEN}}`",
        command.holder()
    ))
}

fn warn(what: &str, example: &str, command: JobCommand) {
    tracing::warn!(
        "WARNING: {what} is in {} as it is typed; if it holds a secret, set a variable and write its name: {example}",
        command.holder()
    );
}

/// Whether a value has text of its own, and not only variables.
fn has_text(value: &str) -> bool {
    let is_text = |part: &TemplatePart| match part {
        TemplatePart::Literal(text) => !text.is_empty(),
        TemplatePart::Variable { default, .. } => {
            default.as_ref().is_some_and(|default| !default.is_empty())
        }
        TemplatePart::Live(_) => false,
    };
    Template::parse(value).is_ok_and(|template| template.parts().iter().any(is_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_alone_is_not_a_text() {
        for (value, expected) in
            [("${A}", false), ("", false), ("${A}${B}", false), ("${A:-b}", true), ("a${B}", true)]
        {
            assert_eq!(has_text(value), expected, "{value}");
        }
    }
}
