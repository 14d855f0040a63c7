//! Behind a pooler in transaction mode, every query gets its own answer.

use tollgate::history::HistoryFilter;
use tollgate::postgres::{DatabaseAddress, PgError, PgSession, TransactionMode};
use tollgate::store::StoreMark;

use crate::bench::{contents, keep, listed, migrated, open, output_text, record, sync, tollgate};
use crate::cluster::{self, Cluster, PgBouncer};
use crate::runs::{self, SMALL};

const CLIENTS: i64 = 8;
const QUERIES: i64 = 1_000;

/// Sends queries whose values are unique to this client. All clients use the same statements with
/// parameters of the same types.
async fn ask(address: &DatabaseAddress, client: i64) -> Result<i64, PgError> {
    let mut session = PgSession::connect(address).await?;
    let mut wrong = 0;
    for query in 0..QUERIES {
        let number = client * QUERIES + query;
        let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
        let sql = match query % 4 {
            0 => "select $1::bigint + $2::bigint as answer",
            1 => "select $1::bigint - $2::bigint as answer",
            2 => "select $1::bigint * 2 + $2::bigint as answer",
            _ => "select $1::bigint * 3 + $2::bigint as answer",
        };
        let expected = match query % 4 {
            0 => number + client,
            1 => number - client,
            2 => number * 2 + client,
            _ => number * 3 + client,
        };
        let rows =
            transaction.fetch_rows(sql, |statement| statement.bind(number).bind(client)).await?;
        let answer: i64 = transaction.column_value(&rows[0], "answer")?;
        wrong += i64::from(rows.len() != 1 || answer != expected);
        transaction.commit().await?;
    }
    session.close().await;
    Ok(wrong)
}

/// Counts the wrong answers of all clients, which run at the same time.
fn wrong_answers(url: &str) -> i64 {
    let address = DatabaseAddress::parse(url).unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let address = address.clone();
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(ask(&address, client)).unwrap()
            })
        })
        .collect();
    clients.into_iter().map(|client| client.join().unwrap()).sum()
}

#[test]
fn eight_clients_of_a_database_get_their_own_answers_directly_and_behind_a_pooler() {
    if cluster::is_left_out() {
        return;
    }
    let cluster = Cluster::start();
    assert_eq!(wrong_answers(&cluster.url()), 0);
    let bouncer = PgBouncer::start(&cluster, 4);
    assert_eq!(wrong_answers(&bouncer.url_of("postgres")), 0);
}

#[test]
fn every_operation_on_a_database_works_behind_a_pooler() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    for name in ["direct", "pooled"] {
        cluster.create_database(name);
    }
    let bouncer = PgBouncer::start(&cluster, 4);
    let paths = [1, 2, 3, 4].map(|seed| runs::write(folder.path(), seed, SMALL));
    for url in [cluster.url_of("direct"), bouncer.url_of("pooled")] {
        open(&url).migrate().unwrap();
        let senders = paths.clone().map(|path| {
            let url = url.clone();
            std::thread::spawn(move || keep(&mut open(&url), &path))
        });
        assert_eq!(senders.map(|sender| sender.join().unwrap()), [true; 4]);
        let mut database = open(&url);
        let records = paths.each_ref().map(|path| record(path));
        assert_eq!(
            database.summaries(&HistoryFilter::default()).unwrap(),
            records.each_ref().map(listed)
        );
        for record in records {
            assert_eq!(*database.fetch_run(&record.id.to_string()).unwrap().record, record);
        }
        database.prune(std::time::Duration::from_hours(1), false).unwrap();
        assert_eq!(database.schema_status().unwrap().runs, Some(4));
    }
    let without_time = |name| {
        contents(&cluster, name)
            .into_iter()
            .filter(|(table, _)| *table != "runs")
            .collect::<Vec<_>>()
    };
    assert_eq!(without_time("pooled"), without_time("direct"));
}

/// The pooler lets clients in and then answers nothing, so only a time limit ends the wait.
#[test]
fn no_command_waits_longer_than_for_a_connection_if_the_database_behind_the_pooler_is_gone() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    migrated(&cluster, "pooled");
    let bouncer = PgBouncer::start(&cluster, 4);
    let url = format!("{}?pooler=transaction&connect_timeout=2", bouncer.url_of("pooled"));
    open(&url).schema_status().unwrap();
    cluster.pause();
    let commands = [
        &["run", "http://127.0.0.1:1", "--duration", "1s"][..],
        &["sync"],
        &["history"],
        &["db", "status"],
        &["db", "migrate"],
        &["db", "prune", "--keep", "90d"],
    ];
    let waited = commands.map(|words| {
        let mut command = tollgate();
        command.args(words).args(["--store", &url]);
        if words[0] != "db" {
            command.arg("--runs-dir").arg(folder.path());
        }
        (words, command.output().unwrap())
    });
    cluster.resume();
    for (words, output) in waited {
        let text = output_text(&output);
        let exit = if words[0] == "run" || words == ["db", "status"] { 1 } else { 4 };
        assert_eq!(output.status.code(), Some(exit), "{words:?}: {text}");
        let names_the_limit = text.contains("within 2 s") || text.contains("got no answer in time");
        assert!(names_the_limit && text.contains("pooler"), "{words:?}: {text}");
    }
    let runs = tollgate::store::run_folders(folder.path()).unwrap();
    assert!(StoreMark::read(&runs[0]).unsynced.is_some(), "{runs:?}");
    let output = sync(folder.path(), &url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    assert_eq!(StoreMark::read(&runs[0]).unsynced, None);
}
