//! Names, times and file names of a site.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;
use url::Url;

use super::{SiteAudience, SiteOptions};
use crate::history::{DEPLOY_TAG, ENVIRONMENT_TAG, ScenarioHistory, SeriesRun};
use crate::record::in_utc;
use crate::report::words;

/// How a series is named on pages and in file names.
#[derive(Debug, Clone)]
pub(super) struct SeriesName {
    /// The scenario, and the environment where one is named.
    pub(super) title: String,
    /// The file stem of its page.
    pub(super) slug: String,
}

/// The names of all series. Two series never share a file name.
pub(super) fn series_names(
    histories: &[ScenarioHistory],
    options: &SiteOptions,
) -> Vec<SeriesName> {
    let mut environments: BTreeMap<&str, usize> = BTreeMap::new();
    for history in histories {
        if let Some(name) = &history.key.environment {
            let next = environments.len() + 1;
            environments.entry(name).or_insert(next);
        }
    }
    let mut taken = BTreeSet::new();
    let mut name = |history: &ScenarioHistory| {
        let environment = history.key.environment.as_deref().map(|name| {
            let is_shown = options.shows_tag(ENVIRONMENT_TAG);
            let number = environments.get(name).copied().unwrap_or_default();
            if is_shown { name.to_owned() } else { format!("environment {number}") }
        });
        let scenario = match options.audience {
            SiteAudience::Team => history.key.scenario.clone(),
            SiteAudience::Partner => without_hosts(history),
        };
        SeriesName::unique((scenario, environment), history.key.imported.is_some(), &mut taken)
    };
    histories.iter().map(&mut name).collect()
}

/// The name of a scenario without the hosts of its targets.
fn without_hosts(history: &ScenarioHistory) -> String {
    let spans = history.requests.iter().flat_map(|request| &request.conditions);
    let hosts = spans.filter_map(|span| host(&span.conditions.base_url));
    hosts.fold(history.key.scenario.clone(), |name, host| replace_host(&name, &host))
}

/// The host of a URL; addresses of IPv6 in brackets.
pub(super) fn host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// A text in which `target` stands for a host, where that is not a part of a longer word. Hosts
/// have no letter case.
fn replace_host(text: &str, host: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let (lower, mut replaced, mut from) = (text.to_ascii_lowercase(), String::new(), 0);
    for (at, found) in lower.match_indices(&host.to_ascii_lowercase()) {
        let end = at + found.len();
        let is_whole = !lower[..at].ends_with(is_part) && !lower[end..].starts_with(is_part);
        if is_whole {
            replaced += &text[from..at];
            replaced += "target";
            from = end;
        }
    }
    replaced + &text[from..]
}

impl SeriesName {
    /// The name of a series: `shop · staging`. `taken` has the whole names of those before it.
    fn unique(
        (scenario, environment): (String, Option<String>),
        is_imported: bool,
        taken: &mut BTreeSet<String>,
    ) -> Self {
        let imported = is_imported.then_some("imported");
        let first = format!("{:?}", (&scenario, &environment, imported));
        let (mut whole, mut number) = (first.clone(), 1_u32);
        while !taken.insert(whole.clone()) {
            number += 1;
            whole = format!("{first} {number}");
        }
        let number = (number > 1).then(|| format!(" ({number})"));
        let title: Vec<String> = std::iter::once(words::name(&scenario))
            .chain(environment.as_deref().map(words::name))
            .chain(imported.map(str::to_owned))
            .collect();
        let is_plain = environment.is_none() && !is_imported && number.is_none();
        let slug = slug(&[&scenario, environment.as_deref().unwrap_or_default()], &whole, is_plain);
        Self { title: title.join(" · ") + &number.unwrap_or_default(), slug }
    }
}

