//! `tollgate init`

use std::io;
use std::path::{Path, PathBuf};

use url::{Host, Position, Url};

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::next_steps::shell_quote;
use crate::library_text::describe_io;
use crate::plan::{Environment, Plan, PlanOverrides};
use crate::scenario::Scenario;
use crate::store;

/// The starter scenario, whose target comes from a variable.
const STARTER: &str = include_str!("starter.toml");

/// The parts of the starter that a URL replaces.
const NAME: &str = "name = \"starter\"";
const BASE_URL: &str = "base_url = \"${TOLLGATE_TARGET}\"";
const WHERE_FROM: &str = "# The variable is read when the scenario runs; you can also write `https://staging.example.org` here.\n";
const PATH: &str = "path = \"/\"";
const ORIGIN: &str = "staging.example.org:443";

const EXAMPLES: &str = "\
Examples:
  tollgate init
  tollgate init checkout.toml --url 'https://staging.example.org/checkout?step=1'
  tollgate init - > scenarios/home.toml

Exit codes:
  0  the scenario was written or printed
  2  usage: a flag is wrong, the file exists already, or its folder does not exist
  4  internal: the scenario could not be written or printed, or a defect";

/// Write a starter scenario with every key explained
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file to write; `-` prints it instead
    #[arg(value_name = "FILE", default_value = "scenario.toml")]
    file: PathBuf,
    /// The URL to measure; sets the base URL and the path
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
}

pub(super) fn init(args: &Args) -> Result<ExitStatus, CommandError> {
    let url = args.url.as_deref().map(target).transpose()?;
    let text = url.as_ref().map_or_else(|| STARTER.to_owned(), starter);
    validate(&args.file, &text)?;
    if args.file == Path::new("-") {
        Console::print_plain(&text)?;
    } else {
        write(&args.file, &text, args.force)?;
        let console = Console { output: OutputFormat::Text };
        console.print_result(&advice(&args.file, url.is_some()))?;
    }
    Ok(ExitStatus::Pass)
}

/// Parses a URL that a scenario can use. Errors never quote it: it may hold a password.
fn target(typed: &str) -> Result<Url, CommandError> {
    let wrong = |why: &str| Err(CommandError::usage(format!("error: the URL {why}")));
    if typed.contains("${") {
        return wrong("contains a variable; leave it out here, and write it into the file");
    }
    let Ok(url) = Url::parse(typed) else {
        return wrong("is not valid; write one such as `https://example.org/shop?page=1`");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("is neither http nor https; begin it with `https://` or `http://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "contains a user name or password; leave them out, and send them in `[headers]`",
        );
    }
    if url.fragment().is_some() {
        return wrong(
            "contains a fragment, which is never sent; leave out `#` and everything after it",
        );
    }
    Ok(url)
}

/// The starter for a URL: its host is the scenario's name, its origin the base URL, the rest the
/// path.
fn starter(url: &Url) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let line = |key: &str, text: &str| format!("{key} = {}", quoted(text));
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let mut text = STARTER
        .replacen(NAME, &line("name", url.host_str().unwrap_or_default()), 1)
        .replacen(WHERE_FROM, "", 1)
        .replacen(BASE_URL, &line("base_url", &url[..Position::BeforePath]), 1)
        .replacen(PATH, &line("path", path), 1);
    if let (Some(Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default()) {
        text = text.replacen(ORIGIN, &format!("{host}:{port}"), 1);
    }
    text
}

/// Refuses to write a file that `tollgate check` would refuse.
fn validate(file: &Path, text: &str) -> Result<(), CommandError> {
    let nothing_set = Environment::for_check([]);
    Scenario::parse(&file.display().to_string(), text)
        .and_then(|scenario| Plan::resolve(&[scenario], &nothing_set, &PlanOverrides::default()))
        .map(drop)
        .map_err(CommandError::from)
}

/// Writes the file. Overwrites an existing file only with `force`.
fn write(path: &Path, text: &str, force: bool) -> Result<(), CommandError> {
    let display = path.display();
    if path.is_dir() {
        return Err(CommandError::usage(format!(
            "error: {display} is a directory; name a file in it"
        )));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = if force { store::write_file } else { store::write_new_file };
    written(path, text.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CommandError::usage(format!(
            "error: {display} already exists and was not changed; name another file, or overwrite it with --force"
        )),
        io::ErrorKind::NotFound => {
            CommandError::usage(format!("error: there is no folder {}; create it first", folder.display()))
        }
        _ => CommandError::internal(format!("cannot write {display}: {}", describe_io(&error))),
    })
}

fn advice(file: &Path, knows_target: bool) -> String {
    let file = shell_quote(&file.display().to_string());
    let target = if knows_target { "" } else { "TOLLGATE_TARGET=https://… " };
    format!("Wrote {file}\n\nNext\n  tollgate check {file}\n  {target}tollgate run {file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_where_its_path_begins() {
        for (url, name, base_url, path) in [
            ("https://example.org", "example.org", "https://example.org", "/"),
            (
                "http://127.0.0.1:8080/a/b?c=/d&e",
                "127.0.0.1",
                "http://127.0.0.1:8080",
                "/a/b?c=/d&e",
            ),
            ("https://Example.ORG:443?q", "example.org", "https://example.org", "/?q"),
            ("http://[::1]:81/\"x\"", "[::1]", "http://[::1]:81", "/%22x%22"),
        ] {
            let text = starter(&target(url).unwrap());
            for (key, value) in [("name", name), ("base_url", base_url), ("path", path)] {
                let line = format!("\n{key} = \"{value}\"\n");
                assert!(text.contains(&line), "{line} for {url} in\n{text}");
            }
            validate(Path::new("test.toml"), &text).unwrap();
        }
    }

    #[test]
    fn every_line_that_a_url_replaces_is_in_the_starter_once() {
        for line in [NAME, BASE_URL, WHERE_FROM, PATH, ORIGIN] {
            assert_eq!(STARTER.matches(line).count(), 1, "{line}");
        }
        let text = starter(&target("https://example.net/x").unwrap());
        assert!(text.contains("#resolve = [\"example.net:443:127.0.0.1\"]"));
        assert!(!text.contains("TOLLGATE_TARGET") && !text.contains("starter"));
    }

    #[test]
    fn a_url_that_no_scenario_can_use_is_refused_without_quoting_it() {
        for url in [
            "example.org/canary",
            "ftp://canary.example.org/",
            "https://user:canary@example.org/",
            "https://example.org/#canary",
            "https://example.org/${canary}",
            "https://",
        ] {
            let problem = target(url).unwrap_err();
            assert_eq!(problem.exit(), ExitStatus::Usage);
            assert!(!problem.to_string().contains("canary"), "{problem}");
        }
    }

    #[test]
    fn file_names_are_quoted_for_a_shell() {
        for (name, quoted) in
            [("a/b.toml", "a/b.toml"), ("my file", "'my file'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(shell_quote(name), quoted);
        }
    }
}
