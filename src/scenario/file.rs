//! The sections of a scenario file and their keys. `docs/scenario.md` explains them.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::Diagnostics;
use super::field::{ReadValue, ScenarioField, TableEntries};
use super::leaf::{
    ConnectionSetting, CookieScope, HostName, HttpVersion, IpFamily, JsonNumber, JsonTemplate,
    MissingPolicy, PatternText, PlainText, RampRate, RequestWeight, ResolveEntry, SqlText,
    StartTime, StatusList,
};
use super::section::SectionReader;
use super::section_schema::{self, SchemaKey};
use super::template::Template;
use crate::record::{
    AlertFormat, AlertRule, BreakerPolicy, Budget, GateRequirement, JsonType, OnInconclusive,
    RowOrder, StopEarly,
};
use crate::units::{ByteSize, MachineSize, Rate};

/// Marks a key that its section must have.
const REQUIRED: bool = true;

/// Declares a section: its fields are its keys, each with the type of its value. Editors show the
/// doc comments of the keys, so they are written for the author of a scenario.
macro_rules! section {
    (
        $(#[doc = $about:literal])* $title:literal
        $name:ident { $($(#[doc = $doc:literal])* $key:ident: $kind:ty $(= $required:ident)?,)* }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name { $($(#[doc = $doc])* pub $key: ScenarioField<$kind>,)* }

        impl $name {
            const KEYS: &[&str] = &[$(stringify!($key)),*];
        }

        impl ReadValue for $name {
            fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
                let section = SectionReader::open($title, Self::KEYS, &SECTIONS, value, diagnostics)?;
                Some(Self { $($key: section.field(stringify!($key), diagnostics),)* })
            }

            fn schema(generator: &mut SchemaGenerator) -> Schema {
                Self::json_schema(generator)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                section_schema::section(concat!($($about),*), [$(SchemaKey {
                    name: stringify!($key),
                    about: concat!($($doc),*),
                    is_required: false $(|| $required)?,
                    value: generator.subschema_for::<ScenarioField<$kind>>(),
                }),*])
            }
        }
    };
}

pub(crate) use section;

section! {
    /// A load test or a smoke check: what to send, where and when, what responses must be, and
    /// which budgets judge the run.
    "the file" ScenarioFile {
        /// The name of the scenario: 1 to 80 characters. All scenarios of one run have different
        /// names.
        name: PlainText = REQUIRED,
        /// What the scenario is for.
        description: PlainText,
        /// What must hold for each request: `p95 < 300ms`, `p99(first_byte) < 200ms`,
        /// `p95 < baseline + 10%`, `max < 1s`, `errors < 0.5%`, `errors = 0`, `dropped = 0`.
        budgets: Vec<ScenarioField<Budget>>,
        /// Variables whose values may be shown. The values of all other variables are secret.
        public: Vec<ScenarioField<PlainText>>,
        /// The seed of the draws among weighted requests and of shuffled data rows. The same seed
        /// gives the same draws. Default: 0.
        seed: u64,
        /// Where requests go, and how the connection is made.
        target: TargetSection,
        /// The databases that `sql` steps query: a name for each, and its URL,
        /// `postgresql://user:password@host:port/database`.
        databases: TableEntries<Template>,
        /// Headers that every request sends.
        headers: TableEntries<Template>,
        /// Which cookies requests send. With `arrival`, each arrival starts without cookies and
        /// sends those that its own answers set. With `setup`, it starts with those that the
        /// answers to `[[setup]]` set. Default: none.
        cookies: CookieScope,
        /// Steps that run once, before the warm-up: log in, make a fixture. All arrivals use the
        /// values that they capture. They enter no figure.
        setup: Vec<ScenarioField<RequestSection>>,
        /// Steps that run once, after the load, even if it was interrupted: log out, remove a
        /// fixture. They use the values that `[[setup]]` captures. They enter no figure.
        teardown: Vec<ScenarioField<RequestSection>>,
        /// The requests of one arrival. They run in this order, over one connection.
        request: Vec<ScenarioField<RequestSection>> = REQUIRED,
        /// When requests are sent. Default: exactly once.
        load: LoadSection,
        /// A file with rows of values. Each arrival uses one row, as `${{data.column}}`.
        data: DataSection,
        /// What is sent before the measured stage. Default: one arrival over each connection.
        warmup: WarmupSection,
        /// What the verdict has to hold against, and what it does to the exit code.
        gate: GateSection,
        /// Who is told when runs of this scenario fail, and when it holds again.
        alert: AlertSection,
        /// Which earlier runs make the baseline of budgets such as `p95 < baseline + 10%`.
        baseline: BaselineSection,
        /// The Fly machines that serve the requests, if their CPUs are shared: `check`, `doctor`
        /// and reports then say when the load spends their CPU quota.
        machine: MachineSection,
    }
}

section! {
    /// The Fly machines that serve the requests. It changes nothing on them.
    "[machine]" MachineSection {
        /// The size of each machine: `shared-cpu-1x`, `performance-2x`.
        size: MachineSize = REQUIRED,
        /// How many machines share the load. Default: 1.
        count: u32,
        /// The CPU time that one request takes. Default: what the newest tuning session of this
        /// scenario measured.
        cpu_per_request: Duration,
    }
}

section! {
    /// Where requests go, and how the connection is made.
    "[target]" TargetSection {
        /// The scheme and host, with an optional port and path. A user name, a query and a fragment
        /// are not allowed. `http+unix://%2Frun%2Fapp.sock` names a Unix socket by its path.
        base_url: Template,
        /// The HTTP version. `auto` (the default) lets the target choose over TLS, with HTTP/2
        /// offered first, and uses HTTP/1.1 without TLS. With `1.1` or `2`, a target that does not
        /// speak that version fails.
        http: HttpVersion,
        /// A PEM file with the only certificate authorities to trust, relative to the folder of the
        /// scenario. Default: those of the system.
        tls_ca: PlainText,
        /// Whether to accept any certificate. Every report then says so. Default: false.
        insecure: bool,
        /// A PEM file with the client certificate and its chain, relative to the folder of the
        /// scenario. Needs `tls_key`.
        tls_cert: PlainText,
        /// A PEM file with the private key of `tls_cert`, relative to the folder of the scenario.
        /// It may be the same file.
        tls_key: PlainText,
        /// The HTTP proxy that connections go through: `http://HOST:PORT`, or
        /// `http://USER:${PASSWORD}@HOST:PORT`. Default: none.
        proxy: Template,
        /// Use only addresses of this IP version. Default: both versions.
        ip: IpFamily,
        /// Addresses to use for a name instead of looking it up, in curl's notation:
        /// `HOST:PORT:ADDRESS[,ADDRESS]`.
        resolve: Vec<ScenarioField<ResolveEntry>>,
        /// How old the addresses of a name may be before it is looked up again in the background.
        /// With `0s`, every new connection looks the name up itself. Default: 30s.
        dns_refresh: Duration,
        /// Whether TLS sessions are resumed. Otherwise every handshake is a full one. Default:
        /// false.
        tls_resumption: bool,
        /// Hosts that redirects may lead to, in addition to the host of the base URL.
        allow_hosts: Vec<ScenarioField<HostName>>,
        /// How long an exchange may take, including opening a connection. Default: 10s.
        timeout: Duration,
        /// How long the name lookup may take. Default: `timeout`.
        dns_timeout: Duration,
        /// How long the TCP handshake may take. Default: `timeout`.
        connect_timeout: Duration,
        /// How long the TLS handshake may take. Default: `timeout`.
        tls_timeout: Duration,
        /// How long the first byte of the response may take. Default: `timeout`.
        first_byte_timeout: Duration,
    }
}

section! {
    /// One request of an arrival.
    "[[request]]" RequestSection {
        /// The name of the request. It is unique within the scenario.
        name: PlainText = REQUIRED,
        /// How often this request is sent in relation to the others. With a weight at any request,
        /// each arrival sends only one request, which is drawn. Default: 1.
        weight: RequestWeight,
        /// The HTTP method. Default: GET.
        method: Method,
        /// The path, with an optional query, that is appended to the base URL. It starts with `/`.
        path: Template,
        /// A complete URL instead of a path, for a request that does not go to the base URL.
        url: Template,
        /// One SQL statement instead of a path. It runs in a read-only transaction unless `writes`
        /// is set.
        sql: SqlText,
        /// Which of `databases` runs the statement. Default: the only one.
        database: PlainText,
        /// The values of `$1`, `$2` … in the statement. They are sent as text: write `$1::bigint`
        /// for another type.
        values: Vec<ScenarioField<Template>>,
        /// Whether the statement may write. It must then end with `returning …`. Default: false.
        writes: bool,
        /// Headers of this request. They replace headers of the same name in `[headers]`.
        headers: TableEntries<Template>,
        /// The body, sent as it is written.
        body: Template,
        /// The body as JSON. `Content-Type: application/json` is sent unless that header is
        /// written.
        body_json: JsonTemplate,
        /// A file whose content is sent as the body, relative to the folder of the scenario.
        body_file: PlainText,
        /// How many redirects to follow, at most 20. Default: none.
        redirects: u32,
        /// Budgets that judge only this request, in addition to those at the top of the file.
        budgets: Vec<ScenarioField<Budget>>,
        /// Tries again after a failure.
        retry: RetrySection,
        /// Tries again until the response is as expected.
        poll: PollSection,
        /// The outcome if the response is not as expected because the resource does not exist (404,
        /// no such table, no row). `report` prevents a pass, `accept` does not. Default: a failure.
        when_absent: MissingPolicy,
        /// The outcome if a variable that the request needs is not set. `report` prevents a pass,
        /// `accept` does not. Default: an error before anything is sent.
        when_unconfigured: MissingPolicy,
        /// What the response must be. Default: any 2xx status.
        expect: ExpectSection,
        /// Values to take from the response. Later requests use them by these names.
        capture: TableEntries<CaptureSection>,
        /// Whether to hide the headers, the body and the rows of the response when it is not as
        /// expected. Default: false.
        sensitive: bool,
    }
}

section! {
    /// Tries again after a failure.
    "retry" RetrySection {
        /// The maximum number of further tries.
        times: u32 = REQUIRED,
        /// The pause before each further try. Default: none.
        after: Duration,
    }
}

section! {
    /// Tries again until the response is as expected or the time is over.
    "poll" PollSection {
        /// The pause between two tries.
        every: Duration = REQUIRED,
        /// How long all tries together may take.
        within: Duration = REQUIRED,
    }
}

section! {
    /// What a response must be.
    "[request.expect]" ExpectSection {
        /// One status, or a list of statuses. Default: any 2xx.
        status: StatusList,
        /// Whether the response must be a denial, 401 or 403. Use it instead of `status`.
        denied: bool,
        /// The URL that the response comes from: a path, appended to the base URL like that of a
        /// request, or a complete URL.
        final_url: Template,
        /// Headers and their exact values.
        headers: TableEntries<Template>,
        /// Headers and regular expressions that must match part of their values.
        header_matches: TableEntries<PatternText>,
        /// Texts that the body must contain, byte for byte.
        body_contains: Vec<ScenarioField<Template>>,
        /// Texts that the body must not contain.
        body_lacks: Vec<ScenarioField<Template>>,
        /// Regular expressions that must match part of the body.
        body_matches: Vec<ScenarioField<PatternText>>,
        /// Values of a JSON body, by JSON pointer (RFC 6901).
        json: TableEntries<JsonTemplate>,
        /// Values that a JSON body must not have, by JSON pointer. The pointer must exist.
        json_not: TableEntries<JsonTemplate>,
        /// The types of values of a JSON body, by JSON pointer.
        json_type: TableEntries<JsonType>,
        /// The smallest allowed numbers of a JSON body, by JSON pointer. A string that holds a
        /// number counts as that number.
        json_at_least: TableEntries<JsonNumber>,
        /// The largest allowed numbers of a JSON body, by JSON pointer. A string that holds a
        /// number counts as that number.
        json_at_most: TableEntries<JsonNumber>,
        /// Regular expressions that must match part of the strings of a JSON body, by JSON pointer.
        json_matches: TableEntries<PatternText>,
        /// The exact number of rows that a query returns.
        rows: u64,
        /// The smallest number of rows that a query returns.
        rows_at_least: u64,
        /// What is wrong if the response is not as expected, in your own words: `anon can read
        /// rows`. Messages and reports begin with it.
        because: PlainText,
        /// The largest allowed body, both as it is sent and as it is decoded. Default: 4 MiB.
        max_body: ByteSize,
    }
}

section! {
    /// Where a value of a response is found: one of `header`, `json` and `regex`, or `header` with
    /// `regex`.
    "a capture" CaptureSection {
        /// The header whose value is captured. With `regex`, the part of it that matches.
        header: PlainText,
        /// The JSON pointer (RFC 6901) of the value to capture from a JSON body.
        json: PlainText,
        /// The regular expression whose first match in the body is captured: the first group, or
        /// the whole match if there is no group. With `header`, the first match in the lines of
        /// that header.
        regex: PatternText,
        /// The value to use if none is found. Without a default, the response is not as expected.
        default: PlainText,
        /// Whether the value may be shown. Captured values are secret otherwise. Default: false.
        public: bool,
    }
}

section! {
    /// When requests are sent: `arrival_rate` or `stages` (open), `connections` alone (closed), or
    /// `once`.
    "[load]" LoadSection {
        /// Arrivals at a constant rate. Needs `duration`.
        arrival_rate: Rate,
        /// The rate at which `stages` start. Default: 0/s.
        start_rate: RampRate,
        /// Arrivals at a rate that changes linearly in each ramp step.
        stages: Vec<ScenarioField<RampStepSection>>,
        /// Makes arrivals random (Poisson) around the given rate.
        poisson: PoissonSection,
        /// Sends the arrivals of each period of this length together, at its start. A part of
        /// 10ms, such as 1ms. Default: each arrival when it is due.
        batch_every: Duration,
        /// How many connections are open from the start (default 16); without a rate, how many
        /// connections send. With `fresh`, every arrival opens its own connection.
        connections: ConnectionSetting,
        /// The maximum number of open connections. An arrival that finds no free connection opens
        /// another one up to this limit. Default: the value of `connections`, so that arrivals
        /// wait. With `connections = "fresh"`, default: 16.
        max_connections: u32,
        /// How many exchanges share one connection at a time. Needs `http = "2"`. Default: 1.
        streams: u32,
        /// How long requests are sent.
        duration: Duration,
        /// The total number of arrivals of a closed load.
        iterations: u64,
        /// Sends exactly one arrival. A scenario without `[load]` does this.
        once: bool,
        /// Repeats the run at this period, 1s to 24h. Each repetition is a run of its own.
        every: Duration,
    }
}

section! {
    /// One ramp step: a linear change of the rate.
    "a stage" RampStepSection {
        /// How long the rate takes to change. With `0s` it jumps.
        duration: Duration = REQUIRED,
        /// The rate at the end of the ramp step.
        rate: RampRate = REQUIRED,
    }
}

section! {
    /// Random arrivals (Poisson).
    "poisson" PoissonSection {
        /// The seed of the random numbers. The same seed gives the same arrivals.
        seed: u64 = REQUIRED,
    }
}

section! {
    /// A file with rows of values. Each arrival uses one row, as `${{data.column}}`.
    "[data]" DataSection {
        /// A CSV file (`.csv`) with a header line, or a file with one JSON object a line (`.jsonl`,
        /// `.ndjson`), relative to the folder of the scenario.
        file: PlainText = REQUIRED,
        /// The order in which arrivals use the rows. `sequential` (the default) starts again after
        /// the last row, `shuffle` does so in a random order, and `once` uses each row at most
        /// once.
        order: RowOrder,
        /// Columns whose values may be shown. The values of all other columns are secret.
        public: Vec<ScenarioField<PlainText>>,
    }
}

section! {
    /// What is sent before the measured stage. It is recorded separately and never judged.
    "[warmup]" WarmupSection {
        /// How many connections to open. Default: those of the load.
        connections: u32,
        /// How many arrivals to send over them; 0 for no warm-up. Default: one for each connection.
        requests: u64,
    }
}

section! {
    /// What the verdict has to hold against, and what it does to the exit code.
    "[gate]" GateSection {
        /// The longest stall of the target that a verdict has to hold against, 10ms to 10m. Budgets
        /// are decided by blocks of this length: a p95 needs 67 of them, a p99 342. Default: from
        /// 50ms to 1s, so that the run has 9 blocks for each block that the strictest budget lets
        /// exceed.
        stalls: Duration,
        /// What an inconclusive verdict does to the exit code. With `exit-3` (the default) it is 3,
        /// with `fail` 1, with `warn` 0 and a warning. `extend 60s` measures for up to that much
        /// longer first.
        on_inconclusive: OnInconclusive,
        /// Which proven verdicts end the measured stage early: `fail` (the default), `both`, or
        /// `never`.
        stop_early: StopEarly,
        /// How many runs of this plan must fail in a row until the exit code is 1, up to 100.
        /// Earlier runs are read from the runs folder and from the database. If they cannot be
        /// read, a failed run counts. Default: 1.
        fail_after: u32,
        /// Whether the evidence against the target is carried from run to run, so that an
        /// inconclusive run does not discard it. Default: false.
        carry: bool,
        /// What must be true of a run for a pass: `commit`, `deploy`, `environment` or `tag:KEY` is
        /// known, or the step or scenario of this name was measured.
        require: Vec<ScenarioField<GateRequirement>>,
        /// How long a target may give no answer at all until the run ends, 1s to 10m; `off` to
        /// measure to the end. Default: 3s.
        breaker: BreakerPolicy,
    }
}

section! {
    /// Who is told when runs of this scenario fail, and when it holds again.
    "[alert]" AlertSection {
        /// How many of the newest runs of this scenario in this environment must fail until one
        /// message is sent, such as `2 of 3`. Another one is sent when that is no longer so and the
        /// newest run passed. An inconclusive run does not count.
        after: AlertRule = REQUIRED,
        /// The `http` or `https` URL that the message is posted to. It is secret as a whole.
        webhook: Template,
        /// The form of the message: `slack`, which is `{"text": …}`, or `json`, which has every
        /// fact as a field. Default: `slack` for a webhook, `json` for a command.
        format: AlertFormat,
        /// A program and its arguments, which gets the message on stdin. A program with a `/` in
        /// its name is relative to the folder of the scenario.
        command: Vec<ScenarioField<PlainText>>,
    }
}

section! {
    /// Which earlier runs make the baseline of budgets such as `p95 < baseline + 10%`: the newest
    /// that passed, of the same scenario, environment, connections, load and warm-up.
    "[baseline]" BaselineSection {
        /// How many runs, 5 to 100. Default: 10.
        runs: u32,
        /// The day (in UTC) or time from which on the first runs are taken, instead of the newest.
        /// The baseline then stays where it is, and does not follow a target that becomes slower.
        since: StartTime,
    }
}

/// Every section and its keys. Diagnostics use them to say where a misplaced key belongs.
const SECTIONS: [(&str, &[&str]); 16] = [
    ("the top of the file, above the first [section]", ScenarioFile::KEYS),
    ("[target]", TargetSection::KEYS),
    ("[load]", LoadSection::KEYS),
    ("[data]", DataSection::KEYS),
    ("[warmup]", WarmupSection::KEYS),
    ("[gate]", GateSection::KEYS),
    ("[alert]", AlertSection::KEYS),
    ("[baseline]", BaselineSection::KEYS),
    ("[machine]", MachineSection::KEYS),
    ("[[request]]", RequestSection::KEYS),
    ("[request.expect]", ExpectSection::KEYS),
    ("a capture", CaptureSection::KEYS),
    ("retry", RetrySection::KEYS),
    ("poll", PollSection::KEYS),
    ("a stage", RampStepSection::KEYS),
    ("poisson", PoissonSection::KEYS),
];
