//! Hosts with several addresses, of which some are dead.
#![cfg(target_os = "linux")] // All of 127.0.0.0/8 is this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};
use tollgate::record::{AddressAttempts, Decision, RunRecord};

use crate::bench::{text, tollgate, words};

/// A server at 127.0.0.1 that answers every request with 200; returns its port.
fn serve() -> u16 {
    serve_at([127, 0, 0, 1], 0)
}

/// The same at another address and port.
fn serve_at(ip: [u8; 4], port: u16) -> u16 {
    let listener = TcpListener::bind(SocketAddr::from((ip, port))).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 1024];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
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
    let shown = words(&output.stdout);
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

#[test]
fn the_record_and_the_report_count_the_exchanges_of_each_address() {
    let port = serve();
    serve_at([127, 0, 0, 2], port);
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("two.toml");
    let written = format!(
        "name = \"two\"\nbudgets = [\"max < 1ms\"]\n[target]\n\
         base_url = \"http://svc.test:{port}\"\n\
         resolve = [\"svc.test:{port}:127.0.0.1,127.0.0.2\"]\n\
         [[request]]\nname = \"r\"\npath = \"/ok\"\n\
         [load]\narrival_rate = \"60/s\"\nduration = \"2s\"\nconnections = 8\n"
    );
    std::fs::write(&scenario, written).unwrap();
    let mut command = tollgate();
    command.arg("run").arg(&scenario).args(["--report", "all", "--output", "json", "--runs-dir"]);
    let output = command.arg(folder.path()).output().unwrap();
    let record: RunRecord = serde_json::from_slice(&output.stdout).unwrap();
    let addresses = &record.measurement.scenarios[0].requests[0].peers.addresses;
    assert_eq!(addresses.values().map(|counts| counts.exchanges).sum::<u64>(), 120);
    let folders = std::fs::read_dir(folder.path()).unwrap().flatten();
    let report = folders.map(|run| run.path().join("report.md")).find(|path| path.exists());
    let report = std::fs::read_to_string(report.unwrap()).unwrap();
    assert!(report.contains("### By address: two · r"), "{report}");
}
