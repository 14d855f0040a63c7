use http::HeaderMap;
use time::OffsetDateTime;

use super::*;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn legs(answer: u64) -> Legs {
    let millis = Duration::from_millis;
    Legs { lookup: millis(1), connect: millis(2), tls: Duration::ZERO, answer: millis(answer) }
}

fn answered(at: &str, status: u16, body: &str) -> Fetch {
    let fetched = Fetched {
        status: StatusCode::from_u16(status).unwrap(),
        url: url(at),
        headers: HeaderMap::new(),
        legs: legs(40),
        to_headers: Duration::from_millis(100),
        body: body.as_bytes().to_vec(),
        cut: None,
    };
    Fetch { hops: Vec::new(), end: Ok(fetched) }
}

fn redirected(to: &str, body: &str) -> Fetch {
    let mut fetch = answered(to, 200, body);
    fetch.hops.push(HopSeen {
        status: StatusCode::FOUND,
        from: url(LIVE),
        to: url(to),
        legs: legs(50),
        left_credentials: !to.starts_with("https://shop.example/"),
    });
    fetch
}

/// What is told of a fetch, warnings first marked by `!`.
fn told(asked: &str, budget: u64, fetch: &Fetch) -> Vec<String> {
    let (took, status) = match &fetch.end {
        Ok(fetched) => (fetched.to_headers, Some(fetched.status.as_u16())),
        Err(unanswered) => (unanswered.after, None),
    };
    let budget = Duration::from_millis(budget);
    let started = OffsetDateTime::UNIX_EPOCH;
    let checked = Checked { started, target: asked.to_owned(), budget, took, status };
    let asked = url(asked);
    let notes = Told { asked: &asked, agent: "curl/8", fetch, checked: &checked }.notes();
    let marked = |note: Note| format!("{}{}", if note.is_warning { "!" } else { "" }, note.text);
    notes.into_iter().map(marked).collect()
}

const LIVE: &str = "https://shop.example/app?mock=0";
const PLAIN: &str = "https://shop.example/health";
const TILES: &str = r#"<div data-testid="tile-ops-metrics"><div data-testid="tile-sales-pulse">
    <div data-testid="tile-fulfillment-health"><div data-testid="tile-inventory-heatmap">
    <div data-testid="tile-cx-escalations"><div data-testid="tile-seo-content">"#;
const SPLIT: &str = "of 100 ms: name 1 ms, TCP 2 ms, the answer itself 40 ms";

#[test]
fn an_answer_that_is_as_it_should_be_has_its_time_told_and_nothing_else() {
    assert_eq!(told(PLAIN, 800, &answered(PLAIN, 200, "")), [SPLIT]);
}

#[test]
fn a_redirect_to_the_login_page_is_told_loudly_though_the_old_rule_passes_it() {
    let fetch = redirected("https://shop.example/auth/login?shop=zebra", "");
    assert_eq!(
        told(LIVE, 800, &fetch),
        [
            "!redirect followed: 302 /app?mock=0 → /auth/login?…",
            "!the answer is of https://shop.example/auth/login?…, not of the URL asked for",
            "!this is the login page, not the tile page: the app knows no session of the check's",
            "of 100 ms: name 2 ms, TCP 4 ms, redirects 50 ms, the answer itself 40 ms",
            "!the old rule passes this; `tollgate run` would not: redirects were followed; this is the login page, not \
             the tile page: the app knows no session of the check's",
        ]
    );
    let over = told(LIVE, 99, &fetch).join("\n");
    assert!(
        over.contains("over the budget: 100 ms of 99 ms") && !over.contains("the old rule"),
        "{over}"
    );
}

#[test]
fn another_origin_is_named_and_that_it_does_not_get_the_token() {
    let notes = told(LIVE, 800, &redirected("https://other.example/x", ""));
    assert_eq!(notes[0], "!redirect followed: 302 /app?mock=0 → https://other.example/x");
    assert_eq!(
        notes[1],
        "!X-Hotdash-Synthetic is not sent to https://other.example: it is another origin"
    );
}

