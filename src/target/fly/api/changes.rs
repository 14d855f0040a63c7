//! Calls that change a machine, and the states that they are possible in.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::config::MachineShape;
use super::super::file::MOST_MACHINES;
use super::super::machine::{MOST_SUSPENDED_MB, Machine, MachineState};
use super::super::world::FlyWorld;
use super::answers::ApiAnswer;
use super::call::ApiCall;
use super::files::check_files;
use super::read_body;

/// Carries out an order that needs no body.
pub(super) fn change(
    order: &str,
    call: &ApiCall,
    index: usize,
    world: &mut FlyWorld,
) -> Result<ApiAnswer, ApiAnswer> {
    match order {
        "start" => start(index, world),
        "stop" => stop(index, world),
        "suspend" => suspend(index, world),
        "restart" => restart(index, world),
        "destroy" => destroy(index, call.value("force") == Some("true"), world),
        "cordon" => {
            world.order(index, |machine, _, _| machine.cordoned = true);
            Ok(ApiAnswer::done())
        }
        _ => {
            world.order(index, |machine, _, _| machine.cordoned = false);
            Ok(ApiAnswer::done())
        }
    }
}

fn start(index: usize, world: &mut FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
    let state = world.machines[index].state;
    match state {
        MachineState::Stopped | MachineState::Suspended => {
            world.order(index, |machine, cost, at| machine.start("user", cost.resume, at));
        }
        MachineState::Started => {}
        MachineState::Starting => {
            let error = "aborted: machine still attempting to start";
            return Err(ApiAnswer::error(StatusCode::CONFLICT, error));
        }
        _ => return Err(wrong_state("start", state)),
    }
    Ok(ApiAnswer::ok(json!({
        "previous_state": state.word(),
        "migrated": false,
        "new_host": "",
    })))
}

fn stop(index: usize, world: &mut FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
    let state = world.machines[index].state;
    match state {
        MachineState::Started | MachineState::Starting | MachineState::Suspended => {
            world.order(index, |machine, _, at| machine.stop("user", at));
        }
        MachineState::Stopping | MachineState::Stopped => {}
        _ => return Err(wrong_state("stop", state)),
    }
    Ok(ApiAnswer::done())
}

fn suspend(index: usize, world: &mut FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
    let machine = &world.machines[index];
    let memory = MachineShape::of(&machine.config).memory_mb;
    match machine.state {
        MachineState::Started if memory > MOST_SUSPENDED_MB => {
            let error =
                format!("machine has {memory} MiB of memory; suspending needs 2048 or less");
            return Err(ApiAnswer::precondition(&error));
        }
        MachineState::Started => world.order(index, |machine, _, at| machine.suspend("user", at)),
        MachineState::Suspending | MachineState::Suspended => {}
        state => return Err(wrong_state("suspend", state)),
    }
    Ok(ApiAnswer::done())
}

fn restart(index: usize, world: &mut FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
    let state = world.machines[index].state;
    match state {
        MachineState::Started | MachineState::Stopped => {
            world.order(index, |machine, _, at| machine.restart(at));
            Ok(ApiAnswer::done())
        }
        _ => Err(wrong_state("restart", state)),
    }
}

/// Destroys a machine that stands, or by `force` one that runs.
fn destroy(index: usize, force: bool, world: &mut FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
    let state = world.machines[index].state;
    match state {
        MachineState::Destroyed => Err(wrong_state("destroy", state)),
        _ if force || state.is_settled() && state != MachineState::Started => {
            world.order(index, |machine, _, at| machine.destroy(at));
            Ok(ApiAnswer::done())
        }
        _ => Err(wrong_state("destroy", state)),
    }
}

/// Creates a machine from the call's body, and returns its index.
pub(super) fn create(call: &ApiCall, world: &mut FlyWorld) -> Result<usize, ApiAnswer> {
    let mut body = read_body(call)?;
    let config = body["config"].take();
    check_config(&config)?;
    check_files(&config["files"], &world.settings.secrets).map_err(unprocessable)?;
    let region = body["region"].as_str().unwrap_or(&world.settings.region).to_owned();
    check_place(&region, world)?;
    let name = body["name"].as_str().map(str::to_owned);
    if let Some(name) = &name {
        check_name(name, world)?;
    }
    let balance = world.settings.machines[0].balance;
    let index = world.add_machine(name, config, balance);
    let start = body["skip_launch"].as_bool() != Some(true);
    let cordoned = body["skip_service_registration"].as_bool() == Some(true);
    world.order(index, |machine, _, at| {
        machine.region = region;
        machine.cordoned = cordoned;
        machine.begin(start, at);
    });
    Ok(index)
}

