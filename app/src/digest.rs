//! SHA-256 of what people read, review or apply: what makes a record evidence.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 digest. Shown and written as 64 lower-case hexadecimal digits, stored as 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(into = "String", try_from = "String")]
#[sqlx(transparent)]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct NoDigest;

impl Digest {
    /// 32 zeros: what stands where there is nothing to digest yet.
    pub const ZERO: Self = Self([0; 32]);

    /// Of exactly these bytes.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of these bytes one after the other.
    #[must_use]
    pub fn of_both(first: &[u8], second: &[u8]) -> Self {
        Self(Sha256::new().chain_update(first).chain_update(second).finalize().into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        bytes_of(text)?.try_into().map(Self).map_err(|_| NoDigest)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        text.parse()
    }
}

/// Bytes written as hexadecimal digits.
///
/// # Errors
/// [`NoDigest`] where it holds anything else.
pub fn bytes_of(text: &str) -> Result<Vec<u8>, NoDigest> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return Err(NoDigest);
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| NoDigest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_shown_as_the_usual_tools_show_it_and_read_back() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of("").to_string(), empty);
        assert_eq!(empty.parse(), Ok(Digest::of("")));
        assert_eq!(Digest::of_both(b"a", b"b"), Digest::of("ab"));
        for wrong in ["", "e3", "x", &empty.replace('e', "g"), &empty.replace('e', "\u{e4}")] {
            assert_eq!(wrong.parse::<Digest>(), Err(NoDigest), "{wrong}");
        }
    }
}
