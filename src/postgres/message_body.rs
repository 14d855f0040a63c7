//! The structure of messages, as far as the database library takes it for granted.

use tokio_postgres::types::Type;

/// Maximum number of iterations of a login by SCRAM. Servers ask for 4,096; each costs time here.
const MOST_ITERATIONS: u32 = 1_000_000;

/// Checks the body of a message, except a row; an error says what is wrong.
pub(super) fn check(kind: u8, body: &[u8]) -> Result<(), &'static str> {
    match kind {
        b'R' => check_login(body),
        b'K' => require(body.len() == 8, "the key of the session is not eight bytes"),
        b'Z' => require(matches!(body, [b'I' | b'T' | b'E']), "a session is in an unknown state"),
        b'E' | b'N' => check_notice(body),
        b'C' => match body {
            [tag @ .., 0] if !tag.contains(&0) => {
                require(std::str::from_utf8(tag).is_ok(), "the name of a command is not UTF-8")
            }
            _ => Err("the name of a command does not end"),
        },
        b'T' => check_description(body),
        b't' => match counted(body) {
            Some((count, types)) => {
                require(types.len() == 4 * count, "the types of the values are not complete")
            }
            None => Err("the types of the values are not complete"),
        },
        _ => Ok(()),
    }
}

/// What a message asks for that tollgate does not do.
pub(super) fn find_unsupported(kind: u8, body: &[u8]) -> Option<&'static str> {
    const LOGIN: &str = "it asks for a login that tollgate does not know; passwords by SCRAM-SHA-256, by MD5 and in clear text, \
                         and client certificates are known";
    match (kind, body.split_first_chunk()) {
        (b'G' | b'H' | b'W', _) => Some("it begins to copy data in bulk"),
        (b'R', Some((method, rest))) => match u32::from_be_bytes(*method) {
            10 if !rest.split(|byte| *byte == 0).any(|name| name == b"SCRAM-SHA-256") => {
                Some(LOGIN)
            }
            0 | 3 | 5 | 10 | 11 | 12 => None,
            _ => Some(LOGIN),
        },
        _ => None,
    }
}

fn require(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

/// A request of the login: a number and what belongs to it.
fn check_login(body: &[u8]) -> Result<(), &'static str> {
    let Some((method, rest)) = body.split_first_chunk() else {
        return Err("a request of the login is too short");
    };
    match u32::from_be_bytes(*method) {
        5 => require(rest.len() == 4, "the salt of the login is not four bytes"),
        10 => require(
            rest.ends_with(&[0, 0]) && std::str::from_utf8(rest).is_ok(),
            "the list of logins does not end",
        ),
        11 => {
            let text = std::str::from_utf8(rest).map_err(|_| "the login is not UTF-8")?;
            let iterations = text.split(',').find_map(|part| part.strip_prefix("i="));
            let is_small =
                |text: &str| text.parse().is_ok_and(|count: u32| count <= MOST_ITERATIONS);
            require(
                iterations.is_some_and(is_small),
                "the login by SCRAM asks for an impossible number of rounds",
            )
        }
        12 => require(std::str::from_utf8(rest).is_ok(), "the login is not UTF-8"),
        _ => Ok(()),
    }
}

/// An error or a notice: fields of a letter and a text that ends in zero, then a zero.
fn check_notice(mut body: &[u8]) -> Result<(), &'static str> {
    let mut says_anything = false;
    loop {
        match body {
            [0] => return require(says_anything, "an error says nothing"),
            [_, text @ ..] => {
                let end = text.iter().position(|byte| *byte == 0);
                let end = end.ok_or("the text of an error does not end")?;
                require(std::str::from_utf8(&text[..end]).is_ok(), "an error is not UTF-8")?;
                says_anything = true;
                body = &text[end + 1..];
            }
            [] => return Err("the text of an error does not end"),
        }
    }
}

/// The columns of an answer: for each a name that ends in zero, and 18 bytes.
///
/// For a type that is not built in, the library would prepare statements by name to ask about it.
/// No query here returns one.
fn check_description(body: &[u8]) -> Result<(), &'static str> {
    const WRONG: &str = "the description of the columns is not complete";
    let (count, mut rest) = counted(body).ok_or(WRONG)?;
    for _ in 0..count {
        let end = rest.iter().position(|byte| *byte == 0).ok_or(WRONG)?;
        require(std::str::from_utf8(&rest[..end]).is_ok(), "the name of a column is not UTF-8")?;
        let (column, after) = rest[end + 1..].split_first_chunk::<18>().ok_or(WRONG)?;
        let kind = u32::from_be_bytes([column[6], column[7], column[8], column[9]]);
        require(Type::from_oid(kind).is_some(), "a column has a type that nothing asked for")?;
        rest = after;
    }
    require(rest.is_empty(), WRONG)
}

/// A count and what follows.
fn counted(body: &[u8]) -> Option<(usize, &[u8])> {
    let (count, rest) = body.split_first_chunk()?;
    Some((usize::from(u16::from_be_bytes(*count)), rest))
}
