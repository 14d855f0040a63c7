//! The load: which keys stand together, and what they ask for.

use std::time::Duration;

use super::super::complaint::{Complaint, Complaints};
use super::super::field::{Broken, Field, Place};
use super::super::file::{File, Load, Stage};
use super::super::leaf::Connections;
use super::super::load::{LoadShape, Model};
use super::require;

const MODELS: &str =
    "write `arrival_rate = \"20/s\"` (open), `connections = 16` (closed) or `once = true`";

pub(super) fn shape(file: &File, complaints: &mut Complaints) -> Option<LoadShape> {
    match &file.load {
        Field::Absent => Some(LoadShape::once(!file.warmup.is_written())),
        Field::Broken => None,
        Field::Given(place, load) => of_section(file, place, load, complaints),
    }
}

fn of_section(
    file: &File,
    place: &Place,
    load: &Load,
    complaints: &mut Complaints,
) -> Option<LoadShape> {
    let every = every(load, complaints);
    if load.once.is_written() {
        let shape = once(file, load, complaints)?;
        return Some(LoadShape { every: every.ok()?, ..shape });
    }
    if load.every.is_written()
        && load.places().iter().filter(|(_, place)| place.is_some()).count() <= 1
    {
        return Some(LoadShape {
            every: every.ok()?,
            ..LoadShape::once(!file.warmup.is_written())
        });
    }
    let open = load.arrival_rate.is_written() || load.stages.is_written();
    let model = if load.arrival_rate.is_written() {
        constant(place, load, complaints)
    } else if open {
        ramping(load, complaints)
    } else if load.connections.is_written()
        || load.iterations.is_written()
        || load.duration.is_written()
    {
        closed(place, load, complaints)
    } else {
        complaints.add(Complaint::new(
            place.key.clone(),
            "`load` does not say when requests are sent",
            MODELS,
        ));
        None
    };
    let connections = connections(place, load, open, complaints);
    let streams = streams(load, complaints);
    let (Senders { connections, max_connections, fresh }, streams) = (connections?, streams.ok()?);
    places(load, max_connections, streams, complaints)?;
    Some(LoadShape {
        model: model?,
        connections,
        max_connections,
        fresh,
        streams,
        every: every.ok()?,
    })
}

fn once(file: &File, load: &Load, complaints: &mut Complaints) -> Option<LoadShape> {
    let (place, &once) = load.once.placed()?;
    if !once {
        complaints.add(Complaint::new(
            place.value.clone(),
            "`once = false` says nothing",
            "leave it out",
        ));
        return None;
    }
    let keys = load.places().into_iter().map(|(key, _)| key);
    let rest: Vec<_> = keys.filter(|key| !matches!(*key, "once" | "every")).collect();
    forbid(
        load,
        "once",
        &rest,
        "a single arrival needs no other key: leave one of the two out",
        complaints,
    );
    Some(LoadShape::once(!file.warmup.is_written()))
}

fn constant(place: &Place, load: &Load, complaints: &mut Complaints) -> Option<Model> {
    forbid(load, "arrival_rate", &["stages"], "leave one of the two out", complaints);
    forbid(
        load,
        "arrival_rate",
        &["start_rate"],
        "it belongs to `stages`: leave one of the two out",
        complaints,
    );
    forbid(
        load,
        "arrival_rate",
        &["iterations"],
        "`duration` ends an open load: leave this out",
        complaints,
    );
    require(&load.duration, "duration", "\"40s\"", place.key.clone(), complaints);
    let seed = seed(load, complaints);
    let duration = duration(&load.duration, complaints);
    Some(Model::Constant {
        rate: *load.arrival_rate.given()?,
        duration: duration?,
        seed: seed.ok()?,
    })
}

fn ramping(load: &Load, complaints: &mut Complaints) -> Option<Model> {
    forbid(load, "stages", &["duration"], "the stages say how long: leave it out", complaints);
    forbid(load, "stages", &["iterations"], "the stages say how many: leave it out", complaints);
    let seed = seed(load, complaints);
    let (place, stages) = load.stages.placed()?;
    if stages.is_empty() {
        let remedy = "write `stages = [{ duration = \"30s\", rate = \"100/s\" }]`";
        complaints.add(Complaint::new(place.value.clone(), "no stage is given", remedy));
        return None;
    }
    let stages: Vec<_> = stages.iter().map(|field| stage(field, complaints)).collect();
    let stages: Vec<_> = stages.into_iter().collect::<Option<_>>()?;
    let start = load.start_rate.optional().ok()?.and_then(|rate| rate.0);
    Some(Model::Ramping { start, stages, seed: seed.ok()? })
}

