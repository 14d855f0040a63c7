use super::*;
use crate::postgres::scripted_server::message;

fn login() -> Vec<u8> {
    let setting = message(b'S', b"TimeZone\0UTC\0");
    [message(b'R', &[0; 4]), setting, message(b'K', &[0; 8]), message(b'Z', b"I")].concat()
}

/// What follows the name of a column in its description.
fn column_of_type(oid: u8) -> [u8; 18] {
    let mut column = [0; 18];
    column[9] = oid;
    column
}

fn answer() -> Vec<u8> {
    let columns = [&[0, 1][..], b"n\0", &column_of_type(23)].concat();
    let row = [0, 1, 0, 0, 0, 2, b'4', b'2'];
    [message(b'T', &columns), message(b'D', &row), message(b'C', b"SELECT 1\0")].concat()
}

#[test]
fn messages_are_passed_on_whatever_parts_they_come_in() {
    let sent = [login(), message(b'N', b"Mhello\0\0"), answer()].concat();
    let expected =
        [message(b'R', &[0; 4]), message(b'K', &[0; 8]), message(b'Z', b"I"), answer()].concat();
    for size in 1..sent.len() {
        let (mut check, mut passed) = (MessageCheck::default(), Vec::new());
        sent.chunks(size).for_each(|part| check.read(part, &mut passed).unwrap());
        assert_eq!(passed, expected, "in parts of {size} bytes");
    }
}

#[test]
fn a_length_that_is_not_possible_is_a_fault_before_its_body_comes() {
    for length in [0, 1, 2, 3, -1, i32::MIN, i32::MAX] {
        let header = [&b"C"[..], &length.to_be_bytes()].concat();
        let mut check = MessageCheck::default();
        let fault = check.read(&header, &mut Vec::new()).unwrap_err();
        assert!(matches!(fault, WireFault::NotPostgres(_)), "{length}: {fault:?}");
        let mut check = MessageCheck::default();
        check.read(&login(), &mut Vec::new()).unwrap();
        let fault = check.read(&header, &mut Vec::new()).unwrap_err();
        assert!(matches!(fault, WireFault::Broken(_)), "{length}: {fault:?}");
    }
}

#[test]
fn messages_that_belong_to_no_answer_are_counted_for_each_request() {
    let mut check = MessageCheck::default();
    check.read(&login(), &mut Vec::new()).unwrap();
    let notices = message(b'N', b"Magain\0\0").repeat(MOST_UNASKED);
    for _ in 0..3 {
        check.note_request();
        check.read(&notices, &mut Vec::new()).unwrap();
    }
    let fault = check.read(&message(b'A', &[0; 6]), &mut Vec::new());
    assert_eq!(fault, Err(WireFault::Flood));
}

#[test]
fn what_tollgate_does_not_do_is_no_fault_of_the_protocol() {
    let begun = |sent: &[u8]| {
        let mut check = MessageCheck::default();
        check.read(&login(), &mut Vec::new()).unwrap();
        check.read(sent, &mut Vec::new()).unwrap_err()
    };
    for copy in [b'G', b'H', b'W'] {
        assert!(matches!(begun(&message(copy, &[0; 3])), WireFault::Unsupported(_)));
    }
    for method in [&[0, 0, 0, 7][..], b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0"] {
        let fault = MessageCheck::default().read(&message(b'R', method), &mut Vec::new());
        assert!(matches!(fault, Err(WireFault::Unsupported(_))), "{fault:?}");
    }
    // The library would look the type up by a statement with a name.
    let columns = [&[0, 1][..], b"n\0", &column_of_type(3)].concat();
    assert!(matches!(begun(&message(b'T', &columns)), WireFault::Broken(_)));
}

#[test]
fn the_state_of_the_transaction_is_the_last_one_that_the_server_named() {
    let state = TransactionState::default();
    let mut check = MessageCheck::new(state.clone());
    check.read(&login(), &mut Vec::new()).unwrap();
    for (named, is_open) in [(b"T", true), (b"E", false), (b"T", true), (b"I", false)] {
        check.read(&[answer(), message(b'Z', named)].concat(), &mut Vec::new()).unwrap();
        assert_eq!(state.is_open(), is_open);
    }
}
