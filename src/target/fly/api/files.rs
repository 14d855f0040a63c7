//! Files that a machine is made with.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Refuses files without a path or a content: base64, or a secret that the app has.
pub(super) fn check_files(files: &Value, secrets: &[String]) -> Result<(), &'static str> {
    for file in files.as_array().into_iter().flatten() {
        if !file["guest_path"].as_str().is_some_and(|path| path.starts_with('/')) {
            return Err("config.files: guest_path must be absolute");
        }
        let has_content = match (file["raw_value"].as_str(), file["secret_name"].as_str()) {
            (Some(content), None) => BASE64_STANDARD.decode(content).is_ok(),
            (None, Some(name)) => secrets.iter().any(|known| known == name),
            _ => false,
        };
        if !has_content {
            return Err("config.files: neither a raw_value in base64 nor a secret_name of the app");
        }
    }
    Ok(())
}
