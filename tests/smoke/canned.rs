//! Answers defined by a test, which a healthy service would not give: served, or judged by a single
//! step.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tollgate::expect::{ResponseView, UnmetExpectation};
use tollgate::plan::{Environment, Plan, PlanOverrides};
use tollgate::scenario::Scenario;

/// An answer: status, further headers, body.
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Canned {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    /// The same answer with an additional header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Judges an answer by a step of a scenario in `scenarios/`, without a run. The variables get
/// arbitrary values.
pub(crate) fn judged(scenario: &str, step: &str, answer: &Canned) -> Result<(), UnmetExpectation> {
    let scenario = Scenario::read(format!("scenarios/{scenario}.toml").as_ref()).unwrap();
    let urls = ["TOLLGATE_TARGET", "SUPABASE_URL", "CHATWOOT_BASE_URL"]
        .map(|name| (name, "http://app.example"));
    let others = [
        ("DATABASE_URL", "postgresql://u@db.example/d"),
        ("SUPABASE_ANON_KEY", "a"),
        ("SUPABASE_SERVICE_ROLE_KEY", "s"),
    ];
    let variables =
        urls.into_iter().chain(others).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (plan, _) =
        Plan::resolve(&[scenario], &Environment::new(variables), &PlanOverrides::default())
            .unwrap();
    let of = &plan.scenarios[0];
    let request =
        of.requests.iter().find(|request| of.shown.requests[request.index].name == step).unwrap();
    let headers: HeaderMap =
        answer.headers.iter().map(|(name, value)| (name_of(name), value_of(value))).collect();
    request.expectations.judge(&ResponseView {
        status: StatusCode::from_u16(answer.status).unwrap(),
        url: &request.http().unwrap().url,
        headers: &headers,
        body: answer.body.as_bytes(),
    })
}

fn name_of(text: &str) -> HeaderName {
    text.parse().unwrap()
}

fn value_of(text: &str) -> HeaderValue {
    text.parse().unwrap()
}

/// Serves the function's answer to each request head until the test process ends; returns the URL.
pub(crate) fn serve(answer: impl Fn(&str) -> Canned + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // A client may disconnect before the answer.
        for mut stream in listener.incoming().flatten() {
            let _ = exchange(&mut stream, &answer);
        }
    });
    url
}

fn exchange(stream: &mut TcpStream, answer: impl Fn(&str) -> Canned) -> std::io::Result<()> {
    let mut lines = BufReader::new(&*stream).lines();
    let mut head = String::new();
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        head = head + &line + "\n";
    }
    if head.is_empty() {
        return Ok(());
    }
    let Canned { status, headers, body } = answer(&head);
    write!(stream, "HTTP/1.1 {status} Canned\r\n")?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
