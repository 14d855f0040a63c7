//! Tests one budget by blocks of time, and says in words what they prove.

use std::time::Duration;

use super::binomial::ExceedanceCount;
use super::continuation::run_blocks;
use super::evidence::{
    BetSide, BlockFinding, BlockRule, BlockSeries, ExceedanceSlots, Outlook, RunBlocks,
    ShareInterval, fewest_blocks_at, reach,
};
use super::finding::BudgetFinding;
use super::judging_context::JudgingContext;
use super::phrases::requests;
use super::rule::TOO_CLOSE;
use super::slot_series::{LagRole, SlotSeries, peak_of_slot};
use crate::record::{BlockCounts, Budget, BudgetEvidence, EarlierBlocks, StallHorizon};
use crate::units::{Ratio, format_duration};

/// The blocks of one budget of a run, and the rule that they are tested by.
pub(super) struct BlockTest {
    horizon: StallHorizon,
    allowed: Ratio,
    rule: BlockRule,
    slots: ExceedanceSlots,
    /// The blocks of the run itself.
    own: RunBlocks,
    /// The blocks of the earlier runs that this one continues, then its own.
    blocks: Vec<RunBlocks>,
    earlier: Vec<EarlierBlocks>,
    /// The result of the test, lag included.
    seen: BlockFinding,
    finding: BudgetFinding,
    interval: ShareInterval,
    /// The longest stall in slots up to which a pass holds.
    reach: Option<usize>,
}

impl BlockTest {
    /// The test of a budget of a request that reads `series`. `None` if it allows none, or if the
    /// run was not counted in slots, so that only `observed`, the count of the whole run, is known.
    pub(super) fn of(
        context: JudgingContext<'_>,
        (request, budget): (&str, Budget),
        series: SlotSeries,
        observed: ExceedanceCount,
    ) -> Option<Self> {
        let allowed = budget.allowed()?;
        let (horizon, counts) = (*context.stalls?, series.counts(&context.timelines?.slots)?);
        let peak = peak_of_slot(&horizon, context.share, counts.clone());
        let slots = series.slots(counts.clone(), peak, LagRole::Counts);
        if observed.of == 0 || slots.total() != observed {
            return None;
        }
        let rule = BlockRule {
            horizon: horizon.slots(),
            budgets: context.rule.budgets(),
            error_rate: context.rule.error_rate(),
        };
        let earlier = context.earlier.blocks(context.scenario, request, budget).to_vec();
        let with_earlier = |own: RunBlocks| -> Vec<RunBlocks> {
            let blocks = |run: &EarlierBlocks| {
                run_blocks((&run.at_horizon, run.longer.as_ref()), horizon.slot)
            };
            earlier.iter().map(blocks).chain([own]).collect()
        };
        let own = RunBlocks::of(&slots, rule.horizon);
        let blocks = with_earlier(own.clone());
        let seen = rule.test(&blocks, allowed);
        let finding = BudgetFinding::allowing_for_lag(seen.into(), || {
            let slots = series.slots(counts.clone(), peak, LagRole::Excuses);
            rule.test(&with_earlier(RunBlocks::of(&slots, rule.horizon)), allowed).into()
        });
        let interval = ShareInterval::of(&blocks, allowed, rule);
        let mut reach = reach(&slots, rule.horizon, allowed);
        if !earlier.is_empty() && seen == BlockFinding::Holds {
            // Of the earlier runs only the blocks of the horizon and of one longer length are
            // known.
            reach = reach.max(Some(rule.horizon));
        }
        Some(Self {
            horizon,
            allowed,
            rule,
            slots,
            own,
            blocks,
            earlier,
            seen,
            finding,
            interval,
            reach,
        })
    }

    /// The result of the test with the exceedances seen, and without those that the prober's lag
    /// explains.
    pub(super) fn finding(&self) -> BudgetFinding {
        self.finding
    }

    /// The target's share of exceedances that the evidence does not exclude.
    pub(super) fn interval(&self) -> ShareInterval {
        self.interval
    }

    /// Which side the exceedances prove; lag counts as the target's.
    pub(super) fn proven(&self) -> Option<BetSide> {
        match self.seen {
            BlockFinding::Holds => Some(BetSide::Pass),
            BlockFinding::Breached => Some(BetSide::Fail),
            BlockFinding::NoData | BlockFinding::Undecided => None,
        }
    }

    /// What the record keeps.
    pub(super) fn evidence(&self) -> BudgetEvidence {
        BudgetEvidence {
            reach: self.reach(),
            at_horizon: self.counts(&self.own.at_horizon),
            longer: self.own.longer.as_ref().map(|series| self.counts(series)),
            earlier: self.earlier.clone(),
        }
    }

