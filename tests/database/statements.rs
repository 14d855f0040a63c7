//! A statement from a file gives its rows as JSON or an error with a remedy, directly and behind a
//! pooler.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::postgres::{
    DatabaseAddress, PgError, PgErrorKind, PgSession, SqlStatement, TransactionMode,
};

use crate::cluster::{self, Cluster, PgBouncer};

const CANARY: &str = "Zebra7f3a9c51";
const LONG: Duration = Duration::from_secs(30);

const TABLES: &str = "create table orders (id bigint primary key, note text);\
     insert into orders values (1, 'first'), (2, null), (3, 'third');\
     create table answer (answer int);\
     create sequence numbers;\
     create role visitor login password 'visitor';";

/// A session with a runtime, so that tests can use it synchronously.
struct Bench {
    runtime: tokio::runtime::Runtime,
    session: PgSession,
}

impl Bench {
    fn open(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let session =
            runtime.block_on(PgSession::connect(&DatabaseAddress::parse(url).unwrap())).unwrap();
        Self { runtime, session }
    }

    /// Runs a statement in its own transaction, which is committed if the statement succeeds.
    fn run_statement(
        &mut self,
        statement: &SqlStatement,
        values: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Value>, PgError> {
        let values: Vec<_> = values.iter().map(|value| Some((*value).to_owned())).collect();
        let Self { runtime, session } = self;
        runtime.block_on(async {
            let mut transaction = session.begin_within(statement.mode(), timeout).await?;
            let documents = transaction.fetch_documents(statement, &values).await?.parse()?;
            transaction.commit().await?;
            Ok(documents)
        })
    }

    fn read(&mut self, sql: &str) -> Result<Vec<Value>, PgError> {
        self.run_statement(&SqlStatement::parse_reading(sql).unwrap(), &[], LONG)
    }

    fn read_with(&mut self, sql: &str, values: &[&str]) -> Result<Vec<Value>, PgError> {
        self.run_statement(&SqlStatement::parse_reading(sql).unwrap(), values, LONG)
    }

    fn write(&mut self, sql: &str) -> Result<Vec<Value>, PgError> {
        self.run_statement(&SqlStatement::parse_writing(sql).unwrap(), &[], LONG)
    }
}

/// Uses the database directly, and again through a pooler with one connection for all clients.
fn both_ways(act: impl Fn(&Cluster, &mut Bench)) {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    let bouncer = PgBouncer::start(&cluster, 1);
    cluster.create_database("direct");
    cluster.create_database("pooled");
    cluster.sql("direct", TABLES);
    cluster.sql("pooled", TABLES.split_once("create role").unwrap().0);
    act(&cluster, &mut Bench::open(&cluster.url_of("direct")));
    act(&cluster, &mut Bench::open(&bouncer.url_of("pooled")));
}

#[test]
fn a_row_is_an_object_whose_values_have_the_types_that_postgres_gives_them() {
    both_ways(|_, bench| {
        let sql = "select 1::bigint as whole, 12.50::numeric as exact, 0.5::float8 as double, true as yes, null::int as nothing, \
                   'x'::text as word, '2026-11-25 21:40:03+00'::timestamptz as moment, \
                   '{\"a\": [1, null]}'::jsonb as document, array[1, 2] as list, \
                   '018f3d5e-0000-7000-8000-000000000000'::uuid as id, 'NaN'::numeric as nan -- the end";
        let rows = bench.read(sql).unwrap();
        let moment = rows[0]["moment"].as_str().unwrap();
        assert!(moment.starts_with("2026-11-25T") && moment.contains(":40:03"), "{moment}");
        // A number keeps its digits, so a numeric its scale.
        let exact: Value = serde_json::from_str("12.50").unwrap();
        let expected = json!({
            "whole": 1, "exact": exact, "double": 0.5, "yes": true, "nothing": null, "word": "x", "moment": moment,
            "document": {"a": [1, null]}, "list": [1, 2], "id": "018f3d5e-0000-7000-8000-000000000000", "nan": "NaN",
        });
        assert_eq!(rows, [expected]);
    });
}

#[test]
fn rows_come_in_the_order_of_the_statement_and_a_column_may_have_any_name() {
    both_ways(|_, bench| {
        let rows = bench.read("select id, note from orders order by id desc;").unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, [3, 2, 1]);
        assert_eq!(rows[1], json!({"id": 2, "note": null}));
        assert_eq!(bench.read("select 42 as answer").unwrap(), [json!({"answer": 42})]);
        assert_eq!(bench.read("select 1 as document, 2 as bytes, 3 as measured").unwrap().len(), 1);
        assert_eq!(bench.read("table answer").unwrap(), [] as [Value; 0]);
        assert_eq!(bench.read("values (1), (2)").unwrap()[1], json!({"column1": 2}));
        let hundred = bench.read("select n from generate_series(10000, 1, -1) as n").unwrap();
        assert!(
            hundred.iter().zip((1..=10_000).rev()).all(|(row, n)| row["n"] == n)
                && hundred.len() == 10_000
        );
    });
}

