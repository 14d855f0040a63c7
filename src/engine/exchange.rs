//! One try of a step: over HTTP with the redirects that follow, or as one SQL statement.

use std::time::Duration;

use http::{StatusCode, response};

use super::carrier::Carrier;
use super::chain::Chain;
use super::flow::{Flow, Ready};
use super::hop::{Hop, Sending};
use super::http::{Basket, Unsendable, unmet};
use super::prepared::Ask;
use super::redirect::{self, Next};
use super::sql;
use crate::expect::{Answer, Unmet};
use crate::plan::SqlPlan;
use crate::record::{Dimension, Failure};
use crate::recorder::{Exchange, Failed};

/// What comes after a hop.
enum Turn {
    Follow(Box<Ask>),
    End(Option<Box<Failed>>),
}

impl Turn {
    /// The same without captured values in what was seen; from here on it is recorded.
    fn hiding(mut self, flow: Option<&Flow>) -> Self {
        if let (Self::End(Some(failed)), Some(flow)) = (&mut self, flow) {
            flow.hide(failed);
        }
        self
    }
}

impl Carrier {
    /// Carries out one request with the redirects that follow, and records each hop where there was a redirect; says
    /// whether there was an answer in the end, right or wrong. `None` where the run was asked to end before it was sent.
    pub(super) async fn exchange(
        &mut self,
        ready: &Ready<'_>,
        (first, redirects): (&Ask, u32),
        chain: &mut Chain,
        flow: &mut Option<Flow>,
    ) -> Option<bool> {
        let mut next: Option<Box<Ask>> = None;
        loop {
            let ask = next.as_deref().unwrap_or(first);
            let hop = self.hop(ask, ready, chain).await?;
            let answered = hop.answer.is_ok();
            let turn = match &hop.answer {
                Ok(head) => self.turn(ready, ask, head, (chain.followed, redirects), flow),
                Err(failed) => Turn::End(Some(failed.clone())),
            };
            chain.add(&hop);
            match turn.hiding(flow.as_ref()) {
                Turn::Follow(ask) => {
                    self.record_hop(ready, chain, &hop, None);
                    chain.followed += 1;
                    next = Some(ask);
                }
                Turn::End(failed) => {
                    if chain.followed > 0 {
                        self.record_hop(ready, chain, &hop, failed.clone());
                    }
                    if let Ok(head) = &hop.answer {
                        chain.exchange.server_timings = self.told(head, flow.as_ref());
                    }
                    chain.end(failed);
                    return Some(answered);
                }
            }
        }
    }

    async fn hop(&mut self, ask: &Ask, ready: &Ready<'_>, chain: &mut Chain) -> Option<Hop> {
        let (since, end) = (chain.next_hop_since(), chain.end);
        let Self { lane, channels, body, .. } = self;
        let mut basket = Basket::new(&ready.expectations, &ready.prepared.captures, body);
        let sending = Sending { lane, channels, ask, since, end, limits: &mut chain.limits };
        sending.carry_out(&mut basket).await
    }

    /// Decides what comes after an answer: another request, or the answer's judgement.
    fn turn(
        &self,
        ready: &Ready<'_>,
        ask: &Ask,
        head: &response::Parts,
        (followed, redirects): (u32, u32),
        flow: &mut Option<Flow>,
    ) -> Turn {
        if redirects > 0 {
            let rules = self.lane.rules();
            match redirect::next(
                &ask.asked,
                head.status,
                &head.headers,
                rules,
                (followed, redirects),
            ) {
                Next::Final => {}
                Next::Refused(mut failed) => {
                    if ready.expectations.are_sensitive() {
                        failed.seen = format!("{} redirect", head.status.as_u16());
                    }
                    return Turn::End(Some(Box::new(failed)));
                }
                Next::Follow(asked) => {
                    return match Ask::new(*asked, self.lane.home()) {
                        Ok(ask) => Turn::Follow(Box::new(ask)),
                        Err(Unsendable(what)) => Turn::End(Some(Box::new(unsendable(what)))),
                    };
                }
            }
        }
        let (url, headers) = (&ask.asked.url, &head.headers);
        let answer = Answer { status: head.status, url, headers, body: &self.body };
        let is_absent = head.status == StatusCode::NOT_FOUND;
        Turn::End(
            judged(ready, &answer, flow).err().map(|unmet| Box::new(why(ready, unmet, is_absent))),
        )
    }

    /// What the target told of its own time, without lines that echo a captured value.
    fn told(&self, head: &response::Parts, flow: Option<&Flow>) -> Vec<(String, Duration)> {
        self.lane.account().of(&head.headers, flow.and_then(Flow::secrets))
    }

