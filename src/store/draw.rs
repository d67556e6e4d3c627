//! New ids, PINs, tokens and keys, drawn from the operating system's random source.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::TryRng;
use rand::rngs::SysRng;
use uuid::Builder;

use super::{Secret, StoreError};

pub(super) fn octets<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut octets = [0; N];
    SysRng
        .try_fill_bytes(&mut octets)
        .map_err(|error| StoreError::Random(error.to_string()))?;
    Ok(octets)
}

/// A random number below a bound, without bias worth naming (2^-64 × bound).
fn below(bound: u64) -> Result<u64, StoreError> {
    let wide = u128::from_be_bytes(octets()?);
    u64::try_from(wide % u128::from(bound)).map_err(|error| StoreError::Random(error.to_string()))
}

fn letters(alphabet: &[u8], count: usize) -> Result<String, StoreError> {
    (0..count)
        .map(|_| {
            let at = usize::try_from(below(alphabet.len() as u64)?).unwrap_or_default();
            Ok(char::from(alphabet.get(at).copied().unwrap_or(b'0')))
        })
        .collect()
}

/// A version 4 UUID in lower case (RFC 9562 §5.4).
pub(super) fn uuid() -> Result<String, StoreError> {
    Ok(Builder::from_random_bytes(octets()?)
        .into_uuid()
        .to_string())
}

/// A version 7 UUID in lower case (RFC 9562 §5.7): in the order of their making, as texts too.
pub(super) fn ordered_uuid(now_ms: i64) -> Result<String, StoreError> {
    let millis = u64::try_from(now_ms).unwrap_or_default();
    Ok(Builder::from_unix_timestamp_millis(millis, &octets()?)
        .into_uuid()
        .to_string())
}

/// Ten digits, the first not 0, so that nobody loses it by writing the PIN as a number.
pub(super) fn pin() -> Result<String, StoreError> {
    Ok((1_000_000_000 + below(9_000_000_000)?).to_string())
}

/// Three digits.
pub(super) fn dial_suffix() -> Result<String, StoreError> {
    Ok(format!("{:03}", below(1000)?))
}

/// 256 bits in letters that a WebSocket sub-protocol may carry.
pub(super) fn join_token() -> Result<Secret, StoreError> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(octets::<32>()?)))
}

/// Eight hexadecimal digits.
pub(super) fn visitor_number() -> Result<String, StoreError> {
    Ok(format!("{:08x}", u32::from_be_bytes(octets()?)))
}

/// Twelve digits, the first not 0.
pub(super) fn account_id() -> Result<String, StoreError> {
    Ok((100_000_000_000 + below(900_000_000_000)?).to_string())
}

/// 22 lower-case letters and digits.
pub(super) fn voice_connector_id() -> Result<String, StoreError> {
    letters(b"abcdefghijklmnopqrstuvwxyz0123456789", 22)
}

/// The public half of an access key: `AKIA` and 16 letters.
pub(super) fn access_key_id() -> Result<String, StoreError> {
    Ok(format!(
        "AKIA{}",
        letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)?
    ))
}

/// The public half of temporary credentials: `ASIA` and 16 letters.
pub(super) fn session_key_id() -> Result<String, StoreError> {
    Ok(format!(
        "ASIA{}",
        letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)?
    ))
}

/// A session token: 512 bits that say nothing by themselves.
pub(super) fn session_token() -> Result<Secret, StoreError> {
    Ok(Secret::new(STANDARD.encode(octets::<64>()?)))
}

/// The unique id of a user (`AIDA`) or role (`AROA`): that and 17 letters.
pub(super) fn principal_id(prefix: &str) -> Result<String, StoreError> {
    Ok(format!(
        "{prefix}{}",
        letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17)?
    ))
}

/// A key for all secrets at rest, in base64.
pub(super) fn master_key() -> Result<Secret, StoreError> {
    Ok(Secret::new(
        STANDARD.encode(octets::<{ super::seal::KEY_OCTETS }>()?),
    ))
}

/// The secret half: 240 bits in 40 letters.
pub(super) fn secret_access_key() -> Result<Secret, StoreError> {
    Ok(Secret::new(STANDARD.encode(octets::<30>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_ten_digits_and_no_leading_zero() {
        for _ in 0..200 {
            let pin = pin().unwrap();
            assert_eq!(pin.len(), 10);
            assert!(pin.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(!pin.starts_with('0'));
        }
    }

    #[test]
    fn keys_have_the_lengths_that_clients_expect() {
        let id = access_key_id().unwrap();
        assert_eq!((id.len(), id.starts_with("AKIA")), (20, true));
        assert_eq!(secret_access_key().unwrap().expose().len(), 40);
        assert_eq!(account_id().unwrap().len(), 12);
        assert_eq!(voice_connector_id().unwrap().len(), 22);
        assert_eq!(uuid().unwrap().len(), 36);
    }

    #[test]
    fn a_join_token_passes_as_a_sub_protocol() {
        // RFC 9110 §5.6.2: a token has no separators; browsers refuse "=", "/" and ":".
        let token = join_token().unwrap();
        assert!(
            token
                .expose()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        );
        assert_eq!(token.expose().len(), 43);
    }
}
