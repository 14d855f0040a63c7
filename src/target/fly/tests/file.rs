//! The file: defaults, and mistakes with place and remedy.

use super::super::file::{DEMO, read_settings};

fn mistake(text: &str) -> String {
    read_settings(text).unwrap_err()
}

#[test]
fn an_empty_file_is_one_started_machine() {
    let settings = read_settings("").unwrap();
    assert_eq!((settings.app.as_str(), settings.machines.len()), ("rehearsal", 1));
    assert_eq!(settings.machines[0].config["guest"]["memory_mb"], 1024);
}

#[test]
fn the_built_in_file_is_valid() {
    let settings = read_settings(DEMO).unwrap();
    assert_eq!(settings.effects.len(), 2);
}

#[test]
fn a_mistake_is_named_with_its_place_and_remedy() {
    for (text, says) in [
        ("\nscal = 2.0", "2:1: unknown field `scal`, expected one of"),
        ("[work]\nboot_cpu = \"2\"", "2:12: `2` is a duration without a unit"),
        ("[work]\nlatency = \"20ms\"", "2:11: `20ms` is not a latency"),
        ("[[effect]]\nlatency = \"-60\"", "2:11:"),
        ("[faults]\nerror_rate = \"200%\"", "2:14:"),
        ("[[machine]]\nstate = \"asleep\"", "2:9: unknown variant `asleep`, expected one of"),
        ("[[machine]]\nsize = \"large\"", "2:8: `large` is not a size of Fly's machines; write"),
        ("[[machine]]\nsize = \"shared-1x\"", "such as `shared-cpu-1x`"),
        ("[[machine]]\nsize = \"shared-cpu-3x\"", "write 1, or an even number up to 8"),
        ("[[machine]]\nmemory_mb = 100", "choose 256 to 2048 MiB"),
        ("[[machine]]\ncount = 1000", "write 1 to 100"),
        ("scale = 0.0", "from 0.01 to 1000"),
        ("scale = nan", "from 0.01 to 1000"),
        ("[service]\nsoft_limit = 30", "`service.hard_limit` is below"),
        ("[service]\nidle = \"0s\"", "`service.idle` is zero"),
    ] {
        let found = mistake(text);
        assert!(found.contains(says), "{text}: {found}");
        assert!(!found.contains('\n'), "{found}");
    }
}

#[test]
fn the_token_shows_in_no_debug_output() {
    let settings = read_settings("token = \"a-secret-value\"").unwrap();
    assert!(!format!("{settings:?}").contains("a-secret-value"));
}
