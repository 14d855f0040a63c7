use super::*;

const CANARY: &str = "Zebra7f3a";

#[test]
fn a_local_supabase_is_reached_by_its_url_as_it_is() {
    let local =
        DatabaseAddress::parse("postgresql://postgres:postgres@127.0.0.1:54322/postgres").unwrap();
    assert_eq!(local.display_name(), "postgres@127.0.0.1:54322/postgres");
    assert_eq!((local.tls(), local.pooler()), (PostgresTls::WhereOffered, PoolerMode::None));
    assert_eq!(local.secret_password(), None);
}

#[test]
fn a_host_that_is_not_this_machine_is_verified_unless_the_url_says_otherwise() {
    let tls = |rest: &str| {
        DatabaseAddress::parse(&format!("postgres://u:p@db.example/{rest}")).map(|it| it.tls())
    };
    assert_eq!(tls("x"), Ok(PostgresTls::VerifyFull));
    assert_eq!(tls("x?sslrootcert=ca.crt"), Ok(PostgresTls::VerifyFull));
    assert_eq!(tls("x?sslmode=verify-ca"), Ok(PostgresTls::VerifyCa));
    assert_eq!(tls("x?sslmode=require"), Ok(PostgresTls::Unverified));
    assert_eq!(tls("x?sslmode=require&sslrootcert=ca.crt"), Ok(PostgresTls::VerifyCa));
    assert_eq!(tls("x?sslmode=disable"), Ok(PostgresTls::Plaintext));
    for wrong in ["x?sslmode=prefer", "x?sslmode=allow", "x?sslmode=perhaps"] {
        assert!(tls(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_authorities_of_the_system_are_only_for_full_verification() {
    for host in ["db.example", "localhost"] {
        let parse = |mode: &str| {
            DatabaseAddress::parse(&format!("postgres://u:p@{host}/x?sslrootcert=system{mode}"))
        };
        for mode in ["", "&sslmode=verify-full"] {
            let address = parse(mode).unwrap();
            assert_eq!((address.tls(), address.ca_file()), (PostgresTls::VerifyFull, None));
        }
        for mode in ["disable", "prefer", "require", "verify-ca"] {
            let error = parse(&format!("&sslmode={mode}")).unwrap_err();
            assert!(error.problem.contains("sslrootcert=system"), "{mode}: {error}");
        }
    }
}

#[test]
fn what_a_setting_asks_for_is_done_or_refused() {
    let parse = |settings: &str| DatabaseAddress::parse(&format!("postgres://u:p@h/x?{settings}"));
    for ignored in [
        "channel_binding=prefer&sslmode=require",
        "channel_binding=require",
        "channel_binding=require&sslmode=verify-full",
        "gssencmode=disable&target_session_attrs=any",
    ] {
        assert!(parse(ignored).is_ok(), "{ignored}");
    }
    for (refused, problem) in [
        ("channel_binding=require&sslmode=require", "does not bind channels"),
        ("channel_binding=require&sslmode=verify-ca", "does not bind channels"),
        ("channel_binding=require&host=/tmp", "does not bind channels"),
        ("gssencmode=require", "does not encrypt by GSSAPI"),
        ("target_session_attrs=read-write", "does not choose between servers"),
        ("sslcert=client.crt", "must be named together"),
        ("sslkey=client.key", "must be named together"),
    ] {
        let error = parse(refused).unwrap_err();
        assert!(error.problem.contains(problem), "{refused}: {error}");
    }
    assert!(parse("sslcert=client.crt&sslkey=client.key").is_ok());
}

#[test]
fn this_machine_is_known_by_whatever_name() {
    for here in ["127.0.0.1", "127.8.8.8", "[::1]", "localhost", "LOCALHOST", ""] {
        let url = format!("postgres://{}{here}/x", if here.is_empty() { "" } else { "u@" });
        assert_eq!(
            DatabaseAddress::parse(&url).map(|it| it.tls()),
            Ok(PostgresTls::WhereOffered),
            "{here}"
        );
    }
    for away in ["10.0.0.1", "localhost.example", "db.localhost", "[2001:db8::1]"] {
        let url = format!("postgres://u@{away}/x");
        assert_eq!(
            DatabaseAddress::parse(&url).map(|it| it.tls()),
            Ok(PostgresTls::VerifyFull),
            "{away}"
        );
    }
}

#[test]
fn a_unix_socket_is_plain_text_on_this_machine_whatever_the_url_says() {
    for url in [
        "postgres://u:p@/x?host=/tmp&port=25432",
        "postgres://u:p@:25432/x?host=/tmp",
        "postgres://u:p@db.example:25432/x?host=/tmp&sslmode=require",
        "postgres://u:p@%2Ftmp:25432/x?sslmode=verify-full",
    ] {
        let address = DatabaseAddress::parse(url).unwrap();
        assert_eq!((address.tls(), address.is_local()), (PostgresTls::Plaintext, true), "{url}");
        assert_eq!(address.display_name(), "u@localhost:25432/x", "{url}");
        assert_eq!(address.socket(), Some("/tmp/.s.PGSQL.25432".into()), "{url}");
    }
}

#[test]
fn a_pooler_is_known_by_its_port_or_by_what_the_url_says() {
    let pooler = |text: &str| DatabaseAddress::parse(text).map(|it| it.pooler());
    assert_eq!(pooler("postgres://u@h:6543/x"), Ok(PoolerMode::Transaction));
    assert_eq!(pooler("postgres://u@h:6543/x?pooler=session"), Ok(PoolerMode::None));
    assert_eq!(pooler("postgres://u@h/x?pooler=transaction"), Ok(PoolerMode::Transaction));
    let pasted = "postgres://u@h/x?pgbouncer=true&connection_limit=1";
    assert_eq!(pooler(pasted), Ok(PoolerMode::Transaction));
    assert!(pooler("postgres://u@h/x?pooler=yes").is_err());
}

#[test]
fn a_password_is_in_no_debug_output_and_in_no_error() {
    let good = format!("postgres://u:{CANARY}@h/x");
    assert!(!format!("{:?}", DatabaseAddress::parse(&good)).contains(CANARY));
    for wrong in [
        format!("mysql://u:{CANARY}@h/x"),
        format!("postgres://u:{CANARY}#@h/x"),
        format!("postgres://u:a/{CANARY}@h/x"),
        format!("postgres://u:1/{CANARY}@h/x"),
        format!("postgres://u:p@{CANARY}/x@h/x"),
        format!("postgres://u:1/{CANARY}@h:1/x"),
        format!("postgres://u:a?{CANARY}@h/x"),
        format!("postgres://u:{CANARY}@h:port/x"),
        format!("postgres://u:{CANARY}%ff@h/x"),
        format!("postgres://u:p@h/x?sslmode={CANARY}"),
        format!("postgres://u:p@h/x?connect_timeout={CANARY}"),
        format!("postgres://u:p@h/x?pooler={CANARY}"),
        format!("postgres://u:p@h/x?gssencmode={CANARY}"),
        format!("postgres://u:p@h/x?channel_binding={CANARY}"),
        format!("postgres://u:p@h/x?target_session_attrs={CANARY}"),
        CANARY.to_owned(),
    ] {
        let error = DatabaseAddress::parse(&wrong).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
    }
}

#[test]
fn a_password_is_percent_decoded() {
    let address = DatabaseAddress::parse("postgres://u:a%23%40%2F@h/x").unwrap();
    assert_eq!(address.secret_password(), Some("a#@/"));
    assert_eq!(address.display_name(), "u@h:5432/x");
}
