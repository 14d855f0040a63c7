//! The sections of a scenario file and their keys, as `docs/scenario.md` explains them.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::Diagnostics;
use super::field::{Field, ReadValue, TableEntries};
use super::leaf::{
    ConnectionSetting, HostName, HttpVersion, IpFamily, JsonNumber, JsonTemplate, MissingPolicy,
    PatternText, PlainText, RampRate, ResolveEntry, SqlText, StatusList,
};
use super::section::SectionReader;
use super::section_schema::{self, SchemaKey};
use super::template::Template;
use crate::record::{Budget, JsonType};
use crate::units::{ByteSize, Rate};

/// What stands behind a key that every such section has.
const REQUIRED: bool = true;

/// Declares a section: its fields are its keys, each with the type of its value. What is said of them here is what
/// editors show.
macro_rules! section {
    (
        $(#[doc = $about:literal])* $title:literal
        $name:ident { $($(#[doc = $doc:literal])* $key:ident: $kind:ty $(= $required:ident)?,)* }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name { $($(#[doc = $doc])* pub $key: Field<$kind>,)* }

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
                    value: generator.subschema_for::<Field<$kind>>(),
                }),*])
            }
        }
    };
}

section! {
    /// What is sent where and when, what the answers must be, and by what the result is judged.
    "the file" ScenarioFile {
        /// The scenario's name: 1 to 80 characters; the scenarios of one run have different names.
        name: PlainText = REQUIRED,
        /// What it is for.
        description: PlainText,
        /// What must hold for each request: `p95 < 300ms`, `p99(first_byte) < 200ms`, `max < 1s`, `errors < 0.5%`,
        /// `errors = 0`, `dropped = 0`.
        budgets: Vec<Field<Budget>>,
        /// Variables whose values may be shown; those of all others are secrets.
        public: Vec<Field<PlainText>>,
        /// Where requests go, and on what terms.
        target: TargetSection,
        /// Databases that `sql` steps ask, by name, each with its URL: `postgresql://user:password@host:port/database`.
        databases: TableEntries<Template>,
        /// Headers of every request.
        headers: TableEntries<Template>,
        /// The requests of one arrival, in order, over one connection.
        request: Vec<Field<RequestSection>> = REQUIRED,
        /// When requests are sent; exactly once unless written.
        load: LoadSection,
        /// What is sent before measuring; one arrival over each connection unless written.
        warmup: WarmupSection,
    }
}

section! {
    /// Where requests go, and on what terms.
    "[target]" TargetSection {
        /// Scheme, host and perhaps a port and a path; without user name, query and fragment.
        base_url: Template,
        /// The version of HTTP. `auto` (the default): over TLS what the target chooses, HTTP/2 first; plain HTTP/1.1.
        /// A target that does not speak what is asked for fails.
        http: HttpVersion,
        /// A PEM file, seen from the scenario's folder, of the only certificates to believe. Default: the system's.
        tls_ca: PlainText,
        /// Whether any certificate is believed; said loudly in every output. Default: false.
        insecure: bool,
        /// A PEM file, seen from the scenario's folder: the certificate that the prober shows, with its chain.
        /// Needs `tls_key`.
        tls_cert: PlainText,
        /// A PEM file, seen from the scenario's folder: the private key of `tls_cert`; may be the same file.
        tls_key: PlainText,
        /// Use addresses of this version of IP alone. Default: both.
        ip: IpFamily,
        /// Addresses of names, given instead of looked up, in curl's notation: `HOST:PORT:ADDRESS[,ADDRESS]`.
        resolve: Vec<Field<ResolveEntry>>,
        /// How old the addresses found for a name may be before it is looked up again, in the background; `0s` looks it
        /// up for each connection, on its way. Default: 30s.
        dns_refresh: Duration,
        /// Whether TLS sessions are resumed; each handshake is a full one otherwise. Default: false.
        tls_resumption: bool,
        /// Hosts that redirects may lead to, beside that of the base URL.
        allow_hosts: Vec<Field<HostName>>,
        /// How long an exchange may take, opening a connection included. Default: 10s.
        timeout: Duration,
        /// How long looking up the name may take. Default: `timeout`.
        dns_timeout: Duration,
        /// How long the TCP handshake may take. Default: `timeout`.
        connect_timeout: Duration,
        /// How long the TLS handshake may take. Default: `timeout`.
        tls_timeout: Duration,
        /// How long the answer's first byte may take. Default: `timeout`.
        first_byte_timeout: Duration,
    }
}

