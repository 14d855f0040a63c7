//! Hosts with several addresses, of which some are dead.
#![cfg(target_os = "linux")] // All of 127.0.0.0/8 is this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tollgate::record::{AddressAttempts, Decision, RunRecord};

use crate::bench::{text, tollgate};

/// A server at 127.0.0.1 that answers every request with 200; returns its port.
fn serve() -> u16 {
    serve_at([127, 0, 0, 1], 0, |_, _| Duration::ZERO)
}

/// A server that answers every request with 200, after a delay that follows from the number of the
/// connection and of the request on it; returns its port.
fn serve_at(ip: [u8; 4], port: u16, delay: fn(u32, u32) -> Duration) -> u16 {
    let listener = TcpListener::bind(SocketAddr::from((ip, port))).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (connection, mut stream) in (0..).zip(listener.incoming().flatten()) {
            std::thread::spawn(move || {
                let (mut request, mut number) = ([0; 1024], 0);
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
                    std::thread::sleep(delay(connection, number));
                    number += 1;
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// A listener at 127.0.0.9 that answers no connection, as long as the returned sockets live.
fn silent_listener(port: u16) -> (Socket, TcpStream) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 9], port));
    socket.bind(&address.into()).unwrap();
    socket.listen(0).unwrap();
    (socket, TcpStream::connect(address).unwrap())
}

#[test]
fn a_first_address_that_hangs_fails_nothing_and_the_verdict_warns_of_it() {
    let port = serve();
    let _listener = silent_listener(port);
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("first-address-hangs.toml");
    let written = format!(
        "name = \"first address hangs\"\nbudgets = [\"errors = 0\"]\n[target]\n\
         base_url = \"http://svc.test:{port}\"\nconnect_timeout = \"5s\"\n\
         resolve = [\"svc.test:{port}:127.0.0.9,127.0.0.1\"]\n\
         [[request]]\nname = \"r\"\npath = \"/ok\"\n[load]\nonce = true\n"
    );
    std::fs::write(&scenario, written).unwrap();
    let run = |output: &str| {
        let mut command = tollgate();
        command.arg("run").arg(&scenario).args(["--output", output, "--runs-dir"]);
        command.arg(folder.path()).output().unwrap()
    };
    let output = run("text");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let dead = format!("svc.test: 127.0.0.9:{port}");
    let warning = format!("WARN first address hangs: {dead} did not answer in its only attempt;");
    assert!(shown.contains(&warning), "{shown}");

    let record: RunRecord = serde_json::from_slice(&run("json").stdout).unwrap();
    assert_eq!(record.verdict.decision, Decision::Pass);
    assert!(record.verdict.scenarios[0].warnings[0].what.starts_with(&dead));
    let tried = &record.measurement.scenarios[0].attempts["svc.test"];
    let unanswered = AddressAttempts { unanswered: 1, ..AddressAttempts::default() };
    assert_eq!(tried[&format!("127.0.0.9:{port}")], unanswered);
    assert_eq!(tried[&format!("127.0.0.1:{port}")].connected, 1);
}

/// The record and the markdown report of 120 requests on 8 connections to two addresses, of which
/// the second delays its answers.
fn run_against_two(delay: fn(u32, u32) -> Duration) -> (RunRecord, String) {
    let port = serve();
    serve_at([127, 0, 0, 2], port, delay);
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("two.toml");
    let written = format!(
        "name = \"two\"\nbudgets = [\"max < 200ms\"]\n[target]\n\
         base_url = \"http://svc.test:{port}\"\n\
         resolve = [\"svc.test:{port}:127.0.0.1,127.0.0.2\"]\n\
         [[request]]\nname = \"r\"\npath = \"/ok\"\n\
         [load]\narrival_rate = \"60/s\"\nduration = \"2s\"\nconnections = 8\n"
    );
    std::fs::write(&scenario, written).unwrap();
    let mut command = tollgate();
    command.arg("run").arg(&scenario).args(["--output", "json", "--runs-dir"]);
    let output = command.arg(folder.path()).output().unwrap();
    assert!([1, 3].contains(&output.status.code().unwrap()), "{}", text(&output.stderr));
    let folders = std::fs::read_dir(folder.path()).unwrap().flatten();
    let report = folders.map(|run| run.path().join("report.md")).find(|path| path.exists());
    let report = std::fs::read_to_string(report.unwrap()).unwrap();
    (serde_json::from_slice(&output.stdout).unwrap(), report)
}

/// Whether the prober itself was late, on a busy machine. It then caused exceedances of its own, on
/// any connection.
fn was_late(record: &RunRecord) -> bool {
    let request = &record.measurement.scenarios[0].requests[0];
    let count = request.measured.tally.ceilings[0];
    count.exceeded != count.exceeded_without_lag
}

#[test]
fn the_verdict_names_the_address_that_carries_the_exceedances() {
    let (record, report) =
        run_against_two(|_, number| Duration::from_millis(if number % 2 == 1 { 500 } else { 0 }));
    let addresses = &record.measurement.scenarios[0].requests[0].peers.addresses;
    assert_eq!(addresses.values().map(|counts| counts.exchanges).sum::<u64>(), 120);
    assert!(report.contains("### By address: two · r"), "{report}");
    if was_late(&record) {
        return;
    }
    let reason = &record.verdict.scenarios[0].budgets[0].reason;
    assert!(reason.what.contains(" exceedances came from 127.0.0.2:"), "{}", reason.what);
    assert!(reason.next.contains("compare what is at that address with the others"));
}

#[test]
fn the_verdict_names_one_slow_connection_of_several() {
    let (record, _) = run_against_two(|connection, _| {
        Duration::from_millis(if connection == 0 { 500 } else { 0 })
    });
    if was_late(&record) {
        return;
    }
    let what = &record.verdict.scenarios[0].budgets[0].reason.what;
    assert!(what.contains(" exceedances are on 1 of 8 connections (127.0.0.2:"), "{what}");
}
