//! The caveats of an imported artifact.

use std::time::Duration;

use crate::record::NODE_FETCH_START;
use crate::units::duration_literal;

use super::{CheckAnswer, CheckTool, ImportedArtifact};

/// The budgets of the two kinds of the page, by the text in the query that identifies the kind.
const PAGE_BUDGETS: [(&str, Duration); 2] =
    [("mock=1", Duration::from_millis(300)), ("mock=0", Duration::from_millis(800))];

/// What a reader of the figures must know, one sentence per caveat.
pub(super) fn caveats(artifact: &ImportedArtifact) -> Vec<String> {
    let of_answer = match artifact.answer {
        CheckAnswer::Status(_) => vec![
            "the time ends with the answer's headers, and holds the connection's opening and all redirects".to_owned(),
            "redirects were followed unseen: it may be another page's answer, such as a login's".to_owned(),
            "nothing but the status was looked at".to_owned(),
            "one request, on a new connection".to_owned(),
        ],
        CheckAnswer::None => vec![
            "no answer came, and the artifact does not say why (name, connection, TLS or any other cause): its time is the \
             failure's, and enters no quantile"
                .to_owned(),
        ],
    };
    let start = (artifact.tool == CheckTool::Node).then(|| {
        format!("the time also holds {NODE_FETCH_START}, which other clients do not measure")
    });
    misfit(artifact).into_iter().chain(start).chain(of_answer).collect()
}

/// States that the check used the budget of the other kind of page.
fn misfit(artifact: &ImportedArtifact) -> Option<String> {
    let query = artifact.target.query()?;
    let (kind, usual) =
        PAGE_BUDGETS.into_iter().find(|(kind, _)| query.split('&').any(|pair| pair == *kind))?;
    (artifact.budget != usual).then(|| {
        let (judged, usual) = (duration_literal(artifact.budget), duration_literal(usual));
        format!(
            "it is judged at {judged}, as the check was set, though {usual} is meant for `{kind}`"
        )
    })
}

/// What follows “the record was imported, and”.
pub(super) fn missing_facts(answer: CheckAnswer) -> &'static str {
    match answer {
        CheckAnswer::Status(_) => "it does not tell where redirects led or what the page held",
        CheckAnswer::None => "it does not tell why no answer came",
    }
}

/// What is known of a request without an answer: `fetch failed after 59.5 ms`.
pub(super) fn no_answer(artifact: &ImportedArtifact) -> String {
    let error = artifact.error.as_deref().filter(|error| !error.trim().is_empty());
    format!(
        "`{}` after {}",
        error.unwrap_or("no error noted"),
        crate::units::format_duration(artifact.took)
    )
}