    /// What decides the budget, as a clause: `holds against stalls of up to 1.7 s`.
    pub(super) fn decided_words(&self, finding: BudgetFinding) -> Option<String> {
        let words = match finding {
            BudgetFinding::Holds => {
                let reach = self.reach().unwrap_or(self.horizon.length);
                format!("holds against stalls of up to {}", format_duration(reach))
            }
            BudgetFinding::Breached => {
                let longest = self.blocks.iter().map(|run| run.longest().length).max()?;
                format!("proven by blocks of {}", format_duration(self.time(longest)))
            }
            _ => return None,
        };
        Some(match self.earlier.len() {
            0 => words,
            number => format!("{words}, with the evidence of {}", earlier_runs(number)),
        })
    }

    /// Why neither side is proven: `37 blocks of 1 s; 67 clean ones prove a p95`. `subject` is what
    /// clean blocks prove.
    pub(super) fn undecided_words(&self, subject: &str) -> String {
        let blocks = self.block_words();
        if self.blocks.iter().all(|run| run.at_horizon.total().over == 0) {
            let fewest = fewest_blocks_at(self.allowed, self.rule.error_rate).unwrap_or_default();
            return format!("{blocks}; {fewest} clean ones prove {subject}");
        }
        match self.single_burst() {
            Some(span) => format!(
                "all in one burst of about {}: one burst proves nothing",
                format_duration(span)
            ),
            None => format!("{blocks}, which prove neither side"),
        }
    }

    /// What would settle an undecided test, as a clause.
    pub(super) fn what_settles_it(&self) -> String {
        let more = |slots| rough_time(self.time(slots));
        match Outlook::of(&self.blocks, self.allowed, self.rule) {
            Outlook::IfClean { slots } => format!(
                "{} more with none over the limit would prove that the budget holds",
                more(slots)
            ),
            Outlook::AtThisRate { side: BetSide::Pass, slots } => format!(
                "about {} more would, at even odds, prove that the budget holds, if the target \
                 stays as it is",
                more(slots)
            ),
            Outlook::AtThisRate { side: BetSide::Fail, slots } => format!(
                "about {} more would, at even odds, prove the breach, if the target stays as it is",
                more(slots)
            ),
            Outlook::TooClose => TOO_CLOSE.to_owned(),
        }
    }

    /// `37 blocks of 1 s`; if most blocks are not full, how many full ones they are worth.
    fn block_words(&self) -> String {
        let all = || self.blocks.iter().map(|run| &run.at_horizon);
        let number: u64 = all().map(BlockSeries::number).sum();
        let full: f64 = all().map(BlockSeries::full_blocks).sum::<f64>().floor();
        let length = format_duration(self.horizon.length);
        let words = if full < 0.9 * number as f64 {
            let total = all().map(|series| series.total().of).sum();
            format!("{} fill {full:.0} blocks of {length}", requests(total))
        } else if number == 1 {
            format!("1 block of {length}")
        } else {
            format!("{number} blocks of {length}")
        };
        match self.earlier.len() {
            0 => words,
            earlier => {
                let before = number - self.own.at_horizon.number();
                format!("{words}, {before} of them of {}", earlier_runs(earlier))
            }
        }
    }

    /// From the first to the last exceedance, if there are several and they are close together.
    fn single_burst(&self) -> Option<Duration> {
        let exceeding = |slot: &(usize, ExceedanceCount)| slot.1.over > 0;
        let mut slots = self.slots.blocks(1).enumerate().filter(exceeding);
        let (first, count) = slots.next()?;
        let last = slots.last().map_or(first, |(at, _)| at);
        let earlier = self.blocks.iter().take(self.earlier.len());
        if earlier.map(|run| run.at_horizon.total().over).sum::<u64>() > 0 {
            return None;
        }
        let span = last + 1 - first;
        let is_short = span * 10 <= self.slots.len().max(10 * self.rule.horizon);
        (is_short && (last > first || count.over > 1)).then(|| self.time(span))
    }

    fn reach(&self) -> Option<Duration> {
        self.reach.map(|length| self.time(length))
    }

    fn counts(&self, series: &BlockSeries) -> BlockCounts {
        let block = |(block, number): &(ExceedanceCount, u64)| (block.over, block.of, *number);
        BlockCounts {
            length: self.time(series.length),
            peak: series.planned_peak,
            blocks: series.blocks.iter().map(block).collect(),
        }
    }

    fn time(&self, slots: usize) -> Duration {
        self.horizon.slot.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX))
    }
}

/// `1 earlier run`, `2 earlier runs`.
fn earlier_runs(number: usize) -> String {
    format!("{number} earlier run{}", if number == 1 { "" } else { "s" })
}

/// A time for a sentence, rounded up: seconds below two minutes, minutes below two hours, then
/// hours.
fn rough_time(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil();
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", (s / 60.0).ceil()),
        s => format!("{:.0} h", (s / 3_600.0).ceil()),
    }
}

#[cfg(test)]
mod tests;
