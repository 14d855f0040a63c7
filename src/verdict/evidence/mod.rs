//! Evidence from blocks of time, for budgets that are statements about the target.
//!
//! Requests are not independent: a freeze of the target exceeds for every request that is due in
//! it. Counts of requests therefore prove less than a binomial test says. Here the unit of evidence
//! is a *block* of time, at least as long as the *stall horizon* of the plan. The exceeding share
//! of each block feeds a betting e-process ([`BetWealth`]): if the target exceeds as often as the
//! budget allows, its value reaches 20 in at most 1 of 20 runs, however often it is looked at.

mod bet_wealth;
mod block_length;
mod block_rule;
mod chi_squared;
mod early_rule;
mod exceedance_slots;
mod outlook;
mod reach;
mod run_blocks;
mod share_interval;
mod stall_horizon;

pub use self::bet_wealth::{BetSide, BetWealth};
pub use self::block_length::{block_length, independent_length};
pub use self::block_rule::{BlockFinding, BlockRule};
pub use self::early_rule::EarlyRule;
pub use self::exceedance_slots::ExceedanceSlots;
pub use self::outlook::Outlook;
pub use self::reach::reach;
pub use self::run_blocks::{BlockEvidence, BlockSeries, RunBlocks};
pub use self::share_interval::ShareInterval;
pub use self::stall_horizon::{
    default_horizon, fewest_blocks, fewest_blocks_at, recommended_blocks,
};

#[cfg(test)]
mod tests;