/// A file stem that is safe on every file system: letters, digits and hyphens. Eight digits of a
/// digest of the whole name keep apart what these cannot, and stay the same from build to build. A
/// partner's file names change when environments appear or disappear, because these are numbered.
fn slug(parts: &[&str], whole: &str, is_plain: bool) -> String {
    let stems: Vec<String> =
        parts.iter().map(|part| plain_stem(part)).filter(|part| !part.is_empty()).collect();
    let stem = stems.join("-");
    if is_plain && parts.first() == Some(&stem.as_str()) {
        return stem;
    }
    let digest = format!("{:x}", Sha256::digest(whole.as_bytes()));
    format!("{stem}-{}", &digest[..8]).trim_start_matches('-').to_owned()
}

/// At most 40 lower-case letters, digits and single hyphens of a text.
fn plain_stem(text: &str) -> String {
    let mut stem = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => stem.push(c),
            _ if !stem.is_empty() && !stem.ends_with('-') => stem.push('-'),
            _ => {}
        }
    }
    stem.truncate(40);
    stem.trim_end_matches('-').to_owned()
}

/// How pages write times and runs.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct SiteLabels<'a> {
    /// What the site is made for.
    pub(in crate::report) options: &'a SiteOptions,
}

impl<'a> SiteLabels<'a> {
    /// The labels of a site.
    pub(in crate::report) fn new(options: &'a SiteOptions) -> Self {
        Self { options }
    }

    fn local(self, at: OffsetDateTime) -> OffsetDateTime {
        self.options.scope.zone.local(in_utc(at))
    }

    /// A moment to the minute in local time: `2026-11-03 14:00`.
    pub(in crate::report) fn minute(self, at: OffsetDateTime) -> String {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
        self.local(at).format(format).unwrap_or_default()
    }

    /// A local day: `2026-11-03`.
    pub(in crate::report) fn day(self, at: OffsetDateTime) -> String {
        let format = format_description!("[year]-[month]-[day]");
        self.local(at).format(format).unwrap_or_default()
    }

    /// A local day without its year: `3 Nov`.
    pub(in crate::report) fn short_day(self, at: OffsetDateTime) -> String {
        let format = format_description!("[day padding:none] [month repr:short]");
        self.local(at).format(format).unwrap_or_default()
    }

    /// The length of the period: `30 days`, `12 h`.
    pub(in crate::report) fn length(self) -> String {
        let scope = &self.options.scope;
        let hours = (scope.until - scope.since).whole_hours().unsigned_abs();
        // A day on which the clock changes has 23 or 25 hours.
        if hours >= 47 { words::plural((hours + 1) / 24, "day") } else { format!("{hours} h") }
    }

    /// The period: `30 days, 2026-10-31 to 2026-11-29, times in UTC`.
    pub(in crate::report) fn period(self) -> String {
        let scope = &self.options.scope;
        let last = scope.until - time::Duration::SECOND;
        let (from, to) = (self.day(scope.since), self.day(last));
        format!("{}, {from} to {to}, times in {}", self.length(), scope.zone)
    }

