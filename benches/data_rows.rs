//! What does it cost to send a row of a data file with each request?
//!
//! One process sends requests as fast as a bare server, in a process of its own, answers them: with
//! a fixed path and header, and with both filled from one of a million rows, in order or shuffled.
//! They take turns. The bench compares the processor time of the sender per request.
//!
//! `cargo bench --bench data_rows` takes about a minute. It exits with 1 if the rows cost more than
//! 3 % of a request. `-- 20000` sends 20,000 requests a turn instead of 100,000. It runs on Unix
//! only.

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
use tollgate::plan::{Environment, Plan, PlanOverrides};
use tollgate::record::Interval;
use tollgate::scenario::Scenario;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const ROWS: u64 = 1_000_000;
const REQUESTS: u64 = 100_000;
const TURNS: usize = 9;
/// How much more processor time a request with a row may cost.
const BOUND: f64 = 1.03;
/// The argument that makes this program the server.
const SERVE: &str = "--serve";

fn main() -> Result<ExitCode> {
    if std::env::args().any(|argument| argument == SERVE) {
        serve()?;
    }
    // `cargo test --benches` asks for a list or a quick pass.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let requests = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(REQUESTS);
    let folder = tempfile::tempdir()?;
    write_rows(&folder.path().join("rows.csv"))?;
    let server = Server::start()?;
    let plan = |data: &str, id: &str, user: &str| {
        let text = scenario(&server.base_url, requests, data, id, user);
        plan(&folder.path().join("bench.toml"), &text)
    };
    let fixed = plan("", "item-500000", "user-500000@example.org")?;
    let read_at = clock_gettime(ClockId::ProcessCPUTime);
    let with_rows = |order: &str| {
        let data = format!("[data]\nfile = \"rows.csv\"\norder = \"{order}\"\n");
        plan(&data, "${{data.id}}", "${{data.user}}")
    };
    let in_order = with_rows("sequential")?;
    println!("{ROWS} rows were read in {:.2} s of processor time\n", seconds_since(read_at));
    let shuffled = with_rows("shuffle")?;

    let mut micros = [(); 3].map(|()| Vec::new());
    for _ in 0..TURNS {
        for (plan, micros) in [&fixed, &in_order, &shuffled].into_iter().zip(&mut micros) {
            micros.push(processor_time(plan)? / requests as f64 * 1e6);
        }
    }
    let [fixed, in_order, shuffled] = micros.map(median);
    println!("| processor time of a request | µs | ratio, {BOUND} allowed |\n|---|--:|--:|");
    println!("| fixed | {fixed:.2} | |");
    for (what, micros) in [("rows in order", in_order), ("rows shuffled", shuffled)] {
        println!("| {what} | {micros:.2} | {:.3} |", micros / fixed);
    }
    let holds = in_order.max(shuffled) / fixed <= BOUND;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_rows(path: &Path) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "id,user")?;
    for row in 0..ROWS {
        writeln!(file, "item-{row:06},user-{row:06}@example.org")?;
    }
    Ok(file.flush()?)
}

fn scenario(base_url: &str, requests: u64, data: &str, id: &str, user: &str) -> String {
    format!(
        "name = \"bench\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"{base_url}\"\n{data}\
         [[request]]\nname = \"item\"\npath = \"/items/{id}?full=1\"\nheaders = {{ x-user = \"{user}\" }}\n\
         [load]\nconnections = 32\niterations = {requests}\n"
    )
}

fn plan(path: &Path, text: &str) -> Result<Plan> {
    let scenario = Scenario::parse(&path.display().to_string(), text)?;
    Ok(Plan::resolve(&[scenario], &Environment::new([]), &PlanOverrides::default())?.0)
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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
    let limit = Duration::from_mins(10);
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