fn stage(
    field: &Field<Stage>,
    complaints: &mut Complaints,
) -> Option<(Duration, Option<crate::units::Rate>)> {
    let (place, stage) = field.placed()?;
    require(&stage.duration, "duration", "\"30s\"", place.key.clone(), complaints);
    require(&stage.rate, "rate", "\"100/s\"", place.key.clone(), complaints);
    Some((*stage.duration.given()?, stage.rate.given()?.0))
}

fn closed(place: &Place, load: &Load, complaints: &mut Complaints) -> Option<Model> {
    for (key, field) in load.places() {
        if let ("start_rate" | "poisson", Some(place)) = (key, field) {
            let problem = format!("`{key}` stands without a rate");
            complaints.add(Complaint::new(
                place.key.clone(),
                problem,
                "add `arrival_rate` or `stages`",
            ));
        }
    }
    if !load.duration.is_written() && !load.iterations.is_written() {
        let problem = "`load` does not say when it ends";
        let remedy = "write `duration = \"40s\"`, `iterations = 100`, or both";
        complaints.add(Complaint::new(place.key.clone(), problem, remedy));
        return None;
    }
    if let Some((place, 0)) = load.iterations.placed() {
        complaints.add(Complaint::new(
            place.value.clone(),
            "no arrival is asked for",
            "write 1 or more",
        ));
    }
    let duration =
        if load.duration.is_written() { Some(duration(&load.duration, complaints)?) } else { None };
    let iterations = load.iterations.optional().ok()?.copied();
    Some(Model::Closed { duration, iterations })
}

fn duration(field: &Field<Duration>, complaints: &mut Complaints) -> Option<Duration> {
    let (place, &duration) = field.placed()?;
    let problem = match duration {
        Duration::ZERO => "nothing can be sent in no time",
        duration if duration > LoadShape::MAX_DURATION => "a run lasts 24h at most",
        duration => return Some(duration),
    };
    complaints.add(Complaint::new(
        place.value.clone(),
        problem,
        "write a duration up to `\"24h\"`",
    ));
    None
}

/// How often the run is repeated.
fn every(load: &Load, complaints: &mut Complaints) -> Result<Option<Duration>, Broken> {
    let Some(&period) = load.every.optional()? else { return Ok(None) };
    if (LoadShape::MIN_PERIOD..=LoadShape::MAX_DURATION).contains(&period) {
        return Ok(Some(period));
    }
    let at = load.every.place().map_or(0..0, |place| place.value.clone());
    let remedy = "write a duration from `\"1s\"` to `\"24h\"`";
    complaints.add(Complaint::new(
        at,
        "a run is repeated once a second at most and once a day at least",
        remedy,
    ));
    Err(Broken)
}

/// Exchanges at once on one connection.
fn streams(load: &Load, complaints: &mut Complaints) -> Result<u32, Broken> {
    let Some(&streams) = load.streams.optional()? else { return Ok(1) };
    let Some(place) = load.streams.place() else { return Err(Broken) };
    if streams == 0 || streams > LoadShape::MAX_STREAMS {
        let problem = format!("`{streams}` exchanges at once cannot share a connection");
        let remedy = format!("write 1 to {}", LoadShape::MAX_STREAMS);
        complaints.add(Complaint::new(place.value.clone(), problem, remedy));
        return Err(Broken);
    }
    if load.connections.given() == Some(&Connections::Fresh) {
        let problem = "`streams` cannot stand with `connections = \"fresh\"`";
        let remedy = "each arrival opens a connection of its own: leave one of the two out";
        complaints.add(Complaint::new(place.key.clone(), problem, remedy));
    }
    Ok(streams)
}

/// Complains about more exchanges at once than a prober can hold.
fn places(
    load: &Load,
    max_connections: u32,
    streams: u32,
    complaints: &mut Complaints,
) -> Option<()> {
    let places = u64::from(max_connections) * u64::from(streams);
    if places <= u64::from(LoadShape::MAX_CONNECTIONS) {
        return Some(());
    }
    let at = load.streams.place().or(load.max_connections.place()).or(load.connections.place())?;
    let problem = format!(
        "{max_connections} connections of {streams} streams are {places} exchanges at once"
    );
    let remedy = format!("write numbers whose product is at most {}", LoadShape::MAX_CONNECTIONS);
    complaints.add(Complaint::new(at.value.clone(), problem, remedy));
    None
}

