//! Adding the shards of a run.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{
    Interval, Measurement, PlannedDraw, PlannedScenario, RequestMeasurement, RunEnding, RunRecord,
    ScenarioMeasurement, ShardSharing, Stage, StageMeasurement,
};

impl Measurement {
    /// The same scenarios, requests and ceilings with all counts at zero, as the start of a sum.
    #[must_use]
    pub fn without_counts(&self) -> Self {
        let request = |request: &RequestMeasurement| {
            RequestMeasurement::new(request.name.clone(), request.ceilings.clone())
        };
        let scenario = |scenario: &ScenarioMeasurement| {
            let requests = scenario.requests.iter().map(request).collect();
            ScenarioMeasurement::new(scenario.name.clone(), requests)
        };
        Self::with_scenarios(self.scenarios.iter().map(scenario).collect(), RunEnding::Complete)
    }

    /// Adds what another prober measured in its shard of the same run.
    ///
    /// Counts and histograms are added. The merged measured stage starts as late as the latest of
    /// the shards' and lasts as long as the longest; a shard without a measured stage does not
    /// delay it. The worst ending of the shards is the ending of the whole. `sharing` does not
    /// change.
    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.scenarios {
            if let Some(mine) = self.scenarios.iter_mut().find(|mine| mine.name == theirs.name) {
                mine.merge(theirs);
            }
        }
        let after = |run: &Self| run.elapsed.saturating_sub(run.measured_from);
        let longest = after(self).max(after(other));
        let start = |run: &Self| {
            if longest.is_zero() || !run.ended_in_warmup() {
                run.measured_from
            } else {
                Duration::ZERO
            }
        };
        self.measured_from = start(self).max(start(other));
        self.elapsed = self.measured_from + longest;
        self.prober.add(&other.prober);
        let ending = std::mem::replace(&mut self.ending, RunEnding::Complete);
        self.ending = ending.worst_of(other.ending.clone());
    }
}

impl ScenarioMeasurement {
    /// Adds what another prober measured of the same scenario.
    fn merge(&mut self, other: &Self) {
        for theirs in &other.requests {
            for mine in self.requests.iter_mut().filter(|mine| mine.name == theirs.name) {
                for stage in Stage::ALL {
                    mine.stage_mut(stage).merge(theirs.stage(stage));
                }
                mine.peers.merge(&theirs.peers);
            }
        }
        self.setup.extend(other.setup.iter().cloned());
        self.teardown.extend(other.teardown.iter().cloned());
        self.planned = match (self.planned, other.planned) {
            (Some(mine), Some(theirs)) => Some(mine + theirs),
            (mine, theirs) => mine.or(theirs),
        };
        self.released += other.released;
        self.unreleased += other.unreleased;
        self.own_failures = Some(self.known_own_failures());
        self.add_own_failures(&other.known_own_failures());
        self.abandoned += other.abandoned;
        self.connections.add(other.connections);
        let protocols: BTreeSet<_> =
            self.protocols.drain(..).chain(other.protocols.iter().cloned()).collect();
        self.protocols = protocols.into_iter().collect();
        for (mine, theirs) in
            [(&mut self.addresses, &other.addresses), (&mut self.unreached, &other.unreached)]
        {
            for (address, count) in theirs {
                *mine.entry(address.clone()).or_default() += count;
            }
        }
        for (host, addresses) in &other.attempts {
            let mine = self.attempts.entry(host.clone()).or_default();
            for (address, attempts) in addresses {
                mine.entry(address.clone()).or_default().add(*attempts);
            }
        }
        self.lookups.add(&other.lookups);
    }
}

impl StageMeasurement {
    fn merge(&mut self, other: &Self) {
        self.tally.add(&other.tally);
        self.series.merge(&other.series);
        self.server_timings.merge(&other.server_timings);
        self.evidence.merge(&other.evidence);
    }
}

impl Interval {
    /// Adds what another prober measured in the same second.
    pub fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.series.merge(&other.series);
        self.server_timings.merge(&other.server_timings);
        self.samples.extend_from_slice(&other.samples);
        self.samples.sort_by_key(|sample| sample.due);
    }
}

impl RunEnding {
    /// Whether the run ended as it was planned to: after its last arrival, or because the evidence
    /// was clear. Nothing was lost.
    pub fn is_planned(&self) -> bool {
        matches!(self, Self::Complete | Self::ProvenEarly(_) | Self::SeenEnough)
    }

    /// The ending of a run whose shards ended in these two ways: the one with the higher rank, or
    /// the first of two with the same rank.
    fn worst_of(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::ProvenEarly(_) | Self::SeenEnough => 1,
            Self::Interrupted => 2,
            Self::Recovered => 3,
            Self::TargetDown(_) => 4,
            Self::SetupFailed(_) => 5,
            Self::Imported(_) => 6,
        }
    }
}

/// Why two records cannot be shards of one run, as the end of a sentence; `None` if they can.
///
/// Names of scenario files are not compared, because they may differ between machines.
pub fn merge_obstacle(one: &RunRecord, other: &RunRecord) -> Option<String> {
    let format = (one.format != other.format).then(|| {
        format!("the format of their records differs: {} and {}", one.format, other.format)
    });
    let sharing =
        || sharings_differ(one.measurement.sharing.as_ref()?, other.measurement.sharing.as_ref()?);
    format.or_else(sharing).or_else(|| plans_differ(&one.plan, &other.plan))
}

