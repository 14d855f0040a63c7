//! What the old check hid of a request, in sentences; pure.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_ENCODING;
use url::{Position, Url};

use super::artifact::{Checked, hundredths};
use super::budget::{ENDLESS, is_mock, meant_for};
use super::page::Page;
use crate::engine::probe::{
    ConnectionFailure, Fetch, Fetched, HandshakeProblem, HopSeen, Legs, Unanswered,
};
use crate::record::{Dimension, Failure};
use crate::units::show;

/// The longest URL that is shown, in characters.
const LONGEST: usize = 300;

/// A sentence, and whether it must not go unnoticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) is_warning: bool,
    pub(super) text: String,
}

/// What a check is told of.
pub(super) struct Told<'a> {
    pub(super) asked: &'a Url,
    pub(super) agent: &'a str,
    pub(super) fetch: &'a Fetch,
    pub(super) checked: &'a Checked,
}

impl Told<'_> {
    /// All that is to be said, in the order of what happened.
    pub(super) fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = self.misfit().map(warning).into_iter().collect();
        notes.extend(each_once(self.fetch.hops.iter().flat_map(hop)).into_iter().map(warning));
        match &self.fetch.end {
            Ok(fetched) => self.of_answer(fetched, &mut notes),
            Err(unanswered) => notes.push(warning(no_answer(unanswered))),
        }
        notes
    }

    fn of_answer(&self, fetched: &Fetched, notes: &mut Vec<Note>) {
        let mut faults = Vec::new();
        if !self.fetch.hops.is_empty() {
            faults.push("redirects were followed".to_owned());
        }
        if fetched.url.as_str() != without_fragment(self.asked) {
            notes.push(warning(format!(
                "the answer is of {}, not of the URL asked for",
                shown(&fetched.url, self.asked)
            )));
        }
        let of_page = self.page_faults(fetched);
        notes.extend(of_page.iter().cloned().chain(not_whole(fetched, &of_page)).map(warning));
        faults.extend(of_page);
        notes.extend(self.status(fetched.status).into_iter().chain(self.late()).map(warning));
        notes.push(Note { is_warning: false, text: split(fetched, &self.fetch.hops) });
        if self.checked.passes() && !faults.is_empty() {
            notes.push(warning(format!(
                "the old rule passes this; `tollgate run` would not: {}",
                faults.join("; ")
            )));
        }
    }

    /// That the budget is not the one that the page is meant to hold.
    fn misfit(&self) -> Option<String> {
        let (budget, meant) = (self.checked.budget, meant_for(self.asked));
        let kind = if is_mock(self.asked) { "mock=1" } else { "mock=0" };
        (budget != meant && is_tile_page(self.asked)).then(|| {
            let whose = if budget == ENDLESS {
                "a budget without end".to_owned()
            } else {
                format!("the budget of {}", show(budget))
            };
            format!(
                "{whose} does not fit the URL: {kind} is meant to hold {}; `--budget auto` chooses by the URL",
                show(meant)
            )
        })
    }

    /// What is not as it should be on a page that was asked for as the tile page.
    fn page_faults(&self, fetched: &Fetched) -> Vec<String> {
        if !is_tile_page(self.asked) || !fetched.status.is_success() {
            return Vec::new();
        }
        let faults = Page::read(fetched.url.path(), &fetched.body).faults(is_mock(self.asked));
        let is_encoded = fetched.headers.contains_key(CONTENT_ENCODING);
        match &fetched.cut {
            _ if faults.is_empty() => faults,
            _ if is_encoded => {
                vec![
                    "the page came compressed though nobody asked: no markers were looked for"
                        .to_owned(),
                ]
            }
            Some(why) => {
                vec![format!(
                    "the page did not come to its end ({why}): not all its markers are there"
                )]
            }
            None => faults,
        }
    }

    fn status(&self, status: StatusCode) -> Option<String> {
        let why = match status {
            _ if status.is_success() => return None,
            StatusCode::GONE => {
                let agent: String = self.agent.chars().take(LONGEST).collect();
                format!(
                    ": the app answers so to user agents that look like a bot's; this one was `{agent}`"
                )
            }
            _ if status.is_redirection() => ": a redirect that leads nowhere".to_owned(),
            _ => String::new(),
        };
        Some(format!("status {} is not 2xx{why}", status.as_u16()))
    }

    fn late(&self) -> Option<String> {
        let Checked { took, budget, .. } = *self.checked;
        (hundredths(took) > budget)
            .then(|| format!("over the budget: {} of {}", show(took), show(budget)))
    }
}

/// That no fault was found in a page of which there is more.
fn not_whole(fetched: &Fetched, faults: &[String]) -> Option<String> {
    let cut = fetched.cut.as_ref().filter(|_| faults.is_empty())?;
    Some(format!(
        "the page did not come to its end ({cut}): it is as it should be as far as it was read"
    ))
}

