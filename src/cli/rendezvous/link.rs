//! Keeps a shard in touch with the others while it runs.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use uuid::Uuid;

use super::super::log;
use crate::engine::StopHandle;
use crate::engine::clock::{self, Instant};
use crate::postgres::DatabaseAddress;
use crate::record::RunEnding;
use crate::store::{Database, DatabaseError, ShardMember};

/// How often a running shard asks for news: the others end at most about two seconds after one
/// that ends the whole run.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a database that was lost is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long the end of a shard waits for the database.
const LAST_WORD: Duration = Duration::from_secs(15);

/// The most that a run tells the thread: that it ends the whole, and that it ended.
const MESSAGES: usize = 2;

/// What the run tells the thread.
enum LinkMessage {
    /// The whole run ends in this way.
    Announce(RunEnding),
    /// This shard has ended. The run that it stored and whether that measured its part; `None` if
    /// it stored nothing.
    Finish { outcome: Option<(Uuid, bool)>, told: SyncSender<bool> },
}

/// The run's side of the link.
#[derive(Clone)]
pub(in crate::cli) struct LinkEnds(SyncSender<LinkMessage>);

impl LinkEnds {
    /// Ends the whole run in this way.
    pub(in crate::cli) fn announce(&self, how: RunEnding) {
        // A run announces its end once, and the thread is gone only if the program ends.
        let _said_or_gone = self.0.try_send(LinkMessage::Announce(how));
    }

    /// Tells the others that this shard ended. Returns whether they can know it.
    pub(super) fn finish(&self, outcome: Option<(Uuid, bool)>) -> bool {
        let (told, answer) = sync_channel(1);
        self.0.try_send(LinkMessage::Finish { outcome, told }).is_ok()
            && answer.recv_timeout(LAST_WORD).unwrap_or(false)
    }
}

/// The thread's side.
pub(super) struct FleetLink {
    address: DatabaseAddress,
    /// `None` while the database is out of reach.
    database: Option<Database>,
    name: String,
    member: ShardMember,
    stopper: StopHandle,
    /// What must still be announced.
    announced: Option<RunEnding>,
    /// Whether the end of the whole run was passed on.
    is_ended: bool,
    /// When the database was lost.
    lost: Option<Instant>,
}

impl FleetLink {
    pub(super) fn new(
        (address, database): (DatabaseAddress, Database),
        name: String,
        member: ShardMember,
        stopper: StopHandle,
    ) -> Self {
        Self {
            address,
            database: Some(database),
            name,
            member,
            stopper,
            announced: None,
            is_ended: false,
            lost: None,
        }
    }

    /// Starts the thread. It ends after [`LinkEnds::finish`], or with the program.
    pub(super) fn spawn(self) -> io::Result<LinkEnds> {
        let (ends, messages) = sync_channel(MESSAGES);
        let thread = std::thread::Builder::new().name("rendezvous".to_owned());
        thread.spawn(move || self.run(&messages))?;
        Ok(LinkEnds(ends))
    }

    fn run(mut self, messages: &Receiver<LinkMessage>) {
        loop {
            match messages.recv_timeout(PERIOD) {
                Ok(LinkMessage::Announce(how)) => {
                    self.is_ended = true;
                    self.announced = Some(how);
                }
                Ok(LinkMessage::Finish { outcome, told }) => {
                    let _nobody_waits = told.send(self.finish(outcome));
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.exchange();
        }
    }

    /// Says what must be said, and asks for news.
    fn exchange(&mut self) {
        let Some(mut database) = self.database.take().or_else(|| self.reconnect()) else { return };
        let announced = self.announced.as_ref();
        let said = announced.map_or(Ok(true), |how| database.stop_rendezvous(&self.name, how));
        match said.and_then(|_| database.ask_rendezvous(&self.name, &self.member)) {
            Ok(news) => {
                self.announced = None;
                self.database = Some(database);
                self.regain();
                if let Some(how) = news.stop.filter(|_| !self.is_ended) {
                    self.is_ended = true;
                    tracing::info!("The whole run ends: {}", reason(&how));
                    self.stopper.request_end(how);
                }
            }
            Err(error) => self.lose(&error),
        }
    }

    fn reconnect(&mut self) -> Option<Database> {
        if self.lost.is_some_and(|lost| clock::now() - lost < RETRY_AFTER) {
            return None;
        }
        match Database::open(&self.address) {
            Ok(database) => Some(database),
            Err(error) => {
                self.lose(&error);
                None
            }
        }
    }

    fn lose(&mut self, error: &DatabaseError) {
        if self.lost.replace(clock::now()).is_none() {
            let why = log::redact(&error.to_string());
            tracing::warn!(
                "WARNING: the rendezvous is out of reach, so this shard goes on by its plan: {why}"
            );
        }
    }

    fn regain(&mut self) {
        if self.lost.take().is_some() {
            tracing::info!("The rendezvous is in reach again");
        }
    }

    fn finish(&mut self, outcome: Option<(Uuid, bool)>) -> bool {
        let reopen = || Database::open(&self.address).ok();
        let Some(mut database) = self.database.take().or_else(reopen) else { return false };
        let (name, token) = (&self.name, self.member.token);
        let ended = match outcome {
            Some(outcome) => database.end_at_rendezvous(name, token, outcome),
            None => database.leave_rendezvous(name, token),
        };
        database.close();
        ended.is_ok()
    }
}

/// Why the whole run ends, in words.
fn reason(how: &RunEnding) -> String {
    match how {
        RunEnding::TargetDown(why) => format!("the target is clearly down: {why}"),
        RunEnding::ProvenEarly(early) => early.words(),
        RunEnding::Interrupted => "it was stopped".to_owned(),
        _ => "another machine ended it".to_owned(),
    }
}
