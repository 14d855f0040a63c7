//! Hides the passwords of database URLs in quoted lines of a scenario file.

/// The line with every password of a database URL replaced by as many dots, so that columns stay
/// the same. A password ends before the last `@` of its string, because it may contain one. A
/// password that is one variable stays, because it shows only the name of the variable.
pub(super) fn redact_passwords(line: &str) -> String {
    let mut redacted = line.to_owned();
    for (at, scheme) in
        line.match_indices("postgres").filter_map(|(at, _)| Some((at, scheme_at(&line[at..])?)))
    {
        let begin = at + scheme.len();
        let quote = line[..at].chars().next_back().filter(|sign| matches!(sign, '"' | '\''));
        let length = quote.and_then(|quote| line[begin..].find(quote));
        let end = length.map_or(line.len(), |length| begin + length);
        let user = &line[begin..end];
        let Some((colon, last)) =
            user.find(':').zip(user.rfind('@')).filter(|(colon, last)| colon < last)
        else {
            continue;
        };
        let password = &user[colon + 1..last];
        let is_variable =
            password.starts_with("${") && password.find('}') == Some(password.len() - 1);
        if !is_variable {
            let blot: String = password.chars().map(|_| HIDDEN).collect();
            redacted = redacted.replacen(
                &line[at..begin + last],
                &format!("{}{blot}", &line[at..=begin + colon]),
                1,
            );
        }
    }
    redacted
}

fn scheme_at(text: &str) -> Option<&'static str> {
    ["postgresql://", "postgres://"].into_iter().find(|scheme| text.starts_with(scheme))
}

/// Replaces each character of a password.
const HIDDEN: char = '•';
