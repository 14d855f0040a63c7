//! The Machines API over the simulated machines: <https://fly.io/docs/machines/api/>.
//!
//! What a caller may ask counts in real time, so that a client finds the limits that Fly has: rate
//! limits, leases, and the timeout of a wait. Everything that a machine does is simulated time.

mod answers;
mod call;
mod changes;
mod files;
mod leases;
mod metadata;
mod rate_limits;
mod wait;

use std::time::Duration;

use http::{Method, StatusCode};
use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

pub(super) use self::answers::ApiAnswer;
use self::answers::{expiry, lease_json, machine_json};
pub(super) use self::call::{ApiCall, query_pairs, read_seconds};
use self::leases::{LeaseBook, LeaseConflict, OWNER};
use self::rate_limits::{GET_ACTION, RateLimits};
pub(super) use self::wait::StateWait;
use super::super::latency::draw_event;
use super::machine::MachineState;
use super::world::FlyWorld;

/// The stream of the generator that draws faults.
const FAULTS: u64 = 18;

/// What a call comes to.
#[derive(Debug)]
pub(super) enum ApiOutcome {
    Answer(ApiAnswer),
    Wait(StateWait),
}

/// What the API remembers between calls.
#[derive(Debug)]
pub(super) struct MachinesApi {
    limits: RateLimits,
    leases: LeaseBook,
    faults: ChaCha8Rng,
}

impl MachinesApi {
    pub(super) fn new(seed: u64) -> Self {
        let mut faults = ChaCha8Rng::seed_from_u64(seed);
        faults.set_stream(FAULTS);
        Self { limits: RateLimits::default(), leases: LeaseBook::default(), faults }
    }

    /// Carries out a call in `world`, which must have advanced to now.
    ///
    /// A call that fails by `error_rate` fails as often after it was carried out as before.
    pub(super) fn carry_out(&mut self, call: &ApiCall, world: &mut FlyWorld) -> ApiOutcome {
        let failure = ApiAnswer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal server error");
        let fails = draw_event(world.settings.faults.error_rate, &mut self.faults);
        if fails && self.faults.random::<bool>() {
            return ApiOutcome::Answer(failure);
        }
        let outcome = self.route(call, world).unwrap_or_else(ApiOutcome::Answer);
        if fails { ApiOutcome::Answer(failure) } else { outcome }
    }

    /// An error is the answer to a call that cannot be carried out.
    fn route(&mut self, call: &ApiCall, world: &mut FlyWorld) -> Result<ApiOutcome, ApiAnswer> {
        if !is_authorized(call.authorization(), &world.settings.token) {
            return Err(ApiAnswer::error(StatusCode::UNAUTHORIZED, "unauthorized"));
        }
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let ["apps", app, what @ ("machines" | "secrets"), rest @ ..] = path.as_slice() else {
            return Err(ApiAnswer::error(StatusCode::NOT_FOUND, "404 page not found"));
        };
        if *app != world.settings.app {
            return Err(ApiAnswer::error(StatusCode::NOT_FOUND, "app not found"));
        }
        if *what == "secrets" {
            return self.secrets(call, rest, world).map(ApiOutcome::Answer);
        }
        let (id, rest) = match rest {
            [] if call.method == Method::GET => {
                return self.list(call, world).map(ApiOutcome::Answer);
            }
            [] if call.method == Method::POST => {
                return self.create(call, world).map(ApiOutcome::Answer);
            }
            [] => {
                let error = "method not allowed";
                return Err(ApiAnswer::error(StatusCode::METHOD_NOT_ALLOWED, error));
            }
            [id, rest @ ..] => (*id, rest),
        };
        let found = world.machines.iter().position(|machine| machine.id == id);
        let Some(index) = found else {
            return Err(ApiAnswer::error(StatusCode::NOT_FOUND, "machine not found"));
        };
        self.route_machine(call, rest, index, world)
    }

    fn route_machine(
        &mut self,
        call: &ApiCall,
        rest: &[&str],
        index: usize,
        world: &mut FlyWorld,
    ) -> Result<ApiOutcome, ApiAnswer> {
        let action = action(&call.method, rest)?;
        self.limit(action, &world.machines[index].id, world)?;
        if changes_machine(action, &call.method) {
            let now = world.wall_time(world.now());
            let id = &world.machines[index].id;
            self.leases
                .check(id, call.nonce.as_deref(), now)
                .map_err(|held| conflict(id, &held))?;
        }
        let answer = match action {
            "wait" => return StateWait::read(call, index, world).map(ApiOutcome::Wait),
            GET_ACTION => Ok(ApiAnswer::ok(self.machine(index, world))),
            "events" => Ok(ApiAnswer::ok(events(call, index, world))),
            "lease_get" | "lease_create" | "lease_release" => {
                self.lease(action, call, index, world)
            }
            "update" => {
                changes::update(call, index, world)?;
                Ok(ApiAnswer::ok(self.machine(index, world)))
            }
            "metadata" => metadata::answer(call, rest.get(1).copied(), index, world),
            change => changes::change(change, call, index, world),
        };
        answer.map(ApiOutcome::Answer)
    }

    fn limit(&mut self, action: &'static str, id: &str, world: &FlyWorld) -> Result<(), ApiAnswer> {
        let now = world.settings.scale.real(world.now());
        if !world.settings.faults.rate_limits || self.limits.allows(action, id, now) {
            return Ok(());
        }
        Err(ApiAnswer::error(StatusCode::TOO_MANY_REQUESTS, "rate limit exceeded"))
    }

