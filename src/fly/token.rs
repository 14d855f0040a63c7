//! The token for Fly's APIs.

use std::fmt;

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// What replaces the token in a text.
const HIDDEN: &str = "***";

/// The shortest part of a token that is hidden on its own. Shorter ones would hide ordinary words.
const SHORTEST_PART: usize = 8;

/// A token, and the scheme that its writer chose.
///
/// `fly tokens create …` prints `FlyV1 fm2_…`; `fly auth token` prints a bare token.
#[derive(Clone)]
pub struct FlyToken {
    scheme: Option<TokenScheme>,
    secret: SecretString,
}

/// The first word of an `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenScheme {
    FlyV1,
    Bearer,
}

impl FlyToken {
    /// Reads a token, with or without `FlyV1` or `Bearer` before it. The error says in a clause
    /// what is wrong and quotes nothing.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, bare) = split_scheme(text.trim());
        if bare.is_empty() || ["FlyV1", "Bearer"].iter().any(|word| bare.eq_ignore_ascii_case(word))
        {
            return Err("contains no token");
        }
        if !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("contains spaces or characters that no token has");
        }
        Ok(Self { scheme, secret: bare.into() })
    }

    /// The `Authorization` header of the Machines API.
    pub(super) fn machines_header(&self) -> HeaderValue {
        self.header(self.scheme.unwrap_or(TokenScheme::Bearer))
    }

    /// The `Authorization` header of Prometheus, which takes macaroons as `FlyV1` only.
    pub(super) fn prometheus_header(&self) -> HeaderValue {
        let is_macaroon =
            ["fm1", "fm2_"].iter().any(|start| self.secret.expose_secret().starts_with(start));
        let usual = if is_macaroon { TokenScheme::FlyV1 } else { TokenScheme::Bearer };
        self.header(self.scheme.unwrap_or(usual))
    }

    /// Marked as sensitive, so that no other origin gets it after a redirect.
    fn header(&self, scheme: TokenScheme) -> HeaderValue {
        let word = match scheme {
            TokenScheme::FlyV1 => "FlyV1",
            TokenScheme::Bearer => "Bearer",
        };
        let text = format!("{word} {}", self.secret.expose_secret());
        let header = HeaderValue::from_str(&text);
        let mut header = header.unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        header.set_sensitive(true);
        header
    }

    /// Replaces the token in a text, for instance in an answer that quotes it. A list of macaroons
    /// is also hidden part by part.
    pub fn redact(&self, text: &str) -> String {
        let secret = self.secret.expose_secret();
        let whole = text.replace(secret, HIDDEN);
        secret
            .split(',')
            .filter(|part| part.len() >= SHORTEST_PART)
            .fold(whole, |text, part| text.replace(part, HIDDEN))
    }
}

fn split_scheme(text: &str) -> (Option<TokenScheme>, &str) {
    let Some((word, rest)) = text.split_once(char::is_whitespace) else { return (None, text) };
    let rest = rest.trim_start();
    if word.eq_ignore_ascii_case("FlyV1") {
        (Some(TokenScheme::FlyV1), rest)
    } else if word.eq_ignore_ascii_case("Bearer") {
        (Some(TokenScheme::Bearer), rest)
    } else {
        (None, text)
    }
}

impl fmt::Debug for FlyToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FlyToken(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_token_gets_the_scheme_that_each_api_takes() {
        for (text, machines, prometheus) in [
            ("oauth-token", "Bearer oauth-token", "Bearer oauth-token"),
            ("fm2_abc,fm2_def", "Bearer fm2_abc,fm2_def", "FlyV1 fm2_abc,fm2_def"),
            ("FlyV1 fm2_abc", "FlyV1 fm2_abc", "FlyV1 fm2_abc"),
            ("  flyv1   fm2_abc \n", "FlyV1 fm2_abc", "FlyV1 fm2_abc"),
            ("Bearer fm2_abc", "Bearer fm2_abc", "Bearer fm2_abc"),
        ] {
            let token = FlyToken::parse(text).unwrap();
            assert_eq!(token.machines_header(), machines, "{text}");
            assert_eq!(token.prometheus_header(), prometheus, "{text}");
            assert!(
                token.machines_header().is_sensitive() && token.prometheus_header().is_sensitive()
            );
        }
    }

    #[test]
    fn a_text_that_cannot_be_a_token_is_refused_without_being_quoted() {
        for text in ["", "  ", "FlyV1", "FlyV1 ", "Zebra Zebra", "Zebra\nZebra", "Zebrä"] {
            let refused = FlyToken::parse(text);
            assert!(refused.is_err(), "{text:?}");
            assert!(!format!("{refused:?}").contains("Zebr"), "{text:?}");
        }
    }

    #[test]
    fn a_token_is_hidden_whole_and_in_its_parts() {
        let token = FlyToken::parse("FlyV1 fm2_first_part,fm2_second_part").unwrap();
        let answer = "no fm2_first_part,fm2_second_part; try fm2_second_part";
        assert_eq!(token.redact(answer), "no ***; try ***");
        assert_eq!(format!("{token:?}"), "FlyToken(***)");
    }
}
