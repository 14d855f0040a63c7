//! `scenarios/shopify-embed.toml`

use super::bench::{Outcome, Target, run};

fn embed(target: &Target) -> Outcome {
    run("shopify-embed", &[("TOLLGATE_TARGET", &target.url)])
}

#[test]
fn an_app_that_keeps_strangers_and_bots_out_and_says_who_may_frame_it_passes() {
    embed(&Target::start(&[])).passed();
}

#[test]
fn each_gap_is_named() {
    for (sick, words) in [
        ("embed-open", &["`admin without a session`", "200"][..]),
        ("bots", &["`bot`", "200 OK instead of status = 410"]),
        ("embed-headers", &["`login page`", "header_matches.content-security-policy"]),
    ] {
        embed(&Target::sick(sick)).failed(words);
    }
}
