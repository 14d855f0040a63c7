//! File descriptors and local ports for a plan's connections.

use super::MACHINE;
use crate::engine::probe::{self, DescriptorNeed};
use crate::engine::{self, EngineError, PortWarning};
use crate::plan::Plan;
use crate::record::checkup::CheckFinding;
use crate::units::plural;

/// The finding about file descriptors, from the result of raising the limit.
pub(super) fn descriptors(provided: Result<DescriptorNeed, EngineError>) -> CheckFinding {
    let found = |what| CheckFinding::ok(MACHINE, "file descriptors", what);
    match provided {
        Ok(DescriptorNeed { connections, needed, allowed }) => {
            let allowed =
                allowed.map_or("any number".to_owned(), |allowed| format!("up to {allowed}"));
            found(format!("{allowed} may be open; {needed} needed{}", with(connections)))
        }
        Err(EngineError::Descriptors { connections, needed, allowed }) => {
            let what = format!("{allowed} may be open; {needed} needed{}", with(connections));
            found(what).fail(format!(
                "plan fewer connections, or raise the limit with `ulimit -n {needed}`"
            ))
        }
        Err(error) => found(error.to_string()).fail("raise the limit with `ulimit -n`"),
    }
}

fn with(connections: u64) -> String {
    if connections == 0 {
        String::new()
    } else {
        format!(" with {}", plural(connections, "connection"))
    }
}

/// Findings about the local ports that a plan's connections need; none if the system does not
/// report its range.
pub(super) fn ports(plan: &Plan) -> Vec<CheckFinding> {
    judge_ports(probe::ports(plan), engine::port_warnings(plan))
}

fn judge_ports(
    provided: Result<Option<u64>, EngineError>,
    warnings: Vec<PortWarning>,
) -> Vec<CheckFinding> {
    let found = |what| CheckFinding::ok(MACHINE, "local ports", what);
    match provided {
        Ok(Some(free)) if warnings.is_empty() => {
            vec![found(format!("{free} for connections towards one address"))]
        }
        Ok(_) => warnings
            .into_iter()
            .map(|PortWarning { what, remedy }| found(what).warn(remedy))
            .collect(),
        Err(EngineError::Ports { connections, address, free }) => {
            let what = format!(
                "{free} for connections towards one address; {connections} planned to {address}"
            );
            vec![found(what).fail(
                "plan fewer connections, give the target more addresses with `resolve`, or allow more with `sysctl -w \
                 net.ipv4.ip_local_port_range=\"1024 65535\"`",
            )]
        }
        Err(error) => vec![found(error.to_string()).fail("plan fewer connections")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::checkup::CheckState;

    #[test]
    fn a_limit_that_cannot_be_raised_enough_fails() {
        let enough =
            descriptors(Ok(DescriptorNeed { connections: 16, needed: 80, allowed: Some(1_024) }));
        assert_eq!(
            (enough.state, enough.what.as_str()),
            (CheckState::Ok, "up to 1024 may be open; 80 needed with 16 connections")
        );
        let without_plan =
            descriptors(Ok(DescriptorNeed { connections: 0, needed: 64, allowed: None }));
        assert_eq!(without_plan.what, "any number may be open; 64 needed");
        let short =
            descriptors(Err(EngineError::Descriptors { connections: 1, needed: 65, allowed: 10 }));
        assert_eq!(
            (short.state, short.what.as_str()),
            (CheckState::Fail, "10 may be open; 65 needed with 1 connection")
        );
        assert!(short.remedy.unwrap().ends_with("`ulimit -n 65`"));
    }

    #[test]
    fn too_few_ports_for_an_address_fail_and_possible_shortages_warn() {
        let states = |provided, warnings| {
            judge_ports(provided, warnings).iter().map(|finding| finding.state).collect::<Vec<_>>()
        };
        let warning = || PortWarning { what: "a".to_owned(), remedy: "b".to_owned() };
        assert_eq!(states(Ok(Some(28_232)), vec![]), [CheckState::Ok]);
        assert_eq!(
            states(Ok(Some(28_232)), vec![warning(), warning()]),
            [CheckState::Warn, CheckState::Warn]
        );
        assert_eq!(states(Ok(None), vec![]), []);
        let error =
            || EngineError::Ports { connections: 9, address: "192.0.2.1:80".to_owned(), free: 8 };
        assert_eq!(states(Err(error()), vec![warning()]), [CheckState::Fail]);
        assert!(judge_ports(Err(error()), vec![])[0].what.ends_with("9 planned to 192.0.2.1:80"));
    }
}
