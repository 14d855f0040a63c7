//! What a machine's configuration does to its work.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::latency::LatencyDistribution;
use super::config::MachineShape;

/// The work of a boot and of a warm request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WorkCost {
    pub(super) boot_cpu: Duration,
    pub(super) resume: Duration,
    pub(super) request_cpu: Duration,
    pub(super) latency: LatencyDistribution,
    /// Factor of every drawn latency.
    pub(super) latency_factor: f64,
    /// Added to every drawn latency, in seconds; may be negative.
    pub(super) latency_shift: f64,
}

/// A change of the work by a configuration. A condition that is absent always holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ConfigEffect {
    pub(super) cpus: Option<u32>,
    pub(super) cpu_kind: Option<String>,
    pub(super) memory_mb: Option<u64>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) boot_cpu: Option<Duration>,
    pub(super) request_cpu: Option<Duration>,
    pub(super) latency_factor: Option<f64>,
    pub(super) latency_shift: Option<f64>,
}

impl ConfigEffect {
    fn concerns(&self, shape: &MachineShape) -> bool {
        let env = |(name, value): (&String, &String)| shape.env.get(name) == Some(value);
        self.cpus.is_none_or(|cpus| cpus == shape.cpus)
            && self.cpu_kind.as_ref().is_none_or(|kind| *kind == shape.cpu_kind)
            && self.memory_mb.is_none_or(|memory| memory == shape.memory_mb)
            && self.env.iter().all(env)
    }

    fn apply(&self, cost: &mut WorkCost) {
        cost.boot_cpu = self.boot_cpu.unwrap_or(cost.boot_cpu);
        cost.request_cpu = self.request_cpu.unwrap_or(cost.request_cpu);
        cost.latency_factor *= self.latency_factor.unwrap_or(1.0);
        cost.latency_shift += self.latency_shift.unwrap_or(0.0);
    }
}

/// The work of a machine of this shape: every effect that concerns it, in order.
pub(super) fn cost_of(base: &WorkCost, effects: &[ConfigEffect], shape: &MachineShape) -> WorkCost {
    let mut cost = *base;
    for effect in effects.iter().filter(|effect| effect.concerns(shape)) {
        effect.apply(&mut cost);
    }
    cost
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BASE: WorkCost = WorkCost {
        boot_cpu: Duration::from_secs(2),
        resume: Duration::from_millis(300),
        request_cpu: Duration::from_millis(4),
        latency: LatencyDistribution::Constant(Duration::from_millis(120)),
        latency_factor: 1.0,
        latency_shift: 0.0,
    };

    fn shape(config: &serde_json::Value) -> MachineShape {
        MachineShape::of(config)
    }

    #[test]
    fn an_effect_applies_where_all_its_conditions_hold() {
        let effect = ConfigEffect {
            memory_mb: Some(2048),
            env: BTreeMap::from([("POOL".to_owned(), "5".to_owned())]),
            latency_shift: Some(-0.06),
            boot_cpu: Some(Duration::from_secs(1)),
            ..ConfigEffect::default()
        };
        let guest = json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 2048});
        for (config, applies) in [
            (json!({"guest": guest, "env": {"POOL": "5", "A": "b"}}), true),
            (json!({"guest": guest, "env": {"POOL": "6"}}), false),
            (json!({"guest": guest}), false),
            (json!({"guest": {"memory_mb": 1024}, "env": {"POOL": "5"}}), false),
        ] {
            let cost = cost_of(&BASE, std::slice::from_ref(&effect), &shape(&config));
            assert_eq!(cost != BASE, applies, "{config}");
        }
    }

    #[test]
    fn effects_add_up() {
        let shift = ConfigEffect { latency_shift: Some(-0.02), ..ConfigEffect::default() };
        let factor = ConfigEffect { latency_factor: Some(0.5), ..ConfigEffect::default() };
        let cost = cost_of(&BASE, &[shift.clone(), factor, shift], &shape(&json!({})));
        assert_eq!((cost.latency_factor, cost.latency_shift), (0.5, -0.04));
    }
}
