//! The root certificates that TLS uses.

use super::MACHINE;
use crate::engine::EngineError;
use crate::engine::probe::{self, RootCertificates};
use crate::plan::CertificateTrust;
use crate::record::checkup::CheckFinding;
use crate::units::plural;

/// The finding about this machine's root certificates.
pub(super) fn system() -> CheckFinding {
    judge_system(probe::roots(&CertificateTrust::System))
}

fn judge_system(read: Result<Option<RootCertificates>, EngineError>) -> CheckFinding {
    let found = |what: String| CheckFinding::ok(MACHINE, "TLS roots", what);
    let remedy = "install the system's certificates (ca-certificates), or name a file by `tls_ca`";
    match read {
        Ok(Some(RootCertificates { count, are_built_in: false, unread })) => {
            let what = format!("{count} in the system's store");
            match unread.first() {
                Some(first) => found(format!("{what}; some were not read: {first}")).warn(remedy),
                None => found(what),
            }
        }
        Ok(Some(RootCertificates { count, .. })) => {
            found(format!("{count} of Mozilla's that are built in, as the system has none"))
        }
        Ok(None) => found("none are needed".to_owned()),
        Err(error) => found(error.to_string()).fail(remedy),
    }
}

/// The finding about a target's trust settings; none for the system's roots.
pub(super) fn of(trust: &CertificateTrust, group: &str) -> Option<CheckFinding> {
    let found = |what| CheckFinding::ok(group, "certificates", what);
    match trust {
        CertificateTrust::System => None,
        CertificateTrust::AnyCertificate => Some(
            found("any is accepted (`insecure`): the server's identity is unknown".to_owned())
                .warn("leave `insecure` out; a private authority is named by `tls_ca`"),
        ),
        CertificateTrust::File(path) => Some(match probe::roots(trust) {
            Ok(roots) => {
                let count = roots.map_or(0, |roots| roots.count);
                found(format!("{} in {} (`tls_ca`)", plural(count as u64, "root"), path.display()))
            }
            Err(error) => failed(&error, group),
        }),
    }
}

/// The finding if no connection to a target could be tried.
pub(super) fn failed(error: &EngineError, group: &str) -> CheckFinding {
    let found = |name, what| CheckFinding::ok(group, name, what);
    match error {
        EngineError::Trust { path, why } => found("certificates", format!("{}: {why}", path.display()))
            .fail("name a PEM file with at least one certificate by `tls_ca`"),
        EngineError::Identity { path, why } => {
            found("client certificate", format!("{}: {why}", path.display())).fail(
                "name PEM files by `tls_cert` and `tls_key`: the certificate with its chain, and its key",
            )
        }
        error => found("set-up", error.to_string()).fail("correct the scenario's `[target]`"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::record::checkup::CheckState;

    #[test]
    fn built_in_roots_are_ok_and_unreadable_ones_warn() {
        let roots = |are_built_in, unread: &[&str]| {
            let unread = unread.iter().map(|&unread| unread.to_owned()).collect();
            judge_system(Ok(Some(RootCertificates { count: 142, are_built_in, unread })))
        };
        assert_eq!(roots(false, &[]).what, "142 in the system's store");
        assert_eq!(roots(true, &["no folder"]).state, CheckState::Ok);
        let some = roots(false, &["no folder"]);
        assert_eq!((some.state, some.what.contains("no folder")), (CheckState::Warn, true));
    }

    #[test]
    fn an_unverified_target_warns_and_an_unreadable_file_fails() {
        assert_eq!(of(&CertificateTrust::System, "t"), None);
        assert_eq!(of(&CertificateTrust::AnyCertificate, "t").unwrap().state, CheckState::Warn);
        let missing = of(&CertificateTrust::File(PathBuf::from("no/such.pem")), "t").unwrap();
        assert_eq!(missing.state, CheckState::Fail);
        assert!(missing.what.starts_with("no/such.pem: "), "{}", missing.what);
    }
}
