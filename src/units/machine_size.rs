//! The sizes of Fly's machines.

use std::fmt;
use std::str::FromStr;

use super::UnitError;

/// The kind and number of a machine's CPUs, as Fly names its sizes: `shared-cpu-2x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineSize {
    kind: CpuKind,
    cpus: u32,
}

/// Whether a machine shares its CPUs with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CpuKind {
    Shared,
    Performance,
}

impl CpuKind {
    const ALL: [Self; 2] = [Self::Shared, Self::Performance];

    /// The name in the Machines API.
    fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Performance => "performance",
        }
    }

    /// What the names of its sizes begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Shared => "shared-cpu-",
            Self::Performance => "performance-",
        }
    }

    /// The most CPUs of a machine, and the least memory for each, in MB. A machine has the least,
    /// unless another amount is given.
    ///
    /// <https://fly.io/docs/machines/guides-examples/machine-sizing/>
    fn limits(self) -> (u32, u32) {
        match self {
            Self::Shared => (8, 256),
            Self::Performance => (16, 2048),
        }
    }
}

impl MachineSize {
    /// A machine with this many shared CPUs.
    pub fn shared(cpus: u32) -> Self {
        Self { kind: CpuKind::Shared, cpus: cpus.max(1) }
    }

    /// A machine with this many CPUs of its own.
    pub fn performance(cpus: u32) -> Self {
        Self { kind: CpuKind::Performance, cpus: cpus.max(1) }
    }

    /// The size with this kind, as the Machines API writes it, and number of CPUs. Fails if Fly has
    /// no such machine.
    pub fn of_cpus(kind: &str, cpus: u32) -> Result<Self, UnitError> {
        let known = CpuKind::ALL.into_iter().find(|known| known.name() == kind);
        let kind = known.ok_or_else(|| {
            let remedy = "write `shared` or `performance`";
            UnitError::new(format!("`{kind}` is not a kind of CPUs"), remedy)
        })?;
        let (most, _) = kind.limits();
        let is_sold = cpus == 1 || (cpus.is_multiple_of(2) && (2..=most).contains(&cpus));
        if !is_sold {
            let problem = format!("no machine has {cpus} {} CPUs", kind.name());
            return Err(UnitError::new(
                problem,
                format!("write 1, or an even number up to {most}"),
            ));
        }
        Ok(Self { kind, cpus })
    }

    /// How many CPUs it has.
    pub fn cpus(self) -> u32 {
        self.cpus
    }

    /// Whether its CPUs are shared with other machines, so that they have a quota.
    pub fn is_shared(self) -> bool {
        self.kind == CpuKind::Shared
    }

    /// `shared` or `performance`, as the Machines API writes it.
    pub fn cpu_kind(self) -> &'static str {
        self.kind.name()
    }

    /// Its memory in MB, unless another amount is given. It cannot have less.
    pub fn default_memory_mb(self) -> u32 {
        self.cpus.saturating_mul(self.kind.limits().1)
    }
}

impl fmt::Display for MachineSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}x", self.kind.prefix(), self.cpus)
    }
}

impl FromStr for MachineSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let unknown = || {
            let remedy = "write a size such as `shared-cpu-1x` or `performance-2x`";
            UnitError::new(format!("`{text}` is not a size of Fly's machines"), remedy)
        };
        let of_kind = |kind: CpuKind| Some((kind, text.strip_prefix(kind.prefix())?));
        let (kind, rest) = CpuKind::ALL.into_iter().find_map(of_kind).ok_or_else(unknown)?;
        let digits = rest.strip_suffix('x').filter(|digits| !digits.starts_with(['+', '0']));
        let cpus = digits.and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?;
        Self::of_cpus(kind.name(), cpus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_fly_names_them() {
        for text in ["shared-cpu-1x", "shared-cpu-8x", "performance-6x", "performance-16x"] {
            assert_eq!(text.parse::<MachineSize>().unwrap().to_string(), text);
        }
        let two = MachineSize::shared(2);
        assert_eq!((two.cpu_kind(), two.cpus(), two.default_memory_mb()), ("shared", 2, 512));
        let own = MachineSize::performance(2);
        assert_eq!((own.cpu_kind(), own.default_memory_mb()), ("performance", 4096));
        assert_eq!(MachineSize::of_cpus("performance", 2), Ok(own));
        for wrong in [
            "",
            "shared-cpu",
            "shared-1x",
            "shared-cpu-x",
            "shared-cpu-01x",
            "shared-cpu-+1x",
            "shared-cpu-1",
            "Shared-cpu-1x",
            "shared-cpu-99999999999x",
        ] {
            let error = wrong.parse::<MachineSize>().unwrap_err();
            assert!(error.remedy.contains("`shared-cpu-1x`"), "{wrong}");
        }
    }

    #[test]
    fn a_number_of_cpus_that_no_machine_has_is_refused_with_the_numbers_that_exist() {
        for wrong in ["shared-cpu-3x", "shared-cpu-10x", "performance-18x"] {
            let error = wrong.parse::<MachineSize>().unwrap_err();
            assert!(error.remedy.starts_with("write 1, or an even number"), "{wrong}: {error}");
        }
        assert!(MachineSize::of_cpus("shared", 0).is_err());
        assert!(MachineSize::of_cpus("huge", 1).unwrap_err().remedy.contains("`performance`"));
    }
}
