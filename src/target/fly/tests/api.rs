//! The Machines API: fields, errors, leases, waits, metadata and limits.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use super::super::api::{ApiAnswer, ApiCall, ApiOutcome};
use super::{EXACT, REFUSED, Rehearsal, api_call, error};

fn wait(fly: &mut Rehearsal, query: &str) -> ApiOutcome {
    fly.outcome(0, &format!("GET wait?{query}"), &Value::Null, "")
}

#[test]
fn a_machine_has_the_fields_of_the_specification() {
    let mut fly = Rehearsal::new("");
    let machine = fly.ok(0, "GET ", &Value::Null);
    for field in
        ["id", "name", "state", "region", "instance_id", "private_ip", "created_at", "updated_at"]
    {
        assert!(machine[field].is_string(), "{field}");
    }
    assert_eq!(machine["id"].as_str().unwrap().len(), 14);
    assert_eq!(machine["instance_id"].as_str().unwrap().len(), 26);
    assert_eq!(machine["host_status"], "ok");
    assert_eq!(
        machine["config"]["guest"],
        json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 1024})
    );
    let service = &machine["config"]["services"][0];
    assert_eq!(service["autostop"], true, "answers write `stop` so");
    assert_eq!(
        service["concurrency"],
        json!({"type": "requests", "soft_limit": 20, "hard_limit": 25})
    );
    let event = &machine["events"][0];
    assert_eq!(
        (&event["type"], &event["status"], &event["source"]),
        (&json!("start"), &json!("started"), &json!("flyd"))
    );
    assert_eq!(event["timestamp"], 1_700_000_000_000_u64);
    for field in ["registry", "repository", "tag", "digest"] {
        assert!(machine["image_ref"][field].is_string(), "{field}");
    }
}

#[test]
fn a_list_can_be_narrowed_by_state() {
    let mut fly = Rehearsal::new("[[machine]]\n[[machine]]\nstate = \"stopped\"\n");
    let mut list = |query: &str| {
        let uri = format!("/v1/apps/rehearsal/machines{query}");
        let call = api_call("GET", &uri, &Value::Null, "");
        let ApiOutcome::Answer(answer) = fly.api.carry_out(&call, &mut fly.world) else { panic!() };
        answer.body.unwrap().as_array().unwrap().len()
    };
    assert_eq!((list(""), list("?state=stopped"), list("?state=started,stopped")), (2, 1, 2));
    assert_eq!(list("?region=ams"), 0);
}

#[test]
fn both_forms_of_the_token_are_accepted_and_no_other() {
    let mut fly = Rehearsal::new("");
    let uri = format!("/v1/apps/rehearsal/machines/{}", fly.id(0));
    for (header, status) in [
        ("Bearer rehearsal-token", 200),
        ("FlyV1 rehearsal-token", 200),
        ("Bearer other", 401),
        ("", 401),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", header.parse().unwrap());
        let call = ApiCall::new(&http::Method::GET, &uri.parse().unwrap(), &headers, Vec::new());
        let ApiOutcome::Answer(answer) = fly.api.carry_out(&call, &mut fly.world) else { panic!() };
        assert_eq!(answer.status.as_u16(), status, "{header}");
    }
}

#[test]
fn what_does_not_exist_is_404_and_a_wrong_method_405() {
    let mut fly = Rehearsal::new("");
    let id = fly.id(0);
    for (method, path, status, says) in [
        ("GET", "apps/other/machines".to_owned(), 404, "app not found"),
        ("GET", "apps/rehearsal/machines/nobody".to_owned(), 404, "machine not found"),
        ("GET", "apps/rehearsal/volumes".to_owned(), 404, "404 page not found"),
        ("GET", format!("apps/rehearsal/machines/{id}/dance"), 404, "404 page not found"),
        ("GET", format!("apps/rehearsal/machines/{id}/start"), 405, "method not allowed"),
        ("DELETE", "apps/rehearsal/machines".to_owned(), 405, "method not allowed"),
    ] {
        let call = api_call(method, &format!("/v1/{path}"), &Value::Null, "");
        let ApiOutcome::Answer(answer) = fly.api.carry_out(&call, &mut fly.world) else { panic!() };
        let (found, message) = error(&answer);
        assert_eq!(found, status, "{path}");
        assert!(message.contains(says), "{path}: {message}");
    }
}

