//! A machine's metadata, which is a part of its config.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::world::FlyWorld;
use super::answers::ApiAnswer;
use super::call::ApiCall;
use super::read_body;

/// Answers a call for all metadata, or for one `key`. Writing it makes no new instance.
pub(super) fn answer(
    call: &ApiCall,
    key: Option<&str>,
    index: usize,
    world: &mut FlyWorld,
) -> Result<ApiAnswer, ApiAnswer> {
    let config = &mut world.machines[index].config;
    if !config["metadata"].is_object() {
        config["metadata"] = json!({});
    }
    let metadata = &mut config["metadata"];
    match (&call.method, key) {
        (&Method::GET, None) => Ok(ApiAnswer::ok(metadata.clone())),
        (&Method::GET, Some(key)) => match metadata.get(key) {
            Some(value) => Ok(ApiAnswer::ok(json!({ "value": value }))),
            None => Err(ApiAnswer::error(StatusCode::NOT_FOUND, "metadata key not found")),
        },
        (&Method::POST, Some(key)) => {
            let body = read_body(call)?;
            let value = body["value"].as_str();
            let value = value.ok_or_else(|| ApiAnswer::bad_request("value must be a string"))?;
            metadata[key] = json!(value);
            Ok(ApiAnswer::no_content())
        }
        (&Method::DELETE, Some(key)) => {
            metadata.as_object_mut().and_then(|all| all.remove(key));
            Ok(ApiAnswer::no_content())
        }
        (method, None) if *method == Method::PUT || *method == Method::PATCH => {
            write_all(&read_body(call)?, *method == Method::PUT, metadata)
        }
        _ => Err(ApiAnswer::error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")),
    }
}

/// Replaces all metadata, or merges into it; a value of null removes its key.
fn write_all(body: &Value, replace: bool, metadata: &mut Value) -> Result<ApiAnswer, ApiAnswer> {
    let new = body["metadata"].as_object();
    let new = new.ok_or_else(|| ApiAnswer::bad_request("metadata must be an object"))?;
    if new.values().any(|value| !value.is_string() && !value.is_null()) {
        return Err(ApiAnswer::bad_request("metadata values must be strings"));
    }
    if replace {
        *metadata = json!({});
    }
    for (key, value) in new {
        if value.is_null() {
            metadata.as_object_mut().and_then(|all| all.remove(key));
        } else {
            metadata[key] = value.clone();
        }
    }
    Ok(ApiAnswer::no_content())
}
