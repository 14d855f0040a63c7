//! Properties of every report of a session.

use unicode_width::UnicodeWidthStr as _;

use super::fixture::{empty, saying, session};
use super::*;
use crate::report::fixture::HOSTILE;
use crate::report::session_terminal;

fn model() -> SessionModel {
    SessionModel::new(&session())
}

fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').unwrap().1)
}

#[test]
fn a_terminal_of_100_columns_gets_the_answer_and_a_row_for_each_configuration() {
    insta::assert_snapshot!(session_terminal(&model(), 100, false));
}

#[test]
fn a_session_before_its_first_attempt_says_that_nothing_can_be_concluded() {
    let text = session_terminal(&SessionModel::new(&empty()), 100, false);
    assert!(text.contains("Nothing can be concluded yet"), "{text}");
    assert!(text.contains("0 of 15 attempts, not ended"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_none_steers_it() {
    let hostile = HOSTILE.iter().map(|text| saying(text));
    for record in hostile.chain([session(), empty()]) {
        let model = SessionModel::new(&record);
        for width in [80_u16, 100, 140] {
            let text = session_terminal(&model, width, true);
            for line in plain(&text).lines() {
                assert!(line.width() <= usize::from(width), "{} columns: {line}", line.width());
                assert!(!line.chars().any(char::is_control), "{line}");
            }
            assert_eq!(plain(&text), session_terminal(&model, width, false));
        }
    }
}

#[test]
fn the_columns_of_an_inventory_are_whole_and_mark_what_changed() {
    let model = model();
    assert_eq!(model.inventory.len(), 15);
    for row in &model.inventory {
        assert_eq!(row.cells.len(), INVENTORY_HEADS.len());
        assert_eq!(row.cells[2].text, "stopped → started");
        let changed = row.cells.iter().filter(|cell| cell.has_changed).count();
        assert_eq!(changed, 1);
    }
}

#[test]
fn an_attempts_entry_has_its_command_its_outcome_and_its_quota() {
    let record = session();
    let entry =
        AttemptEntry { command: "tollgate tune tune.toml".to_owned(), ..AttemptEntry::default() };
    insta::assert_snapshot!(attempt_entry(&record, 11, &entry).unwrap());
    let failed = attempt_entry(&record, 7, &entry).unwrap();
    assert!(failed.contains("- Outcome: not completed: the machine was replaced"), "{failed}");
    assert_eq!(attempt_entry(&record, 16, &entry), None);
}

#[test]
fn no_text_breaks_a_line_of_an_entry() {
    for text in HOSTILE {
        let entry = AttemptEntry {
            command: text.to_owned(),
            notes: vec![text.to_owned()],
            ..AttemptEntry::default()
        };
        for number in [1, 7] {
            for line in attempt_entry(&saying(text), number, &entry).unwrap().lines() {
                let starts = ["## [", "- Command: ", "- Artifacts:", "- Commit: ", "- Outcome: "];
                let is_known = starts.iter().any(|start| line.starts_with(start))
                    || line.is_empty()
                    || line.starts_with("- Notes:")
                    || line.starts_with("  - ");
                assert!(is_known, "{line}");
            }
        }
    }
}