/// Refuses a region that is unknown or full.
fn check_place(region: &str, world: &FlyWorld) -> Result<(), ApiAnswer> {
    let settings = &world.settings;
    if *region != settings.region && !settings.regions.iter().any(|known| known == region) {
        return Err(unprocessable(&format!("region {region} is unknown to the rehearsal")));
    }
    if world.machines.len() >= MOST_MACHINES {
        return Err(unprocessable("the rehearsal has no room for another machine"));
    }
    if settings.full_regions.iter().any(|full| full == region) {
        let error = format!("insufficient resources to create new machine in region {region}");
        let mut answer = ApiAnswer::error(StatusCode::UNPROCESSABLE_ENTITY, error);
        if let Some(body) = &mut answer.body {
            body["status"] = json!("insufficient_capacity");
        }
        return Err(answer);
    }
    Ok(())
}

/// Refuses the name of a machine that exists.
fn check_name(name: &str, world: &FlyWorld) -> Result<(), ApiAnswer> {
    let is_taken =
        |machine: &&Machine| machine.name == name && machine.state != MachineState::Destroyed;
    world.machines.iter().find(is_taken).map_or(Ok(()), |machine| {
        let error = format!(
            "already_exists: unique machine name violation, machine ID {} already exists with name \
             \"{name}\"",
            machine.id
        );
        Err(ApiAnswer::error(StatusCode::CONFLICT, error))
    })
}

/// Replaces the machine's config by the one in the call's body.
pub(super) fn update(call: &ApiCall, index: usize, world: &mut FlyWorld) -> Result<(), ApiAnswer> {
    let mut body = read_body(call)?;
    let config = body["config"].take();
    check_config(&config)?;
    let machine = &world.machines[index];
    if body["current_version"].as_str().is_some_and(|version| version != machine.instance_id) {
        let error = format!("machine is at version {}", machine.instance_id);
        return Err(ApiAnswer::precondition(&error));
    }
    let state = machine.state;
    if !state.is_settled() || state == MachineState::Destroyed {
        return Err(wrong_state("update", state));
    }
    let start = body["skip_launch"].as_bool() != Some(true);
    let name = body["name"].as_str().map(str::to_owned);
    let cordoned = body["skip_service_registration"].as_bool() == Some(true);
    world.order(index, |machine, _, at| {
        machine.cordoned |= cordoned;
        if let Some(name) = name {
            machine.name = name;
        }
        machine.update(config, start, at);
    });
    Ok(())
}

fn check_config(config: &Value) -> Result<(), ApiAnswer> {
    if !config.is_object() {
        return Err(ApiAnswer::bad_request("invalid body: config must be an object"));
    }
    if config["image"].as_str().is_none_or(str::is_empty) {
        return Err(unprocessable("config.image is required"));
    }
    let guest = &config["guest"];
    for (field, good) in [
        ("cpus", guest["cpus"].is_null() || guest["cpus"].is_u64()),
        ("memory_mb", guest["memory_mb"].is_null() || guest["memory_mb"].is_u64()),
        ("cpu_kind", guest["cpu_kind"].is_null() || guest["cpu_kind"].is_string()),
    ] {
        if !good {
            let error = format!("invalid body: config.guest.{field} has the wrong type");
            return Err(ApiAnswer::bad_request(error));
        }
    }
    if !config["services"].is_null() && !config["services"].is_array() {
        return Err(ApiAnswer::bad_request("invalid body: config.services must be a list"));
    }
    MachineShape::of(config)
        .mistake()
        .map_or(Ok(()), |mistake| Err(unprocessable(&format!("invalid config.guest, {mistake}"))))
}

fn unprocessable(error: &str) -> ApiAnswer {
    let error = format!("invalid_argument: {error}");
    ApiAnswer::error(StatusCode::UNPROCESSABLE_ENTITY, error)
}

fn wrong_state(order: &str, state: MachineState) -> ApiAnswer {
    let word = state.word();
    ApiAnswer::precondition(&format!("unable to {order} machine from current state: '{word}'"))
}
