//! Bytes in JSON texts: PostgreSQL's hex form (`\x00ff`), else base64 as Kafka Connect and most producers write it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 with or without its padding.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

pub fn parse(text: &str) -> Result<Vec<u8>, &'static str> {
    match text.strip_prefix("\\x") {
        Some(hex) => parse_hex(hex),
        None => parse_base64(text),
    }
}

pub fn parse_base64(text: &str) -> Result<Vec<u8>, &'static str> {
    BASE64.decode(text).map_err(|_| "not base64")
}

pub fn print_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

pub fn parse_hex(hex: &str) -> Result<Vec<u8>, &'static str> {
    let digit = |b: u8| char::from(b).to_digit(16).ok_or("not hexadecimal");
    let bytes = hex.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return Err("an odd number of hexadecimal digits");
    }
    bytes.chunks_exact(2).map(|pair| Ok((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        assert_eq!(parse("\\x00ff10").as_deref(), Ok(&[0, 0xff, 0x10][..]));
        assert_eq!(parse("AP8Q").as_deref(), Ok(&[0, 0xff, 0x10][..]));
        assert_eq!(parse("/w==").as_deref(), Ok(&[0xff][..]));
        assert_eq!(parse("/w").as_deref(), Ok(&[0xff][..]));
        assert_eq!(parse("").as_deref(), Ok(&[][..]));
        assert!(parse("\\x0").is_err());
        assert!(parse("\\xzz").is_err());
        assert!(parse("not base64!").is_err());
    }
}