#[test]
fn a_malformed_update_is_refused_and_changes_nothing() {
    let mut fly = Rehearsal::new("");
    let before = fly.world.machines[0].instance_id.clone();
    let image = "registry.fly.io/rehearsal:1";
    for (body, status, says) in [
        (json!([]), 400, "JSON object"),
        (json!({}), 400, "config must be an object"),
        (json!({"config": {}}), 422, "config.image"),
        (json!({"config": {"image": image, "guest": {"cpus": "two"}}}), 400, "guest.cpus"),
        (json!({"config": {"image": image, "guest": {"cpus": 3}}}), 422, "number of CPUs"),
        (json!({"config": {"image": image, "guest": {"memory_mb": 99}}}), 422, "memory size"),
        (json!({"config": {"image": image, "services": {}}}), 400, "services"),
        (json!({"config": {"image": image}, "current_version": "01X"}), 412, "is at version"),
    ] {
        let answer = fly.call_with(0, "POST ", &body, "");
        let (found, message) = error(&answer);
        assert_eq!(found, status, "{body}");
        assert!(message.contains(says), "{body}: {message}");
    }
    let call = ApiCall::new(
        &http::Method::POST,
        &format!("/v1/apps/rehearsal/machines/{}", fly.id(0)).parse().unwrap(),
        &HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            "Bearer rehearsal-token".parse().unwrap(),
        )]),
        b"{not json".to_vec(),
    );
    let ApiOutcome::Answer(answer) = fly.api.carry_out(&call, &mut fly.world) else { panic!() };
    assert_eq!(answer.status.as_u16(), 400);
    assert_eq!(fly.world.machines[0].instance_id, before);
}

#[test]
fn an_order_in_the_wrong_state_is_refused_by_name() {
    let mut fly = Rehearsal::new(EXACT);
    fly.ok(0, "POST stop", &Value::Null);
    let answer = fly.call(0, "POST start");
    assert_eq!(
        error(&answer),
        (412, "failed_precondition: unable to start machine from current state: 'stopping'")
    );
    fly.pass(1.0);
    assert_eq!(error(&fly.call(0, "POST suspend")).0, 412);
    fly.ok(0, "POST stop", &Value::Null);
    fly.ok(0, "POST start", &Value::Null);
    let answer = fly.call(0, "POST start");
    assert_eq!(error(&answer), (409, "aborted: machine still attempting to start"));
    fly.pass(1.0);
    assert_eq!(fly.ok(0, "POST start", &Value::Null)["previous_state"], "started");
}

#[test]
fn a_lease_keeps_others_from_changing_the_machine() {
    let mut fly = Rehearsal::new("");
    assert_eq!(fly.call(0, "GET lease").status.as_u16(), 404);
    let lease = fly.call_with(0, "POST lease", &json!({"ttl": 30, "description": "tuning"}), "");
    assert_eq!(lease.status.as_u16(), 201);
    let lease = lease.body.unwrap();
    let nonce = lease["nonce"].as_str().unwrap().to_owned();
    assert_eq!(lease["expires_at"], 1_700_000_030);
    assert_eq!((&lease["status"], &lease["data"]["nonce"]), (&json!("success"), &lease["nonce"]));
    for change in [
        "POST stop",
        "POST restart",
        "POST cordon",
        "POST lease",
        "DELETE lease",
        "DELETE ",
        "DELETE metadata/a",
    ] {
        let answer = fly.call(0, change);
        let (status, message) = error(&answer);
        assert_eq!(status, 409, "{change}");
        assert!(
            message.contains("lease currently held by") && message.contains("2023-11-14T22:13:50Z"),
            "{message}"
        );
    }
    assert!(fly.ok(0, "GET ", &Value::Null)["lease"]["nonce"].is_null(), "a nonce is a secret");
    fly.pass(20.0);
    let prolonged = fly.call_with(0, "POST lease", &json!({"ttl": 30}), &nonce).body.unwrap();
    assert_eq!(
        (&prolonged["nonce"], &prolonged["expires_at"]),
        (&json!(nonce), &json!(1_700_000_050))
    );
    assert!(fly.call_with(0, "POST stop", &Value::Null, &nonce).status.is_success());
    assert!(fly.call_with(0, "DELETE lease", &Value::Null, &nonce).status.is_success());
    fly.pass(1.0);
    fly.ok(0, "POST start", &Value::Null);
}

