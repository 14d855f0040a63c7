//! The database that stores runs.

use crate::postgres::{Address, PgError, Pooler, Tls};
use crate::record::checkup::Finding;
use crate::store::{Database, DatabaseError, Right, Standing};
use crate::units::ByteSize;

/// The group of the database's findings.
const STORE: &str = "database";

/// Looks at a database: whether it answers, its schema, what the user may do, and whether its tables are protected.
pub fn store(address: &Address) -> Vec<Finding> {
    match Database::open(address).and_then(|mut database| database.standing()) {
        Ok(standing) => judge(address, &standing),
        Err(error) => vec![unreachable(&error)],
    }
}

/// The finding if no database is configured.
pub fn without_store() -> Finding {
    found("server", "none is configured (DATABASE_URL): runs are kept only in their folders")
}

fn found(name: &str, what: impl Into<String>) -> Finding {
    Finding::ok(STORE, name, what)
}

fn unreachable(error: &DatabaseError) -> Finding {
    match error {
        DatabaseError::Database(error @ PgError { trouble, .. }) => {
            found("server", error.what()).fail(trouble.remedy())
        }
        other => found("server", other.to_string()).fail("try again"),
    }
}

fn judge(address: &Address, standing: &Standing) -> Vec<Finding> {
    let server = format!("{}, PostgreSQL {}", address.shown(), standing.server);
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

fn connection(address: &Address, standing: &Standing) -> Finding {
    let pooler = match address.pooler() {
        Pooler::Transaction => ", through a pooler in transaction mode",
        Pooler::None => "",
    };
    let found = |what: &str| found("connection", format!("{what}{pooler}"));
    match (address.tls(), standing.encrypted) {
        (Tls::VerifyFull, _) => found("encrypted, the server verified"),
        (Tls::VerifyCa, _) => found("encrypted, the server's authority verified and its name not")
            .warn("write `sslmode=verify-full` in the URL"),
        (Tls::Unverified, _) => found("encrypted, but the server is not verified")
            .warn("write `sslmode=verify-full&sslrootcert=FILE` in the URL"),
        (Tls::Plaintext, _) if !address.is_here() => {
            found("in plain text over the network, password and all")
                .warn("write `sslmode=verify-full&sslrootcert=FILE` in the URL")
        }
        (_, Some(true)) => found("encrypted, within this machine"),
        _ => found("in plain text, within this machine"),
    }
}

fn schema(standing: &Standing) -> Finding {
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

fn rights(standing: &Standing) -> Finding {
    let may = [
        (Right::Store, "store runs"),
        (Right::Read, "read them"),
        (Right::Own, "change the schema"),
    ];
    let held: Vec<_> = may
        .into_iter()
        .filter(|(right, _)| standing.rights.contains(right))
        .map(|(_, what)| what)
        .collect();
    let granted = "as the schema's owner: `grant tollgate_writer to …` lets a user store runs";
    match (standing.rights.contains(&Right::Store), &held[..]) {
        (true, held) => found("rights", format!("this user may {}", held.join(", "))),
        (false, []) => found("rights", "this user may neither store nor read runs").fail(granted),
        (false, held) => {
            found("rights", format!("this user may {}, and store none", held.join(", ")))
                .warn(granted)
        }
    }
}

fn security(standing: &Standing) -> Finding {
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
    use crate::record::checkup::State;
    use crate::store::Unprotected;

    fn standing() -> Standing {
        Standing {
            server: "15.8".to_owned(),
            encrypted: Some(false),
            version: Some(1),
            needed: 1,
            rights: [Right::Version, Right::Store, Right::Read].into(),
            unprotected: Vec::new(),
            runs: Some(3),
            bytes: Some(1 << 20),
        }
    }

    /// States and names of all findings that are not ok.
    fn amiss(url: &str, standing: &Standing) -> Vec<(State, String)> {
        let findings = judge(&Address::parse(url).unwrap(), standing);
        let amiss = findings.into_iter().filter(|finding| finding.state != State::Ok);
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
        let with = |change: fn(&mut Standing)| {
            let mut standing = standing();
            change(&mut standing);
            amiss(LOCAL, &standing)
        };
        assert_eq!(with(|it| it.version = None), one(State::Fail, "schema"));
        assert_eq!(with(|it| it.version = Some(0)), one(State::Fail, "schema"));
        assert_eq!(with(|it| it.version = Some(2)), one(State::Fail, "schema"));
        assert_eq!(
            with(|it| it.rights = [Right::Version, Right::Read].into()),
            one(State::Warn, "rights")
        );
        assert_eq!(with(|it| it.rights = [Right::Version].into()), one(State::Fail, "rights"));
        let open = Unprotected { table: "runs".to_owned(), what: "row level security is off" };
        let standing = Standing { unprotected: vec![open], ..standing() };
        assert_eq!(amiss(LOCAL, &standing), one(State::Fail, "row level security"));
    }

    #[test]
    fn an_unverified_server_over_the_network_warns() {
        for mode in ["disable", "require", "verify-ca"] {
            let url = format!("postgres://u:p@db.example/x?sslmode={mode}");
            assert_eq!(
                amiss(&url, &standing()),
                [(State::Warn, "connection".to_owned())],
                "{mode}"
            );
        }
        assert_eq!(amiss(&format!("{LOCAL}?sslmode=disable"), &standing()), []);
    }
}