fn sharings_differ(one: &ShardSharing, other: &ShardSharing) -> Option<String> {
    if one.of != other.of {
        return Some(format!("one is of {} shards and the other of {}", one.of, other.of));
    }
    (one.start != other.start).then(|| {
        format!("their measured stages started at {} and {}", one.start_text(), other.start_text())
    })
}

fn plans_differ(one: &[PlannedScenario], other: &[PlannedScenario]) -> Option<String> {
    let names = |plan: &[PlannedScenario]| {
        plan.iter().map(|scenario| format!("`{}`", scenario.name)).collect::<Vec<_>>().join(", ")
    };
    if names(one) != names(other) {
        return Some(format!("their scenarios differ: {} and {}", names(one), names(other)));
    }
    one.iter().zip(other).find_map(|(one, other)| {
        let what = scenarios_differ(one, other)?;
        Some(format!("scenario `{}` differs in its {what}", one.name))
    })
}

/// How two plans of a scenario differ in base URL, load, warm-up, data and weights, one line per
/// difference.
pub fn plan_differences(one: &PlannedScenario, other: &PlannedScenario) -> Vec<String> {
    let lines = [
        ("base URL", &one.base_url, &other.base_url),
        ("load", &one.load, &other.load),
        ("warm-up", &one.warmup, &other.warmup),
    ];
    let differing = lines.into_iter().filter(|(_, one, other)| one != other);
    let mut differences: Vec<String> =
        differing.map(|(what, one, other)| format!("{what}: {one}, and {other}")).collect();
    let words = |scenario: &PlannedScenario| match &scenario.data {
        Some(data) => {
            let digest = data.sha256.as_ref().map(|digest| format!(", SHA-256 {digest:.12}"));
            data.words() + &digest.unwrap_or_default()
        }
        None => "none".to_owned(),
    };
    if one.data != other.data {
        differences.push(format!("data: {}, and {}", words(one), words(other)));
    }
    let words = |scenario: &PlannedScenario| {
        scenario.draw.as_ref().map_or_else(|| "none".to_owned(), PlannedDraw::words)
    };
    if one.draw != other.draw {
        differences.push(format!("weights: {}, and {}", words(one), words(other)));
    }
    differences
}

fn scenarios_differ(one: &PlannedScenario, other: &PlannedScenario) -> Option<String> {
    let first = plan_differences(one, other).into_iter().next();
    if first.is_some() {
        return first;
    }
    if (&one.setup, &one.teardown) != (&other.setup, &other.teardown) {
        return Some("setup or teardown".to_owned());
    }
    if one.requests != other.requests {
        return Some("requests, expectations or budgets".to_owned());
    }
    if one.stalls != other.stalls {
        return Some("stall horizon".to_owned());
    }
    if one.gate != other.gate {
        return Some("policies of the gate".to_owned());
    }
    let source = one.source.clone();
    (*one != PlannedScenario { source, ..other.clone() })
        .then(|| "description, caveats or capacity".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(ending: RunEnding, measured_from: u64, elapsed: u64) -> Measurement {
        let seconds = Duration::from_secs;
        Measurement {
            measured_from: seconds(measured_from),
            elapsed: seconds(elapsed),
            ..Measurement::with_scenarios(Vec::new(), ending)
        }
    }

    #[test]
    fn the_merged_measured_stage_lasts_as_long_as_the_longest_shard() {
        let mut merged = ended(RunEnding::Complete, 0, 0);
        for part in [ended(RunEnding::Complete, 3, 45), ended(RunEnding::Complete, 9, 50)] {
            merged.merge(&part);
        }
        assert_eq!((merged.measured_from.as_secs(), merged.elapsed.as_secs()), (9, 51));
    }

    #[test]
    fn a_shard_that_measured_nothing_does_not_delay_the_merged_measured_stage() {
        let failed = || ended(RunEnding::SetupFailed("shop".to_owned()), 30, 30);
        let measured = || ended(RunEnding::Complete, 3, 45);
        for parts in [[failed(), measured()], [measured(), failed()]] {
            let mut merged = ended(RunEnding::Complete, 0, 0);
            for part in &parts {
                merged.merge(part);
            }
            assert_eq!((merged.measured_from.as_secs(), merged.elapsed.as_secs()), (3, 45));
        }
        let mut merged = ended(RunEnding::Complete, 0, 0);
        merged.merge(&failed());
        assert!(merged.ended_in_warmup());
    }

    #[test]
    fn the_worst_ending_of_the_shards_is_the_ending_of_the_whole() {
        let down = |why: &str| RunEnding::TargetDown(why.to_owned());
        for (endings, worst) in [
            (vec![RunEnding::Complete, RunEnding::Interrupted], RunEnding::Interrupted),
            (
                vec![RunEnding::Recovered, RunEnding::Interrupted, RunEnding::Complete],
                RunEnding::Recovered,
            ),
            (vec![RunEnding::Recovered, down("a"), down("b")], down("a")),
            (vec![RunEnding::Complete; 2], RunEnding::Complete),
        ] {
            assert_eq!(endings.into_iter().fold(RunEnding::Complete, RunEnding::worst_of), worst);
        }
    }
}
