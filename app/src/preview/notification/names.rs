//! What news is of and whom it is for, by the names that are stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Occasion {
    /// The risks were accepted.
    Accepted,
    /// A step was taken, by its number from 1.
    Step(usize),
    /// A notice was given.
    Notice {
        /// How many days before the end.
        days: u16,
        /// The end.
        ends_at: Timestamp,
    },
}

/// As stored: `accepted`, `step-2`, `notice-7-1795564800000000`.
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Step(number) => write!(f, "step-{number}"),
            Self::Notice { days, ends_at } => write!(f, "notice-{days}-{}", ends_at.as_microsecond()),
        }
    }
}

impl From<Occasion> for String {
    fn from(occasion: Occasion) -> Self {
        occasion.to_string()
    }
}

/// A stored occasion or recipient that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an occasion nor a recipient")]
pub struct Unknown(String);

impl FromStr for Occasion {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || match text.split('-').collect::<Vec<_>>()[..] {
            ["accepted"] => Some(Self::Accepted),
            ["step", number] => number.parse().ok().map(Self::Step),
            ["notice", days, at] => {
                let ends_at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
                Some(Self::Notice { days: days.parse().ok()?, ends_at })
            }
            _ => None,
        };
        read().ok_or_else(|| Unknown(text.to_owned()))
    }
}

impl TryFrom<String> for Occasion {
    type Error = Unknown;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Recipient {
    /// Those who decide.
    Administrators,
    /// Whoever accepted.
    Person,
    /// The contact of a team that it is for.
    Team(String),
}

/// As stored: `administrators`, `person`, `team/shop`.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrators => f.write_str("administrators"),
            Self::Person => f.write_str("person"),
            Self::Team(name) => write!(f, "team/{name}"),
        }
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

impl FromStr for Recipient {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("team/")) {
            ("administrators", _) => Ok(Self::Administrators),
            ("person", _) => Ok(Self::Person),
            (_, Some(name)) => Ok(Self::Team(name.to_owned())),
            _ => Err(Unknown(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Recipient {
    type Error = Unknown;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Recipient {
    /// For people.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Administrators => "the administrators".to_owned(),
            Self::Person => "the person who accepted".to_owned(),
            Self::Team(name) => format!("the contact of the team {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occasion_and_a_recipient_read_back_as_they_are_stored() {
        let ends_at = Timestamp::from_microsecond(32_400_000_005).unwrap();
        for occasion in [Occasion::Accepted, Occasion::Step(3), Occasion::Notice { days: 7, ends_at }] {
            assert_eq!(occasion.to_string().parse(), Ok(occasion));
        }
        for wrong in ["", "step", "step-", "step-x", "notice-7", "accepted-1", "notice-7-1-1"] {
            assert!(wrong.parse::<Occasion>().is_err(), "{wrong}");
        }
        for recipient in [Recipient::Administrators, Recipient::Person, Recipient::Team("shop/a".into())] {
            assert_eq!(recipient.to_string().parse(), Ok(recipient));
        }
        assert!("somebody".parse::<Recipient>().is_err());
    }
}
