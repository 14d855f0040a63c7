//! What does it cost to send a row of a data file with each request?
//!
//! One process sends requests to a bare server in a process of its own: with a fixed path and
//! header, and with both filled from one of a million rows, in order or shuffled. It does so in the
//! closed model, as fast as the server answers, and in the open model at 2,000 requests a second.
//! The bench compares the processor time of the sender per request.
//!
//! The three plans run in rotation, so that each is first, second and third equally often. Each
//! round yields one ratio per plan. Their median depends little on what else the machine does. The
//! open model waits with timers alone: spinning would hide a part of the difference.
//!
//! `cargo bench --bench data_rows` takes about five minutes. It exits with 1 if a row costs more
//! than 3 % of a request. `-- 20000` sends 20,000 requests a closed turn instead of 100,000, and
//! `-- closed` or `-- open` measures one model. It runs on Unix only.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]

use std::error::Error;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tollgate::engine::{Continuation, Engine, Observer, RunProgress, stop_channel};
use tollgate::plan::{Environment, PacingMode, Plan, PlanOverrides};
use tollgate::record::Interval;
use tollgate::scenario::Scenario;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROWS: u64 = 1_000_000;
const TURNS: usize = 15;
/// Requests of a turn in the closed model.
const REQUESTS: u64 = 100_000;
/// Requests of a turn in the open model: five seconds at 2,000/s.
const OPEN_REQUESTS: u64 = 10_000;
/// How much more processor time a request with a row may cost.
const BOUND: f64 = 1.03;
/// The argument that makes this program the server.
const SERVE: &str = "--serve";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if has(SERVE) {
        serve()?;
    }
    // `cargo test --benches` asks for a list or a quick pass.
    if !has("--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let closed = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(REQUESTS);
    let folder = tempfile::tempdir()?;
    write_rows(&folder.path().join("rows.csv"))?;
    let server = Server::start()?;
    println!("| processor time of a request | µs | ratio | middle half of {TURNS} | allowed |");
    println!("|---|--:|--:|--:|--:|");
    let mut worst = f64::MIN;
    for (model, requests, load) in [
        ("closed", closed, format!("iterations = {closed}")),
        ("open", OPEN_REQUESTS, "arrival_rate = \"2000/s\"\nduration = \"5s\"".to_owned()),
    ] {
        if (has("closed") || has("open")) && !has(model) {
            continue;
        }
        let plans = plans(folder.path(), &server.base_url, &load)?;
        worst = worst.max(compare(model, requests, &plans)?);
    }
    Ok(if worst <= BOUND { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The plans that take turns: with a fixed request, with rows in order, with shuffled rows.
fn plans(folder: &Path, base_url: &str, load: &str) -> Result<[Plan; 3]> {
    let plan = |data: &str, id: &str, user: &str| {
        plan(&folder.join("bench.toml"), &scenario(base_url, load, data, id, user))
    };
    let with_rows = |order: &str| {
        let data = format!("[data]\nfile = \"rows.csv\"\norder = \"{order}\"\n");
        plan(&data, "${{data.id}}", "${{data.user}}")
    };
    let fixed = plan("", "item-500000", "user-500000@example.org")?;
    Ok([fixed, with_rows("sequential")?, with_rows("shuffle")?])
}

/// Prints what the plans cost, the first of which sends no rows; returns the largest ratio.
fn compare(model: &str, requests: u64, plans: &[Plan; 3]) -> Result<f64> {
    let mut micros = [(); 3].map(|()| Vec::new());
    for turn in 0..TURNS {
        for place in 0..plans.len() {
            let case = (turn + place) % plans.len();
            micros[case].push(processor_time(&plans[case])? / requests as f64 * 1e6);
        }
    }
    println!("| {model}, fixed | {:.2} | | | |", quartiles(&micros[0])[1]);
    let mut worst = f64::MIN;
    for (what, micros_of_rows) in ["rows in order", "rows shuffled"].iter().zip(&micros[1..]) {
        let ratios = micros_of_rows.iter().zip(&micros[0]).map(|(rows, fixed)| rows / fixed);
        let [low, ratio, high] = quartiles(&ratios.collect::<Vec<_>>());
        let micros = quartiles(micros_of_rows)[1];
        println!("| {model}, {what} | {micros:.2} | {ratio:.3} | {low:.3} – {high:.3} | {BOUND} |");
        worst = worst.max(ratio);
    }
    Ok(worst)
}

fn write_rows(path: &Path) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "id,user")?;
    for row in 0..ROWS {
        writeln!(file, "item-{row:06},user-{row:06}@example.org")?;
    }
    Ok(file.flush()?)
}

fn scenario(base_url: &str, load: &str, data: &str, id: &str, user: &str) -> String {
    format!(
        "name = \"bench\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{base_url}\"\n{data}\
         [[request]]\nname = \"item\"\npath = \"/items/{id}?full=1\"\nheaders = {{ x-user = \"{user}\" }}\n\
         [load]\nconnections = 32\n{load}\n"
    )
}

fn plan(path: &Path, text: &str) -> Result<Plan> {
    let scenario = Scenario::parse(&path.display().to_string(), text)?;
    let plan = Plan::resolve(&[scenario], &Environment::new([]), &PlanOverrides::default())?.0;
    Ok(Plan { pacing: PacingMode::Sleep, ..plan })
}

/// Processor time of this process for one run of a plan, in seconds.
fn processor_time(plan: &Plan) -> Result<f64> {
    let before = clock_gettime(ClockId::ProcessCPUTime);
    let (_stop, signal) = stop_channel();
    Engine::prepare(plan)?.run(&mut Nobody, signal)?;
    Ok(seconds_since(before))
}

fn seconds_since(before: rustix::time::Timespec) -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    (now.tv_sec - before.tv_sec) as f64 + (now.tv_nsec - before.tv_nsec) as f64 / 1e9
}

fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| sorted[(sorted.len() - 1) * quarter / 4])
}

struct Nobody;

impl Observer for Nobody {
    fn settled(
        &mut self,
        _: &Interval,
    ) -> std::result::Result<Continuation, Box<dyn Error + Send + Sync>> {
        Ok(Continuation::Continue)
    }

    fn progress(&mut self, _: &RunProgress) {}
}

/// The bare server, ended on drop.
struct Server {
    child: Child,
    base_url: String,
}

impl Server {
    fn start() -> Result<Self> {
        let mut child =
            Command::new(std::env::current_exe()?).arg(SERVE).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { child, base_url: format!("http://{}", line.trim()) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers each request with the same bytes, without reading what it asks for.
fn serve() -> Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The parent process ends the server; this is for a parent that was killed.
    let limit = Duration::from_mins(30);
    let accepting = async { tokio::time::timeout(limit, accept(listener)).await };
    LocalSet::new().block_on(&runtime, accepting)??;
    Ok(())
}

async fn accept(listener: std::net::TcpListener) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::task::spawn_local(repeat(stream));
    }
}

async fn repeat(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}", ".".repeat(1024));
    let mut request = vec![0; 8192];
    while stream.read(&mut request).await? > 0 {
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
