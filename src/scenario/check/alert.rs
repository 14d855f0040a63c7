//! Checks `[alert]`: when a message is sent, and where to.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::field::ScenarioField;
use super::super::file::ScenarioFile;
use super::require;

pub(super) fn all(file: &ScenarioFile, diagnostics: &mut Diagnostics) {
    let Some((location, alert)) = file.alert.located() else { return };
    let at = location.key.clone();
    require(&alert.after, "after", "\"2 of 3\"", at.clone(), diagnostics);
    match (alert.webhook.location(), alert.command.location()) {
        (None, None) if !alert.webhook.is_written() && !alert.command.is_written() => {
            let remedy = "write `webhook = \"${SLACK_WEBHOOK}\"`, or `command = [\"./page.sh\"]`";
            diagnostics.add(Diagnostic::new(
                at,
                "the alert names neither a webhook nor a command",
                remedy,
            ));
        }
        (Some(_), Some(command)) => {
            let problem = "an alert goes to one place, and `webhook` names one";
            let remedy = "remove one of the two; a command can send to several places";
            diagnostics.add(Diagnostic::new(command.key.clone(), problem, remedy));
        }
        _ => {}
    }
    let Some((location, words)) = alert.command.located() else { return };
    let program = words.first().map(|word| word.value().map(|word| word.as_str().trim()));
    if matches!(program, None | Some(Some(""))) {
        let remedy = "write the program and its arguments, such as `[\"./page.sh\", \"shop\"]`";
        let problem = "the command names no program";
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, remedy));
    }
    let with_null = words.iter().filter_map(ScenarioField::located);
    for (location, _) in with_null.filter(|(_, word)| word.as_str().contains('\0')) {
        let problem = "an argument cannot contain a null character";
        diagnostics.add(Diagnostic::new(location.value.clone(), problem, "remove it"));
    }
}
