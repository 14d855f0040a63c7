use super::*;

fn secrets(values: &[&str]) -> SecretSet {
    SecretSet::new(values.iter().map(|&value| value.to_owned()))
}

#[test]
fn a_secret_is_redacted_in_every_form_in_which_it_may_be_echoed() {
    let secrets = secrets(&["a b/c\"d?e"]);
    for echoed in [
        "a b/c\"d?e",
        "a%20b%2Fc%22d%3Fe",
        "a+b%2Fc%22d%3Fe",
        "a%20b/c%22d?e",
        "a%20b/c%22d%3Fe",
        r#"a b/c\"d?e"#,
    ] {
        assert_eq!(secrets.redact(&format!("<{echoed}>")), "<•••>", "{echoed}");
    }
    assert_eq!(format!("{secrets:?}"), "Secrets(•••)");
}

#[test]
fn neither_case_nor_needless_escapes_hide_a_secret() {
    let secrets = secrets(&["S3cretTökenVALUE"]);
    for echoed in [
        "s3crettökenvalue",
        "S3CRETTöKENVALUE",
        "%53%33cretT%c3%b6kenVALUE",
        "%73%33%63%72%65%74%74%C3%B6%6b%65%6e%76%61%6c%75%65",
    ] {
        assert_eq!(secrets.redact(&format!("/ü/{echoed}/x%2")), "/ü/•••/x%2", "{echoed}");
    }
}

#[test]
fn a_secret_is_redacted_in_base64_and_html() {
    let secrets = secrets(&["<Zebra&7f3a's>"]);
    for echoed in [
        "&lt;Zebra&amp;7f3a&#39;s&gt;",
        "&lt;Zebra&amp;7f3a&#x27;s&gt;",
        "PFplYnJhJjdmM2Encz4",
        "PFplYnJhJjdmM2Encz4=",
    ] {
        assert!(secrets.is_echoed_in(&format!("a {echoed} b")), "{echoed}");
    }
}

#[test]
fn short_and_common_values_are_never_searched_for() {
    for value in ["", "1", "api", "fail", "true", "staging", "production", "inconclusive"] {
        let text = format!("GET /{value}: none {value}ed, 1 of 11, {value}");
        assert_eq!(secrets(&[value]).redact(&text), text);
    }
}

#[test]
fn our_own_texts_lose_only_what_looks_like_no_word() {
    let secrets = secrets(&["swordfish", "zebra-7f3a9c"]);
    let text = "swordfish-smoke: zebra-7f3a9c";
    assert_eq!(secrets.redact_tokens(text), "swordfish-smoke: •••");
    assert_eq!(secrets.redact(text), "•••-smoke: •••");
}

#[test]
fn a_value_in_a_public_text_is_no_secret() {
    let secrets = secrets(&["eu-4.shop.example", "zebra-7f3a9c"]);
    let public = secrets.without_public(&["https://EU-4.shop.example/", "smoke"]);
    let text = "redirected to https://eu-4.shop.example/?t=zebra-7f3a9c";
    assert_eq!(public.redact(text), "redirected to https://eu-4.shop.example/?t=•••");
}

#[test]
fn a_short_value_is_hidden_next_to_its_name_in_a_url() {
    for (value, shown, parts) in [
        ("/x?key=abc&page=1", "/x?key=${KEY}&page=1", &["key=abc"][..]),
        ("/tenant/abc/x", "/tenant/${TENANT}/x", &["/tenant/abc/x"]),
        ("/x?page=1", "/x?page=1", &[]),
        ("/x?key=a&b", "/x?key=${KEY}", &["key=a&b"]),
        ("/a", "/${X}", &[]),
    ] {
        assert_eq!(url_parts(value, shown), parts, "{value}");
    }
    let secrets = SecretSet::from_url_parts(["key=abc".to_owned()]);
    assert_eq!(secrets.redact("at http://h/y?key=abc&x, abc"), "at http://h/y?•••&x, abc");
    assert_eq!(secrets.redact_tokens("key=abc"), "key=abc");
}

#[test]
fn likely_tokens_in_a_secret_url_are_secret_too() {
    for (url, tokens) in [
        ("https://h/mcp/tok123secret/x", &["tok123secret"][..]),
        (
            "https://h/hooks/abcdefghijklmnopqrstuvwxyz?key=a1b2c3d4",
            &["abcdefghijklmnopqrstuvwxyz", "a1b2c3d4"],
        ),
        ("https://h/api/conversations/12?limit=20", &[]),
        ("https://h/2025-06-18/mcp", &[]),
        ("postgresql://u@h/shop_db_2025", &[]),
        ("no-url-1234567890", &[]),
    ] {
        assert_eq!(tokens_in(url), tokens, "{url}");
    }
}

#[test]
fn a_secret_inside_another_leaves_no_rest() {
    assert_eq!(
        secrets(&["fish-42a", "my-fish-42ab"]).redact("sent my-fish-42ab, fish-42a"),
        "sent •••, •••"
    );
}

