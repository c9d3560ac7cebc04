//! Who acted, kept apart from what was done, so that a person's details can be blanked and the chain still holds.

use crate::actor::Profile;
use crate::digest::{Digest, bytes_of};
use serde::{Deserialize, Serialize};

/// A person's details as the record commits to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// Their name then.
    pub name: String,
    /// Their address then.
    pub email: String,
    /// 32 random bytes, in hexadecimal digits.
    pub salt: String,
}

impl Identity {
    /// From the columns of `identities`, with issuer, subject, name and address; nothing where they were blanked.
    #[must_use]
    pub fn stored(salt: Option<String>, [issuer, subject, name, email]: [Option<String>; 4]) -> Option<Self> {
        Some(Self { salt: salt?, issuer: issuer?, subject: subject?, name: name?, email: email? })
    }

    /// What is hashed behind the salt: a JSON array of the four texts.
    #[must_use]
    pub fn details(issuer: &str, subject: &str, name: &str, email: &str) -> String {
        serde_json::json!([issuer, subject, name, email]).to_string()
    }

    /// What rows name as their actor: SHA-256 over the salt and the details. Nothing where the salt is none.
    #[must_use]
    pub fn commitment(&self) -> Option<Digest> {
        let salt = bytes_of(&self.salt).ok().filter(|salt| salt.len() == 32)?;
        let details = Self::details(&self.issuer, &self.subject, &self.name, &self.email);
        Some(Digest::of_both(&salt, details.as_bytes()))
    }
}

/// The details of somebody who acts.
#[must_use]
pub fn details_of(profile: &Profile) -> String {
    Identity::details(&profile.issuer, &profile.subject, &profile.name, &profile.email)
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
            salt: "0a".repeat(32),
        };
        let others = [
            Identity { issuer: text("https://other"), ..robin.clone() },
            Identity { subject: text("2"), ..robin.clone() },
            Identity { name: text("Robyn"), ..robin.clone() },
            Identity { email: text("robin@example.org"), ..robin.clone() },
            Identity { salt: "0b".repeat(32), ..robin.clone() },
        ];
        assert!(robin.commitment().is_some());
        for other in others {
            assert_ne!(other.commitment(), robin.commitment());
        }
        assert_eq!(Identity { salt: text("0a"), ..robin }.commitment(), None);
    }
}
