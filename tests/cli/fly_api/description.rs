//! Compares exchanges with a description of the Machines API in the form of `OpenAPI` 3.0.
//!
//! `fly-api.json` says, in our own words, what the program, `warm-gate-uncordon.sh` and the
//! rehearsal use. Fly's own description is not a part of this project; `TOLLGATE_TESTS_FLY_OPENAPI`
//! names a copy (<https://docs.machines.dev>).
#![allow(clippy::print_stdout, reason = "a skipped comparison must say so")]

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::relay::{Exchange, Relay, Request};

/// Our own description.
const FACTS: &str = include_str!("fly-api.json");

/// The header that a call under a lease carries.
const NONCE: &str = "fly-machine-lease-nonce";

/// A description of an API.
pub(crate) struct Description {
    root: Value,
    validators: BTreeMap<String, Validator>,
}

/// Asserts that everything that a relay saw of the Machines API is as described: by our own
/// description, and by Fly's if it is there.
pub(crate) fn assert_described(relay: &Relay) {
    let exchanges: Vec<Exchange> =
        relay.exchanges().into_iter().filter(|one| one.request.is_api()).collect();
    assert!(exchanges.len() >= 5, "{exchanges:?}");
    for mut description in
        [Some(Description::of_facts()), Description::of_fly()].into_iter().flatten()
    {
        let problems: Vec<String> =
            exchanges.iter().flat_map(|one| description.problems(one)).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        println!("{} exchanges are as described", exchanges.len());
    }
}

impl Description {
    /// Our own description.
    pub(crate) fn of_facts() -> Self {
        Self::new(serde_json::from_str(FACTS).unwrap())
    }

    /// Fly's own description; `None` if no copy is named.
    pub(crate) fn of_fly() -> Option<Self> {
        let path = std::env::var_os("TOLLGATE_TESTS_FLY_OPENAPI").filter(|path| !path.is_empty());
        let Some(path) = path else {
            println!("skipped: TOLLGATE_TESTS_FLY_OPENAPI names no copy of Fly's description");
            return None;
        };
        let text = std::fs::read(path)
            .unwrap_or_else(|error| panic!("TOLLGATE_TESTS_FLY_OPENAPI: {error}"));
        let mut root: Value = serde_json::from_slice(&text).unwrap();
        allow_what_fly_does(&mut root["components"]["schemas"]);
        Some(Self::new(root))
    }

    fn new(mut root: Value) -> Self {
        close_objects(&mut root["components"]["schemas"]);
        Self { root, validators: BTreeMap::new() }
    }

    /// Every method and path that is described.
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.root["paths"].as_object().unwrap();
        let methods =
            |path: &Value| -> Vec<String> { path.as_object().unwrap().keys().cloned().collect() };
        let of_path = |(path, item): (&String, &Value)| -> Vec<(String, String)> {
            methods(item).into_iter().map(|method| (method, path.clone())).collect()
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// What differs from the description.
    pub(crate) fn problems(&mut self, exchange: &Exchange) -> Vec<String> {
        let request = &exchange.request;
        let call =
            format!("{} {}?{} {}", request.method, request.path, request.query, exchange.status);
        let Some(operation) = self.operation(request) else {
            return vec![format!("{call}: no such operation")];
        };
        let mut problems = self.parameter_problems(&operation, request);
        // The call was refused, so that its body may be wrong.
        if exchange.status < 400 {
            problems.extend(self.body_problems(&operation, &request.body));
        }
        problems.extend(self.answer_problems(&operation, exchange));
        problems.into_iter().map(|problem| format!("{call}: {problem}")).collect()
    }

    fn operation(&self, request: &Request) -> Option<Value> {
        let paths = self.root["paths"].as_object()?;
        let (_, item) = paths.iter().find(|(template, _)| is_path_of(&request.path, template))?;
        item.get(request.method.to_ascii_lowercase()).cloned()
    }

    fn parameter_problems(&mut self, operation: &Value, request: &Request) -> Vec<String> {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let mut problems = Vec::new();
        for (name, text) in form_urlencoded::parse(request.query.as_bytes()) {
            let is_meant = |one: &&Value| one["in"] == "query" && one["name"] == *name;
            let Some(parameter) = parameters.iter().find(is_meant) else {
                problems.push(format!("no such parameter: {name}"));
                continue;
            };
            let schema = &parameter["schema"];
            let value = match schema["type"].as_str() {
                Some("integer" | "boolean") => text.parse().unwrap_or_default(),
                _ => json!(text),
            };
            problems.extend(self.mismatches(schema, &value));
        }
        let is_needed =
            parameters.iter().any(|one| one["name"] == NONCE && one["required"] == true);
        if is_needed && !request.headers.iter().any(|name| name == NONCE) {
            problems.push(format!("no header {NONCE}"));
        }
        problems
    }

    fn body_problems(&mut self, operation: &Value, body: &[u8]) -> Vec<String> {
        let described = &operation["requestBody"];
        if body.is_empty() {
            let is_missing = described["required"] == true;
            return is_missing.then(|| "no body".to_owned()).into_iter().collect();
        }
        if described.is_null() {
            return vec!["a body where none is described".to_owned()];
        }
        self.mismatches(&schema_of(described), &serde_json::from_slice(body).unwrap())
    }

    fn answer_problems(&mut self, operation: &Value, exchange: &Exchange) -> Vec<String> {
        let described = &operation["responses"][exchange.status.to_string()];
        let schema = match (described.is_null(), exchange.status >= 400) {
            // Fly's description leaves most errors out; all have the same form.
            (true, true) => json!({"$ref": "#/components/schemas/ErrorResponse"}),
            (true, false) => return vec!["no such status".to_owned()],
            (false, _) => schema_of(described),
        };
        if schema.is_null() { Vec::new() } else { self.mismatches(&schema, &exchange.json()) }
    }

    fn mismatches(&mut self, schema: &Value, value: &Value) -> Vec<String> {
        let components = &self.root["components"];
        let validator = self.validators.entry(schema.to_string()).or_insert_with(|| {
            let schema = json!({"allOf": [schema], "components": components});
            jsonschema::draft4::new(&schema).unwrap()
        });
        let problem =
            |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
        validator.iter_errors(value).map(problem).collect()
    }
}

/// Whether a path is one of a template such as `/v1/apps/{app}/machines`.
pub(crate) fn is_path_of(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) =
        (path.split('/').collect(), template.split('/').collect());
    let is_same = |(own, wanted): (&&str, &&str)| own == wanted || wanted.starts_with('{');
    path.len() == template.len() && path.iter().zip(&template).all(is_same)
}