    /// The tag or commit of a run that a page may show, as it was recorded.
    pub(in crate::report) fn public_value(self, run: &'a SeriesRun, key: &str) -> Option<&'a str> {
        let value = match key {
            "commit" => run.run.git_commit.as_deref(),
            key => run.run.tags.get(key).map(String::as_str),
        };
        value.filter(|_| self.options.shows_tag(key))
    }

    /// The tag or commit of a run that a page may show, short and safe to display.
    pub(in crate::report) fn public_tag(self, run: &'a SeriesRun, key: &str) -> Option<String> {
        let value = self.public_value(run, key)?;
        let shown = if key == "commit" { &value[..floor(value, 10)] } else { value };
        Some(words::abbreviated(shown, 24))
    }

    /// What differs between a run and the one before it: `deploy 61`, `commit 3bb6c035`; `None` if
    /// nothing that the page may show, and for the first run.
    fn difference(self, runs: &'a [SeriesRun], at: usize) -> Option<Vec<String>> {
        let (new, old) = (runs.get(at)?, runs.get(at.checked_sub(1)?)?);
        let changed = |key: &str| {
            let value = self.public_value(new, key)?;
            let shown = self.public_tag(new, key)?;
            (self.public_value(old, key) != Some(value)).then(|| format!("{key} {shown}"))
        };
        let mut parts: Vec<String> =
            [DEPLOY_TAG, "commit"].into_iter().filter_map(changed).collect();
        let conditions = |run: &SeriesRun| run.figures.as_ref().map(|all| all.conditions.clone());
        parts.extend((conditions(old) != conditions(new)).then(|| "other settings".to_owned()));
        (!parts.is_empty()).then_some(parts)
    }
}

/// How many runs before and after a change point a deploy is looked for: the place of a change is
/// known to a few runs.
const NEAR: usize = 8;

impl<'a> SiteLabels<'a> {
    /// What differs at a run, or else the nearest difference within [`NEAR`] runs.
    pub(in crate::report) fn cause(self, runs: &'a [SeriesRun], at: usize) -> Option<ChangeCause> {
        if let Some(what) = self.difference(runs, at) {
            return Some(ChangeCause { what, near: None });
        }
        let places = (1..=NEAR).flat_map(|apart| [at.checked_sub(apart), at.checked_add(apart)]);
        places.flatten().find_map(|place| {
            let what = self.difference(runs, place)?;
            let near = Some(self.short_day(runs.get(place)?.started()));
            Some(ChangeCause { what, near })
        })
    }
}

/// What else changed with a run or near it.
#[derive(Debug, Clone)]
pub(in crate::report) struct ChangeCause {
    /// What changed, the most telling first.
    what: Vec<String>,
    /// The day of the change, if it came with another run.
    near: Option<String>,
}

impl ChangeCause {
    /// The cause with its day: `deploy 61`, `near deploy 61, commit 3bb6c035 (3 Oct)`.
    pub(in crate::report) fn words(&self) -> String {
        let day = self.near.as_ref().map(|day| format!(" ({day})"));
        self.without_day(&self.what) + &day.unwrap_or_default()
    }

    /// Shorter words, the longest first: without the day, and only what is most telling.
    pub(in crate::report) fn shorter_words(&self) -> [String; 2] {
        [self.without_day(&self.what), self.without_day(&self.what[..1])]
    }

    fn without_day(&self, what: &[String]) -> String {
        let near = if self.near.is_some() { "near " } else { "" };
        format!("{near}{}", what.join(", "))
    }
}

/// The largest character boundary that is at most `most`.
fn floor(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A ratio as a change in percent: `+18 %`, `−4.2 %`, `±0 %`.
pub(in crate::report) fn percent_change(ratio: f64) -> String {
    let change = (ratio - 1.0) * 100.0;
    let size = change.abs();
    let digits = if size < 9.95 { format!("{size:.1}") } else { format!("{size:.0}") };
    let digits = digits.trim_end_matches(".0");
    match (digits, change > 0.0) {
        ("0", _) => "±0 %".to_owned(),
        (digits, true) => format!("+{digits} %"),
        (digits, false) => format!("−{digits} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_hidden_where_it_stands_and_not_within_other_words() {
        for (url, name, shown) in [
            ("http://app:8080", "happy-app app", "happy-app target"),
            (
                "https://Shop.example/x",
                "shop.example and SHOP.EXAMPLE/app",
                "target and target/app",
            ),
            ("http://[fdaa:0:1::3]:8080/", "tiles of [fdaa:0:1::3]", "tiles of target"),
            ("https://shop.example", "eu.shop.example", "eu.shop.example"),
        ] {
            assert_eq!(replace_host(name, &host(url).unwrap()), shown, "{url}");
        }
        assert_eq!(host("no URL"), None);
    }

    #[test]
    fn only_a_name_that_is_taken_gets_a_number() {
        let mut taken = BTreeSet::new();
        let mut name = || {
            let named = SeriesName::unique(("shop (eu) page".to_owned(), None), false, &mut taken);
            (named.title, named.slug)
        };
        let (first, second) = (name(), name());
        assert_eq!((first.0.as_str(), second.0.as_str()), ("shop (eu) page", "shop (eu) page (2)"));
        assert_ne!(first.1, second.1);
    }
}
