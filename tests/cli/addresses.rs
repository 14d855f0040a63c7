//! Hosts with several addresses, of which some are dead.
#![cfg(target_os = "linux")] // All of 127.0.0.0/8 is this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};
use tollgate::record::{AddressAttempts, Decision, RunRecord};

use crate::bench::{text, tollgate};

/// A server at 127.0.0.1 that answers every request with 200; returns its port.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
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