#[test]
fn a_wait_ends_with_the_state_or_after_its_time() {
    let mut fly = Rehearsal::new(EXACT);
    let instance = fly.world.machines[0].instance_id.clone();
    fly.ok(0, "POST stop", &Value::Null);
    let ApiOutcome::Wait(stopped) =
        wait(&mut fly, &format!("state=stopped&instance_id={instance}"))
    else {
        panic!()
    };
    let ApiOutcome::Wait(started) = wait(&mut fly, "state=started&timeout=2") else { panic!() };
    assert_eq!(stopped.answer(&fly.world), None);
    fly.pass(1.0);
    let answer = stopped.answer(&fly.world).unwrap();
    let body = answer.body.unwrap();
    assert_eq!(
        (&body["ok"], &body["state"], &body["version"]),
        (&json!(true), &json!("stopped"), &json!(instance))
    );
    assert_eq!(started.answer(&fly.world), None);
    fly.pass(1.0);
    let answer = started.answer(&fly.world).unwrap();
    assert_eq!(
        error(&answer),
        (
            408,
            "deadline_exceeded: machine failed to reach desired state, started, currently stopped"
        )
    );
}

#[test]
fn a_wait_for_stopped_needs_the_instance_and_an_update_ends_the_old_one() {
    let mut fly = Rehearsal::new(EXACT);
    let instance = fly.world.machines[0].instance_id.clone();
    for (query, says) in [
        ("state=stopped", "instance_id is required"),
        ("state=dancing", "unknown state"),
        ("timeout=soon", "timeout"),
    ] {
        let ApiOutcome::Answer(answer) = wait(&mut fly, query) else { panic!("{query}") };
        let (status, message) = error(&answer);
        assert!(status == 400 && message.contains(says), "{query}: {message}");
    }
    fly.update(0, |config| config["env"]["A"] = json!("b"));
    let ApiOutcome::Wait(old) = wait(&mut fly, &format!("instance_id={instance}")) else {
        panic!()
    };
    assert_eq!(old.answer(&fly.world).unwrap().status.as_u16(), 404);
    let ApiOutcome::Wait(settled) = wait(&mut fly, "state=settled") else { panic!() };
    assert_eq!(settled.answer(&fly.world), None);
    fly.pass(1.0);
    assert!(settled.answer(&fly.world).unwrap().status.is_success());
}

#[test]
fn the_time_that_a_caller_names_is_real_time() {
    let mut fly = Rehearsal::new("scale = 10.0");
    fly.ok(0, "POST stop", &Value::Null);
    let ApiOutcome::Wait(started) = wait(&mut fly, "state=started&timeout=2") else { panic!() };
    assert_eq!(started.limit, Duration::from_secs(20));
    let lease = fly.ok(0, "POST lease", &json!({"ttl": 30}));
    assert_eq!(lease["expires_at"], 1_700_000_030);
}

