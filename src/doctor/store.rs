//! The database that stores runs.

use crate::postgres::{DatabaseAddress, PgError, PoolerMode, PostgresTls};
use crate::record::checkup::CheckFinding;
use crate::store::{Database, DatabaseError, SchemaStatus, UserRight};
use crate::units::ByteSize;

/// The group of the database's findings.
const STORE: &str = "database";

/// Examines a database: whether it answers, its schema, the user's rights, and whether its tables
/// are protected.
pub fn store(address: &DatabaseAddress) -> Vec<CheckFinding> {
    match Database::open(address).and_then(|mut database| database.schema_status()) {
        Ok(standing) => judge(address, &standing),
        Err(error) => vec![unreachable(&error)],
    }
}

/// The finding if no database is configured.
pub fn without_store() -> CheckFinding {
    found("server", "none is configured (DATABASE_URL): runs are kept only in their folders")
}

fn found(name: &str, what: impl Into<String>) -> CheckFinding {
    CheckFinding::ok(STORE, name, what)
}

fn unreachable(error: &DatabaseError) -> CheckFinding {
    match error {
        DatabaseError::Database(error @ PgError { kind: trouble, .. }) => {
            found("server", error.what()).fail(trouble.remedy())
        }
        other => found("server", other.to_string()).fail("try again"),
    }
}

fn judge(address: &DatabaseAddress, standing: &SchemaStatus) -> Vec<CheckFinding> {
    let server = format!("{}, PostgreSQL {}", address.display_name(), standing.server);
    let mut findings =
        vec![found("server", server), connection(address, standing), schema(standing)];
    if standing.version.is_none() {
        return findings;
    }
    findings.extend([rights(standing), security(standing)]);
    if let (Some(runs), Some(bytes)) = (standing.runs, standing.bytes) {
        let size = ByteSize(u64::try_from(bytes).unwrap_or(0));
        findings
            .push(found("runs", format!("{runs} stored, {size} with all that belongs to them")));
    }
    findings
}

fn connection(address: &DatabaseAddress, standing: &SchemaStatus) -> CheckFinding {
    let pooler = match address.pooler() {
        PoolerMode::Transaction => ", through a pooler in transaction mode",
        PoolerMode::None => "",
    };
    let found = |what: &str| found("connection", format!("{what}{pooler}"));
    match (address.tls(), standing.encrypted) {
        (PostgresTls::VerifyFull, _) => found("encrypted, the server verified"),
        (PostgresTls::VerifyCa, _) => {
            found("encrypted, the server's authority verified and its name not")
                .warn("write `sslmode=verify-full` in the URL")
        }
        (PostgresTls::Unverified, _) => found("encrypted, but the server is not verified")
            .warn("write `sslmode=verify-full&sslrootcert=FILE` in the URL"),
        (PostgresTls::Plaintext, _) if !address.is_local() => {
            found("in plain text over the network, password and all")
                .warn("write `sslmode=verify-full&sslrootcert=FILE` in the URL")
        }
        (_, Some(true)) => found("encrypted, within this machine"),
        _ => found("in plain text, within this machine"),
    }
}

fn schema(standing: &SchemaStatus) -> CheckFinding {
    let needed = standing.needed;
    let found = |what: String| found("schema", what);
    match standing.version {
        None => found("there is none, or this user may not see it".to_owned()).fail(
            "`tollgate db migrate` makes it; `grant tollgate_writer to …` lets a user see it",
        ),
        Some(version) if version == needed => found(format!("version {version}, up to date")),
        Some(version) if version < needed => {
            found(format!("version {version}, and {needed} is needed"))
                .fail("`tollgate db migrate` brings it up to date")
        }
        Some(version) => {
            found(format!("version {version}, later than this tollgate knows ({needed})"))
                .fail("use a newer tollgate")
        }
    }
}