#[test]
fn text_without_secrets_is_not_copied() {
    assert!(matches!(secrets(&["token"]).redact("plain"), Cow::Borrowed(_)));
}

#[test]
fn a_secret_that_comes_back_changed_is_redacted() {
    let value = "Zebra/7f3a9c51+Quagga?x=\"5\"";
    let secrets = secrets(&[&format!(" {value}\r\n")]);
    let percent =
        |text: &str| text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
    let html = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;");
    let numeric =
        |text: &str| text.chars().fold(String::new(), |all, c| format!("{all}&#{};", u32::from(c)));
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let unicode = |text: &str| {
        text.encode_utf16().fold(String::new(), |all, unit| format!("{all}\\u{unit:04x}"))
    };
    let hexadecimal = value.bytes().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
    for echoed in [
        value.to_owned(),
        percent(value),
        percent(&percent(value)),
        html(value),
        html(&html(value)),
        percent(&html(&html(value))),
        numeric(value),
        html(&numeric(value)),
        json(value),
        json(&json(value)),
        unicode(value),
        hexadecimal,
        value[..8].to_owned(),
        value[..13].to_owned(),
        percent(&value[..9]),
    ] {
        assert_eq!(secrets.redact(&format!("<{echoed}>")), "<•••>", "{echoed}");
    }
}

#[test]
fn letters_of_any_alphabet_are_found_in_either_case() {
    let value = "schlüssel-Ärger-Ωλ-4711";
    let secrets = secrets(&[value]);
    let percent =
        |text: &str| text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
    for echoed in [value.to_uppercase(), value.to_lowercase(), percent(&value.to_uppercase())] {
        assert_eq!(secrets.redact(&format!("ü{echoed}ß")), "ü•••ß", "{echoed}");
    }
    assert_eq!(secrets.redact("İ%C3%84%C3"), "İ%C3%84%C3");
}

#[test]
fn base64_of_a_secret_among_other_bytes_is_redacted_whole() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
    let value = "Zebra-7f3a9c51~?>";
    let secrets = secrets(&[value]);
    for before in ["", "u", "ad", "bob:", "{\"a\":\"", "user@shop.example:"] {
        for after in ["", "\"", "!!", "\n\n\n"] {
            let whole = format!("{before}{value}{after}");
            let begun = format!("{before}{}", &value[..12]);
            for text in [&whole, &begun] {
                for engine in [STANDARD, URL_SAFE, STANDARD_NO_PAD] {
                    let echoed = engine.encode(text);
                    let told = format!("Basic {echoed} is wrong");
                    assert_eq!(secrets.redact(&told), "Basic ••• is wrong", "{text}");
                    let escaped = echoed.replace('+', "%2B").replace('=', "%3D");
                    assert!(secrets.is_echoed_in(&escaped), "{escaped}");
                }
            }
        }
    }
}

#[test]
fn what_a_secret_contains_is_secret_too() {
    for (value, echoed) in [
        ("Basic Ym9iOlplYnJhLTdmM2E5YzUx", "Zebra-7f3a9c51"),
        ("Ym9iOlplYnJhLTdmM2E5YzUx", "bob:Zebra-7f3a9c51"),
        ("Bearer Zebra-7f3a9c51", "Zebra-7f3a9c51"),
        ("postgresql://u:Zebra%2F7f3a9c51@h/db", "Zebra/7f3a9c51"),
        ("-----BEGIN KEY-----\nZebra7f3a9c51Quagga\nOkapi88bongo99Gnu\n", "Okapi88bongo99Gnu"),
    ] {
        assert_eq!(secrets(&[value]).redact(&format!("[{echoed}]")), "[•••]", "{value}");
    }
}

#[test]
fn a_beginning_of_words_or_of_a_public_url_hides_nothing() {
    for (value, said) in [
        ("connectivity-7f3a", "connection refused, connector"),
        ("staging-productivity-9", "the staging-production host"),
        ("certificates", "the certificate has expired"),
        ("https://hooks.shop.example/T0/B0/xyzzy", "302 to https://hooks.shop.example/login"),
    ] {
        assert_eq!(secrets(&[value]).redact(said), said, "{value}");
    }
    let known = secrets(&["shop-7f3a.example/cb?x=zebra"]);
    let known = known.without_public(&["https://shop-7f3a.example/cb"]);
    let said = "302 to https://shop-7f3a.example/cb";
    assert_eq!(known.redact(said), said);
    assert_eq!(known.redact("shop-7f3a.example/cb?x=zebra"), "•••");
}

#[test]
fn a_search_of_a_long_text_for_many_secrets_ends_soon() {
    let lines: String = (0..300).fold(String::new(), |all, n| format!("{all}Line-{n}-xyz\n"));
    let secrets = secrets(&[&lines]);
    let text = "&amp;%25\\\\".repeat(500);
    assert_eq!(secrets.redact(&text), text);
    assert_eq!(secrets.redact("<Line-299-xyz>"), "<•••>");
}
