//! Leases: while one is held, only its holder can change the machine.

use std::fmt;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The proof that a caller holds a lease.
#[derive(Clone, PartialEq, Eq)]
pub struct LeaseNonce(String);

impl LeaseNonce {
    /// Checks a nonce that was read from an answer or a file: visible ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain.then(|| Self(text.to_owned()))
    }

    /// The nonce as the header carries it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LeaseNonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LeaseNonce(***)")
    }
}

/// A lease of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineLease {
    /// Presented with every change; `None` if Fly did not say it.
    pub nonce: Option<LeaseNonce>,
    /// Who holds it.
    pub owner: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<OffsetDateTime>,
}

impl MachineLease {
    /// Reads a lease, alone or within `data`, as older answers have it.
    pub(super) fn from_json(answer: &Value) -> Self {
        let fields = answer.get("data").filter(|data| data.is_object()).unwrap_or(answer);
        let text = |name: &str| {
            let text = fields.get(name)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let expires_at = fields.get("expires_at").and_then(Value::as_i64);
        Self {
            nonce: text("nonce").as_deref().and_then(LeaseNonce::parse),
            owner: text("owner"),
            expires_at: expires_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()),
        }
    }
}

/// The owner and the end of a lease in Fly's words: `… lease currently held by OWNER, expires at
/// 2026-05-14T10:41:08Z`. `None` if the text is not about a lease.
pub(super) fn read_holder(said: &str) -> Option<(Option<String>, Option<OffsetDateTime>)> {
    if !said.contains("lease") {
        return None;
    }
    let held = said.split_once("held by ").map(|(_, rest)| rest);
    let until_separator = |character: char| character == ',' || character.is_whitespace();
    let owner = held.and_then(|rest| rest.split(until_separator).next());
    let expires = said.split_once("expires at ").map(|(_, rest)| rest);
    let until = expires.and_then(|rest| rest.split(until_separator).next());
    let until = until.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    Some((owner.filter(|owner| !owner.is_empty()).map(str::to_owned), until))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_holder_is_read_from_flys_words() {
        let said = "machine ID 2879325b42d318 lease currently held by \
                    9af6@tokens.fly.io, expires at 2026-05-14T10:41:08Z";
        let until = datetime!(2026-05-14 10:41:08 UTC);
        let owner = Some("9af6@tokens.fly.io".to_owned());
        assert_eq!(read_holder(said), Some((owner, Some(until))));
        assert_eq!(read_holder("lease held by , expires at noon"), Some((None, None)));
        assert_eq!(read_holder("a lease is needed"), Some((None, None)));
        assert_eq!(read_holder("insufficient memory available"), None);
    }

    #[test]
    fn a_lease_is_read_alone_and_from_within_data() {
        let fields = json!({"nonce": "n1", "owner": "me", "expires_at": 1_700_000_000, "new": 1});
        let lease = MachineLease::from_json(&fields);
        assert_eq!(lease.expires_at, Some(datetime!(2023-11-14 22:13:20 UTC)));
        assert_eq!(lease.nonce.as_ref().map(LeaseNonce::as_str), Some("n1"));
        assert_eq!(MachineLease::from_json(&json!({"status": "success", "data": fields})), lease);
        assert!(!format!("{lease:?}").contains("n1"));
        let bare = MachineLease::from_json(&json!({"nonce": "a b", "expires_at": "x"}));
        assert_eq!((bare.nonce, bare.expires_at), (None, None));
    }
}
