//! A headless browser driven over the `DevTools` protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>).
#![allow(
    clippy::disallowed_methods,
    reason = "a browser does not wait for a clock that is advanced"
)]

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// Timeout for the browser's start and for each response.
const PATIENCE: Duration = Duration::from_mins(1);

const NAMES: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome-headless-shell",
    "microsoft-edge",
];
const PLACES_ON_MACOS: [&str; 3] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
];

/// The browser named by `TOLLGATE_BROWSER`, or the first installed one.
pub(crate) fn installed() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TOLLGATE_BROWSER").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    on_path.chain(PLACES_ON_MACOS.map(PathBuf::from)).find(|program| program.is_file())
}

/// A browser with one page. Dropping it kills all its processes.
pub(crate) struct Browser {
    child: Child,
    profile: TempDir,
    /// `None` until the browser listens.
    socket: Option<WebSocket<TcpStream>>,
    session: Option<String>,
    calls: u64,
    /// Events received since the last page was opened.
    events: Vec<Value>,
}

impl Browser {
    pub(crate) fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            // The browser leaves the folder of its socket in the temporary folder if it is killed.
            .env("TMPDIR", profile.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = profile.path().join("DevToolsActivePort");
        // From here on, dropping the value ends the browser, even after a panic.
        let mut browser =
            Self { child, profile, socket: None, session: None, calls: 0, events: Vec::new() };
        let (port, path) = browser.address(&port);
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) =
            tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap();
        browser.socket = Some(socket);
        browser.open_page();
        browser
    }

    /// The folder for all its files, temporary ones included.
    pub(crate) fn folder(&self) -> &Path {
        self.profile.path()
    }

    /// The port and path that the browser listens on, which it writes to its profile.
    fn address(&mut self, file: &Path) -> (u16, String) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
                return (port.parse().unwrap(), path.trim().to_owned());
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the browser ended at once, {status}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the browser did not listen within {PATIENCE:?}")
    }

    fn open_page(&mut self) {
        let target =
            self.call("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].clone();
        let attached =
            self.call("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }));
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    /// Sends a command and waits for the response.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.as_mut().unwrap().send(Message::text(message.to_string())).unwrap();
        let answer = self.receive(|message| message["id"] == json!(id));
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// The next `wanted` message; other messages are kept as events.
    fn receive(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let message = self.socket.as_mut().unwrap().read().unwrap();
            let Ok(text) = message.to_text() else { continue };
            let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
            if wanted(&message) {
                return message;
            }
            self.events.push(message);
        }
        panic!("the browser did not answer within {PATIENCE:?}")
    }

    /// Opens a file and waits until it is loaded and painted.
    pub(crate) fn open(&mut self, file: &Path) {
        let url = url::Url::from_file_path(file).unwrap();
        self.events.clear();
        self.call("Page.navigate", &json!({ "url": url.as_str() }));
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        if !self.events.iter().any(loaded) {
            self.receive(loaded);
        }
        self.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))",
        );
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let how = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &how);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The events of a kind since the last page was opened.
    pub(crate) fn events(&self, method: &str) -> Vec<&Value> {
        self.events
            .iter()
            .filter(|event| event["method"] == method)
            .map(|event| &event["params"])
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        // The process may have ended already.
        let _ended = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _reaped = self.child.wait();
        // Its other processes may still write for a moment, and the folder would then stay.
        let started = Instant::now();
        while self.profile.path().exists() && started.elapsed() < PATIENCE {
            if std::fs::remove_dir_all(self.profile.path()).is_err() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