#[test]
fn values_are_texts_that_the_statement_casts_to_other_types() {
    both_ways(|_, bench| {
        let sql = "select id from orders where id = $1::bigint and note = $2";
        assert_eq!(bench.read_with(sql, &["1", "first"]).unwrap(), [json!({"id": 1})]);
        assert_eq!(bench.read_with(sql, &["1", "' or true --"]).unwrap(), [] as [Value; 0]);
        let Bench { runtime, session } = bench;
        let nulls = runtime.block_on(async {
            let mut transaction = session.begin(TransactionMode::ReadOnly).await.unwrap();
            let statement =
                SqlStatement::parse_reading("select $1::int is null as nothing").unwrap();
            transaction.fetch_documents(&statement, &[None]).await.unwrap().parse().unwrap()
        });
        assert_eq!(nulls, [json!({"nothing": true})]);
    });
}

#[test]
fn a_value_never_appears_in_an_error() {
    both_ways(|_, bench| {
        for (sql, values) in [
            ("select $1::bigint as n", &[CANARY][..]),
            ("select $1::timestamptz as t", &[CANARY]),
            ("select $1::uuid as id", &[CANARY]),
            ("select $1::jsonb as j", &[CANARY]),
            ("select $1::regclass as r", &[CANARY]),
            ("select $1 as a, $2 as b", &[CANARY]),
            ("select a.b, $1 from orders", &[CANARY]),
            ("select id from orders where id = $1", &[CANARY]),
        ] {
            let error = bench.read_with(sql, values).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
            let trouble = match sql {
                _ if sql.contains("regclass") => PgErrorKind::Absent,
                _ if sql.contains("id = $1") => PgErrorKind::NotText,
                _ => PgErrorKind::Statement,
            };
            assert_eq!(error.kind, trouble, "{sql}: {error}");
        }
    });
}

#[test]
fn a_statement_in_a_read_only_transaction_does_not_write() {
    both_ways(|_, bench| {
        for sql in ["select id from orders for update", "select nextval('numbers') as n"] {
            let error = bench.read(sql).unwrap_err();
            assert_eq!(
                (error.kind, error.state.as_deref()),
                (PgErrorKind::ReadsOnly, Some("25006")),
                "{error}"
            );
        }
        assert!(
            SqlStatement::parse_reading(
                "with gone as (delete from orders returning id) table gone"
            )
            .is_err()
        );
        assert_eq!(bench.read("select count(*) as n from orders").unwrap(), [json!({"n": 3})]);
    });
}

#[test]
fn a_statement_that_writes_returns_what_it_wrote() {
    both_ways(|_, bench| {
        let inserted =
            bench.write("insert into orders values (4, 'x'), (5, null) returning id, note; -- two");
        assert_eq!(
            inserted.unwrap(),
            [json!({"id": 4, "note": "x"}), json!({"id": 5, "note": null})]
        );
        assert_eq!(bench.read("select count(*) as n from orders").unwrap(), [json!({"n": 5})]);
        let error = bench.write("with gone as (delete from orders) table gone").unwrap_err();
        assert_eq!(error.kind, PgErrorKind::NoReturning, "{error}");
        assert!(error.to_string().ends_with("put `returning *` at its end"), "{error}");
        let moved = "
            with gone as (delete from orders where id > 3 returning id), answer as (table gone) -- all of them
            select max(id) as last from answer";
        assert_eq!(bench.write(moved).unwrap(), [json!({"last": 5})]);
        let again = "with new as (values (4, 'y')) insert into orders table new returning id";
        assert_eq!(bench.write(again).unwrap(), [json!({"id": 4})]);
        assert_eq!(bench.write("delete from orders where id > 3 returning id").unwrap().len(), 1);
    });
}

