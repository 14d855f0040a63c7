//! What an address leaves out comes from variables and the passfile, as with psql.

use std::os::unix::fs::PermissionsExt as _;

use crate::bench::output_text;
use crate::cluster::{self, Cluster};
use crate::program::tollgate;

/// Fails unless the session is that of the variables, and shows times in UTC in spite of the role.
const STEP: &str = r#"
name = "who"
budgets = ["errors = 0"]
[databases]
main = "${DBURL}"
[[request]]
name = "who"
sql = """
select 1 / (current_user = 'ci' and current_database() = 'here'
  and current_setting('search_path') = 'elsewhere'
  and to_jsonb('2026-01-01T00:00:00Z'::timestamptz)::text like '%T00:00:00+00:00%')::int as n"""
"#;

#[test]
fn what_an_address_leaves_out_comes_from_variables_and_the_passfile() {
    if cluster::is_left_out() {
        return;
    }
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    cluster.create_database("here");
    cluster.sql(
        "postgres",
        "create role ci login password 'Zebra7f3a'; alter role ci set timezone = 'Asia/Tokyo'; \
         alter role ci set datestyle = 'German'",
    );
    std::fs::write(folder.path().join("who.toml"), STEP).unwrap();
    let passfile = folder.path().join("passfile");
    std::fs::write(&passfile, "127.0.0.1:*:here:ci:Zebra7f3a\n*:*:*:*:wrong\n").unwrap();
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    let run = |variables: &[(&str, &str)]| {
        let mut command = tollgate();
        command.args(["run", "who.toml", "--store", "none"]).current_dir(folder.path());
        command.env("DBURL", format!("postgresql://127.0.0.1:{}", cluster.port()));
        command.env("HOME", folder.path()).env("PGOPTIONS", "-c search_path=elsewhere");
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = output_text(&output);
        assert!(!text.contains("Zebra7f3a"), "{text}");
        (output.status.code(), text)
    };
    let named = [("PGUSER", "ci"), ("PGDATABASE", "here")];
    let passfile = passfile.to_str().unwrap();
    let succeeds = |variables: &[(&str, &str)], is_expected: bool| {
        let (code, text) = run(&[&named[..], variables].concat());
        assert_eq!(code, Some(i32::from(!is_expected)), "{variables:?}: {text}");
        assert_ne!(text.contains("rejects the user name or password"), is_expected, "{text}");
    };
    succeeds(&[("PGPASSFILE", passfile)], true);
    succeeds(&[("PGPASSWORD", "Zebra7f3a")], true);
    succeeds(&[], false);
    succeeds(&[("PGPASSFILE", passfile), ("PGPASSWORD", "wrong")], false);
    // `.pgpass` counts only if no other file is named.
    std::fs::copy(passfile, folder.path().join(".pgpass")).unwrap();
    succeeds(&[], true);
    succeeds(&[("PGPASSFILE", "")], true);
    for other in ["/dev/null", "/nowhere/at/all"] {
        succeeds(&[("PGPASSFILE", other)], false);
    }
}