fn rights(standing: &SchemaStatus) -> CheckFinding {
    let may = [
        (UserRight::Store, "store runs"),
        (UserRight::Read, "read them"),
        (UserRight::Own, "change the schema"),
    ];
    let held: Vec<_> = may
        .into_iter()
        .filter(|(right, _)| standing.rights.contains(right))
        .map(|(_, what)| what)
        .collect();
    let granted = "as the schema's owner: `grant tollgate_writer to …` lets a user store runs";
    match (standing.rights.contains(&UserRight::Store), &held[..]) {
        (true, held) => found("rights", format!("this user may {}", held.join(", "))),
        (false, []) => found("rights", "this user may neither store nor read runs").fail(granted),
        (false, held) => {
            found("rights", format!("this user may {}, and store none", held.join(", ")))
                .warn(granted)
        }
    }
}

fn security(standing: &SchemaStatus) -> CheckFinding {
    let named: Vec<String> = standing
        .unprotected
        .iter()
        .map(|found| format!("tollgate.{}: {}", found.table, found.what))
        .collect();
    if named.is_empty() {
        return found("row level security", "on for every table, with policies");
    }
    found("row level security", named.join("; "))
        .fail("`tollgate db migrate`, as the schema's owner, puts it right")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::checkup::CheckState;
    use crate::store::UnprotectedTable;

    fn standing() -> SchemaStatus {
        SchemaStatus {
            server: "15.8".to_owned(),
            encrypted: Some(false),
            version: Some(1),
            needed: 1,
            rights: [UserRight::Version, UserRight::Store, UserRight::Read].into(),
            unprotected: Vec::new(),
            runs: Some(3),
            bytes: Some(1 << 20),
        }
    }

    /// States and names of all findings that are not ok.
    fn amiss(url: &str, standing: &SchemaStatus) -> Vec<(CheckState, String)> {
        let findings = judge(&DatabaseAddress::parse(url).unwrap(), standing);
        let amiss = findings.into_iter().filter(|finding| finding.state != CheckState::Ok);
        amiss.map(|finding| (finding.state, finding.name)).collect()
    }

    const LOCAL: &str = "postgres://u:p@127.0.0.1/x";

    #[test]
    fn a_sound_store_has_only_ok_findings() {
        assert_eq!(amiss(LOCAL, &standing()), []);
        assert_eq!(amiss("postgres://u:p@db.example/x", &standing()), []);
    }

    #[test]
    fn each_fault_of_a_store_has_its_name() {
        let one = |state, name: &str| vec![(state, name.to_owned())];
        let with = |change: fn(&mut SchemaStatus)| {
            let mut standing = standing();
            change(&mut standing);
            amiss(LOCAL, &standing)
        };
        assert_eq!(with(|it| it.version = None), one(CheckState::Fail, "schema"));
        assert_eq!(with(|it| it.version = Some(0)), one(CheckState::Fail, "schema"));
        assert_eq!(with(|it| it.version = Some(2)), one(CheckState::Fail, "schema"));
        assert_eq!(
            with(|it| it.rights = [UserRight::Version, UserRight::Read].into()),
            one(CheckState::Warn, "rights")
        );
        assert_eq!(
            with(|it| it.rights = [UserRight::Version].into()),
            one(CheckState::Fail, "rights")
        );
        let open = UnprotectedTable { table: "runs".to_owned(), what: "row level security is off" };
        let standing = SchemaStatus { unprotected: vec![open], ..standing() };
        assert_eq!(amiss(LOCAL, &standing), one(CheckState::Fail, "row level security"));
    }

    #[test]
    fn an_unverified_server_over_the_network_warns() {
        for mode in ["disable", "require", "verify-ca"] {
            let url = format!("postgres://u:p@db.example/x?sslmode={mode}");
            assert_eq!(
                amiss(&url, &standing()),
                [(CheckState::Warn, "connection".to_owned())],
                "{mode}"
            );
        }
        assert_eq!(amiss(&format!("{LOCAL}?sslmode=disable"), &standing()), []);
    }
}
