//! `scenarios/shopify-embed.toml`

use super::bench::{Outcome, Target, run};
use super::canned::{Canned, judged, serve};

fn embed(url: &str) -> Outcome {
    run("shopify-embed", &[("TOLLGATE_TARGET", url)])
}

/// Headers of a login page, each as an app may send it.
const GOOD: [(&str, &str); 3] = [
    (
        "Content-Security-Policy",
        "default-src *; frame-ancestors https://a-shop.myshopify.com https://admin.shopify.com",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer, strict-origin-when-cross-origin"),
];

/// A login page with one header changed: another value or, if that is empty, no header.
fn login_page(other: (&str, &str)) -> Canned {
    let headers = GOOD.map(|(name, value)| if name == other.0 { other } else { (name, value) });
    let sent = headers.iter().filter(|(_, value)| !value.is_empty());
    sent.fold(Canned::new(200, "<form>"), |page, (name, value)| page.with(name, value))
}

/// An app that redirects to this login page.
fn app(login: &'static str) -> String {
    serve(move |head| match head {
        _ if head.contains("Googlebot") => Canned::new(410, ""),
        _ if head.starts_with("GET /app") => Canned::new(302, "").with("Location", login),
        _ => login_page(("", "")),
    })
}

#[test]
fn an_app_that_keeps_strangers_and_bots_out_and_says_who_may_frame_it_passes() {
    embed(&Target::start(&[]).url).passed();
    for login in ["/auth/login", "/auth/login?shop=a-shop.myshopify.com"] {
        embed(&app(login)).passed();
    }
}

#[test]
fn each_gap_is_named() {
    for (sick, words) in [
        (
            "embed-open",
            &["`admin without a session`", "/app/admin instead of final_url = \"/auth/login?*\""][..],
        ),
        ("bots", &["`bot`", "200 OK instead of status = 410"]),
        ("embed-headers", &["`login page`", "header_matches.content-security-policy"]),
    ] {
        embed(&Target::sick(sick).url).failed(words);
    }
}

#[test]
fn a_login_elsewhere_is_not_the_apps_login() {
    for (login, found) in [
        ("https://evil.example/auth/login", "302 redirect to https://evil.example/auth/login"),
        ("//evil.example/auth/login", "302 redirect to http://evil.example/auth/login"),
        ("/auth/login-phish", "/auth/login-phish instead of final_url"),
        ("/auth/login/phish", "/auth/login/phish instead of final_url"),
    ] {
        let outcome = embed(&app(login));
        outcome.failed(&[
            "`app without a session`",
            "`admin without a session`",
            "`settings without a session`",
            found,
        ]);
    }
}

#[test]
fn each_header_may_be_written_in_all_ways_that_protect() {
    for (header, values) in [
        (
            "Content-Security-Policy",
            &[
                "frame-ancestors https://admin.shopify.com",
                "Frame-Ancestors  https://admin.shopify.com https://*.myshopify.com ; form-action 'self'",
                "frame-ancestors 'self' https://admin.shopify.com/ https://*.shopify.com:443",
                "frame-ancestors https://*.shopify.com",
                "frame-src *; font-src *; frame-ancestors https://a.myshopify.com https://admin.shopify.com;",
                "frame-ancestors https://a.myshopify.com https://admin.shopify.com https://*.spin.dev https://admin.myshopify.io https://admin.shop.dev;",
            ][..],
        ),
        (
            "Referrer-Policy",
            &["no-referrer", "same-origin", "strict-origin", "unsafe-url, no-referrer"],
        ),
    ] {
        for value in values {
            assert_eq!(
                judged("shopify-embed", "login page", &login_page((header, value))),
                Ok(()),
                "{value}"
            );
        }
    }
}

#[test]
fn each_header_that_is_missing_or_protects_from_nothing_is_named() {
    for (header, values) in [
        (
            "Content-Security-Policy",
            &[
                "",
                "frame-ancestors *",
                "frame-ancestors * https://admin.shopify.com",
                "frame-ancestors https://admin.shopify.com *",
                "frame-ancestors * https://admin.shopify.com.evil.example",
                "frame-ancestors https://admin.shopify.com.evil.example",
                "frame-ancestors https://admin.shopify.com https://evil.example",
                "frame-ancestors https://admin.shopify.com https://a.myshopify.com.evil.example",
                "frame-ancestors 'none'",
                "frame-ancestors https://evilshopify.com https://admin.shopify.com",
                "frame-ancestors https: https://admin.shopify.com",
                "frame-ancestors http://admin.shopify.com",
                "frame-ancestors *; frame-ancestors https://admin.shopify.com",
                "frame-ancestors; frame-ancestors https://admin.shopify.com",
                "frame-ancestors https://*.myshopify.com",
                "x-frame-ancestors https://admin.shopify.com",
            ][..],
        ),
        ("X-Content-Type-Options", &["", "sniff", "nosniff-not"]),
        (
            "Referrer-Policy",
            &[
                "",
                "unsafe-url",
                "no-referrer-when-downgrade",
                "origin",
                "no-referrer, unsafe-url",
                "not no-referrer",
            ],
        ),
    ] {
        for value in values {
            let unmet =
                judged("shopify-embed", "login page", &login_page((header, value))).unwrap_err();
            let expected = format!("header_matches.{}", header.to_lowercase());
            assert!(unmet.expected.starts_with(&expected), "{header}: {value}: {unmet:?}");
        }
    }
}
