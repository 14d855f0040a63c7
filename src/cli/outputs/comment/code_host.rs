//! The code host of a CI job, from the variables that the job has.

use std::path::Path;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use super::super::super::exit::CommandError;
use super::super::web_request::{below, parse_service_url, secret_header};
use crate::files;
use crate::units::ByteSize;

/// Maximum size of the file that describes a job's event. GitHub's have at most 25 MB.
const MAX_EVENT: ByteSize = ByteSize(32 << 20);

/// A code host and how to write to it.
pub(super) struct CodeHost {
    pub(super) name: &'static str,
    /// The variable with the token.
    pub(super) variable: &'static str,
    /// What the token needs, and how it gets it.
    pub(super) permission: &'static str,
    pub(super) token: String,
    pub(super) headers: HeaderMap,
    /// Where to comment; `None` if the job does not belong to a pull request.
    pub(super) thread: Option<CommentThread>,
}

/// The comments of one pull request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommentThread {
    /// The pull request as messages name it: `owner/name#7`.
    pub(super) shown: String,
    /// Lists comments and takes new ones.
    pub(super) all: Url,
    /// One comment, without its id.
    pub(super) each: Url,
    /// The method that replaces a comment.
    pub(super) update: Method,
}

/// Reads a variable that is not empty.
type VariableReader<'a> = &'a dyn Fn(&str) -> Option<String>;

impl CodeHost {
    /// GitLab if `GITLAB_CI` is set, else GitHub. A missing variable is an error before anything is
    /// sent, even if there is nothing to comment on: the next pull request would need it.
    pub(super) fn from_variables(variable: VariableReader<'_>) -> Result<Self, CommandError> {
        if variable("GITLAB_CI").is_some() { gitlab(variable) } else { github(variable) }
    }
}

/// <https://docs.github.com/en/rest/issues/comments>
fn github(variable: VariableReader<'_>) -> Result<CodeHost, CommandError> {
    let needed = [
        ("GITHUB_REPOSITORY", "run it in a job of GitHub Actions"),
        ("GITHUB_TOKEN", "pass it on with `env: GITHUB_TOKEN: ${{ github.token }}`"),
    ];
    let [repository, token] = all_needed(variable, needed)?;
    let api = variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
    let api = service_url("GITHUB_API_URL", &api)?;
    let (owner, name) = repository
        .split_once('/')
        .filter(|(owner, name)| is_plain(owner) && is_plain(name))
        .ok_or_else(|| usage("GITHUB_REPOSITORY is not `owner/name`"))?;
    let issues = below(&api, &["repos", owner, name, "issues"]);
    let thread = pull_request(variable)?.map(|number| CommentThread {
        shown: format!("{repository}#{number}"),
        all: below(&issues, &[&number.to_string(), "comments"]),
        each: below(&issues, &["comments"]),
        update: Method::PATCH,
    });
    let version = HeaderName::from_static("x-github-api-version");
    let bearer = format!("Bearer {token}");
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (version, HeaderValue::from_static("2022-11-28")),
        secret_header("GITHUB_TOKEN", AUTHORIZATION, &bearer)?,
    ]);
    Ok(CodeHost {
        name: "GitHub",
        variable: "GITHUB_TOKEN",
        permission: "give the job `permissions: pull-requests: write`; on a pull request from a \
                     fork the token can only read",
        token,
        headers,
        thread,
    })
}

/// <https://docs.gitlab.com/api/notes/#merge-requests>
fn gitlab(variable: VariableReader<'_>) -> Result<CodeHost, CommandError> {
    let needed = [
        ("CI_API_V4_URL", "run it in a job of GitLab CI"),
        ("CI_PROJECT_ID", "run it in a job of GitLab CI"),
        ("GITLAB_TOKEN", "set it to a project access token with the scope `api`"),
    ];
    let [api, project, token] = all_needed(variable, needed)?;
    let api = service_url("CI_API_V4_URL", &api)?;
    let requests = below(&api, &["projects", &project, "merge_requests"]);
    let thread = variable("CI_MERGE_REQUEST_IID").map(|number| {
        let notes = below(&requests, &[&number, "notes"]);
        let path = variable("CI_PROJECT_PATH").unwrap_or_default();
        let shown = format!("{path}!{number}");
        CommentThread { shown, all: notes.clone(), each: notes, update: Method::PUT }
    });
    let name = HeaderName::from_static("private-token");
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        secret_header("GITLAB_TOKEN", name, &token)?,
    ]);
    Ok(CodeHost {
        name: "GitLab",
        variable: "GITLAB_TOKEN",
        permission: "the token needs the scope `api` and the role Reporter",
        token,
        headers,
        thread,
    })
}

/// The values of variables; an error names every one that is missing.
fn all_needed<const N: usize>(
    variable: VariableReader<'_>,
    needed: [(&'static str, &'static str); N],
) -> Result<[String; N], CommandError> {
    let values = needed.map(|(name, _)| variable(name).map(|value| value.trim().to_owned()));
    let missing: Vec<_> = needed
        .iter()
        .zip(&values)
        .filter(|(_, value)| value.is_none())
        .map(|((name, remedy), _)| format!("error: --comment needs the variable {name}: {remedy}"))
        .collect();
    if !missing.is_empty() {
        return Err(CommandError::usage(missing.join("\n")));
    }
    Ok(values.map(Option::unwrap_or_default))
}