/// The schema of a body; `null` if it is not described.
fn schema_of(body: &Value) -> Value {
    body["content"]["application/json"]["schema"].clone()
}

/// Makes every field that is not described a mistake.
fn close_objects(schemas: &mut Value) {
    for schema in schemas.as_object_mut().unwrap().values_mut() {
        let is_open = schema["additionalProperties"].is_null() && schema["allOf"].is_null();
        if is_open && schema["properties"].is_object() {
            schema["additionalProperties"] = json!(false);
        }
    }
}

/// Allows what Fly's API does although its description has it only in words, or not at all.
fn allow_what_fly_does(schemas: &mut Value) {
    for schema in schemas.as_object_mut().unwrap().values_mut() {
        if let Some(autostop) = schema.pointer_mut("/properties/autostop") {
            // "The API continues to use booleans for `off` and `stop` in responses."
            *autostop = json!({"enum": ["off", "stop", "suspend", true, false]});
        }
    }
    // flyctl reads a lease from `data`, next to `status`.
    for name in ["status", "data"] {
        schemas["Lease"]["properties"][name] = json!({});
    }
}

#[test]
fn a_call_that_differs_from_the_description_is_reported() {
    let path = "/v1/apps/shop/machines/0";
    for (method, action, query, body, status, answer, problem) in [
        ("GET", "/memory", "", "", 200, "{}", "no such operation"),
        ("DELETE", "", "force=maybe", "", 200, "", "null is not of type"),
        ("PUT", "/lease", "", "", 200, "{}", "no such operation"),
        ("GET", "/wait", "until=now", "", 200, "{\"ok\": true}", "no such parameter: until"),
        ("GET", "/wait", "state=gone", "", 200, "{\"ok\": true}", "\"gone\" is not one of"),
        ("GET", "/wait", "timeout=5s", "", 200, "{\"ok\": true}", "null is not of type"),
        ("POST", "/stop", "", "{\"force\": true}", 200, "", "('force' was unexpected)"),
        ("POST", "/suspend", "", "{}", 200, "", "a body where none is described"),
        ("POST", "/lease", "", "", 201, "{}", "no body"),
        ("DELETE", "/lease", "", "", 200, "", "no header fly-machine-lease-nonce"),
        ("POST", "/start", "", "", 204, "", "no such status"),
        ("POST", "/start", "", "", 500, "{}", "\"error\" is a required property"),
        ("GET", "/events", "", "", 200, "[{\"type\": 7}]", "7 is not of type"),
    ] {
        let request = Request {
            method: method.to_owned(),
            path: format!("{path}{action}"),
            query: query.to_owned(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        let exchange = Exchange { request, status, answer: answer.as_bytes().to_vec() };
        let problems = Description::of_facts().problems(&exchange).join("\n");
        assert!(problems.contains(problem), "{problem} is not in: {problems}");
    }
}
