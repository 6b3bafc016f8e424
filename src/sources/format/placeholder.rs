//! The value that Debezium ships for a large (TOASTed) column that an update left alone, in the forms it takes by type.

use super::bytea;
use super::scalar::{items_of, text_of};

/// The connector's `unavailable.value.placeholder` when nobody changes it.
pub const DEFAULT: &str = "__debezium_unavailable_value";

pub struct Placeholder {
    /// As text: in text, JSON and enum columns.
    text: Option<String>,
    /// As base64: in bytea columns.
    base64: String,
    /// As the numbers of its bytes: in integer arrays.
    bytes: Vec<u8>,
    /// No value shorter than this, quotes included, is one; nor is any longer one that does not start as it must.
    shortest: usize,
}

impl Placeholder {
    /// From the option's value; after `hex:` it is the bytes in hexadecimal.
    pub fn new(option: &str) -> Result<Placeholder, &'static str> {
        let bytes = match option.strip_prefix("hex:") {
            Some(hex) => bytea::parse_hex(hex)?,
            None => option.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err("it is empty");
        }
        let text = String::from_utf8(bytes.clone()).ok();
        Ok(Placeholder { base64: bytea::print_base64(&bytes), shortest: bytes.len() + 2, text, bytes })
    }

    /// No value shorter than this, quotes included, is the placeholder.
    pub fn shortest(&self) -> usize {
        self.shortest
    }

    /// True when a JSON value is the placeholder, alone or as the only item of an array, or as an array of its bytes.
    pub fn is(&self, raw: &str) -> bool {
        if raw.len() < self.shortest {
            return false;
        }
        match raw.as_bytes().first() {
            Some(b'"') => self.is_text(raw),
            Some(b'[') => match items_of(raw).as_deref() {
                Ok([only]) => self.is_text(only),
                Ok(items) if items.len() == self.bytes.len() => {
                    items.iter().zip(&self.bytes).all(|(item, byte)| item.parse::<i64>() == Ok(i64::from(*byte)))
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn is_text(&self, raw: &str) -> bool {
        let Some(inner) = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')) else { return false };
        if inner == self.base64 || self.text.as_deref() == Some(inner) {
            return true;
        }
        // Only a placeholder with odd characters comes escaped; six bytes a character at the most.
        inner.contains('\\')
            && inner.len() <= self.bytes.len() * 6
            && text_of(raw).is_ok_and(|text| self.text.as_deref() == Some(text.as_ref()) || text == self.base64.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_forms() {
        let placeholder = Placeholder::new(DEFAULT).unwrap();
        assert!(placeholder.is("\"__debezium_unavailable_value\""));
        assert!(placeholder.is("[\"__debezium_unavailable_value\"]"));
        assert!(placeholder.is(&format!("\"{}\"", bytea::print_base64(DEFAULT.as_bytes()))));
        assert!(placeholder.is(&format!("{:?}", DEFAULT.as_bytes())));
        for other in ["\"\"", "null", "\"__debezium_unavailable_value \"", "[\"__debezium_unavailable_value\",\"a\"]", "[]", "{}"] {
            assert!(!placeholder.is(other), "{other}");
        }
        let hex = Placeholder::new("hex:00ff").unwrap();
        assert!(hex.is("\"AP8=\""));
        assert!(Placeholder::new("hex:0").is_err());
        assert!(Placeholder::new("").is_err());
        assert!(Placeholder::new("a/b").unwrap().is("\"a\\/b\""));
    }
}
