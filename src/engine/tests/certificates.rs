//! Certificates that are refused, each in plain English and with a remedy, and one that is accepted
//! because it is named.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::ServerConfig;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::tls::{authority, listen, run, scenario_for};
use crate::plan::{CertificateTrust, HttpProtocol};
use crate::record::{Failure, FailureEvidence, ScenarioMeasurement};

/// A certificate for `tollgate.test` that it signs itself, as changed by `change`, in `own.pem`.
fn serve_own(folder: &Path, change: impl FnOnce(&mut CertificateParams)) -> u16 {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["tollgate.test".to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("own.pem"), certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    listen(TlsAcceptor::from(Arc::new(config)), Arc::new(AtomicU64::new(0)))
}

/// Runs against such a server and trusts a file.
fn trusting(file: &str, change: impl FnOnce(&mut CertificateParams)) -> ScenarioMeasurement {
    let folder = TempDir::new().unwrap();
    authority(folder.path(), "other.pem");
    let port = serve_own(folder.path(), change);
    let mut scenario = scenario_for(port, HttpProtocol::Negotiated);
    scenario.target.trust = CertificateTrust::File(folder.path().join(file));
    run(scenario)
}

fn refusal(scenario: &ScenarioMeasurement) -> FailureEvidence {
    let stage = &scenario.requests[0].measured;
    assert_eq!((stage.tally.exchanges, stage.tally.ok), (20, 0), "{:?}", stage.tally);
    let evidence = stage.evidence.by_count()[0].clone();
    assert_eq!(evidence.failure, Failure::Tls);
    evidence
}

fn as_authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

#[test]
fn an_authoritys_certificate_is_accepted_from_a_server_only_if_exactly_it_is_named() {
    let accepted = trusting("own.pem", as_authority);
    assert_eq!(accepted.requests[0].measured.tally.ok, 20);
    let evidence = refusal(&trusting("other.pem", as_authority));
    assert!(evidence.seen.contains("certificate of an authority (CA:TRUE"), "{evidence:?}");
    assert!(evidence.next.unwrap().contains("`openssl req -x509"));
}

#[test]
fn a_named_certificate_is_still_checked_for_its_name_and_its_dates() {
    let evidence = refusal(&trusting("own.pem", |params| {
        as_authority(params);
        params.subject_alt_names = vec![rcgen::SanType::DnsName("other.test".try_into().unwrap())];
    }));
    assert_eq!(evidence.seen, "the certificate is for other.test, not for tollgate.test");
    let evidence = refusal(&trusting("own.pem", |params| {
        as_authority(params);
        params.not_after = rcgen::date_time_ymd(2024, 2, 3);
    }));
    let seen = "the certificate expired on 2024-02-03T00:00:00Z; this machine's clock says 20";
    assert!(evidence.seen.starts_with(seen), "{evidence:?}");
    assert!(evidence.next.unwrap().contains("renew"));
}

#[test]
fn a_certificate_that_cannot_serve_says_why() {
    let evidence = refusal(&trusting("own.pem", |params| {
        params.not_before = rcgen::date_time_ymd(2900, 2, 3);
    }));
    let seen =
        "the certificate is not valid before 2900-02-03T00:00:00Z; this machine's clock says";
    assert!(evidence.seen.starts_with(seen), "{evidence:?}");
    let evidence = refusal(&trusting("own.pem", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }));
    assert!(evidence.seen.ends_with("`extendedKeyUsage` allows only clients"), "{evidence:?}");
    let evidence = refusal(&trusting("own.pem", |params| params.subject_alt_names.clear()));
    assert!(evidence.seen.contains("names no host"), "{evidence:?}");
    let evidence = refusal(&trusting("other.pem", |_| {}));
    assert!(evidence.seen.contains("trusted authority"), "{evidence:?}");
    assert!(evidence.next.unwrap().contains("`tls_ca`"));
}