section! {
    /// One request of an arrival.
    "[[request]]" RequestSection {
        /// Its name; different from the others of the scenario.
        name: PlainText = REQUIRED,
        /// Its method. Default: GET.
        method: Method,
        /// Path and perhaps query, appended to the base URL; begins with `/`.
        path: Template,
        /// A whole URL instead of a path, where the request goes elsewhere than to the base URL.
        url: Template,
        /// One SQL statement instead of a path, carried out in a transaction that only reads.
        sql: SqlText,
        /// Which of `databases` carries the statement out. Default: the only one.
        database: PlainText,
        /// What stands for `$1`, `$2` … in the statement, as text: `$1::bigint` where another type is meant.
        values: Vec<Field<Template>>,
        /// Whether the statement may write; it then ends with `returning …`. Default: false.
        writes: bool,
        /// Its own headers; they replace those of `[headers]` that have the same name.
        headers: TableEntries<Template>,
        /// Its body, as it is.
        body: Template,
        /// Its body as JSON; sends `Content-Type: application/json` unless that header is written.
        body_json: JsonTemplate,
        /// Its body, from a file seen from the scenario's folder, as it is.
        body_file: PlainText,
        /// How many redirects are followed, at most 20. Default: none.
        redirects: u32,
        /// Budgets that this request alone is judged by, beside those at the top.
        budgets: Vec<Field<Budget>>,
        /// Tries again after a failure.
        retry: RetrySection,
        /// Tries again and again until the answer is as expected.
        poll: PollSection,
        /// What it comes to where the answer is not as expected because what was asked for is not there (404; no such
        /// table, no row): `report` holds a pass up, `accept` does not. Default: a failure.
        when_absent: MissingPolicy,
        /// What it comes to where a variable that it needs is not set: `report` holds a pass up, `accept` does not. Default:
        /// an error before anything is sent.
        when_unconfigured: MissingPolicy,
        /// What its answer must be; any status of 2xx will do unless written.
        expect: ExpectSection,
        /// What is taken from its answer, by names that later requests know it by.
        capture: TableEntries<CaptureSection>,
        /// Whether nothing of its answer's body may be shown where it is not the expected one. Default: false.
        sensitive: bool,
    }
}

section! {
    /// Tries again after a failure.
    "retry" RetrySection {
        /// How often, at most.
        times: u32 = REQUIRED,
        /// The pause before each of them. Default: none.
        after: Duration,
    }
}

section! {
    /// Tries again and again until the answer is as expected, or the time is over.
    "poll" PollSection {
        /// The pause between two tries.
        every: Duration = REQUIRED,
        /// How long it may take in all.
        within: Duration = REQUIRED,
    }
}

section! {
    /// What an answer must be.
    "[request.expect]" ExpectSection {
        /// One status, or a list of statuses. Default: any 2xx.
        status: StatusList,
        /// Whether the answer must be a denial, 401 or 403, in place of a status.
        denied: bool,
        /// The URL that the answer comes from: a path, taken like a request's, or a whole URL.
        final_url: Template,
        /// Headers and their exact values.
        headers: TableEntries<Template>,
        /// Headers and regular expressions that are found in their values.
        header_matches: TableEntries<PatternText>,
        /// Texts that the body contains, byte by byte.
        body_contains: Vec<Field<Template>>,
        /// Texts that the body does not contain.
        body_lacks: Vec<Field<Template>>,
        /// Regular expressions that are found in the body.
        body_matches: Vec<Field<PatternText>>,
        /// Values of a JSON body by their JSON pointers (RFC 6901).
        json: TableEntries<JsonTemplate>,
        /// Places of a JSON body that hold another value than this one.
        json_not: TableEntries<JsonTemplate>,
        /// Places of a JSON body and the types of their values.
        json_type: TableEntries<JsonType>,
        /// Places of a JSON body that hold this number or a larger one; it may stand in a text.
        json_at_least: TableEntries<JsonNumber>,
        /// Places of a JSON body that hold this number or a smaller one; it may stand in a text.
        json_at_most: TableEntries<JsonNumber>,
        /// Places of a JSON body that hold texts, and regular expressions that are found in them.
        json_matches: TableEntries<PatternText>,
        /// How many rows a query yields.
        rows: u64,
        /// How many rows a query yields at least.
        rows_at_least: u64,
        /// The largest body that will do, as it is sent and as it is decoded. Default: 4 MiB.
        max_body: ByteSize,
    }
}

