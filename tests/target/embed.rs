//! The rehearsal target as the outer side of an app that is embedded in Shopify's admin.

use super::{Answer, Client, start};

const HEADERS: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "frame-ancestors https://*.myshopify.com https://admin.shopify.com;",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("strict-transport-security", "max-age=31536000"),
];

const TOKEN: &str = "x-hotdash-synthetic: staging\r\n";
const BOT: &str = "user-agent: Googlebot/2.1\r\n";

fn is_secured(page: &Answer) -> bool {
    let present: Vec<_> =
        HEADERS.iter().filter(|(name, value)| page.header(name) == Some(value)).collect();
    assert!([0, HEADERS.len()].contains(&present.len()), "some and not all: {}", page.head);
    !present.is_empty()
}

#[test]
fn every_page_of_the_app_states_who_may_frame_it() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    for (path, headers, status) in [
        ("/app?mock=1", "", 200),
        ("/app", TOKEN, 200),
        ("/app", "", 302),
        ("/app", BOT, 410),
        ("/app/settings", "", 302),
        ("/app/admin", BOT, 410),
        ("/auth/login", "", 200),
    ] {
        let page = client.get_with(path, headers);
        assert_eq!((page.status, is_secured(&page)), (status, true), "{path} with {headers}");
    }
    for path in ["/plain", "/health", "/api", "/nowhere"] {
        assert!(!is_secured(&client.get(path)), "{path} is not the app's");
    }
    let failing = start(&["--error-rate", "100%"]);
    let failed = Client::connect(&failing).get("/app?mock=1");
    assert_eq!((failed.status, is_secured(&failed)), (500, true));
}

#[test]
fn an_app_without_security_headers_has_none_of_them() {
    let target = start(&["--sick", "embed-headers"]);
    let mut client = Client::connect(&target);
    for path in ["/app?mock=1", "/app", "/app/admin", "/auth/login"] {
        assert!(!is_secured(&client.get(path)), "{path}");
    }
}

#[test]
fn inner_pages_require_a_session() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    for path in ["/app/admin", "/app/settings", "/app/a/b?mock=1", "/app/"] {
        let shut = client.get_with(path, TOKEN);
        assert_eq!((shut.status, shut.header("location")), (302, Some("/auth/login")), "{path}");
        assert_eq!(client.get_with(path, BOT).status, 410, "{path}");
    }
    assert_eq!(client.get("/apple").status, 404);
    assert_eq!(client.post("/app/admin", "", "").status, 405);
}

#[test]
fn an_open_app_shows_inner_pages_to_all_but_bots() {
    let target = start(&["--sick", "embed-open"]);
    let mut client = Client::connect(&target);
    let open = client.get("/app/admin");
    assert_eq!((open.status, is_secured(&open)), (200, true));
    assert_eq!(client.get_with("/app/admin", BOT).status, 410);
    assert_eq!(client.get("/app").status, 302);
}

#[test]
fn an_app_that_admits_bots_treats_them_as_operators() {
    let target = start(&["--sick", "bots"]);
    let mut client = Client::connect(&target);
    for path in ["/app", "/app?mock=1", "/app/admin"] {
        assert_eq!(client.get_with(path, BOT).status, 200, "{path}");
    }
    assert_eq!(client.get("/app/admin").status, 302);
}

#[test]
fn the_list_of_conversations_requires_the_synthetic_token() {
    let target = start(&[]);
    let mut client = Client::connect(&target);
    let list = client.get_with("/occ/conversations", TOKEN);
    assert_eq!((list.status, &list.json()["ok"]), (200, &true.into()));
    assert_eq!(list.json()["conversations"].as_array().unwrap().len(), 2);
    for headers in ["", "x-hotdash-synthetic: wrong\r\n"] {
        let shut = client.get_with("/occ/conversations", headers);
        assert_eq!((shut.status, shut.header("location")), (302, Some("/auth/login")));
    }
    let today = start(&["--auth", "today"]);
    assert_eq!(Client::connect(&today).get_with("/occ/conversations", TOKEN).status, 302);
}

#[test]
fn a_broken_list_of_conversations_answers_500() {
    let target = start(&["--sick", "occ-list"]);
    let mut client = Client::connect(&target);
    assert_eq!(client.get_with("/occ/conversations", TOKEN).status, 500);
    assert_eq!(client.get("/occ/conversations").status, 302);
}
