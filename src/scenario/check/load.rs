//! Checks the load: which keys fit together, and what they describe.

use std::time::Duration;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::{AlreadyReported, KeyLocation, ScenarioField};
use super::super::file::{LoadSection, RampStepSection, ScenarioFile};
use super::super::leaf::ConnectionSetting;
use super::super::load::{LoadModel, LoadShape};
use super::require;

const MODELS: &str =
    "write `arrival_rate = \"20/s\"` (open), `connections = 16` (closed) or `once = true`";

pub(super) fn shape(file: &ScenarioFile, diagnostics: &mut Diagnostics) -> Option<LoadShape> {
    match &file.load {
        ScenarioField::Absent => Some(LoadShape::once(!file.warmup.is_written())),
        ScenarioField::Invalid => None,
        ScenarioField::Present(location, load) => of_section(file, location, load, diagnostics),
    }
}

fn of_section(
    file: &ScenarioFile,
    location: &KeyLocation,
    load: &LoadSection,
    diagnostics: &mut Diagnostics,
) -> Option<LoadShape> {
    let every = every(load, diagnostics);
    if load.once.is_written() {
        let shape = once(file, load, diagnostics)?;
        return Some(LoadShape { every: every.ok()?, ..shape });
    }
    if load.every.is_written()
        && load.places().iter().filter(|(_, location)| location.is_some()).count() <= 1
    {
        return Some(LoadShape {
            every: every.ok()?,
            ..LoadShape::once(!file.warmup.is_written())
        });
    }
    let open = load.arrival_rate.is_written() || load.stages.is_written();
    let model = if load.arrival_rate.is_written() {
        constant(location, load, diagnostics)
    } else if open {
        ramping(load, diagnostics)
    } else if load.connections.is_written()
        || load.iterations.is_written()
        || load.duration.is_written()
    {
        closed(location, load, diagnostics)
    } else {
        diagnostics.add(Diagnostic::new(
            location.key.clone(),
            "`load` does not say when requests are sent",
            MODELS,
        ));
        None
    };
    let connections = connections(location, load, open, diagnostics);
    let streams = streams(load, diagnostics);
    let batch_every = batch_every(load, diagnostics);
    let (ConnectionCounts { connections, max_connections, fresh }, streams) =
        (connections?, streams.ok()?);
    places(load, max_connections, streams, diagnostics)?;
    Some(LoadShape {
        model: model?,
        connections,
        max_connections,
        fresh,
        streams,
        batch_every: batch_every.ok()?,
        every: every.ok()?,
    })
}

fn once(
    file: &ScenarioFile,
    load: &LoadSection,
    diagnostics: &mut Diagnostics,
) -> Option<LoadShape> {
    let (location, &once) = load.once.located()?;
    if !once {
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            "`once = false` has no effect",
            "remove it",
        ));
        return None;
    }
    let keys = load.places().into_iter().map(|(key, _)| key);
    let rest: Vec<_> = keys.filter(|key| !matches!(*key, "once" | "every")).collect();
    forbid(
        load,
        "once",
        &rest,
        "a single arrival needs no other key: remove one of the two",
        diagnostics,
    );
    Some(LoadShape::once(!file.warmup.is_written()))
}

fn constant(
    location: &KeyLocation,
    load: &LoadSection,
    diagnostics: &mut Diagnostics,
) -> Option<LoadModel> {
    forbid(load, "arrival_rate", &["stages"], "remove one of the two", diagnostics);
    forbid(
        load,
        "arrival_rate",
        &["start_rate"],
        "it belongs to `stages`: remove one of the two",
        diagnostics,
    );
    forbid(
        load,
        "arrival_rate",
        &["iterations"],
        "`duration` ends an open load: remove this",
        diagnostics,
    );
    require(&load.duration, "duration", "\"40s\"", location.key.clone(), diagnostics);
    let seed = seed(load, diagnostics);
    let duration = duration(&load.duration, diagnostics);
    Some(LoadModel::Constant {
        rate: *load.arrival_rate.value()?,
        duration: duration?,
        seed: seed.ok()?,
    })
}

fn ramping(load: &LoadSection, diagnostics: &mut Diagnostics) -> Option<LoadModel> {
    forbid(
        load,
        "stages",
        &["duration"],
        "the stages already set the duration: remove it",
        diagnostics,
    );
    forbid(
        load,
        "stages",
        &["iterations"],
        "the stages already set the number of arrivals: remove it",
        diagnostics,
    );
    let seed = seed(load, diagnostics);
    let (location, stages) = load.stages.located()?;
    if stages.is_empty() {
        let remedy = "write `stages = [{ duration = \"30s\", rate = \"100/s\" }]`";
        diagnostics.add(Diagnostic::new(location.value.clone(), "no stage is given", remedy));
        return None;
    }
    let stages: Vec<_> = stages.iter().map(|field| stage(field, diagnostics)).collect();
    let stages: Vec<_> = stages.into_iter().collect::<Option<_>>()?;
    let start = load.start_rate.optional().ok()?.and_then(|rate| rate.0);
    Some(LoadModel::Ramping { start, stages, seed: seed.ok()? })
}

