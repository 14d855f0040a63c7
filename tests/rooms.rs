//! Holds the arrows between rooms: which room may use which, and which must not see the async
//! runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

#[path = "rooms/modules.rs"]
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which rooms each room may use; `docs/architecture.md` says why.
const ARROWS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("files", &["units"]),
    ("library_text", &[]),
    ("certificates", &["units", "files", "library_text"]),
    ("record", &["units"]),
    ("expect", &["library_text", "units", "record"]),
    ("scenario", &["library_text", "units", "files", "record"]),
    (
        "plan",
        &["library_text", "units", "files", "record", "scenario", "expect", "verdict", "postgres"],
    ),
    ("recorder", &["units", "record"]),
    (
        "engine",
        &[
            "certificates",
            "library_text",
            "units",
            "files",
            "plan",
            "expect",
            "record",
            "recorder",
            "postgres",
        ],
    ),
    ("fleet", &["units", "plan", "record"]),
    ("fly", &["library_text", "units", "record", "engine"]),
    ("verdict", &["units", "record"]),
    ("postgres", &["certificates", "files", "library_text", "units"]),
    ("hlog", &["record"]),
    ("store", &["library_text", "units", "files", "record", "hlog", "postgres", "history"]),
    ("history", &["units", "record"]),
    ("import", &["library_text", "units", "record", "verdict", "hlog"]),
    ("report", &["units", "record", "history"]),
    (
        "doctor",
        &["library_text", "units", "record", "scenario", "plan", "engine", "postgres", "store"],
    ),
    ("tune", &["units", "files", "library_text", "record", "history", "scenario", "verdict"]),
    ("target", &["certificates", "library_text", "units", "files", "postgres"]),
    (
        "cli",
        &[
            "units",
            "files",
            "library_text",
            "record",
            "scenario",
            "plan",
            "engine",
            "fleet",
            "fly",
            "verdict",
            "postgres",
            "store",
            "history",
            "import",
            "report",
            "doctor",
            "target",
            "tune",
        ],
    ),
];

/// Rooms that decide and render: pure functions of values.
const WITHOUT_RUNTIME: &[&str] = &[
    "units",
    "library_text",
    "record",
    "expect",
    "scenario",
    "plan",
    "fleet",
    "recorder",
    "verdict",
    "hlog",
    "history",
    "import",
    "report",
    "tune",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(extension) if extension == "rs" => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

/// The room a file belongs to: its folder below `src`, or its own name.
fn room(file: &Path) -> String {
    let inside = file.strip_prefix(root()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms named after `crate::` in a file, its comments and documentation left out.
fn used(file: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn every_room_uses_only_the_rooms_it_may() {
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut broken = Vec::new();
    for file in sources(&root()) {
        let room = room(&file);
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed =
            arrows.get(room.as_str()).unwrap_or_else(|| panic!("room `{room}` has no arrows yet"));
        for target in used(&file) {
            if target != room && !allowed.contains(&target.as_str()) {
                broken.push(format!("{} uses crate::{target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn rooms_that_decide_and_render_do_not_see_the_async_runtime() {
    for file in sources(&root()) {
        if WITHOUT_RUNTIME.contains(&room(&file).as_str()) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(!text.contains("tokio::"), "{} names tokio", file.display());
        }
    }
}

/// Queries that go past `postgres::Transaction` may get another client's answers.
#[test]
fn only_one_room_talks_to_postgres_by_the_library() {
    for file in sources(&root()) {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            room(&file) == "postgres" || !text.contains("tokio_postgres::"),
            "{} names tokio_postgres",
            file.display()
        );
    }
}

#[test]
fn only_the_command_line_prints_and_only_main_ends_the_program() {
    for file in sources(&root()) {
        let text = std::fs::read_to_string(&file).unwrap();
        let room = room(&file);
        assert!(
            !text.contains("process::exit") || room == "main",
            "{} ends the program",
            file.display()
        );
        let prints = text.contains("io::stdout()") || text.contains("io::stderr()");
        assert!(!prints || room == "cli" || room == "main", "{} prints", file.display());
    }
}

/// A circle makes its modules one that has to be read as a whole.
#[test]
fn modules_do_not_take_items_from_each_other_in_circles() {
    let circles = modules::Modules::read(&root()).circles();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// Every command has `Args` of its own, and groups of flags are `Flags`.
const NAMES_OF_COMMANDS: [&str; 2] = ["Args", "Flags"];

#[test]
fn few_types_share_their_name_with_another() {
    let mut names = modules::Modules::read(&root()).type_names();
    names.retain(|name| !NAMES_OF_COMMANDS.contains(&name.as_str()));
    let mut counts = BTreeMap::<&str, usize>::new();
    for name in &names {
        *counts.entry(name).or_default() += 1;
    }
    counts.retain(|_, count| *count > 1);
    let shared: usize = counts.values().sum();
    assert!(shared * 100 <= names.len() * 15, "{shared} of {}: {counts:#?}", names.len());
}

/// Files that compare the text of a library's error, or pass on one that cannot hold a secret.
const READERS_OF_LIBRARY_TEXTS: [&str; 4] = [
    "engine/connection/library_limit.rs",
    "engine/connection/dial/roots.rs",
    "postgres/library_error.rs",
    "postgres/error.rs",
];

/// The code of each file that should not read such a text, with its path below `src`.
fn without_library_texts() -> Vec<(String, String)> {
    let files = sources(&root()).into_iter().filter(|file| room(file) != "library_text");
    let code = files.map(|file| {
        let text = std::fs::read_to_string(&file).unwrap();
        let inside = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        (inside, text.split("#[cfg(test)]").next().unwrap().to_owned())
    });
    code.filter(|(inside, _)| {
        !inside.contains("/tests") && !READERS_OF_LIBRARY_TEXTS.contains(&inside.as_str())
    })
    .collect()
}

/// The text of a library may quote a secret, so `library_text` describes the error.
#[test]
fn only_known_places_read_the_text_of_a_librarys_error() {
    const ROOMS: [&str; 8] =
        ["engine", "postgres", "store", "expect", "plan", "scenario", "hlog", "record"];
    const READS: [&str; 5] =
        ["error.to_string()", "tls.to_string()", "io.to_string()", "end.to_string()", "{error:?}"];
    for (inside, code) in without_library_texts() {
        if ROOMS.contains(&room(&root().join(&inside)).as_str()) {
            let found = READS.iter().find(|read| code.contains(*read));
            assert_eq!(found, None, "{inside}: describe the error with `library_text`");
        }
    }
}

/// A file that calls a library shows none of its errors as they are.
#[test]
fn no_file_that_calls_a_library_shows_its_errors() {
    const LIBRARIES: [&str; 9] = [
        "Url::parse",
        "regex::",
        "toml::de::Error",
        "csv::",
        "hdrhistogram::",
        "h2::",
        "BASE64",
        "humantime::",
        "io::Error",
    ];
    const SHOWS: [&str; 3] = ["{error}", "{reason:?}", ".message()"];
    for (inside, code) in without_library_texts() {
        let library = LIBRARIES.iter().find(|library| code.contains(*library));
        let shown = SHOWS.iter().find(|show| code.contains(*show));
        assert!(
            library.is_none() || shown.is_none(),
            "{inside} uses {library:?} and shows {shown:?}: describe it with `library_text`"
        );
    }
}