#[test]
fn metadata_can_be_read_written_and_removed_without_a_new_instance() {
    let mut fly = Rehearsal::new("");
    let instance = fly.world.machines[0].instance_id.clone();
    assert_eq!(
        fly.call_with(0, "POST metadata/owner", &json!({"value": "me"}), "").status.as_u16(),
        204
    );
    assert_eq!(fly.ok(0, "GET metadata/owner", &Value::Null), json!({"value": "me"}));
    assert_eq!(fly.ok(0, "GET metadata", &Value::Null)["owner"], "me");
    fly.ok(0, "PATCH metadata", &json!({"metadata": {"owner": null, "team": "ops"}}));
    let all = fly.ok(0, "GET metadata", &Value::Null);
    assert_eq!((all.get("owner"), &all["team"]), (None, &json!("ops")));
    assert_eq!(fly.call(0, "DELETE metadata/team").status.as_u16(), 204);
    assert_eq!(fly.call(0, "GET metadata/team").status.as_u16(), 404);
    assert_eq!(error(&fly.call_with(0, "POST metadata/a", &json!({"value": 1}), "")).0, 400);
    assert_eq!(fly.world.machines[0].instance_id, instance);
}

#[test]
fn calls_above_the_limits_are_429_and_carry_nothing_out() {
    let mut fly = Rehearsal::new("[faults]\nrate_limits = true");
    let statuses: Vec<u16> = (0..4).map(|_| fly.call(0, "POST cordon").status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let gets = (0..12).filter(|_| fly.call(0, "GET ").status.is_success()).count();
    assert_eq!(gets, 10);
    fly.pass(1.0);
    assert_eq!(fly.call(0, "POST cordon").status.as_u16(), 200);
}

#[test]
fn a_share_of_the_calls_fails_half_of_them_after_they_were_carried_out() {
    let mut fly = Rehearsal::new("[faults]\nrate_limits = false\nerror_rate = \"20%\"");
    let (mut failed, mut carried_out) = (0, 0);
    for _ in 0..500 {
        fly.world.machines[0].cordoned = false;
        if fly.call(0, "POST cordon").status.as_u16() == 500 {
            failed += 1;
            carried_out += u32::from(fly.world.machines[0].cordoned);
        }
    }
    assert!((70..130).contains(&failed), "{failed}");
    assert!((30..75).contains(&carried_out), "{carried_out}");
}

#[test]
fn a_destroyed_machine_is_gone_for_good() {
    let mut fly = Rehearsal::new("[[machine]]\nstate = \"stopped\"\n");
    fly.ok(0, "DELETE ", &Value::Null);
    assert_eq!(fly.state(0), "destroyed");
    assert_eq!(error(&fly.call(0, "POST start")).0, 412);
    let request = fly.admit();
    assert_eq!(fly.finish(request).0, REFUSED);
}

/// Creates a machine from a body.
fn create(fly: &mut Rehearsal, body: &Value) -> ApiAnswer {
    let call = api_call("POST", "/v1/apps/rehearsal/machines", body, "");
    let ApiOutcome::Answer(answer) = fly.api.carry_out(&call, &mut fly.world) else { panic!() };
    answer
}

#[test]
fn a_machine_without_a_service_gets_no_request_and_ends_by_itself() {
    let job = "regions = [\"fra\"]\n[[machine]]\nstate = \"stopped\"\n\
               [service]\nautostart = false\n[job]\nruns = \"3s\"\nexit_code = 2\n";
    let mut fly = Rehearsal::new(job);
    let config = json!({"image": "i", "restart": {"policy": "no"}});
    let made = create(&mut fly, &json!({"region": "fra", "config": config})).body.unwrap();
    assert_eq!(made["region"], "fra");
    let config = json!({"image": "i", "auto_destroy": true});
    create(&mut fly, &json!({"region": "fra", "config": config}));
    fly.pass(3.1);
    assert_eq!((fly.state(1), fly.state(2)), ("started", "started"));
    let pinned = fly.admit_pinned(1);
    assert_eq!(fly.finish(pinned).0, REFUSED);
    fly.pass(0.2);
    assert_eq!((fly.state(1), fly.state(2)), ("stopped", "destroyed"));
    let machine = fly.ok(1, "GET ", &Value::Null);
    assert_eq!(machine["events"][0]["request"]["exit_event"]["exit_code"], 2);
}

#[test]
fn machines_are_made_where_there_is_room_and_under_names_that_are_free() {
    let mut fly = Rehearsal::new(
        "regions = [\"fra\", \"syd\"]\n[faults]\nrate_limits = false\nfull_regions = [\"syd\"]\n",
    );
    let config = json!({"image": "i"});
    let file = |path: &str, content: &str| json!({"image": "i", "files": [{"guest_path": path, "raw_value": content}]});
    for (body, status, said) in [
        (json!({"region": "fra", "name": "a", "config": config}), 200, ""),
        (json!({"region": "ord", "name": "a", "config": config}), 409, "unique machine name"),
        (json!({"region": "syd", "config": config}), 422, "insufficient resources"),
        (json!({"region": "moon", "config": config}), 422, "region moon is unknown"),
        (json!({"config": file("/a", "YQ==")}), 200, ""),
        (json!({"config": file("a", "YQ==")}), 422, "must be absolute"),
        (json!({"config": file("/a", "a")}), 422, "neither a raw_value in base64"),
    ] {
        let answer = create(&mut fly, &body);
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert!(status == 200 || error(&answer).1.contains(said), "{answer:?}");
    }
    let list = api_call("GET", "/v1/apps/rehearsal/machines?region=fra", &Value::Null, "");
    let ApiOutcome::Answer(list) = fly.api.carry_out(&list, &mut fly.world) else { panic!() };
    assert_eq!(list.body.unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn the_names_of_secrets_are_listed_and_nothing_else_of_them() {
    let mut fly = Rehearsal::new("secrets = [\"DATABASE_URL\"]\n");
    for (method, path, status) in
        [("GET", "", 200), ("POST", "", 405), ("GET", "/DATABASE_URL", 405)]
    {
        let call = api_call(method, &format!("/v1/apps/rehearsal/secrets{path}"), &Value::Null, "");
        let ApiOutcome::Answer(answer) = fly.api.carry_out(&call, &mut fly.world) else { panic!() };
        assert_eq!(answer.status.as_u16(), status);
        if status == 200 {
            assert_eq!(answer.body.unwrap(), json!({"secrets": [{"name": "DATABASE_URL"}]}));
        }
    }
}

#[test]
fn a_created_machine_boots_and_has_no_traffic_if_its_services_are_not_registered() {
    let mut fly = Rehearsal::new(EXACT);
    let config = fly.world.machines[0].config.clone();
    let body = json!({"name": "green", "config": config, "skip_service_registration": true});
    let answer = create(&mut fly, &body).body.unwrap();
    assert_eq!((&answer["name"], &answer["state"]), (&json!("green"), &json!("starting")));
    assert_eq!(answer["cordoned"], true);
    assert_eq!(answer["private_ip"], "::ffff:127.6.0.2");
    fly.pass(5.0);
    assert_eq!(fly.state(1), "started");
    let pinned = fly.admit_pinned(1);
    assert_eq!(fly.finish(pinned).0, REFUSED);
    let asleep = create(&mut fly, &json!({"config": config, "skip_launch": true})).body.unwrap();
    assert_eq!((&asleep["state"], &asleep["cordoned"]), (&json!("stopped"), &json!(false)));
    for (body, status) in [
        (json!({}), 400),
        (json!({"config": {}}), 422),
        (json!({"config": config, "region": "moon"}), 422),
    ] {
        assert_eq!(create(&mut fly, &body).status.as_u16(), status);
    }
    assert_eq!(fly.world.machines.len(), 3);
    fly.ok(1, "DELETE ?force=true", &json!(null));
    assert_eq!(fly.state(1), "destroyed");
}