/// The seed, if arrivals are random.
fn seed(load: &Load, complaints: &mut Complaints) -> Result<Option<u64>, Broken> {
    let Some(poisson) = load.poisson.optional()? else { return Ok(None) };
    let at = load.poisson.place().map_or(0..0, |place| place.key.clone());
    require(&poisson.seed, "seed", "1", at, complaints);
    poisson.seed.given().map(|&seed| Some(seed)).ok_or(Broken)
}

/// How many connections there are from the start, how many there may be, and whether each arrival opens its own.
struct Senders {
    connections: u32,
    max_connections: u32,
    fresh: bool,
}

fn connections(
    place: &Place,
    load: &Load,
    open: bool,
    complaints: &mut Complaints,
) -> Option<Senders> {
    let asked = load.connections.optional().ok()?.copied();
    let max = load.max_connections.optional().ok()?.copied();
    let fresh = asked == Some(Connections::Fresh);
    let connections = match (asked, max) {
        (Some(Connections::Kept(number)), _) | (Some(Connections::Fresh), Some(number)) => number,
        _ if open => LoadShape::DEFAULT_CONNECTIONS,
        _ => return no_senders(place, load, fresh, complaints),
    };
    let max_connections = max.unwrap_or(connections);
    let given =
        [(max_connections, load.max_connections.place()), (connections, load.connections.place())];
    let sends = |number| (1..=LoadShape::MAX_CONNECTIONS).contains(&number);
    if let Some((number, at)) =
        given.into_iter().find(|(number, at)| at.is_some() && !sends(*number))
    {
        let problem = format!("`{number}` connections cannot send");
        let remedy = format!("write 1 to {}", LoadShape::MAX_CONNECTIONS);
        complaints.add(Complaint::new(at?.value.clone(), problem, remedy));
        return None;
    }
    if let (Some(place), false) = (load.max_connections.place(), fresh) {
        further(place, (connections, max_connections), open, complaints)?;
    }
    Some(Senders { connections, max_connections, fresh })
}

/// Complains about a limit for further connections that can never be reached.
fn further(
    place: &Place,
    (connections, max): (u32, u32),
    open: bool,
    complaints: &mut Complaints,
) -> Option<()> {
    let (at, problem, remedy) = if !open {
        let problem =
            "`max_connections` stands in a closed load, in which no arrival waits for a connection";
        (
            &place.key,
            problem.to_owned(),
            "write `connections = …` alone, or add `arrival_rate`".to_owned(),
        )
    } else if max < connections {
        let problem = format!(
            "`max_connections` is {max}, but {connections} connections are open from the start"
        );
        (&place.value, problem, format!("write {connections} or more, or fewer `connections`"))
    } else {
        return Some(());
    };
    complaints.add(Complaint::new(at.clone(), problem, remedy));
    None
}

/// Complains about a closed load without connections, unless the load was complained about as a whole.
fn no_senders<T>(
    place: &Place,
    load: &Load,
    fresh: bool,
    complaints: &mut Complaints,
) -> Option<T> {
    if load.places().iter().any(|(_, place)| place.is_some()) {
        let open = "write `connections = 16` or `arrival_rate = \"20/s\"`";
        let remedy = if fresh { "write `max_connections = 16`" } else { open };
        let problem = "`load` does not say how many connections send";
        complaints.add(Complaint::new(place.key.clone(), problem, remedy));
    }
    None
}

/// Complains about each of `keys` that is written beside `with`.
fn forbid(load: &Load, with: &str, keys: &[&str], remedy: &str, complaints: &mut Complaints) {
    for (key, place) in load.places() {
        if let (true, Some(place)) = (keys.contains(&key), place) {
            let problem = format!("`{key}` cannot stand with `{with}`");
            complaints.add(Complaint::new(place.key.clone(), problem, remedy));
        }
    }
}

impl Load {
    fn places(&self) -> [(&'static str, Option<&Place>); 11] {
        [
            ("arrival_rate", self.arrival_rate.place()),
            ("start_rate", self.start_rate.place()),
            ("stages", self.stages.place()),
            ("poisson", self.poisson.place()),
            ("connections", self.connections.place()),
            ("max_connections", self.max_connections.place()),
            ("streams", self.streams.place()),
            ("duration", self.duration.place()),
            ("iterations", self.iterations.place()),
            ("once", self.once.place()),
            ("every", self.every.place()),
        ]
    }
}