    fn list(&mut self, call: &ApiCall, world: &FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
        self.limit("list", &world.settings.app, world)?;
        let states: Vec<&str> = call.values("state").collect();
        let with_deleted = call.value("include_deleted") == Some("true");
        let region = call.value("region");
        let wanted = |index: &usize| {
            let state = world.machines[*index].state;
            region.is_none_or(|region| region == world.machines[*index].region)
                && (states.is_empty() || states.contains(&state.word()))
                && (with_deleted || state != MachineState::Destroyed)
        };
        let machines = (0..world.machines.len()).filter(wanted);
        Ok(ApiAnswer::ok(machines.map(|index| self.machine(index, world)).collect()))
    }

    /// The names of the app's secrets. The rehearsal has no values.
    fn secrets(
        &mut self,
        call: &ApiCall,
        rest: &[&str],
        world: &FlyWorld,
    ) -> Result<ApiAnswer, ApiAnswer> {
        if call.method != Method::GET || !rest.is_empty() {
            let error = "the rehearsal lists secrets only";
            return Err(ApiAnswer::error(StatusCode::METHOD_NOT_ALLOWED, error));
        }
        self.limit("secrets", &world.settings.app, world)?;
        let secrets = world.settings.secrets.iter().map(|name| json!({"name": name}));
        Ok(ApiAnswer::ok(json!({"secrets": secrets.collect::<Vec<_>>()})))
    }

    fn create(&mut self, call: &ApiCall, world: &mut FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
        self.limit("create", &world.settings.app, world)?;
        let index = changes::create(call, world)?;
        Ok(ApiAnswer::ok(self.machine(index, world)))
    }

    fn lease(
        &mut self,
        action: &str,
        call: &ApiCall,
        index: usize,
        world: &mut FlyWorld,
    ) -> Result<ApiAnswer, ApiAnswer> {
        let now = world.wall_time(world.now());
        let (id, version) =
            (world.machines[index].id.clone(), world.machines[index].instance_id.clone());
        if action == "lease_release" {
            self.leases.release(&id);
            return Ok(ApiAnswer::done());
        }
        if action == "lease_get" {
            let none = || ApiAnswer::error(StatusCode::NOT_FOUND, "lease not found");
            let lease = self.leases.current(&id, now).ok_or_else(none)?;
            return Ok(ApiAnswer::ok(lease_json(lease, &version)));
        }
        let body = if call.body.is_empty() { json!({}) } else { read_body(call)? };
        let ttl = body["ttl"].as_u64().map(Duration::from_secs);
        let description = body["description"].as_str().unwrap_or_default().to_owned();
        let nonces = (call.nonce.as_deref(), world.ids.nonce());
        let lease = self.leases.acquire(&id, nonces, (ttl, description), now);
        let lease = lease.map_err(|held| conflict(&id, &held))?;
        Ok(ApiAnswer { status: StatusCode::CREATED, body: Some(lease_json(&lease, &version)) })
    }

    fn machine(&self, index: usize, world: &FlyWorld) -> Value {
        let machine = &world.machines[index];
        let lease = self.leases.current(&machine.id, world.wall_time(world.now()));
        machine_json(machine, lease)
    }
}

/// Whether an `Authorization` header carries the token, in either form that Fly reads.
pub(super) fn is_authorized(header: Option<&str>, token: &SecretString) -> bool {
    let token = token.expose_secret();
    header.is_some_and(|header| {
        let offered = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("FlyV1 "));
        // A token that begins with `FlyV1 ` is the whole header.
        header == token || offered.is_some_and(|offered| offered.trim() == token)
    })
}

/// The JSON object in a call's body.
fn read_body(call: &ApiCall) -> Result<Value, ApiAnswer> {
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(Value::Object(body)),
        Ok(_) => Err(ApiAnswer::bad_request("invalid body: expected a JSON object")),
        Err(_) => Err(ApiAnswer::bad_request("invalid body: it is not JSON")),
    }
}

/// The action that a method and the rest of a path stand for.
fn action(method: &Method, rest: &[&str]) -> Result<&'static str, ApiAnswer> {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let known: &[(&Method, &[&str], &'static str)] = &[
        (&get, &[], GET_ACTION),
        (&post, &[], "update"),
        (&delete, &[], "destroy"),
        (&post, &["start"], "start"),
        (&post, &["stop"], "stop"),
        (&post, &["suspend"], "suspend"),
        (&post, &["restart"], "restart"),
        (&post, &["cordon"], "cordon"),
        (&post, &["uncordon"], "uncordon"),
        (&get, &["wait"], "wait"),
        (&get, &["events"], "events"),
        (&get, &["lease"], "lease_get"),
        (&post, &["lease"], "lease_create"),
        (&delete, &["lease"], "lease_release"),
    ];
    if let ["metadata"] | ["metadata", _] = rest {
        return Ok("metadata");
    }
    if let Some((.., action)) = known.iter().find(|(m, path, _)| *m == method && *path == rest) {
        return Ok(action);
    }
    let has_path = known.iter().any(|(_, path, _)| *path == rest);
    let (status, error) = if has_path {
        (StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
    } else {
        (StatusCode::NOT_FOUND, "404 page not found")
    };
    Err(ApiAnswer::error(status, error))
}

/// Whether an action needs the machine's lease if there is one.
fn changes_machine(action: &str, method: &Method) -> bool {
    // Creating a lease finds out by itself who holds one.
    *method != Method::GET && action != "lease_create"
}

fn conflict(id: &str, LeaseConflict(lease): &LeaseConflict) -> ApiAnswer {
    let error = format!(
        "machine ID {id} lease currently held by {OWNER}, expires at {}",
        expiry(lease.expires)
    );
    ApiAnswer::error(StatusCode::CONFLICT, error)
}

fn events(call: &ApiCall, index: usize, world: &FlyWorld) -> Value {
    let limit = call.value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20);
    world.machines[index].events().take(limit).collect()
}
