//! Checks the licences of all dependencies, and that banned crates stay out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq};

/// Licences of crates that a program under `MIT OR Apache-2.0` can ship.
const ALLOWED: [&str; 12] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
];

/// Crates that need a system library or a second TLS stack, or that are unmaintained.
const BANNED: [&str; 8] = [
    "openssl-sys",
    "native-tls",
    "aws-lc-sys",
    "libsqlite3-sys",
    "yeslogic-fontconfig-sys",
    "freetype-sys",
    "serde_yaml",
    "async-std",
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn is_allowed(requirement: &LicenseReq) -> bool {
    ALLOWED.contains(&requirement.license.to_string().as_str())
}

#[test]
fn the_licence_of_every_dependency_allows_shipping_under_mit_or_apache() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let licence =
            package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        let expression = Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{name}: {licence}: {error}"));
        assert!(expression.evaluate(is_allowed), "{name} is under {licence}");
    }
}

/// Names of the crates that are compiled. `cargo metadata` also lists the dependencies of optional
/// features that are off.
fn compiled_crates() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--edges",
            "normal,build,dev",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn no_banned_crate_is_compiled() {
    let compiled = compiled_crates();
    assert!(compiled.iter().any(|name| name == "tokio-postgres"), "{compiled:?}");
    for name in compiled {
        assert!(!BANNED.contains(&name.as_str()), "{name} is banned");
    }
}
