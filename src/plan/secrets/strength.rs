//! Whether a secret value may be searched for in a text.
//!
//! A search cannot tell an echoed secret from a word that only looks like it. So a value that
//! texts contain anyway is never searched for: redaction would hide harmless words, and a reader
//! could still guess the value from the gaps.

/// Values with fewer characters than this are never searched for.
pub(super) const MIN_SEARCHED_CHARS: usize = 8;

/// A value with at least this many characters and without blanks is not a word of ours.
const MIN_TOKEN_CHARS: usize = 16;

/// An addition to common words has at most this many characters.
const MAX_ADDITION_CHARS: usize = 3;

/// How far a value differs from what texts contain anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SecretStrength {
    /// Short, or made of common words: never searched for.
    Weak,
    /// Searched for in what a target, a database or a file says.
    Searched,
    /// Looks like nothing that tollgate says itself, so that its own messages are searched too.
    TokenLike,
}

impl SecretStrength {
    pub(super) fn of(value: &str) -> Self {
        if value.chars().count() < MIN_SEARCHED_CHARS || is_common(value) {
            Self::Weak
        } else if is_token_like(value) {
            Self::TokenLike
        } else {
            Self::Searched
        }
    }
}

/// Whether a value consists of common words, with at most short additions: `staging-eu-1`.
fn is_common(value: &str) -> bool {
    let lower = value.to_lowercase();
    let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    let is_word = |part: &&str| COMMON_WORDS.contains(part);
    let is_addition = |part: &&str| part.chars().count() <= MAX_ADDITION_CHARS;
    parts.iter().any(is_word) && parts.iter().all(|part| is_word(part) || is_addition(part))
        || parts.is_empty()
}

/// Whether the beginning of a value is too short or too common to recognize the value by it. A
/// beginning of letters alone may be one of a word.
pub(super) fn is_weak_beginning(beginning: &str) -> bool {
    let is_part_of_word = |last: &str| {
        last.chars().count() > MAX_ADDITION_CHARS
            && COMMON_WORDS.iter().any(|word| word.starts_with(last))
    };
    let lower = beginning.to_lowercase();
    let (before, last) = match lower.rfind(|c: char| !c.is_alphanumeric()) {
        Some(at) => lower.split_at(at + 1),
        None => ("", lower.as_str()),
    };
    let is_common = is_part_of_word(last) && (before.is_empty() || is_common(before));
    let resembles_words = beginning.chars().all(|c| c.is_alphabetic() || c.is_whitespace())
        && !beginning.chars().skip(1).any(char::is_uppercase);
    let is_long = beginning.chars().count() >= MIN_TOKEN_CHARS;
    SecretStrength::of(beginning) == SecretStrength::Weak
        || is_common
        || resembles_words && !is_long
}

/// Whether a value mixes kinds of characters as tokens do, or is a long one without blanks.
fn is_token_like(value: &str) -> bool {
    if value.contains(char::is_whitespace) {
        return false;
    }
    let has = |kind: fn(char) -> bool| value.contains(kind);
    let mixes_digits = has(|c| c.is_ascii_digit()) && has(char::is_alphabetic);
    let mixes_cases = value.chars().skip(1).any(char::is_uppercase) && has(char::is_lowercase);
    let has_signs = has(|c| !c.is_alphanumeric() && !"-_./:".contains(c));
    mixes_digits || mixes_cases || has_signs || value.chars().count() >= MIN_TOKEN_CHARS
}

/// Words of at least four letters that settings, hosts, answers and tollgate's own messages
/// contain.
#[rustfmt::skip]
const COMMON_WORDS: [&str; 169] = [
    "true", "false", "none", "null", "undefined", "unknown", "default", "enabled", "disabled",
    "required", "optional", "active", "inactive", "pending", "success", "succeeded", "failed",
    "fail", "failure", "error", "errors", "warning", "pass", "passed", "inconclusive", "verdict",
    "test", "tests", "testing", "stage", "staging", "prod", "production", "preview", "develop",
    "development", "local", "localhost", "sandbox", "demo", "example", "internal", "external",
    "public", "private", "shared", "main", "master", "canary", "release", "latest", "stable",
    "beta", "alpha", "nightly", "primary", "secondary", "replica", "live", "mock", "apps", "admin",
    "administrator", "user", "users", "username", "guest", "anonymous", "root", "system", "service",
    "services", "server", "servers", "client", "clients", "backend", "frontend", "gateway", "proxy",
    "worker", "node", "database", "postgres", "postgresql", "supabase", "redis", "password",
    "secret", "secrets", "token", "bearer", "basic", "session", "cookie", "header", "headers",
    "host", "http", "https", "json", "html", "text", "plain", "application", "octet", "stream",
    "form", "data", "multipart", "encoded", "charset", "keep", "alive", "close", "chunked", "gzip",
    "deflate", "identity", "cache", "control", "store", "encoding", "language", "english",
    "content", "type", "length", "origin", "referer", "agent", "mozilla", "chrome", "firefox",
    "safari", "synthetic", "check", "probe", "prober", "tollgate", "smoke", "health", "healthy",
    "status", "ready", "readiness", "load", "latency", "budget", "timeout", "connection",
    "connections", "connect", "refused", "reset", "request", "requests", "response", "answer",
    "body", "scenario", "target", "website", "europe", "west", "east", "north", "south", "central",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_common_values_are_weak() {
        for value in [
            "",
            "1",
            "api",
            "true",
            "fail",
            "staging",
            "web-01",
            "abc1234",
            "production",
            "Production",
            "localhost",
            "inconclusive",
            "staging-eu-1",
            "application/json",
            "text/html",
            "no-cache",
            "keep-alive",
            "connection refused",
            "Bearer token",
            "--------",
        ] {
            assert_eq!(SecretStrength::of(value), SecretStrength::Weak, "{value}");
        }
    }

    #[test]
    fn a_value_that_resembles_no_word_is_searched_for_everywhere() {
        for value in [
            "Zebra/7f3a9c51",
            "zebra-7f3a",
            "k3y-12345",
            "hunter2hunter2",
            "cGFzc3dvcmQ=",
            "correct-horse-battery-staple",
            "sk_live_abcdefghij",
            "p@sswordly",
            "XyzzyPlugh",
        ] {
            assert_eq!(SecretStrength::of(value), SecretStrength::TokenLike, "{value}");
        }
    }

    #[test]
    fn a_value_that_could_be_a_phrase_of_ours_is_searched_for_in_foreign_texts_alone() {
        for value in ["opensesame", "a b/c\"d?e", "swordfish", "12345678", "none of these"] {
            assert_eq!(SecretStrength::of(value), SecretStrength::Searched, "{value}");
        }
    }
}