fn stage(
    field: &ScenarioField<RampStepSection>,
    diagnostics: &mut Diagnostics,
) -> Option<(Duration, Option<crate::units::Rate>)> {
    let (location, stage) = field.located()?;
    require(&stage.duration, "duration", "\"30s\"", location.key.clone(), diagnostics);
    require(&stage.rate, "rate", "\"100/s\"", location.key.clone(), diagnostics);
    Some((*stage.duration.value()?, stage.rate.value()?.0))
}

fn closed(
    location: &KeyLocation,
    load: &LoadSection,
    diagnostics: &mut Diagnostics,
) -> Option<LoadModel> {
    for (key, field) in load.places() {
        if let ("start_rate" | "poisson" | "batch_every", Some(location)) = (key, field) {
            let problem = format!("`{key}` needs a rate");
            diagnostics.add(Diagnostic::new(
                location.key.clone(),
                problem,
                "add `arrival_rate` or `stages`",
            ));
        }
    }
    if !load.duration.is_written() && !load.iterations.is_written() {
        let problem = "`load` does not say when it ends";
        let remedy = "write `duration = \"40s\"`, `iterations = 100`, or both";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
        return None;
    }
    if let Some((location, 0)) = load.iterations.located() {
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            "0 iterations send nothing",
            "write 1 or more",
        ));
    }
    let duration = if load.duration.is_written() {
        Some(duration(&load.duration, diagnostics)?)
    } else {
        None
    };
    let iterations = load.iterations.optional().ok()?.copied();
    Some(LoadModel::Closed { duration, iterations })
}

fn duration(field: &ScenarioField<Duration>, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let (location, &duration) = field.located()?;
    let problem = match duration {
        Duration::ZERO => "a run without a duration sends nothing",
        duration if duration > LoadShape::MAX_DURATION => "a run takes at most 24h",
        duration => return Some(duration),
    };
    diagnostics.add(Diagnostic::new(
        location.value.clone(),
        problem,
        "write a duration up to `\"24h\"`",
    ));
    None
}

