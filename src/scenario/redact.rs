//! Hides the passwords of database and proxy URLs in quoted lines of a scenario file.

use super::template::is_variable;

/// The line with every password of a database or proxy URL replaced by as many dots, so that
/// columns stay the same. A password ends before the last `@` of its string, because it may contain
/// one. A password that is one variable stays, because it shows only the name of the variable.
pub(super) fn redact_passwords(line: &str) -> String {
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
