//! Small records on disk: one byte of version, then JSON, which a person can read and a later floe can extend.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StateError;

/// # Errors
/// When the value has no JSON form, which is a defect.
pub fn encode<T: Serialize>(version: u8, value: &T) -> Result<Vec<u8>, StateError> {
    let mut bytes = vec![version];
    serde_json::to_writer(&mut bytes, value).map_err(|error| StateError::Misuse(format!("a record has no JSON form: {error}")))?;
    Ok(bytes)
}

/// `what` names the record in the error.
pub fn decode<T: DeserializeOwned>(version: u8, bytes: &[u8], what: &str) -> Result<T, StateError> {
    match bytes.split_first() {
        Some((found, json)) if *found == version => {
            serde_json::from_slice(json).map_err(|error| StateError::corrupted(format!("{what} cannot be read: {error}")))
        }
        Some((found, _)) => Err(StateError::corrupted(format!("{what} has version {found}, version {version} was expected"))),
        None => Err(StateError::corrupted(format!("{what} is empty"))),
    }
}