#[test]
fn a_statement_that_takes_too_long_is_cancelled_and_the_session_continues() {
    both_ways(|_, bench| {
        let slow = SqlStatement::parse_reading("select 1 as n from pg_sleep(60)").unwrap();
        let error = bench.run_statement(&slow, &[], Duration::from_millis(1)).unwrap_err();
        assert_eq!(
            (error.kind, error.state.as_deref()),
            (PgErrorKind::GivenUp, Some("57014")),
            "{error}"
        );
        assert_eq!(bench.read("select 1 as n").unwrap(), [json!({"n": 1})]);
        let error = bench.run_statement(&slow, &[], Duration::ZERO).unwrap_err();
        assert_eq!(error.kind, PgErrorKind::GivenUp, "zero is no endless timeout: {error}");
        let quick = SqlStatement::parse_reading("select current_setting('statement_timeout') as t")
            .unwrap();
        let longest = bench.run_statement(&quick, &[], Duration::MAX).unwrap();
        assert_eq!(longest, [json!({"t": "2147483647ms"})]);
    });
}

#[test]
fn missing_objects_and_missing_rights_are_distinguished_from_a_mistake() {
    both_ways(|_, bench| {
        for sql in [
            "select 1 from nowhere",
            "select 1 from nowhere.orders",
            "select nowhere.nothing() as n",
        ] {
            let error = bench.read(sql).unwrap_err();
            assert!(error.is_absent() && !error.is_denied(), "{sql}: {error}");
            assert!(
                error.message.contains("does not exist") && !error.to_string().contains("migrate"),
                "{error}"
            );
        }
        for sql in [
            "select nothing from orders",
            "select x.id from orders",
            "select 1 +",
            "select id = 'x'::text from orders",
            "select round(1.5::float8, 1) as n",
            "select nothing() as n",
        ] {
            let error = bench.read(sql).unwrap_err();
            assert_eq!(error.kind, PgErrorKind::Statement, "{sql}: {error}");
        }
    });
}

#[test]
fn missing_rights_are_reported_with_their_remedy() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("guarded");
    cluster.sql("guarded", TABLES);
    let bouncer = PgBouncer::start(&cluster, 1);
    for url in [
        cluster.url_as("visitor", "visitor", "guarded"),
        bouncer.url_as("visitor", "visitor", "guarded"),
    ] {
        let error = Bench::open(&url).read("select id from orders").unwrap_err();
        assert!(error.is_denied() && !error.is_absent(), "{error}");
        assert_eq!(error.state.as_deref(), Some("42501"));
        assert!(error.to_string().contains("permission denied for table orders"), "{error}");
        assert!(error.to_string().contains("grant select on"), "{error}");
    }
}

#[test]
fn a_user_who_may_not_connect_is_not_let_in_and_no_statement_is_denied() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    cluster.create_database("closed");
    cluster.sql("postgres", "create role visitor login password 'visitor'");
    cluster.sql("postgres", "revoke connect on database closed from public");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = DatabaseAddress::parse(&cluster.url_as("visitor", "visitor", "closed")).unwrap();
    let error = runtime.block_on(PgSession::connect(&address)).unwrap_err();
    assert_eq!(
        (error.kind, error.state.as_deref()),
        (PgErrorKind::NotLetIn, Some("42501")),
        "{error}"
    );
    assert!(
        !error.is_denied() && error.to_string().contains("grant connect on database"),
        "{error}"
    );
}

#[test]
fn an_answer_of_any_size_is_refused_without_being_kept() {
    both_ways(|_, bench| {
        for (sql, message) in [
            ("select n from generate_series(1, 10001) as n", "more than 10000 rows"),
            ("select generate_series(1, 1000000000) as n", "more than 10000 rows"),
            ("select repeat('x', 100000) as x from generate_series(1, 1000)", "more than 16 MiB"),
            ("select repeat('x', 100000000) as x", "more than 16 MiB"),
        ] {
            let error = bench.read(sql).unwrap_err();
            assert_eq!(
                (error.kind, error.message.as_str()),
                (PgErrorKind::TooMuch, message),
                "{sql}"
            );
        }
        assert_eq!(
            bench
                .read("select repeat('x', 1000000) as x from generate_series(1, 16)")
                .unwrap()
                .len(),
            16
        );
    });
}

#[test]
fn a_statement_that_closes_its_parentheses_can_do_no_more_than_within_them() {
    both_ways(|_, bench| {
        let sql = "select 1 as n) as answer; delete from orders; select * from (select 1 as n";
        assert!(SqlStatement::parse_reading(sql).is_err());
        let error =
            bench.read("select nextval('numbers') as n) as answer, (select 1 as m").unwrap_err();
        assert_eq!(error.kind, PgErrorKind::Statement, "{error}");
        // With backslashes as escapes, the server would read this differently than it was split. It
        // sees several statements and refuses them.
        let split = r"select '\' as a; select '\' as b";
        assert!(SqlStatement::parse_reading(split).is_err());
        assert_eq!(bench.read("select count(*) as n from orders").unwrap(), [json!({"n": 3})]);
    });
}
