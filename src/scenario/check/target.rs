//! Checks the target: what is missing, and which settings contradict each other.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::ScenarioField;
use super::super::file::{ScenarioFile, TargetSection};
use super::super::load::LoadShape;
use super::require;

pub(super) fn all(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let example = "\"https://…\"` or `base_url = \"${TOLLGATE_TARGET}\"";
    match &file.target {
        ScenarioField::Absent if needs_base_url(file) => {
            diagnostics.add(Diagnostic::new(
                0..0,
                "no `[target]` is given",
                format!("write the section `[target]` with `base_url = {example}`"),
            ));
        }
        ScenarioField::Absent | ScenarioField::Invalid => {}
        ScenarioField::Present(location, target) => {
            if needs_base_url(file) {
                require(&target.base_url, "base_url", example, location.key.clone(), diagnostics);
            }
            timeouts(target, diagnostics);
            refresh(target, diagnostics);
            identities(target, diagnostics);
            given_addresses(target, diagnostics);
        }
    }
}

/// Whether a step goes to the base URL. A file without requests counts as if one did.
fn needs_base_url(file: &ScenarioFile) -> bool {
    file.requests().next().is_none()
        || file.steps().any(|request| !request.url.is_written() && !request.sql.is_written())
}

fn timeouts(target: &TargetSection, diagnostics: &mut Diagnostics) {
    for (name, field) in target.timeouts() {
        let Some((location, &timeout)) = field.located() else { continue };
        if timeout.is_zero() || timeout > LoadShape::MAX_DURATION {
            let problem = format!("`{name}` is zero or more than 24h");
            diagnostics.add(Diagnostic::new(
                location.value.clone(),
                problem,
                "write a duration up to 24h",
            ));
        } else if timeout > target.whole_timeout() {
            let whole = crate::units::duration_literal(target.whole_timeout());
            diagnostics.add(Diagnostic::new(
                location.value.clone(),
                format!("`{name}` never takes effect: the whole exchange may take {whole}"),
                "write a shorter one, or raise `timeout`",
            ));
        }
    }
}

fn refresh(target: &TargetSection, diagnostics: &mut Diagnostics) {
    let Some((location, &refresh)) = target.dns_refresh.located() else { return };
    if refresh > LoadShape::MAX_DURATION {
        let problem = "`dns_refresh` is longer than any run";
        diagnostics.add(Diagnostic::new(
            location.value.clone(),
            problem,
            "write a duration up to 24h",
        ));
    }
}

/// Checks which certificates are trusted and sent.
fn identities(target: &TargetSection, diagnostics: &mut Diagnostics) {
    if let (Some((location, true)), true) = (target.insecure.located(), target.tls_ca.is_written())
    {
        let problem = "`insecure` cannot be combined with `tls_ca`";
        let remedy = "any certificate would be accepted: remove one of the two";
        diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
    }
    let pair = [("tls_cert", &target.tls_cert), ("tls_key", &target.tls_key)];
    for ((key, field), (other, missing)) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        if let (Some(location), false) = (field.location(), missing.is_written()) {
            let problem = format!("`{key}` needs `{other}`");
            let remedy = format!("write `{other} = \"…\"`, which may name the same file");
            diagnostics.add(Diagnostic::new(location.key.clone(), problem, remedy));
        }
    }
}

fn given_addresses(target: &TargetSection, diagnostics: &mut Diagnostics) {
    let mut seen = Vec::new();
    for (location, given) in
        target.resolve.value().into_iter().flatten().filter_map(ScenarioField::located)
    {
        let name = (&given.host, given.port);
        if seen.contains(&name) {
            let problem = format!("`{}:{}` is given twice", given.host.as_str(), given.port);
            let remedy = "write its addresses in one entry, with commas between them";
            diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
        }
        seen.push(name);
    }
}
