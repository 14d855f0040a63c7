//! Where requests go: what is missing, and which terms contradict one another.

use super::super::complaint::{Complaint, Complaints};
use super::super::field::Field;
use super::super::file::{File, Target};
use super::super::load::LoadShape;
use super::require;

pub(super) fn all(file: &File, complaints: &mut Complaints) {
    let example = "\"https://…\"` or `base_url = \"${TOLLGATE_TARGET}\"";
    match &file.target {
        Field::Absent if needs_base_url(file) => {
            complaints.add(Complaint::new(
                0..0,
                "no `[target]` is given",
                format!("write the section `[target]` with `base_url = {example}`"),
            ));
        }
        Field::Absent | Field::Broken => {}
        Field::Given(place, target) => {
            if needs_base_url(file) {
                require(&target.base_url, "base_url", example, place.key.clone(), complaints);
            }
            timeouts(target, complaints);
            refresh(target, complaints);
            identities(target, complaints);
            given_addresses(target, complaints);
        }
    }
}

/// Whether there is a request that goes to the base URL; a file without requests is taken to want one.
fn needs_base_url(file: &File) -> bool {
    let mut requests = file.requests().peekable();
    requests.peek().is_none()
        || requests.any(|request| !request.url.is_written() && !request.sql.is_written())
}

fn timeouts(target: &Target, complaints: &mut Complaints) {
    for (name, field) in target.timeouts() {
        let Some((place, &timeout)) = field.placed() else { continue };
        if timeout.is_zero() || timeout > LoadShape::MAX_DURATION {
            let problem = format!("`{name}` leaves no time or no end");
            complaints.add(Complaint::new(
                place.value.clone(),
                problem,
                "write a duration up to 24h",
            ));
        } else if timeout > target.whole_timeout() {
            let whole = crate::units::written(target.whole_timeout());
            complaints.add(Complaint::new(
                place.value.clone(),
                format!("`{name}` can never run out: the exchange as a whole may take {whole}"),
                "write less, or raise `timeout`",
            ));
        }
    }
}

fn refresh(target: &Target, complaints: &mut Complaints) {
    let Some((place, &refresh)) = target.dns_refresh.placed() else { return };
    if refresh > LoadShape::MAX_DURATION {
        let problem = "`dns_refresh` is longer than any run";
        complaints.add(Complaint::new(place.value.clone(), problem, "write a duration up to 24h"));
    }
}

/// Who is believed, and who we are.
fn identities(target: &Target, complaints: &mut Complaints) {
    if let (Some((place, true)), true) = (target.insecure.placed(), target.tls_ca.is_written()) {
        let problem = "`insecure` cannot stand with `tls_ca`";
        let remedy = "any certificate would be believed: leave one of the two out";
        complaints.add(Complaint::new(place.key.clone(), problem, remedy));
    }
    let pair = [("tls_cert", &target.tls_cert), ("tls_key", &target.tls_key)];
    for ((key, field), (other, missing)) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        if let (Some(place), false) = (field.place(), missing.is_written()) {
            let problem = format!("`{key}` stands without `{other}`");
            let remedy = format!("write `{other} = \"…\"`, which may name the same file");
            complaints.add(Complaint::new(place.key.clone(), problem, remedy));
        }
    }
}

fn given_addresses(target: &Target, complaints: &mut Complaints) {
    let mut seen = Vec::new();
    for (place, given) in target.resolve.given().into_iter().flatten().filter_map(Field::placed) {
        let name = (&given.host, given.port);
        if seen.contains(&name) {
            let problem = format!("`{}:{}` is given twice", given.host.as_str(), given.port);
            let remedy = "write its addresses in one entry, with commas between them";
            complaints.add(Complaint::new(place.value.clone(), problem, remedy));
        }
        seen.push(name);
    }
}
