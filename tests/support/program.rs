//! The program, without the environment variables that would change what a test sees.

use std::process::Command;

/// How variables begin that the program or a scenario of this repository reads.
const PREFIXES: [&str; 12] = [
    "TOLLGATE_",
    "SYNTHETIC_CHECK_",
    "GITHUB_",
    "GITLAB_",
    "CI_",
    "OTEL_",
    "FLY_",
    "PG",
    "CHATWOOT_",
    "SUPABASE_",
    "MCP_",
    "OCC_",
];

/// Variables of the check that `synthetic-check` replaces.
const OF_THE_OLD_CHECK: [&str; 3] =
    ["STAGING_SMOKE_TEST_URL", "PRODUCTION_SMOKE_TEST_URL", "SHOPIFY_FLAG_ENVIRONMENT"];

/// A command that runs the program. Its runs get no reports unless `--report` or the variable asks
/// for them: drawing takes most of the processor time of a short run.
pub(crate) fn tollgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    for (name, _) in std::env::vars_os() {
        if is_read(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command.env("TOLLGATE_REPORT", "none");
    command
}

/// Whether the program may read a variable of this process's environment.
fn is_read(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name.ends_with("DATABASE_URL")
        || name.to_ascii_uppercase().ends_with("_PROXY")
        || OF_THE_OLD_CHECK.contains(&name)
}
