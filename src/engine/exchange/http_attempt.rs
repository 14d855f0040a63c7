//! One try of a step over HTTP, with the redirects that follow.

use std::borrow::Cow;
use std::time::Duration;

use http::{StatusCode, response};

use super::arrival_state::ArrivalState;
use super::context::ExchangeContext;
use super::hop::{HopResult, OutgoingRequest};
use super::in_progress::ExchangeInProgress;
use super::judgement::judge_response;
use super::prepared::{ArrivalStep, PreparedRequest};
use crate::engine::connection::http::{BodyCollector, UnsendablePart};
use crate::engine::connection::set::ConnectionSet;
use crate::engine::exchange::redirect::{self, RedirectDecision};
use crate::expect::ResponseView;
use crate::record::{Dimension, Failure};
use crate::recorder::{Exchange, ExchangeFailure};

/// One try of a step over HTTP.
pub(in crate::engine) struct HttpAttempt<'a> {
    pub(in crate::engine) context: &'a ExchangeContext,
    pub(in crate::engine) connections: &'a mut ConnectionSet,
    /// Memory for the response body.
    pub(in crate::engine) body: &'a mut Vec<u8>,
    pub(in crate::engine) step: &'a ArrivalStep<'a>,
    /// Maximum number of redirects followed.
    pub(in crate::engine) redirects: u32,
}

/// What follows a hop.
enum AfterHop {
    Follow(Box<PreparedRequest>),
    End(Option<Box<ExchangeFailure>>),
}

impl HttpAttempt<'_> {
    /// Sends the request and follows redirects. Records each hop if there was a redirect.
    ///
    /// Returns whether the last hop got an answer, right or wrong; `None` if the run started to
    /// drain before the request was sent.
    pub(in crate::engine) async fn run(
        mut self,
        first: &PreparedRequest,
        exchange: &mut ExchangeInProgress,
        state: &mut Option<ArrivalState>,
    ) -> Option<bool> {
        let mut next: Option<Box<PreparedRequest>> = None;
        loop {
            let request = next.as_deref().unwrap_or(first);
            let hop = self.send(request, exchange).await?;
            let was_answered = hop.answer.is_ok();
            if let (Ok(head), Some(state)) = (&hop.answer, state.as_mut()) {
                state.receive_cookies(&head.headers, || request.url());
            }
            let after = match &hop.answer {
                Ok(head) => self.decide(request, head, exchange.followed, state),
                Err(failed) => AfterHop::End(Some(failed.clone())),
            };
            exchange.add(&hop);
            match after {
                AfterHop::Follow(request) => {
                    self.record_hop(exchange, &hop, None);
                    exchange.followed += 1;
                    let jar = state.as_ref().and_then(ArrivalState::jar);
                    next = jar.and_then(|jar| request.with_cookies(jar)).or(Some(request));
                }
                AfterHop::End(mut failed) => {
                    // Captured values are redacted here, before anything is recorded.
                    if let Some(failed) = &mut failed {
                        self.context.setup.redact(failed);
                        if let Some(state) = state.as_ref() {
                            state.redact(failed);
                        }
                    }
                    if exchange.followed > 0 {
                        self.record_hop(exchange, &hop, failed.clone());
                    }
                    if let Ok(head) = &hop.answer {
                        exchange.totals.server_timings = self
                            .context
                            .server_timing
                            .metrics(&head.headers, || state.as_ref()?.secrets());
                    }
                    exchange.end(failed);
                    return Some(was_answered);
                }
            }
        }
    }

    async fn send(
        &mut self,
        request: &PreparedRequest,
        exchange: &mut ExchangeInProgress,
    ) -> Option<HopResult> {
        let (since, end) = (exchange.next_hop_since(), exchange.end);
        let captures = &self.step.prepared.captures;
        let mut body = BodyCollector::new(&self.step.expectations, captures, self.body);
        let outgoing = OutgoingRequest {
            context: self.context,
            connections: self.connections,
            request,
            since,
            end,
            limits: &mut exchange.limits,
        };
        outgoing.run(&mut body).await
    }

    /// Decides what follows an answer: another request, or the answer's judgement.
    fn decide(
        &self,
        request: &PreparedRequest,
        head: &response::Parts,
        followed: u32,
        state: &mut Option<ArrivalState>,
    ) -> AfterHop {
        if self.redirects > 0
            && head.status.is_redirection()
            && let Some(after) = self.redirect(request, head, followed)
        {
            return after;
        }
        let url = if self.step.expectations.needs_url() {
            request.url()
        } else {
            Cow::Borrowed(request.prepared_url())
        };
        let answer = ResponseView {
            status: head.status,
            url: &url,
            headers: &head.headers,
            body: self.body,
        };
        let is_absent = head.status == StatusCode::NOT_FOUND;
        AfterHop::End(judge_response(self.step, &answer, is_absent, state))
    }

    /// What follows an answer that redirects; `None` if it is the final one.
    fn redirect(
        &self,
        request: &PreparedRequest,
        head: &response::Parts,
        followed: u32,
    ) -> Option<AfterHop> {
        let rules = &self.context.redirect_rules;
        let counts = (followed, self.redirects);
        match redirect::next_request(&request.parts(), head.status, &head.headers, rules, counts) {
            RedirectDecision::Final => None,
            RedirectDecision::Refused(mut failed) => {
                if self.step.expectations.is_sensitive() {
                    failed.seen = format!("{} redirect", head.status.as_u16());
                }
                Some(AfterHop::End(Some(Box::new(failed))))
            }
            RedirectDecision::Follow(parts) => {
                Some(match PreparedRequest::new(*parts, &self.context.home) {
                    Ok(request) => AfterHop::Follow(Box::new(request)),
                    Err(UnsendablePart(what)) => AfterHop::End(Some(Box::new(unsendable(what)))),
                })
            }
        }
    }

    fn record_hop(
        &self,
        exchange: &ExchangeInProgress,
        hop: &HopResult,
        failed: Option<Box<ExchangeFailure>>,
    ) {
        let mut parts = hop.parts;
        parts.set_duration(Dimension::Lag, Duration::ZERO);
        parts.set_duration(Dimension::Wait, Duration::ZERO);
        if failed.is_some() {
            parts.fail_answer();
        } else {
            let took = parts.duration(Dimension::Setup) + parts.duration(Dimension::Service);
            parts.set_duration(Dimension::Latency, took);
        }
        let detail = Exchange {
            parts,
            failed,
            fresh: hop.fresh,
            connection: hop.connection,
            body_bytes: hop.body_bytes,
            ..Exchange::default()
        };
        let index = self.step.prepared.index + 1 + exchange.followed as usize;
        let stage = exchange.stage_of(&detail);
        self.context.accounting.record_detail(index, stage, exchange.start.due, detail);
    }
}

fn unsendable(what: &str) -> ExchangeFailure {
    let seen = format!("{what} in the redirect cannot be sent in a request");
    ExchangeFailure::new(Failure::Redirected, seen)
}
