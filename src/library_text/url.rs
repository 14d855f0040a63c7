//! Mistakes in a URL, by the crate `url`.

use url::ParseError;

/// What is wrong with a URL, as a clause: `its port is not a number up to 65535`.
pub fn describe_url(error: ParseError) -> &'static str {
    match error {
        ParseError::EmptyHost => "it has no host",
        ParseError::IdnaError => "its host is not a valid name",
        ParseError::InvalidPort => "its port is not a number up to 65535",
        ParseError::InvalidIpv4Address => "its host looks like an IPv4 address but is not one",
        ParseError::InvalidIpv6Address => "the part of its host in brackets is not an IPv6 address",
        ParseError::InvalidDomainCharacter => "its host has a character that no name can have",
        ParseError::RelativeUrlWithoutBase | ParseError::RelativeUrlWithCannotBeABaseBase => {
            "it has no scheme such as `https://`"
        }
        ParseError::Overflow => "it is longer than 4 GB",
        _ => "it is malformed",
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn mistakes_in_a_url_are_clauses_in_plain_english() {
        for (text, words) in [
            ("http://", "it has no host"),
            ("http://xn--a/", "not a valid name"),
            ("http://h:99999/", "port"),
            ("http://h:p%40ss/", "port"),
            ("http://1.2.3.256/", "IPv4"),
            ("http://[::g]/", "IPv6"),
            ("http://a^b/", "not a valid name"),
            ("/app", "no scheme"),
        ] {
            let words_of = describe_url(Url::parse(text).unwrap_err());
            assert!(words_of.contains(words), "{text}: {words_of}");
        }
    }
}
