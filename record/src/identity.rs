use crate::Digest;
use serde::{Deserialize, Serialize};

/// A person's details as rows commit to them: kept apart from the rows, so that they can be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `iss` (OpenID Connect Core 1.0, 2).
    pub issuer: String,
    /// `sub`: with the issuer, the only stable identity there is (5.7).
    pub subject: String,
    /// As it was when they acted.
    pub name: String,
    /// As it was when they acted.
    pub email: String,
    /// 32 random bytes, so that nobody finds out by trying whose commitment it is.
    #[serde(with = "hex::serde")]
    pub salt: [u8; 32],
}

impl Identity {
    /// What is hashed behind the salt: a JSON array of the four texts.
    #[must_use]
    pub fn details(issuer: &str, subject: &str, name: &str, email: &str) -> String {
        serde_json::json!([issuer, subject, name, email]).to_string()
    }

    /// What rows name as their actor: SHA-256 over the salt and the details.
    #[must_use]
    pub fn commitment(&self) -> Digest {
        let details = Self::details(&self.issuer, &self.subject, &self.name, &self.email);
        Digest::of_both(&self.salt, details.as_bytes())
    }

    /// Whether both are the same person, whatever they were called.
    #[must_use]
    pub fn is_same_person(&self, other: &Self) -> bool {
        (&self.issuer, &self.subject) == (&other.issuer, &other.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detail_and_the_salt_are_committed_to() {
        let text = |text: &str| text.to_owned();
        let robin = Identity {
            issuer: text("https://idp"),
            subject: text("1"),
            name: text("Robin"),
            email: text("robin@example.com"),
            salt: [10; 32],
        };
        let others = [
            Identity { issuer: text("https://other"), ..robin.clone() },
            Identity { subject: text("2"), ..robin.clone() },
            Identity { name: text("Robyn"), ..robin.clone() },
            Identity { email: text("robin@example.org"), ..robin.clone() },
            Identity { salt: [11; 32], ..robin.clone() },
        ];
        for other in others {
            assert_ne!(other.commitment(), robin.commitment());
        }
    }
}