    fn record_hop(&self, ready: &Ready<'_>, chain: &Chain, hop: &Hop, failed: Option<Box<Failed>>) {
        let mut parts = hop.parts;
        parts.took(Dimension::Lag, Duration::ZERO);
        parts.took(Dimension::Wait, Duration::ZERO);
        if failed.is_some() {
            parts.fail_answer();
        } else {
            let took = parts.duration(Dimension::Setup) + parts.duration(Dimension::Service);
            parts.took(Dimension::Latency, took);
        }
        let exchange = Exchange {
            parts,
            failed,
            fresh: hop.fresh,
            body_bytes: hop.body_bytes,
            ..Exchange::default()
        };
        let place = ready.prepared.place + 1 + chain.followed as usize;
        let stage = chain.stage_of(&exchange);
        self.lane.record_beside(place, stage, chain.taken.due, exchange);
    }

    /// Carries out one statement; says whether the database answered.
    pub(super) async fn query(
        &mut self,
        ready: &Ready<'_>,
        (plan, values): (&SqlPlan, &[Option<String>]),
        chain: &mut Chain,
        flow: &mut Option<Flow>,
    ) -> bool {
        let since = chain.next_hop_since();
        let deadline = sql::deadline(self.lane.timeouts(), since, chain.end);
        let asked = self.sessions.ask(plan, values, since, deadline).await;
        chain.exchange.parts.add_hop(&asked.parts);
        chain.exchange.fresh = asked.fresh;
        chain.exchange.body_bytes = asked.bytes;
        chain.done = asked.done;
        let (answered, mut failed) = match asked.rows {
            Ok(rows) => {
                let judged = ready.expectations.judge_rows(&rows);
                let judged = judged.and_then(|()| ready.prepared.captures.take_from_rows(&rows));
                let kept = judged.map(|captured| keep(flow, ready, captured));
                (true, kept.err().map(|unmet| Box::new(why_not(ready, unmet, &rows))))
            }
            Err(refusal) => {
                let answered = !refusal.failed.failure.is_without_answer();
                (answered, refused(ready, refusal))
            }
        };
        if let (Some(failed), Some(flow)) = (&mut failed, flow.as_ref()) {
            flow.hide(failed);
        }
        chain.end(failed);
        answered
    }
}

/// Judges an answer and takes what is to be captured from it.
fn judged(ready: &Ready<'_>, answer: &Answer<'_>, flow: &mut Option<Flow>) -> Result<(), Unmet> {
    ready.expectations.judge(answer)?;
    let captured = ready.prepared.captures.take(answer, ready.expectations.max_body())?;
    keep(flow, ready, captured);
    Ok(())
}

fn keep(flow: &mut Option<Flow>, ready: &Ready<'_>, captured: Vec<(String, serde_json::Value)>) {
    if let Some(flow) = flow {
        flow.keep(captured, &ready.prepared.captures);
    }
}

/// What an answer that is not the expected one comes to.
fn why(ready: &Ready<'_>, broken: Unmet, is_absent: bool) -> Failed {
    let mut failed = unmet(broken);
    // That somebody was let in is never excused by there being nothing to see.
    if is_absent && ready.prepared.may_be_absent && failed.failure != Failure::Admitted {
        failed.failure = Failure::Absent;
    }
    failed
}

/// The same of rows.
fn why_not(ready: &Ready<'_>, broken: Unmet, rows: &[serde_json::Value]) -> Failed {
    let failed = why(ready, broken, rows.is_empty());
    let next = (failed.failure == Failure::Unexpected).then_some(sql::COMPARE);
    Failed { next, ..failed }
}

/// What a statement that was refused comes to; `None` where it had to be denied.
fn refused(ready: &Ready<'_>, refusal: sql::Refusal) -> Option<Box<Failed>> {
    if refusal.is_denial && ready.expectations.want_denial() {
        return None;
    }
    let mut failed = refusal.failed;
    if let (Some(unquoted), true) = (refusal.unquoted, ready.expectations.are_sensitive()) {
        failed.seen = unquoted;
    }
    if refusal.is_absence && ready.prepared.may_be_absent {
        failed.failure = Failure::Absent;
    }
    Some(failed)
}

fn unsendable(what: &str) -> Failed {
    let seen = format!("{what} in the redirect cannot be sent in a request");
    Failed { failure: Failure::Redirected, phase: None, expected: String::new(), seen, next: None }
}