#[test]
fn a_budget_that_does_not_fit_the_tile_page_is_told() {
    let first = |asked: &str, budget| told(asked, budget, &answered(asked, 500, "")).remove(0);
    assert!(
        first(LIVE, 300).starts_with(
            "!the budget of 300 ms does not fit the URL: mock=0 is meant to hold 800 ms"
        )
    );
    assert!(
        first("https://shop.example/app?mock=1", 800).contains("mock=1 is meant to hold 300 ms")
    );
    assert_eq!(first(LIVE, 800), "!status 500 is not 2xx");
    assert_eq!(first(PLAIN, 7_000), "!status 500 is not 2xx");
}

#[test]
fn a_410_names_the_user_agent() {
    let notes = told(LIVE, 800, &answered(LIVE, 410, ""));
    assert!(
        notes[0].starts_with("!status 410") && notes[0].ends_with("this one was `curl/8`"),
        "{notes:?}"
    );
}

#[test]
fn a_page_that_did_not_come_to_its_end_is_said_to_be_cut_and_not_to_lack_markers() {
    let mut fetch = answered(LIVE, 200, "half a pa");
    fetch.end.as_mut().unwrap().cut = Some("end of file".to_owned());
    assert!(told(LIVE, 800, &fetch)[0].contains("did not come to its end (end of file)"));
    let mut whole = answered(LIVE, 200, TILES);
    assert_eq!(told(LIVE, 800, &whole), [SPLIT]);
    whole.end.as_mut().unwrap().cut = Some("a body of more than 1 MiB".to_owned());
    let notes = told(LIVE, 800, &whole);
    assert_eq!(
        notes[0],
        "!the page did not come to its end (a body of more than 1 MiB): it is as it should be as far as it was read"
    );
    assert!(!notes.concat().contains("the old rule"), "{notes:?}");
    fetch.end.as_mut().unwrap().headers.insert(CONTENT_ENCODING, "br".parse().unwrap());
    assert!(told(LIVE, 800, &fetch)[0].contains("compressed"));
}

#[test]
fn no_answer_is_told_in_the_words_of_a_run_with_what_to_do() {
    let refused = ConnectionFailure {
        failure: Failure::Refused,
        phase: Some(Dimension::Connect),
        seen: "Connection refused (os error 111)".to_owned(),
        trouble: None,
    };
    let end = Err(Unanswered { url: url(LIVE), refused, after: Duration::from_millis(3) });
    let notes = told(LIVE, 800, &Fetch { hops: Vec::new(), end });
    assert_eq!(
        notes,
        [
            "!no answer from https://shop.example after 3 ms: connection refused (connect): Connection refused \
          (os error 111); start the target, or correct host and port: nothing listens there"
        ]
    );
}

#[test]
fn an_answer_that_breaks_off_before_its_headers_are_there_broke_off_in_its_head() {
    let told_of = |failure| {
        let (phase, seen) = (Some(Dimension::Body), "seen".to_owned());
        let refused = ConnectionFailure { failure, phase, seen, trouble: None };
        let end = Err(Unanswered { url: url(LIVE), refused, after: Duration::from_millis(3) });
        told(LIVE, 800, &Fetch { hops: Vec::new(), end }).remove(0)
    };
    let malformed = told_of(Failure::Malformed);
    assert!(malformed.contains("not HTTP (head): seen; look at what answers there"), "{malformed}");
    let late = told_of(Failure::TimedOut);
    assert!(late.contains("(head)") && late.ends_with("allow more by `--timeout`"), "{late}");
}

#[test]
fn equal_redirects_are_told_once_with_how_often_they_were() {
    let mut fetch = redirected("https://shop.example/app?mock=0", "");
    fetch.hops = vec![fetch.hops[0].clone(); 20];
    let told = told(LIVE, 800, &fetch);
    assert_eq!(told[0], "!redirect followed: 302 /app?mock=0 → /app?mock=0 (20 times)");
    assert!(!told[1].contains("redirect followed"), "{told:?}");
}
