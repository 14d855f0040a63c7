//! A tokenizer for SQL, as far as needed to find where a statement begins and ends.
//!
//! The rules are PostgreSQL's own
//! (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html>), with
//! `standard_conforming_strings` on, which is the default.

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SqlTokenKind {
    /// Blanks, or a comment.
    Blank,
    /// A keyword or a name.
    Word,
    /// The `;` between statements.
    End,
    /// A text, a number or a sign.
    Other,
}

/// A token of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SqlToken<'t> {
    pub(super) kind: SqlTokenKind,
    pub(super) text: &'t str,
}

/// Splits a text into tokens that cover all of it. An error names the token that is not closed.
pub(super) fn tokens(mut text: &str) -> Result<Vec<SqlToken<'_>>, &'static str> {
    let mut tokens = Vec::new();
    while let Some(first) = text.chars().next() {
        let (kind, length) = piece(text, first)?;
        let (piece, rest) = text.split_at(length);
        tokens.push(SqlToken { kind, text: piece });
        text = rest;
    }
    Ok(tokens)
}

/// The kind of a text's first token, and its length in bytes.
fn piece(text: &str, first: char) -> Result<(SqlTokenKind, usize), &'static str> {
    match first {
        _ if first.is_whitespace() => Ok((SqlTokenKind::Blank, first.len_utf8())),
        '-' if text.starts_with("--") => {
            Ok((SqlTokenKind::Blank, text.find(['\n', '\r']).unwrap_or(text.len())))
        }
        '/' if text.starts_with("/*") => comment(text).map(|length| (SqlTokenKind::Blank, length)),
        ';' => Ok((SqlTokenKind::End, 1)),
        'e' | 'E' if text[1..].starts_with('\'') => {
            escaped(&text[2..]).map(|length| (SqlTokenKind::Other, length + 2))
        }
        '\'' => ended(text, '\'', "a text in `'`"),
        '"' => ended(text, '"', "a name in `\"`"),
        '$' => dollars(text).map(|length| (SqlTokenKind::Other, length)),
        _ if is_of_word(first) => Ok((SqlTokenKind::Word, word(text))),
        _ => Ok((SqlTokenKind::Other, first.len_utf8())),
    }
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
}

/// A dollar sign within a word is part of it.
fn word(text: &str) -> usize {
    text.find(|character| !is_of_word(character) && character != '$').unwrap_or(text.len())
}

/// A quote within the text is doubled; this tokenizer reads it as the end of one text and the start
/// of another.
fn ended(
    text: &str,
    quote: char,
    what: &'static str,
) -> Result<(SqlTokenKind, usize), &'static str> {
    text[1..].find(quote).map(|at| (SqlTokenKind::Other, at + 2)).ok_or(what)
}

/// The rest of `E'…'`, in which a backslash escapes the next character.
fn escaped(rest: &str) -> Result<usize, &'static str> {
    let mut is_escaped = false;
    for (at, character) in rest.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\'' => return Ok(at + 1),
            _ => {}
        }
    }
    Err("a text in `E'`")
}

/// Comments may be nested.
fn comment(text: &str) -> Result<usize, &'static str> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(next) = text[at..].find(['/', '*']).map(|found| at + found) {
        let rest = &text[next..];
        (depth, at) = match rest {
            _ if rest.starts_with("/*") => (depth + 1, next + 2),
            _ if rest.starts_with("*/") => (depth - 1, next + 2),
            _ => (depth, next + 1),
        };
        if depth == 0 {
            return Ok(at);
        }
    }
    Err("a comment")
}

/// `$1`, or a text between two `$tag$`.
fn dollars(text: &str) -> Result<usize, &'static str> {
    let Some(length) = text[1..].find('$').map(|at| at + 2) else { return Ok(1) };
    let tag = &text[..length];
    let name = &tag[1..length - 1];
    if name.starts_with(|first: char| first.is_ascii_digit()) || !name.chars().all(is_of_word) {
        return Ok(1);
    }
    text[length..].find(tag).map(|at| length + at + length).ok_or("a text in `$`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> usize {
        tokens(text).unwrap().iter().filter(|piece| piece.kind == SqlTokenKind::End).count()
    }

    #[test]
    fn a_semicolon_ends_a_statement_unless_it_stands_in_a_text_a_name_or_a_comment() {
        for text in [
            "select ';'",
            "select 'it''s;'",
            r"select E'it\';'",
            r#"select ";""#,
            "select $$;$$",
            "select $body$ ; $$ ; $body$",
            "select 1 -- ;",
            "select /* ; /* ; */ ; */ 1",
            "select $1, $2",
            "select a$1 from t",
            "select größe",
        ] {
            assert_eq!(ends(text), 0, "{text}");
        }
        for text in [
            "select 1;",
            r"select '\';",
            "select 1 -- x\n;",
            "select $1;",
            "select a$b$c;",
            "/* /* */ */;",
        ] {
            assert_eq!(ends(text), 1, "{text}");
        }
    }

    #[test]
    fn what_is_begun_and_not_ended_is_named() {
        for (text, what) in [
            ("select 'a", "a text in `'`"),
            (r"select E'a\'", "a text in `E'`"),
            ("select \"a", "a name in `\"`"),
            ("/* /* */", "a comment"),
            ("select $a$ $b$", "a text in `$`"),
        ] {
            assert_eq!(tokens(text), Err(what), "{text}");
        }
    }

    #[test]
    fn no_text_is_lost() {
        let text = "with x as (select 1) -- é\n select '€', \"ü\"; $ $";
        assert_eq!(tokens(text).unwrap().iter().map(|piece| piece.text).collect::<String>(), text);
    }
}
