//! Values of events that the rules of the portal know as well. Their names are stored for good.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that names none of the values there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of the values there are")]
pub struct UnknownValue(pub String);

/// An enum whose variants have one name each, the same in JSON, in the database, in forms and in addresses.
macro_rules! named_values {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $stored:literal,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(type_name = "text"))]
        pub enum $name {
            $(
                $(#[$variant_doc])* #[serde(rename = $stored)] #[cfg_attr(
                    feature = "sqlx", sqlx(rename = $stored)
                )] $variant,
            )*
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in JSON, in the database, in forms and in addresses.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $stored,)* }
            }
        }

        impl FromStr for $name {
            type Err = UnknownValue;

            fn from_str(text: &str) -> Result<Self, UnknownValue> {
                Self::ALL.iter().copied().find(
                    |value| value.as_str() == text
                ).ok_or_else(|| UnknownValue(text.to_owned()))
            }
        }
    )* };
}
pub(crate) use named_values;

named_values! {
    ScopeKind {
        Namespace = "namespace",
        Team = "team",
        Environment = "environment",
    }

    /// Why an opt-in ends.
    EndReason {
        Expired = "expired",
        Revoked = "revoked",
        Retired = "retired",
        /// The statement changed, and the new one was not accepted in time.
        NotRenewed = "not_renewed",
        /// A later acceptance for the same scope took its place.
        Replaced = "replaced",
    }

    /// Why a session ended without its person signing out in it.
    SessionEndReason {
        /// The person ended it from another session.
        EndedByPerson = "ended_by_person",
        /// The provider says that its own session ended (OpenID Connect Back-Channel Logout 1.0).
        EndedAtProvider = "ended_at_provider",
        /// The provider no longer lets the person sign in.
        RefusedByProvider = "refused_by_provider",
        /// The provider could not be asked for too long.
        ProviderAway = "provider_away",
        /// What the provider says of the person can be nobody's name in the cluster any more.
        NameNotUsable = "name_not_usable",
        /// Somebody else signed in in the same browser.
        Replaced = "replaced",
    }

    /// How an opt-in stands.
    StatusKind {
        /// Accepted, and not decided by as many as must.
        Waiting = "waiting",
        Refused = "refused",
        Withdrawn = "withdrawn",
        /// What it gives has not been seen yet.
        Approved = "approved",
        Effective = "effective",
        /// Over; what it gave has not been seen gone yet.
        Ending = "ending",
        Ended = "ended",
    }

    /// A step of an opt-in.
    StepKind {
        Approved = "approved",
        Refused = "refused",
        Withdrawn = "withdrawn",
        Effective = "effective",
        Ending = "ending",
        Ended = "ended",
    }

    /// How far a preview feature has come.
    #[derive(Default)]
    Stage {
        /// May be used by those who accept its risks.
        #[default]
        Preview = "preview",
        /// Part of the platform: there is nothing to accept any more, and what was given stays.
        General = "general",
        /// Nobody may accept any more, and what was given is taken back.
        Retired = "retired",
    }

    /// What a second person says of a submission.
    ReviewVerdict {
        Approved = "approved",
        Refused = "refused",
        ChangesRequested = "changes_requested",
    }
}

impl EndReason {
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
            Self::Retired => "The feature was retired",
            Self::NotRenewed => "Not renewed",
            Self::Replaced => "Replaced by a later acceptance",
        }
    }
}

impl Stage {
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Preview => "Preview",
            Self::General => "Generally available",
            Self::Retired => "Retired",
        }
    }
}

/// What a feature is enabled for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    pub kind: ScopeKind,
    pub name: String,
}

/// `namespace shop`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

impl Scope {
    /// As forms send it: `namespace/shop`.
    #[must_use]
    pub fn form_value(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.name)
    }
}

/// Reads what a form sends.
impl FromStr for Scope {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        let (kind, name) = text.split_once('/').ok_or_else(|| UnknownValue(text.to_owned()))?;
        Ok(Self { kind: kind.parse()?, name: name.to_owned() })
    }
}

/// What a version of a statement means for those who accepted an earlier one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// What they accepted goes on until it expires.
    #[default]
    NotNeeded,
    /// They accept again within so many days, or lose the feature.
    WithinDays(u16),
}

impl Renewal {
    /// For those who accepted an earlier version.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::NotNeeded => "What was accepted before goes on as long as it lasts.".to_owned(),
            Self::WithinDays(days) => format!(
                "Whoever accepted an earlier version has to accept this one within {days} days, or loses the feature."
            ),
        }
    }
}

/// What people are told of by e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Occasion {
    Accepted,
    /// By its number, from 1.
    Step(usize),
    /// That an opt-in ends within so many days.
    Notice {
        days: u16,
        ends_at: Timestamp,
    },
}

/// As stored: `accepted`, `step-2`, `notice-7-1795564800000000` (microseconds since 1970).
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Step(number) => write!(f, "step-{number}"),
            Self::Notice { days, ends_at } => write!(f, "notice-{days}-{}", ends_at.as_microsecond()),
        }
    }
}

impl FromStr for Occasion {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        let read = || match text.split('-').collect::<Vec<_>>()[..] {
            ["accepted"] => Some(Self::Accepted),
            ["step", number] => number.parse().ok().map(Self::Step),
            ["notice", days, at] => {
                let ends_at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
                Some(Self::Notice { days: days.parse().ok()?, ends_at })
            }
            _ => None,
        };
        read().ok_or_else(|| UnknownValue(text.to_owned()))
    }
}

/// Who is told by e-mail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Recipient {
    Administrators,
    /// Whoever accepted.
    Person,
    /// The contact of a team.
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

impl FromStr for Recipient {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        match (text, text.strip_prefix("team/")) {
            ("administrators", _) => Ok(Self::Administrators),
            ("person", _) => Ok(Self::Person),
            (_, Some(name)) => Ok(Self::Team(name.to_owned())),
            _ => Err(UnknownValue(text.to_owned())),
        }
    }
}

impl Recipient {
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Administrators => "the administrators".to_owned(),
            Self::Person => "the person who accepted".to_owned(),
            Self::Team(name) => format!("the contact of the team {name}"),
        }
    }
}

macro_rules! stored_as_text {
    ($($name:ident)*) => { $(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownValue;

            fn try_from(text: String) -> Result<Self, UnknownValue> {
                text.parse()
            }
        }
    )* };
}

stored_as_text! { Occasion Recipient }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_reads_back_from_its_name() {
        for stage in Stage::ALL {
            assert_eq!(stage.as_str().parse(), Ok(*stage));
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.as_str());
        }
        assert!("beta".parse::<Stage>().is_err());
    }

    #[test]
    fn a_scope_reads_back_from_a_form() {
        let scope = Scope { kind: ScopeKind::Team, name: "shop".into() };
        assert_eq!(scope.form_value().parse(), Ok(scope));
        for wrong in ["", "shop", "cluster/shop"] {
            assert!(wrong.parse::<Scope>().is_err());
        }
    }

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
