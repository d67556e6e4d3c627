//! Page tokens: where a list goes on, sealed so that nobody makes one up or takes one to another list.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::control::Refusal;
use crate::store::Page;

/// Octets of a token's seal.
const SEAL: usize = 16;

/// Things on a page where nothing else is asked for.
const USUAL: u32 = 100;

/// Signs and reads the tokens of one list: an operation of one owner, on one path.
pub(super) struct Pager {
    key: hmac::Key,
    list: String,
}

impl Pager {
    pub(super) fn new(key: &str, owner: &str, operation: &str, path: &str) -> Self {
        Self {
            key: hmac::Key::new(HMAC_SHA256, key.as_bytes()),
            list: format!("{owner} {operation} {path} "),
        }
    }

    /// The page that a request asks for.
    pub(super) fn page(&self, token: Option<&str>, most: Option<i64>) -> Result<Page, Refusal> {
        let after = match token {
            None | Some("") => String::new(),
            Some(token) => self
                .open(token)
                .ok_or_else(|| Refusal::invalid("NextToken", "is none of this list"))?,
        };
        let most = most
            .and_then(|most| u32::try_from(most).ok())
            .unwrap_or(USUAL);
        Ok(Page { after, most })
    }

    /// The token of the page that begins after a key.
    pub(super) fn token(&self, after: &str) -> String {
        let mut sealed = self
            .seal(after)
            .as_ref()
            .get(..SEAL)
            .unwrap_or_default()
            .to_vec();
        sealed.extend_from_slice(after.as_bytes());
        URL_SAFE_NO_PAD.encode(sealed)
    }

    fn open(&self, token: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (seal, after) = sealed.split_at_checked(SEAL)?;
        let after = std::str::from_utf8(after).ok()?;
        let good = self.seal(after);
        let good =
            aws_lc_rs::constant_time::verify_slices_are_equal(seal, good.as_ref().get(..SEAL)?);
        good.ok()?;
        Some(after.to_owned())
    }

    fn seal(&self, after: &str) -> hmac::Tag {
        hmac::sign(&self.key, format!("{}{after}", self.list).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_list_only() {
        let pager =
            |owner: &str, operation: &str, path: &str| Pager::new("key", owner, operation, path);
        let users = pager("1", "ListUsers", "/accounts/a/users");
        let token = users.token("user 7");
        assert_eq!(
            users.page(Some(&token), Some(5)).unwrap(),
            Page {
                after: "user 7".to_owned(),
                most: 5
            }
        );
        for other in [
            pager("2", "ListUsers", "/accounts/a/users"),
            pager("1", "ListRooms", "/accounts/a/users"),
            pager("1", "ListUsers", "/accounts/b/users"),
            Pager::new("other", "1", "ListUsers", "/accounts/a/users"),
        ] {
            assert!(other.page(Some(&token), None).is_err());
        }
        for made_up in [
            "x",
            "AAAA",
            &token[..token.len() - 2],
            &format!("{token}AA"),
        ] {
            assert!(users.page(Some(made_up), None).is_err(), "{made_up}");
        }
        assert_eq!(users.page(Some(""), None).unwrap(), Page::first(USUAL));
    }
}
