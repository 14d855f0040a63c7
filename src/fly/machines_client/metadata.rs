//! A machine's metadata: texts under keys, which can be changed without a new version.

use std::collections::BTreeMap;

use http::Method;
use serde_json::json;

use super::MachinesClient;
use crate::fly::caller::{ApiRequest, RepeatPolicy, read_json};
use crate::fly::clock::CallClock;
use crate::fly::error::{FlyError, FlyProblem};
use crate::fly::names::MachineId;
use crate::fly::rate_limit::ApiAction;
use crate::fly::transport::HttpTransport;

impl<T: HttpTransport, C: CallClock> MachinesClient<T, C> {
    /// All metadata of a machine.
    pub fn metadata(&mut self, id: &MachineId) -> Result<BTreeMap<String, String>, FlyError> {
        let (task, action) = ("read the metadata of", ApiAction::ShowMetadata);
        let request = self.machine_request(task, action, Method::GET, id, &["metadata"]);
        let reply = self.send(&request)?;
        read_json(&request, &reply)
    }

    /// Sets one key.
    pub fn set_metadata(&mut self, id: &MachineId, key: &str, value: &str) -> Result<(), FlyError> {
        let request = ApiRequest {
            body: Some(json!({"value": value})),
            ..self.key_request(ApiAction::SetMetadata, Method::POST, id, key)?
        };
        self.send_change(&request).map(drop)
    }

    /// Removes one key; nothing happens if it is not set.
    pub fn delete_metadata(&mut self, id: &MachineId, key: &str) -> Result<(), FlyError> {
        let request = self.key_request(ApiAction::DeleteMetadata, Method::DELETE, id, key)?;
        match self.send_change(&request) {
            Err(error) if !matches!(error.problem, FlyProblem::NotFound { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    fn key_request(
        &self,
        action: ApiAction,
        method: Method,
        id: &MachineId,
        key: &str,
    ) -> Result<ApiRequest, FlyError> {
        let request = ApiRequest {
            repeats: RepeatPolicy::Always,
            ..self.change_request("change the metadata of", action, method, id, &["metadata", key])
        };
        // A URL drops these segments, so that the call would be about all metadata.
        if ["", ".", ".."].contains(&key) {
            let why = format!("`{key}` cannot be a key of metadata; choose another");
            return Err(request.error(FlyProblem::Unusable { why }));
        }
        Ok(request)
    }
}