/// The base URL of an API. Its token must not be readable on the way.
fn service_url(name: &str, text: &str) -> Result<Url, CommandError> {
    let url = parse_service_url(name, text)?;
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || is_loopback {
        return Ok(url);
    }
    Err(usage(&format!("{name} is not an https URL: others could read the token")))
}

/// Whether a text is part of a repository's name.
fn is_plain(text: &str) -> bool {
    let is_dots = text.chars().all(|c| c == '.');
    !is_dots && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The number of the pull request of a job: from the event that started it, or from its reference
/// `refs/pull/7/merge`.
fn pull_request(variable: VariableReader<'_>) -> Result<Option<u64>, CommandError> {
    let reference = variable("GITHUB_REF").and_then(|reference| number_in_reference(&reference));
    let Some(path) = variable("GITHUB_EVENT_PATH") else { return Ok(reference) };
    let event = files::read_regular(Path::new(&path), MAX_EVENT);
    let event = event.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    match event {
        Some(event) => Ok(number_in_event(&event).or(reference)),
        None if reference.is_some() => Ok(reference),
        None => Err(usage("GITHUB_EVENT_PATH does not name a JSON file")),
    }
}

/// The fields of the events that belong to a pull request
/// (<https://docs.github.com/en/webhooks/webhook-events-and-payloads>).
fn number_in_event(event: &Value) -> Option<u64> {
    let of = |path: &str| event.pointer(path).and_then(Value::as_u64);
    let of_issue = || event.pointer("/issue/pull_request").and_then(|_| of("/issue/number"));
    of("/pull_request/number")
        .or_else(of_issue)
        .or_else(|| of("/workflow_run/pull_requests/0/number"))
}

fn number_in_reference(reference: &str) -> Option<u64> {
    reference.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok()
}

fn usage(why: &str) -> CommandError {
    CommandError::usage(format!("error: --comment: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host(variables: &[(&str, &str)]) -> Result<CodeHost, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        CodeHost::from_variables(&variable).map_err(|error| error.to_string())
    }

    const GITHUB: [(&str, &str); 3] = [
        ("GITHUB_REPOSITORY", "shop/app"),
        ("GITHUB_TOKEN", "Zebra-7f3a9c51"),
        ("GITHUB_REF", "refs/pull/7/merge"),
    ];

    #[test]
    fn a_pull_request_on_github_is_found_by_its_reference() {
        let thread = host(&GITHUB).unwrap().thread.unwrap();
        assert_eq!(thread.shown, "shop/app#7");
        assert_eq!(thread.all.as_str(), "https://api.github.com/repos/shop/app/issues/7/comments");
        assert_eq!(thread.each.as_str(), "https://api.github.com/repos/shop/app/issues/comments");
    }

    #[test]
    fn a_merge_request_on_gitlab_has_notes() {
        let variables = [
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
            ("CI_PROJECT_ID", "42"),
            ("CI_PROJECT_PATH", "shop/app"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("GITLAB_TOKEN", "Zebra-7f3a9c51"),
        ];
        let thread = host(&variables).unwrap().thread.unwrap();
        let notes = "https://gitlab.example/api/v4/projects/42/merge_requests/7/notes";
        assert_eq!((thread.all.as_str(), thread.update), (notes, Method::PUT));
        assert_eq!(thread.shown, "shop/app!7");
        assert!(host(&variables[..4]).is_err_and(|error| error.contains("GITLAB_TOKEN")));
    }

    #[test]
    fn events_of_a_pull_request_name_it() {
        for (event, number) in [
            (json!({ "pull_request": { "number": 7 } }), Some(7)),
            (json!({ "issue": { "number": 7, "pull_request": {} } }), Some(7)),
            (json!({ "issue": { "number": 7 } }), None),
            (json!({ "workflow_run": { "pull_requests": [{ "number": 7 }] } }), Some(7)),
            (json!({ "workflow_run": { "pull_requests": [] } }), None),
            (json!({ "ref": "refs/heads/main" }), None),
            (json!([]), None),
        ] {
            assert_eq!(number_in_event(&event), number, "{event}");
        }
        assert_eq!(number_in_reference("refs/heads/pull/7"), None);
    }

    #[test]
    fn every_missing_variable_is_named_with_its_remedy() {
        let error = host(&[]).err().unwrap();
        assert!(error.contains("GITHUB_REPOSITORY: run") && error.contains("GITHUB_TOKEN: pass"));
    }

    #[test]
    fn a_token_goes_only_over_https_and_is_in_no_error() {
        for (name, value) in [
            ("GITHUB_API_URL", "http://github.example/"),
            ("GITHUB_API_URL", "nonsense"),
            ("GITHUB_REPOSITORY", "shop/../app"),
            ("GITHUB_REPOSITORY", "../.."),
            ("GITHUB_TOKEN", "Zebra\n7f3a9c51"),
            ("GITHUB_EVENT_PATH", "/nowhere"),
        ] {
            let given = [(name, value)].into_iter().chain(GITHUB.into_iter().take(2));
            let error = host(&given.collect::<Vec<_>>()).err();
            let error = error.unwrap_or_else(|| panic!("{name}={value}"));
            assert!(error.contains(name) && !error.contains("Zebra"), "{error}");
        }
    }
}
