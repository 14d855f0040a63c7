//! Sentences below the tables of a session, said once for all configurations.

use crate::record::session::FigureKind;

use super::configuration::ConfigurationView;
use super::model::SessionModel;

/// The figures that are found in steps of 8 % (`tune::steady`). No number of rounds averages a
/// step out, so the rounds that would halve their differences are many, or none is enough.
const STEPPED: [FigureKind; 2] = [FigureKind::RequestsToSteady, FigureKind::TimeToSteady];

impl SessionModel {
    /// What the column *seen above* means, and how many rounds would halve it.
    pub(in crate::report) fn seen_above_note(&self) -> String {
        let mut note =
            "Seen above: the smallest difference that the session would have seen in 80 \
                        of 100 cases."
                .to_owned();
        let unclear = || {
            self.all_differences()
                .filter(|(.., by)| !by.difference.is_clear && by.difference.detectable > 0.0)
        };
        let rounds = |it: &ConfigurationView| {
            let own = unclear().filter(|(kind, of, _)| of.key == it.key && !STEPPED.contains(kind));
            own.map(|(.., by)| by.difference.rounds_to_halve).max().filter(|rounds| *rounds > 0)
        };
        let rounds: Vec<String> = self
            .configurations
            .iter()
            .filter_map(|it| Some(format!("{} for {}", rounds(it)?, it.key)))
            .collect();
        if !rounds.is_empty() {
            let rounds = rounds.join(", ");
            note +=
                &format!(" To halve it where the difference is not clear, add rounds: {rounds}.");
        }
        if unclear().any(|(kind, ..)| STEPPED.contains(&kind)) {
            note +=
                " The steady point is found in steps of 8 %, and no number of rounds shows less.";
        }
        note
    }

    /// What the CPU quota did, each outcome once with the configurations that have it: whether it
    /// throttled, the keys, and the words.
    pub(in crate::report) fn quota_lines(&self) -> Vec<(bool, String, String)> {
        let mut groups: Vec<(&ConfigurationView, Vec<&str>)> = Vec::new();
        for it in &self.configurations {
            match groups.iter_mut().find(|(first, _)| first.throttle == it.throttle) {
                Some((_, keys)) => keys.push(&it.key),
                None => groups.push((it, vec![&it.key])),
            }
        }
        groups
            .into_iter()
            .map(|(it, keys)| {
                let each = if keys.len() > 1 && it.throttle.starts_with("not throttled") {
                    " each"
                } else {
                    ""
                };
                (it.is_throttled, keys.join(", "), it.throttle.clone() + each)
            })
            .collect()
    }

    /// The findings of every configuration with its key.
    pub(in crate::report) fn findings(
        &self,
    ) -> impl Iterator<Item = (&ConfigurationView, &super::ReasonedText)> {
        self.configurations.iter().flat_map(|it| it.findings.iter().map(move |line| (it, line)))
    }

    /// What a reader must know: caveats, then attempts that did not complete.
    pub(in crate::report) fn all_caveats(&self) -> impl Iterator<Item = String> + '_ {
        let problems = self.problems().map(|problem| format!("Not completed: {problem}"));
        self.caveats.iter().cloned().chain(problems)
    }
}