section! {
    /// Where a value is found that is taken from an answer: exactly one of `header`, `json` and `regex`.
    "a capture" CaptureSection {
        /// The header whose value is taken.
        header: PlainText,
        /// The place of a JSON body, by its JSON pointer (RFC 6901), whose value is taken.
        json: PlainText,
        /// The regular expression whose first group is taken, where it is first found in the body; all that is found
        /// where it has no group.
        regex: PatternText,
        /// What stands for a value that is not found; without it the answer is not an expected one.
        default: PlainText,
        /// Whether it may be shown; captured values are secrets otherwise. Default: false.
        public: bool,
    }
}

section! {
    /// When requests are sent: `arrival_rate` or `stages` (open), `connections` alone (closed), or `once`.
    "[load]" LoadSection {
        /// Arrivals at a constant rate; needs `duration`.
        arrival_rate: Rate,
        /// The rate at which `stages` begin. Default: 0/s.
        start_rate: RampRate,
        /// Arrivals at a rate that changes linearly from stage to stage.
        stages: Vec<Field<RampStepSection>>,
        /// Arrivals at random, at the rates given.
        poisson: PoissonSection,
        /// The connections open from the start (default 16), those that send where no rate is given, or `fresh`: each
        /// arrival opens its own.
        connections: ConnectionSetting,
        /// The most connections open at once: where all others are taken, an arrival opens one. Default: as many as
        /// `connections`, so that arrivals wait. With `connections = "fresh"`, default: 16.
        max_connections: u32,
        /// Exchanges at once on one connection; needs `http = "2"`. Default: 1.
        streams: u32,
        /// How long requests are sent.
        duration: Duration,
        /// How many arrivals there are, where connections send again when answered.
        iterations: u64,
        /// Exactly one arrival; what a scenario without `[load]` does.
        once: bool,
        /// Repeats the run at this period, 1s to 24h; each is a run of its own.
        every: Duration,
    }
}

section! {
    /// One stage of a changing rate.
    "a stage" RampStepSection {
        /// How long the rate takes to change; `0s` jumps.
        duration: Duration = REQUIRED,
        /// The rate at the stage's end.
        rate: RampRate = REQUIRED,
    }
}

section! {
    /// Arrivals at random (Poisson).
    "poisson" PoissonSection {
        /// What the arrivals are drawn from; the same seed gives the same arrivals.
        seed: u64 = REQUIRED,
    }
}

section! {
    /// What is sent before measuring; it is recorded apart and never judged.
    "[warmup]" WarmupSection {
        /// How many connections are opened. Default: those of the load.
        connections: u32,
        /// How many arrivals are carried out over them; 0 for no warm-up. Default: one a connection.
        requests: u64,
    }
}

/// Every section and its keys, to say where a misplaced key belongs.
const SECTIONS: [(&str, &[&str]); 11] = [
    ("the top of the file, above the first [section]", ScenarioFile::KEYS),
    ("[target]", TargetSection::KEYS),
    ("[load]", LoadSection::KEYS),
    ("[warmup]", WarmupSection::KEYS),
    ("[[request]]", RequestSection::KEYS),
    ("[request.expect]", ExpectSection::KEYS),
    ("a capture", CaptureSection::KEYS),
    ("retry", RetrySection::KEYS),
    ("poll", PollSection::KEYS),
    ("a stage", RampStepSection::KEYS),
    ("poisson", PoissonSection::KEYS),
];
