//! A comment on a pull request or merge request, which later runs update in place.

mod code_host;

use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::super::exit::CommandError;
use super::super::log;
use super::web_request::{WebAnswer, WebService, below};
use super::{FinishedRun, HEADING, OutputArtifact, OutputError, RunOutput, delivered, variable};
use crate::plan::SecretSet;
use crate::report::{self, COMMENT_LIMIT};
use code_host::{CodeHost, CommentThread};

/// Maximum number of pages of comments that are searched, 100 comments each.
const PAGES: usize = 30;

/// Whether and how a run is commented on.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Flags {
    /// Comment on the pull request of this job, or update the comment of an earlier run. The token
    /// is in `GITHUB_TOKEN`, or in `GITLAB_TOKEN` on GitLab
    #[arg(long, help_heading = HEADING)]
    comment: bool,
    /// Which of several comments on one pull request this is [default: the names of the scenarios]
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    comment_name: Option<String>,
}

impl Flags {
    /// Refuses a name without a comment.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        if self.comment || self.comment_name.is_none() {
            return Ok(());
        }
        Err(CommandError::usage("error: --comment-name needs --comment: add it, or leave both out"))
    }

    /// The comment; `None` if none is wanted.
    pub(super) fn output(&self) -> Result<Option<Box<dyn RunOutput>>, CommandError> {
        self.check()?;
        if !self.comment {
            return Ok(None);
        }
        let host = CodeHost::from_variables(&variable)?;
        let secrets = SecretSet::new([host.token.clone()]);
        log::add_secrets(&secrets);
        Ok(Some(Box::new(RunComment { host, name: self.comment_name.clone(), secrets })))
    }
}

/// A run's comment.
struct RunComment {
    host: CodeHost,
    name: Option<String>,
    secrets: SecretSet,
}

impl RunOutput for RunComment {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let Some(thread) = &self.host.thread else {
            tracing::info!("No comment: this job does not belong to a pull request");
            return Ok(Vec::new());
        };
        let marker = self.marker(run);
        let text = report::short_markdown(run.model()?, &run.ci(), COMMENT_LIMIT);
        let done = self.publish(thread, &marker, &format!("{marker}\n{text}"));
        delivered(
            done.map(|done| format!("{done} a comment on {}", thread.shown))
                .map_err(|why| format!("no comment on {}: {why}", thread.shown)),
        )
    }

    fn secrets(&self) -> SecretSet {
        self.secrets.clone()
    }
}

/// A comment as code hosts list it.
#[derive(Deserialize)]
struct ListedComment {
    id: u64,
    body: Option<String>,
}

impl RunComment {
    /// The first line of the comment, which no reader sees. It distinguishes the comment from
    /// others.
    fn marker(&self, run: &FinishedRun) -> String {
        let names = run.record.plan.iter().map(|scenario| scenario.name.as_str());
        let name = self.name.clone().unwrap_or_else(|| names.collect::<Vec<_>>().join(","));
        format!("<!-- tollgate {} -->", utf8_percent_encode(&name, NON_ALPHANUMERIC))
    }

    /// Updates the comment that begins with the marker, or adds one. Says what was done.
    fn publish(
        &self,
        thread: &CommentThread,
        marker: &str,
        text: &str,
    ) -> Result<&'static str, String> {
        let service = WebService::new(&self.host.headers);
        let body = Bytes::from(json!({ "body": text }).to_string());
        if let Some(id) = self.find(&service, thread, marker)? {
            let url = below(&thread.each, &[&id.to_string()]);
            let answer = service.send(thread.update.clone(), &url, body.clone())?;
            // A comment of someone else may begin with the marker; only its author may change it.
            if !matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
                return self.accepted(&answer).map(|()| "Updated");
            }
        }
        let answer = service.send(Method::POST, &thread.all, body)?;
        self.accepted(&answer).map(|()| "Added")
    }

    /// The id of the first comment that begins with the marker.
    fn find(
        &self,
        service: &WebService<'_>,
        thread: &CommentThread,
        marker: &str,
    ) -> Result<Option<u64>, String> {
        let mut last_id = None;
        for page in 1..=PAGES {
            let answer = service.send(Method::GET, &page_url(&thread.all, page), Bytes::new())?;
            self.accepted(&answer)?;
            let comments: Vec<ListedComment> = serde_json::from_slice(&answer.body)
                .map_err(|_| "its list of comments is not what its documentation says")?;
            let is_ours = |comment: &&ListedComment| {
                comment.body.as_deref().is_some_and(|body| body.starts_with(marker))
            };
            if let Some(found) = comments.iter().find(is_ours) {
                return Ok(Some(found.id));
            }
            // A host that ignores the page's number would repeat the first page without end.
            let id = comments.last().map(|comment| comment.id);
            if id == last_id || id.is_none() {
                break;
            }
            last_id = id;
        }
        Ok(None)
    }

    fn accepted(&self, answer: &WebAnswer) -> Result<(), String> {
        if answer.status.is_success() {
            return Ok(());
        }
        let (host, status) = (self.host.name, answer.status.as_u16());
        Err(match status {
            401 => format!("{host} does not accept the token (401); set {}", self.host.variable),
            403 => format!("{host} refuses it (403); {}", self.host.permission),
            404 => format!(
                "{host} knows no such pull request, or hides it from the token (404); {}",
                self.host.permission
            ),
            429 => format!("{host} has had too many requests (429); run the job again later"),
            _ => format!("{host} answered {status}"),
        })
    }
}

/// The oldest comments come first, so that a new one moves no other to another page.
fn page_url(all: &Url, page: usize) -> Url {
    let mut url = all.clone();
    url.query_pairs_mut()
        .append_pair("per_page", "100")
        .append_pair("sort", "asc")
        .append_pair("page", &page.to_string());
    url
}
