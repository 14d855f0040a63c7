//! Answers of the Machines API, in its wire fields.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::config::with_old_autostop;
use super::super::machine::{Machine, ProgramState};
use super::leases::{Lease, OWNER};

/// An answer; one without a body has status 204.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct ApiAnswer {
    pub(in super::super) status: StatusCode,
    pub(in super::super) body: Option<Value>,
}

impl ApiAnswer {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body) }
    }

    pub(super) fn done() -> Self {
        Self::ok(json!({ "ok": true }))
    }

    pub(super) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None }
    }

    pub(in super::super) fn error(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, body: Some(json!({ "error": error.into(), "status": "unknown" })) }
    }

    pub(super) fn precondition(error: &str) -> Self {
        let error = format!("failed_precondition: {error}");
        Self::error(StatusCode::PRECONDITION_FAILED, error)
    }

    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::error(StatusCode::BAD_REQUEST, error)
    }
}

/// The machine as its answers show it.
pub(super) fn machine_json(machine: &Machine, lease: Option<&Lease>) -> Value {
    let image = machine.config["image"].as_str().unwrap_or_default();
    let mut value = json!({
        "id": machine.id,
        "name": machine.name,
        "state": machine.state.word(),
        "region": machine.region,
        "instance_id": machine.instance_id,
        "private_ip": machine.private_ip.to_string(),
        "config": with_old_autostop(machine.config.clone()),
        "image_ref": image_ref(image),
        "created_at": timestamp(machine.created),
        "updated_at": timestamp(machine.updated),
        "events": machine.events().collect::<Vec<_>>(),
        "host_status": "ok",
        "cordoned": machine.cordoned,
    });
    if machine.runs() && machine.has_service() {
        value["checks"] = json!([check(machine)]);
    }
    if let Some(lease) = lease {
        value["lease"] = json!({
            "owner": OWNER,
            "description": lease.description,
            "expires_at": lease.expires.as_secs(),
        });
    }
    value
}

/// The lease in both forms that Fly's clients read: the fields of the specification, and the older
/// `{status, data}` around them.
pub(super) fn lease_json(lease: &Lease, version: &str) -> Value {
    let data = json!({
        "nonce": lease.nonce,
        "owner": OWNER,
        "description": lease.description,
        "expires_at": lease.expires.as_secs(),
        "version": version,
    });
    let mut value = data.clone();
    value["status"] = json!("success");
    value["data"] = data;
    value
}

fn check(machine: &Machine) -> Value {
    let port = machine.config["services"][0]["internal_port"].as_u64().unwrap_or(8080);
    let (status, output) = match machine.program {
        ProgramState::Listening => ("passing", "HTTP GET /health: 200 OK"),
        ProgramState::Booting | ProgramState::Down => ("critical", "connection refused"),
    };
    json!({
        "name": format!("servicecheck-00-http-{port}"),
        "status": status,
        "output": output,
        "updated_at": timestamp(machine.updated),
    })
}

/// The parts of an image's name: `registry/repository:tag`.
fn image_ref(image: &str) -> Value {
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let (registry, repository) = name.split_once('/').unwrap_or(("registry-1.docker.io", name));
    json!({
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": digest(image),
        "labels": {},
    })
}

/// A digest that differs from image to image; nothing is behind it.
fn digest(image: &str) -> String {
    use sha2::{Digest as _, Sha256};
    format!("sha256:{:x}", Sha256::digest(image.as_bytes()))
}

/// A wall time in milliseconds since the Unix epoch as RFC 3339, without fractions, as Fly has it.
fn timestamp(millis: u64) -> String {
    expiry(Duration::from_millis(millis))
}

/// A wall time since the Unix epoch as RFC 3339, without fractions.
pub(super) fn expiry(wall: Duration) -> String {
    let seconds = i64::try_from(wall.as_secs()).unwrap_or(0);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_taken_apart() {
        let image = image_ref("registry.fly.io/rehearsal:deployment-1");
        assert_eq!(
            (&image["registry"], &image["repository"], &image["tag"]),
            (&json!("registry.fly.io"), &json!("rehearsal"), &json!("deployment-1"))
        );
        assert_eq!(timestamp(1_698_719_726_615), "2023-10-31T02:35:26Z");
    }
}
