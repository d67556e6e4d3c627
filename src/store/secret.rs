//! A text that opens doors: kept, compared in constant time, never shown.

use std::fmt;

use subtle::ConstantTimeEq;

/// A secret text. `Debug` hides it; only [`Secret::expose`] gives it out.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that must have it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in a time that tells nothing but the lengths.
    #[must_use]
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("open sesame".to_owned()))),
            "Some((hidden))"
        );
    }

    #[test]
    fn a_secret_matches_itself_only() {
        let secret = Secret::new("abc".to_owned());
        assert!(secret.matches("abc"));
        assert!(!secret.matches("abd"));
        assert!(!secret.matches("ab"));
    }
}
