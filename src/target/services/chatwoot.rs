//! The parts of Chatwoot 4.6.0 that the scenarios probe.
//!
//! Shapes follow its API description, errors its controllers (`app/controllers` of
//! <https://github.com/chatwoot/chatwoot>).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::settings::{ServiceFault, ServiceSettings};
use super::{ActiveFaults, ServiceRequest, error, json_page};
use crate::target::visitor::is_secret;

const TOKEN: HeaderName = HeaderName::from_static("api_access_token");

/// A request that Chatwoot answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::target) enum ChatwootCall {
    Health,
    Profile,
    /// The conversations of an account; `None` if its identifier is not a number.
    Conversations(Option<u64>),
}

/// Chatwoot with one user in one account.
#[derive(Debug)]
pub(super) struct ChatwootService {
    token: SecretString,
    account: u64,
    secret: SecretString,
    sick: ActiveFaults,
}

impl ChatwootCall {
    /// The request that a path stands for; `None` if Chatwoot has no such path.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/api" => Some(Self::Health),
            "/api/v1/profile" => Some(Self::Profile),
            _ => {
                let account =
                    path.strip_prefix("/api/v1/accounts/")?.strip_suffix("/conversations")?;
                (!account.contains('/')).then(|| Self::Conversations(account.parse().ok()))
            }
        }
    }
}

impl ChatwootService {
    pub(super) fn new(settings: &ServiceSettings) -> Self {
        Self {
            token: settings.chatwoot_token.clone(),
            account: settings.chatwoot_account,
            secret: settings.chatwoot_secret.clone(),
            sick: ActiveFaults::of(settings),
        }
    }

    pub(super) fn answer(
        &self,
        call: ChatwootCall,
        asking: &ServiceRequest<'_>,
    ) -> Response<Bytes> {
        if call == ChatwootCall::Health {
            return json_page(StatusCode::OK, &self.health(asking.now));
        }
        if let Some(refusal) = self.refusal(asking) {
            return refusal;
        }
        match call {
            ChatwootCall::Conversations(Some(account)) if account == self.account => {
                json_page(StatusCode::OK, &self.conversations())
            }
            ChatwootCall::Conversations(_) => {
                error(StatusCode::NOT_FOUND, "Resource could not be found")
            }
            ChatwootCall::Profile | ChatwootCall::Health => {
                json_page(StatusCode::OK, &self.profile())
            }
        }
    }

    /// The answer without the right token. A token in another header does not count.
    fn refusal(&self, asking: &ServiceRequest<'_>) -> Option<Response<Bytes>> {
        if self.sick.with(ServiceFault::ChatwootOpen) {
            return None;
        }
        match asking.headers.get(TOKEN).map(http::HeaderValue::as_bytes) {
            Some(token) if is_secret(token, &self.token) => None,
            Some(token) if !token.is_empty() => {
                Some(error(StatusCode::UNAUTHORIZED, "Invalid Access Token"))
            }
            _ => {
                let text = "You need to sign in or sign up before continuing.";
                Some(json_page(StatusCode::UNAUTHORIZED, &json!({ "errors": [text] })))
            }
        }
    }

    fn health(&self, now: Duration) -> Value {
        let state = |sickness| if self.sick.with(sickness) { "failing" } else { "ok" };
        json!({
            "version": "4.6.0",
            "timestamp": timestamp(now),
            "queue_services": state(ServiceFault::ChatwootQueue),
            "data_services": state(ServiceFault::ChatwootData),
        })
    }

    fn profile(&self) -> Value {
        json!({
            "id": 1,
            "access_token": self.secret.expose_secret(),
            "account_id": self.account,
            "available_name": "Rehearsal",
            "avatar_url": "",
            "confirmed": true,
            "display_name": null,
            "message_signature": null,
            "email": "rehearsal@example.com",
            "hmac_identifier": "",
            "inviter_id": null,
            "name": "Rehearsal",
            "provider": "email",
            "pubsub_token": "rehearsal-pubsub-token",
            "role": "administrator",
            "ui_settings": {},
            "uid": "rehearsal@example.com",
            "type": null,
            "custom_attributes": {},
            "accounts": [self.membership()],
        })
    }

    /// The user's role in the account.
    fn membership(&self) -> Value {
        json!({
            "id": self.account,
            "name": "Rehearsal",
            "status": "active",
            "active_at": "2025-10-10T06:18:00.000Z",
            "role": "administrator",
            "permissions": ["administrator"],
            "availability": "online",
            "availability_status": "online",
            "auto_offline": true,
            "custom_role_id": null,
            "custom_role": null,
        })
    }

    fn conversations(&self) -> Value {
        if self.sick.with(ServiceFault::ChatwootShape) {
            return json!({ "data": { "payload": [] } });
        }
        let meta =
            json!({ "mine_count": 0, "assigned_count": 0, "unassigned_count": 0, "all_count": 0 });
        json!({ "data": { "meta": meta, "payload": [] } })
    }
}

/// A moment since the Unix epoch as Rails writes it for databases: `2025-10-10 06:18:00`, in UTC.
fn timestamp(now: Duration) -> String {
    let seconds = i64::try_from(now.as_secs()).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rails_writes_it() {
        assert_eq!(timestamp(Duration::from_millis(1_760_077_080_900)), "2025-10-10 06:18:00");
    }

    #[test]
    fn only_what_chatwoot_has_is_chatwoots() {
        assert_eq!(
            ChatwootCall::at("/api/v1/accounts/7/conversations"),
            Some(ChatwootCall::Conversations(Some(7)))
        );
        assert_eq!(
            ChatwootCall::at("/api/v1/accounts/me/conversations"),
            Some(ChatwootCall::Conversations(None))
        );
        for path in [
            "/api/",
            "/api/v2",
            "/apis",
            "/api/v1/accounts/7",
            "/api/v1/accounts/7/8/conversations",
        ] {
            assert_eq!(ChatwootCall::at(path), None, "{path}");
        }
    }
}
