//! What the sink keeps in its key index: where each key's row is, and what it last did.
//!
//! An entry of a key holds the path of the data file and the row's position in it. Under the empty key, which no row
//! has, the index remembers the table's uuid and the epoch of the last commit that landed: floe's own memory of the
//! table, against which the table is checked.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::fault::inconsistent;
use crate::sinks::sink::KeyIndex;
use crate::types::Report;

const FORMAT: u8 = 1;

/// Where a row is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: String,
    pub position: i64,
}

impl Place {
    /// A format byte, the position in eight bytes, the path.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(9 + self.file.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.extend_from_slice(self.file.as_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Place, SinkError> {
        let wrong = || inconsistent("An entry of the key index cannot be read.");
        let (format, rest) = bytes.split_first().ok_or_else(wrong)?;
        let (position, path) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        if *format != FORMAT {
            return Err(wrong());
        }
        let file = std::str::from_utf8(path).map_err(|_| wrong())?.to_string();
        Ok(Place { file, position: i64::from_be_bytes(*position) })
    }
}

/// What floe remembers of the sink's last commit that landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub table: Uuid,
    pub epoch: u64,
}

impl Memory {
    /// The key that no row has.
    pub const KEY: Vec<u8> = Vec::new();

    pub fn load(index: &dyn KeyIndex) -> Result<Option<Memory>, SinkError> {
        let Some(bytes) = index.get_many(&[Memory::KEY])?.into_iter().next().flatten() else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(&bytes).map_err(|_| inconsistent("The memory of the last commit cannot be read."))?))
    }

    pub fn entry(&self) -> Result<(Vec<u8>, Option<Vec<u8>>), SinkError> {
        Ok((Memory::KEY, Some(serde_json::to_vec(self).map_err(Report::internal)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_bytes() {
        let place = Place { file: "s3://b/t/data/ä.parquet".into(), position: 1 << 40 };
        assert_eq!(Place::decode(&place.encode()).unwrap(), place);
        for bytes in [&[][..], &[1], &[1, 0, 0, 0], &[2, 0, 0, 0, 0, 0, 0, 0, 0, b'x'], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]] {
            assert!(Place::decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