/// The period at which the run is repeated.
fn every(
    load: &LoadSection,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Duration>, AlreadyReported> {
    let Some(&period) = load.every.optional()? else { return Ok(None) };
    if (LoadShape::MIN_PERIOD..=LoadShape::MAX_DURATION).contains(&period) {
        return Ok(Some(period));
    }
    let at = load.every.location().map_or(0..0, |location| location.value.clone());
    let remedy = "write a duration from `\"1s\"` to `\"24h\"`";
    diagnostics.add(Diagnostic::new(
        at,
        "a run repeats at most once per second and at least once per day",
        remedy,
    ));
    Err(AlreadyReported)
}

/// The length of the periods whose arrivals are sent together.
fn batch_every(
    load: &LoadSection,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Duration>, AlreadyReported> {
    let Some(&period) = load.batch_every.optional()? else { return Ok(None) };
    let longest = LoadShape::MAX_BATCH_PERIOD;
    if (LoadShape::MIN_BATCH_PERIOD..=longest).contains(&period)
        && longest.as_nanos().is_multiple_of(period.as_nanos())
    {
        return Ok(Some(period));
    }
    let at = load.batch_every.location().map_or(0..0, |location| location.value.clone());
    diagnostics.add(Diagnostic::new(
        at,
        "batches come in a period that divides 10 ms and is at least 100 µs",
        "write `\"1ms\"`, or another part of 10 ms such as `\"100us\"` or `\"5ms\"`",
    ));
    Err(AlreadyReported)
}

/// How many exchanges share one connection.
fn streams(load: &LoadSection, diagnostics: &mut Diagnostics) -> Result<u32, AlreadyReported> {
    let Some(&streams) = load.streams.optional()? else { return Ok(1) };
    let Some(location) = load.streams.location() else { return Err(AlreadyReported) };
    if streams == 0 || streams > LoadShape::MAX_STREAMS {
        let problem = format!("`{streams}` exchanges at once cannot share one connection");
        let remedy = format!("write 1 to {}", LoadShape::MAX_STREAMS);
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
        return Err(AlreadyReported);
    }
    if load.connections.value() == Some(&ConnectionSetting::Fresh) {
        let problem = "`streams` cannot be combined with `connections = \"fresh\"`";
        let remedy = "each arrival opens its own connection: remove one of the two";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    }
    Ok(streams)
}

/// Reports more concurrent exchanges than a prober can hold.
fn places(
    load: &LoadSection,
    max_connections: u32,
    streams: u32,
    diagnostics: &mut Diagnostics,
) -> Option<()> {
    let places = u64::from(max_connections) * u64::from(streams);
    if places <= u64::from(LoadShape::MAX_CONNECTIONS) {
        return Some(());
    }
    let at = load
        .streams
        .location()
        .or(load.max_connections.location())
        .or(load.connections.location())?;
    let problem = format!(
        "{max_connections} connections with {streams} streams each allow {places} exchanges at once"
    );
    let remedy = format!("write numbers whose product is at most {}", LoadShape::MAX_CONNECTIONS);
    diagnostics.add(Diagnostic::new(at.value.clone(), problem, remedy));
    None
}

/// The seed, if arrivals are random.
fn seed(load: &LoadSection, diagnostics: &mut Diagnostics) -> Result<Option<u64>, AlreadyReported> {
    let Some(poisson) = load.poisson.optional()? else { return Ok(None) };
    let at = load.poisson.location().map_or(0..0, |location| location.key.clone());
    require(&poisson.seed, "seed", "1", at, diagnostics);
    poisson.seed.value().map(|&seed| Some(seed)).ok_or(AlreadyReported)
}

/// How many connections are open from the start, how many there may be, and whether each arrival
/// opens its own.
struct ConnectionCounts {
    connections: u32,
    max_connections: u32,
    fresh: bool,
}

fn connections(
    location: &KeyLocation,
    load: &LoadSection,
    open: bool,
    diagnostics: &mut Diagnostics,
) -> Option<ConnectionCounts> {
    let setting = load.connections.optional().ok()?.copied();
    let max = load.max_connections.optional().ok()?.copied();
    let fresh = setting == Some(ConnectionSetting::Fresh);
    let connections = match (setting, max) {
        (Some(ConnectionSetting::Kept(number)), _)
        | (Some(ConnectionSetting::Fresh), Some(number)) => number,
        _ if open => LoadShape::DEFAULT_CONNECTIONS,
        _ => return no_senders(location, load, fresh, diagnostics),
    };
    let max_connections = max.unwrap_or(connections);
    let limits = [
        (max_connections, load.max_connections.location()),
        (connections, load.connections.location()),
    ];
    let sends = |number| (1..=LoadShape::MAX_CONNECTIONS).contains(&number);
    if let Some((number, at)) =
        limits.into_iter().find(|(number, at)| at.is_some() && !sends(*number))
    {
        let problem = format!("`{number}` is not a valid number of connections");
        let remedy = format!("write 1 to {}", LoadShape::MAX_CONNECTIONS);
        diagnostics.add(Diagnostic::new(at?.value.clone(), problem, remedy));
        return None;
    }
    if let (Some(location), false) = (load.max_connections.location(), fresh) {
        further(location, (connections, max_connections), open, diagnostics)?;
    }
    Some(ConnectionCounts { connections, max_connections, fresh })
}

/// Reports a limit for further connections that can never be reached.
fn further(
    location: &KeyLocation,
    (connections, max): (u32, u32),
    open: bool,
    diagnostics: &mut Diagnostics,
) -> Option<()> {
    let (at, problem, remedy) = if !open {
        let problem =
            "`max_connections` has no effect in a closed load: no arrival waits for a connection";
        (
            &location.key,
            problem.to_owned(),
            "write `connections = …` alone, or add `arrival_rate`".to_owned(),
        )
    } else if max < connections {
        let problem = format!(
            "`max_connections` is {max}, but {connections} connections are open from the start"
        );
        (&location.value, problem, format!("write {connections} or more, or fewer `connections`"))
    } else {
        return Some(());
    };
    diagnostics.add(Diagnostic::new(at.clone(), problem, remedy));
    None
}

/// Reports a closed load without connections, unless the whole load was already reported.
fn no_senders<T>(
    location: &KeyLocation,
    load: &LoadSection,
    fresh: bool,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    if load.places().iter().any(|(_, location)| location.is_some()) {
        let open = "write `connections = 16` or `arrival_rate = \"20/s\"`";
        let remedy = if fresh { "write `max_connections = 16`" } else { open };
        let problem = "`load` does not say how many connections send";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    }
    None
}

/// Reports each of `keys` that is written together with `with`.
fn forbid(
    load: &LoadSection,
    with: &str,
    keys: &[&str],
    remedy: &str,
    diagnostics: &mut Diagnostics,
) {
    for (key, location) in load.places() {
        if let (true, Some(location)) = (keys.contains(&key), location) {
            let problem = format!("`{key}` cannot be combined with `{with}`");
            diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
        }
    }
}

impl LoadSection {
    fn places(&self) -> [(&'static str, Option<&KeyLocation>); 12] {
        [
            ("arrival_rate", self.arrival_rate.location()),
            ("start_rate", self.start_rate.location()),
            ("stages", self.stages.location()),
            ("poisson", self.poisson.location()),
            ("batch_every", self.batch_every.location()),
            ("connections", self.connections.location()),
            ("max_connections", self.max_connections.location()),
            ("streams", self.streams.location()),
            ("duration", self.duration.location()),
            ("iterations", self.iterations.location()),
            ("once", self.once.location()),
            ("every", self.every.location()),
        ]
    }
}