fn warning(text: String) -> Note {
    Note { is_warning: true, text }
}

/// A redirect, and what was not sent on.
fn hop(hop: &HopSeen) -> Vec<String> {
    let HopSeen { status, from, to, .. } = hop;
    let place = if from.origin() == to.origin() { path(to) } else { shown(to, from) };
    let followed = format!("redirect followed: {} {} → {place}", status.as_u16(), path(from));
    let kept = hop.left_credentials.then(|| {
        format!(
            "X-Hotdash-Synthetic is not sent to {}: it is another origin",
            to.origin().ascii_serialization()
        )
    });
    std::iter::once(followed).chain(kept).collect()
}

/// Each sentence once, where it stood first, and how often it would have stood.
fn each_once(sentences: impl Iterator<Item = String>) -> Vec<String> {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for sentence in sentences {
        match counted.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, count)) => *count += 1,
            None => counted.push((sentence, 1)),
        }
    }
    let told = |(sentence, count)| {
        if count == 1 { sentence } else { format!("{sentence} ({count} times)") }
    };
    counted.into_iter().map(told).collect()
}

/// Where the figure went: `of 142 ms: name 1 ms, TCP 12 ms, TLS 20 ms, redirects 50 ms, the answer itself 59 ms`.
fn split(fetched: &Fetched, hops: &[HopSeen]) -> String {
    let all = || hops.iter().map(|hop| &hop.legs).chain([&fetched.legs]);
    let sum = |leg: fn(&Legs) -> Duration| all().map(leg).sum::<Duration>();
    let redirects: Duration = hops.iter().map(|hop| hop.legs.answer).sum();
    let parts = [
        ("name", sum(|legs| legs.lookup)),
        ("TCP", sum(|legs| legs.connect)),
        ("TLS", sum(|legs| legs.tls)),
        ("redirects", redirects),
    ];
    let parts = parts.iter().filter(|(_, took)| !took.is_zero());
    let parts: Vec<_> = parts.map(|(name, took)| format!("{name} {}, ", show(*took))).collect();
    format!(
        "of {}: {}the answer itself {}",
        show(fetched.to_headers),
        parts.concat(),
        show(fetched.legs.answer)
    )
}

fn no_answer(Unanswered { url, refused, after }: &Unanswered) -> String {
    let ConnectionFailure { failure, phase, seen, .. } = refused;
    // Without an answer no head was read, so that what had come of one was its head.
    let phase = phase.map(|phase| if phase == Dimension::Body { "head" } else { phase.name() });
    let phase = phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
    let seen: String = seen.chars().take(LONGEST).collect();
    format!(
        "no answer from {} after {}: {}{phase}: {seen}; {}",
        url.origin().ascii_serialization(),
        show(*after),
        failure.words(),
        remedy(refused)
    )
}

fn remedy(refused: &ConnectionFailure) -> &'static str {
    match refused.failure {
        Failure::Refused => "start the target, or correct host and port: nothing listens there",
        Failure::TimedOut
            if matches!(refused.phase, Some(Dimension::FirstByte | Dimension::Body)) =>
        {
            "look at the target's log, or allow more by `--timeout`"
        }
        Failure::Reset | Failure::Closed => {
            "look at the target's log, and at what stands before it"
        }
        Failure::Malformed => {
            "look at what answers there: another service, or one whose head breaks the rules of HTTP"
        }
        Failure::Redirected => "look at where the target leads to",
        Failure::Tls if refused.trouble == Some(HandshakeProblem::NotTls) => {
            "write `http://`, or correct the port: TLS is not spoken there"
        }
        _ => "`tollgate doctor URL` looks at name, addresses and certificate",
    }
}

/// Whether a URL asks for the tile page, whose budgets and markers are known.
pub(super) fn is_tile_page(url: &Url) -> bool {
    url.path().trim_end_matches('/') == "/app"
}

/// A URL that something led to, without its query, which may hold what is secret; in full where it is the one asked for.
fn shown(url: &Url, asked: &Url) -> String {
    let text = if url.as_str() == without_fragment(asked) {
        url.to_string()
    } else {
        format!("{}{}", url.origin().ascii_serialization(), path(url))
    };
    text.chars().take(LONGEST).collect()
}

/// The path, with a query that holds nothing but `mock`; any other is left out.
fn path(url: &Url) -> String {
    let path = url.path();
    let text = match url.query() {
        None => path.to_owned(),
        Some(query @ ("mock=0" | "mock=1")) => format!("{path}?{query}"),
        Some(_) => format!("{path}?…"),
    };
    text.chars().take(LONGEST).collect()
}

fn without_fragment(url: &Url) -> &str {
    &url[..Position::AfterQuery]
}

#[cfg(test)]
mod tests;
