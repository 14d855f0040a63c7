//! The sections of a scenario file and their keys, as `docs/scenario.md` explains them.

use std::time::Duration;

use http::Method;
use toml::Spanned;
use toml::de::DeValue;

use super::complaint::Complaints;
use super::field::{Entries, Field, Read, Section};
use super::leaf::{Connections, JsonTemplate, RampRate, Statuses, Words};
use super::template::Template;
use crate::record::Budget;
use crate::units::{ByteSize, Rate};

/// Declares a section: its fields are its keys, each with the type of its value.
macro_rules! section {
    ($(#[$about:meta])* $title:literal $name:ident { $($(#[$doc:meta])* $key:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name { $($(#[$doc])* pub $key: Field<$kind>,)* }

        impl $name {
            const KEYS: &[&str] = &[$(stringify!($key)),*];
        }

        impl Read for $name {
            fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
                let section = Section::open($title, Self::KEYS, value, complaints)?;
                Some(Self { $($key: section.field(stringify!($key), complaints),)* })
            }
        }
    };
}

section! {
    /// The file as a whole.
    "the file" File {
        /// The scenario's name.
        name: Words,
        /// What it is for.
        description: Words,
        /// Budgets that each request is judged by.
        budgets: Vec<Field<Budget>>,
        /// Variables whose values may be shown.
        public: Vec<Field<Words>>,
        /// Where requests go.
        target: Target,
        /// Headers of every request.
        headers: Entries<Template>,
        /// The requests of one arrival, in order.
        request: Vec<Field<Request>>,
        /// When requests are sent.
        load: Load,
        /// What is sent before measuring.
        warmup: Warmup,
    }
}

section! {
    /// Where requests go, and on what terms.
    "[target]" Target {
        /// Scheme, host and perhaps a port and a path.
        base_url: Template,
        /// A PEM file of the certificates to believe, beside the scenario file.
        tls_ca: Words,
        /// How long an exchange may take.
        timeout: Duration,
        /// How long looking up the name may take.
        dns_timeout: Duration,
        /// How long the TCP handshake may take.
        connect_timeout: Duration,
        /// How long the TLS handshake may take.
        tls_timeout: Duration,
        /// How long the answer's first byte may take.
        first_byte_timeout: Duration,
    }
}

section! {
    /// One request of an arrival.
    "[[request]]" Request {
        /// Its name; those of one scenario differ.
        name: Words,
        /// Its method; `GET` unless written.
        method: Method,
        /// Path and query, appended to the base URL.
        path: Template,
        /// Its own headers; they replace the scenario's of the same name.
        headers: Entries<Template>,
        /// Its body.
        body: Template,
        /// Budgets that this request alone is judged by.
        budgets: Vec<Field<Budget>>,
        /// What its answer must be.
        expect: Expect,
    }
}

section! {
    /// What an answer must be.
    "[request.expect]" Expect {
        /// The status, or a list of statuses; any 2xx unless written.
        status: Statuses,
        /// The URL that the answer comes from.
        final_url: Template,
        /// Headers and their exact values.
        headers: Entries<Template>,
        /// Texts that the body contains.
        body_contains: Vec<Field<Template>>,
        /// Texts that the body does not contain.
        body_lacks: Vec<Field<Template>>,
        /// Values of a JSON body by their JSON pointers.
        json: Entries<JsonTemplate>,
        /// The largest body that will do.
        max_body: ByteSize,
    }
}

section! {
    /// When requests are sent.
    "[load]" Load {
        /// Arrivals at a constant rate.
        arrival_rate: Rate,
        /// The rate at which `stages` begin; `0/s` unless written.
        start_rate: RampRate,
        /// Arrivals at a rate that changes in stages.
        stages: Vec<Field<Stage>>,
        /// Arrivals at random, at the rates given.
        poisson: Poisson,
        /// The connections: how many at most, how many senders, or `"fresh"`.
        connections: Connections,
        /// How many fresh connections are open at once.
        max_connections: u32,
        /// How long requests are sent.
        duration: Duration,
        /// How many arrivals there are, where connections send again when answered.
        iterations: u64,
        /// Exactly one arrival.
        once: bool,
    }
}

section! {
    /// One stage of a changing rate.
    "a stage" Stage {
        /// How long the rate takes to change.
        duration: Duration,
        /// The rate at the stage's end.
        rate: RampRate,
    }
}

section! {
    /// Arrivals at random.
    "poisson" Poisson {
        /// What the arrivals are drawn from; the same seed gives the same arrivals.
        seed: u64,
    }
}

section! {
    /// What is sent before measuring.
    "[warmup]" Warmup {
        /// How many connections are opened.
        connections: u32,
        /// How many arrivals are carried out over them.
        requests: u64,
    }
}

/// Every section and its keys, to say where a misplaced key belongs.
pub(super) const SECTIONS: [(&str, &[&str]); 8] = [
    ("the top of the file, above the first [section]", File::KEYS),
    ("[target]", Target::KEYS),
    ("[load]", Load::KEYS),
    ("[warmup]", Warmup::KEYS),
    ("[[request]]", Request::KEYS),
    ("[request.expect]", Expect::KEYS),
    ("a stage", Stage::KEYS),
    ("poisson", Poisson::KEYS),
];
