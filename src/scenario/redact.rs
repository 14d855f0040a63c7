//! Hides the passwords of database and proxy URLs, and the URLs of webhooks, in quoted lines of a
//! scenario file.

use super::template::is_variable;
use crate::units::near::nearest;

/// The line without passwords and without the URL of a webhook, as long as before.
pub(super) fn redact_secrets(line: &str) -> String {
    redact_webhook(&redact_passwords(line))
}

/// The line with the URL of a webhook replaced by as many dots: whoever knows it may post there. A
/// URL that is one variable stays. The key may be misspelt, because then the message quotes the
/// line too.
fn redact_webhook(line: &str) -> String {
    let mut redacted = String::new();
    let mut rest = line;
    while let Some(equals) = rest.find('=') {
        let (before, value) = rest.split_at(equals + 1);
        redacted.push_str(before);
        let begin = value.find(|sign: char| !sign.is_whitespace()).unwrap_or(value.len());
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let quote = quotes.into_iter().find(|quote| value[begin..].starts_with(quote));
        // The value may be a table, with keys and values of its own.
        if quote.is_none() && !names_webhook(before) {
            rest = value;
            continue;
        }
        let begin = begin + quote.map_or(0, str::len);
        let end = quote.and_then(|quote| value[begin..].find(quote));
        let end = end.map_or(value.len(), |length| begin + length);
        let url = &value[begin..end];
        redacted.push_str(&value[..begin]);
        if is_variable(url) || !(names_webhook(before) || is_webhook(url)) {
            redacted.push_str(url);
        } else {
            redacted.extend(url.chars().map(|_| HIDDEN));
        }
        rest = &value[end..];
    }
    redacted + rest
}

/// Whether a value looks like the URL of a webhook, whatever its key: a service that issues them
/// has the word in its host or path.
fn is_webhook(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.starts_with("http") && value.contains("hook")
}

/// Whether the key before a `=` is that of a webhook, or meant to be.
fn names_webhook(before: &str) -> bool {
    let key = before.trim_end_matches('=').trim_end().trim_end_matches(['"', '\'']);
    let key = key.rsplit(|sign: char| !sign.is_alphanumeric() && !"_-".contains(sign)).next();
    let key = key.unwrap_or_default().to_ascii_lowercase();
    key.contains("hook") || nearest(&key, &["webhook"]).is_some()
}

/// The line with every password of a database or proxy URL replaced by as many dots, so that
/// columns stay the same. A password ends before the last `@` of its string, because it may contain
/// one. A password that is one variable stays, because it shows only the name of the variable.
fn redact_passwords(line: &str) -> String {
    let mut redacted = line.to_owned();
    let urls = SCHEMES
        .iter()
        .flat_map(|&scheme| line.match_indices(scheme).map(move |(at, _)| (at, scheme)));
    for (at, scheme) in urls.chain(proxy_without_scheme(line)) {
        let begin = at + scheme.len();
        let quote = line[..at].chars().next_back().filter(|sign| matches!(sign, '"' | '\''));
        let length = quote.and_then(|quote| line[begin..].find(quote));
        let end = length.map_or(line.len(), |length| begin + length);
        // The path of a request may contain both signs. A proxy has no path, so a `/` can only
        // belong to its password.
        let may_have_path = scheme.starts_with("http") && !line[..at].contains("proxy");
        let path = line[begin..end].find('/').filter(|_| may_have_path);
        let end = path.map_or(end, |length| begin + length);
        let user = &line[begin..end];
        let Some((colon, last)) =
            user.find(':').zip(user.rfind('@')).filter(|(colon, last)| colon < last)
        else {
            continue;
        };
        let password = &user[colon + 1..last];
        if !is_variable(password) {
            let dots: String = password.chars().map(|_| HIDDEN).collect();
            redacted = redacted.replacen(
                &line[at..begin + last],
                &format!("{}{dots}", &line[at..=begin + colon]),
                1,
            );
        }
    }
    redacted
}

/// Where a proxy that lacks its scheme begins. It is a mistake, and its message quotes the line.
fn proxy_without_scheme(line: &str) -> Option<(usize, &'static str)> {
    let key = line.find("proxy")?;
    let at = key + line[key..].find(['"', '\''])? + 1;
    (!line[at..].contains("://")).then_some((at, ""))
}

const SCHEMES: [&str; 4] = ["postgresql://", "postgres://", "http://", "https://"];

/// Replaces each character of a password.
const HIDDEN: char = '•';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_webhook_is_hidden_wherever_a_line_holds_it() {
        for (line, shown) in [
            ("webhook = \"https://h/T0/B1\"", "webhook = \"•••••••••••••••\""),
            ("webhok = 'https://h/T0' # a", "webhok = '••••••••••••' # a"),
            (
                "alert = { after = \"2 of 3\", webhook = \"ab\" }",
                "alert = { after = \"2 of 3\", webhook = \"••\" }",
            ),
            ("slack_webhook=\"ab", "slack_webhook=\"••"),
            ("webhook = ab", "webhook = ••"),
            ("\"webhook\" = \"\"\"ab\"\"\"", "\"webhook\" = \"\"\"••\"\"\""),
            ("webhook = \"https://h/${KEY}\"", "webhook = \"••••••••••••••••\""),
            ("webhook = \"${SLACK_WEBHOOK}\"", "webhook = \"${SLACK_WEBHOOK}\""),
            ("slack = \"https://hooks/T0\"", "slack = \"••••••••••••••••\""),
            ("path = \"/webhooks?a=https://hooks/\"", "path = \"/webhooks?a=https://hooks/\""),
            ("base_url = \"https://h/T0\"", "base_url = \"https://h/T0\""),
        ] {
            assert_eq!(redact_secrets(line), shown);
        }
    }
}
