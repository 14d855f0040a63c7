//! How long a shard may live.

use std::time::Duration;

/// How long shards wait for each other unless a flag says otherwise.
pub const RENDEZVOUS_WAIT: Duration = Duration::from_mins(5);

/// The longest time for setup and warm-up that a rendezvous allows by itself.
const LONGEST_LEAD: Duration = Duration::from_secs(5 * 60 + 10);

/// The time for a boot, before a shard waits for the others, and for a late end.
const SLACK: Duration = Duration::from_mins(3);

/// What passes before the shards of a run start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeetingTimes {
    /// How long the first shard waits for the others; `None` for [`RENDEZVOUS_WAIT`].
    pub wait: Option<Duration>,
    /// The time for setup and warm-up, once all are there; `None` for what the plan needs.
    pub lead: Option<Duration>,
}

impl MeetingTimes {
    /// The longest time that a shard with this load may live, in whole minutes.
    pub(super) fn longest_life(self, load: Duration) -> Duration {
        let wait = self.wait.unwrap_or(RENDEZVOUS_WAIT);
        let life = wait + self.lead.unwrap_or(LONGEST_LEAD) + load + SLACK;
        Duration::from_secs(life.as_secs().div_ceil(60).saturating_mul(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_and_the_lead_of_flags_count() {
        let minutes = |wait: Option<u64>, lead: Option<u64>| {
            let [wait, lead] = [wait, lead].map(|minutes| minutes.map(Duration::from_mins));
            MeetingTimes { wait, lead }.longest_life(Duration::from_secs(61)).as_secs() / 60
        };
        assert_eq!(minutes(None, None), 15);
        assert_eq!(minutes(Some(30), None), 40);
        assert_eq!(minutes(None, Some(20)), 30);
        assert_eq!(minutes(Some(30), Some(20)), 55);
    }
}
