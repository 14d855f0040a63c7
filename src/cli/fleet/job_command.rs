//! The commands that gather a job. Each speaks of itself.

use crate::fleet::MeetingPlace;

/// The command that a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobCommand {
    /// `fleet print`, for shards that meet here.
    Print(MeetingPlace),
    /// `fleet fly`, whose shards meet in the database.
    Fly,
}

impl JobCommand {
    /// Where the shards meet.
    pub(super) fn meeting(self) -> MeetingPlace {
        match self {
            Self::Print(meeting) => meeting,
            Self::Fly => MeetingPlace::Store,
        }
    }

    /// What holds the job, and must not hold a secret.
    pub(super) fn holder(self) -> &'static str {
        match self {
            Self::Print(_) => "a printed file",
            Self::Fly => "the configuration of a machine",
        }
    }

    /// Who gives a shard the flags that make it one.
    pub(super) fn setter_phrase(self) -> &'static str {
        match self {
            Self::Print(_) => "the printed file sets it",
            Self::Fly => "the fleet sets it",
        }
    }
}
