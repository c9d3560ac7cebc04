//! Who somebody is, from the claims of the ID token and of the userinfo endpoint, in all the forms that providers send.

use super::openid_types::{IdClaims, InfoClaims, MoreClaims};
use app::actor::Profile;
use app::ports::{GroupsClaim, Misconfiguration, ProviderError};
use openidconnect::SubjectIdentifier;
use serde_json::Value;

/// Where the claims are that matter.
#[derive(Debug, Clone)]
pub struct ClaimSettings {
    /// `OIDC_GROUPS_CLAIM`: its name, or its path with dots, such as `realm_access.roles`.
    pub groups: String,
    /// `OIDC_GROUPS_STRIP_PREFIX`: only groups that begin with it count, and lose it.
    pub group_prefix: String,
    /// `OIDC_USERNAME_CLAIM`: the claim that the cluster's user name follows from, as the API server's
    /// `--oidc-username-claim` says.
    pub user_name: String,
    /// `OIDC_EMAIL_IS_VERIFIED`: take e-mail addresses as verified of a provider that does not say so.
    pub email_is_verified: bool,
}

/// The claim whose value must be verified to be a person's own.
const EMAIL: &str = "email";

/// The longest name that is shown.
const LONGEST_NAME: usize = 200;

impl ClaimSettings {
    /// Who it is, and whether the provider says anything of groups.
    pub(super) fn profile(
        &self,
        claims: &IdClaims,
        info: Option<&InfoClaims>,
    ) -> Result<(Profile, GroupsClaim), ProviderError> {
        // What is verified is the address beside it.
        let of_token = claims.email().map(|email| (email.to_string(), claims.email_verified()));
        let of_info = || info.and_then(|info| Some((info.email()?.to_string(), info.email_verified())));
        let (email, verified) = of_token.or_else(of_info).ok_or_else(|| missing(EMAIL, "OIDC_SCOPES"))?;
        let email = shown(&email);
        let user_name = self.user_name(claims, info, &email)?;
        if self.user_name == EMAIL && verified != Some(true) && !self.email_is_verified {
            return Err(ProviderError::EmailNotVerified);
        }
        let name = claims
            .name()
            .or_else(|| info.and_then(|info| info.name()))
            .and_then(|name| name.get(None))
            .map(|name| name.to_string());
        let (groups, claim) =
            self.groups([Some(claims.additional_claims()), info.map(|info| info.additional_claims())]);
        let profile = Profile {
            issuer: claims.issuer().to_string(),
            subject: subject(claims.subject())?,
            name: shown(&name.unwrap_or_else(|| email.clone())),
            email,
            user_name,
            groups,
        };
        Ok((profile, claim))
    }

    fn user_name(&self, claims: &IdClaims, info: Option<&InfoClaims>, email: &str) -> Result<String, ProviderError> {
        let named = match self.user_name.as_str() {
            EMAIL => Some(email.to_owned()),
            "sub" => Some(claims.subject().to_string()),
            "preferred_username" => claims
                .preferred_username()
                .or_else(|| info.and_then(|info| info.preferred_username()))
                .map(|name| name.to_string()),
            other => [Some(claims.additional_claims()), info.map(|info| info.additional_claims())]
                .into_iter()
                .flatten()
                .find_map(|more| at_path(more, other)?.as_str().map(str::to_owned)),
        };
        named.ok_or_else(|| missing(&self.user_name, "OIDC_USERNAME_CLAIM"))
    }

    /// The groups of the first place that says anything of them.
    pub(super) fn groups<'a>(
        &self,
        places: impl IntoIterator<Item = Option<&'a MoreClaims>>,
    ) -> (Vec<String>, GroupsClaim) {
        let mut is_left_out = false;
        for place in places.into_iter().flatten() {
            if let Some(claim) = at_path(place, &self.groups) {
                return (self.without_prefix(names(claim)), GroupsClaim::Sent);
            }
            is_left_out |= has_too_many(place, &self.groups);
        }
        (Vec::new(), if is_left_out { GroupsClaim::TooMany } else { GroupsClaim::Missing })
    }

    fn without_prefix(&self, groups: Vec<String>) -> Vec<String> {
        groups.iter().filter_map(|group| group.strip_prefix(&self.group_prefix)).map(str::to_owned).collect()
    }
}

fn missing(claim: &str, setting: &'static str) -> ProviderError {
    ProviderError::Misconfigured(Misconfiguration { setting, cause: format!("the provider sends no claim {claim}") })
}

/// The claim of that name, whatever is in the name, or else the one that the path leads to.
fn at_path<'a>(claims: &'a MoreClaims, path: &str) -> Option<&'a Value> {
    claims.0.get(path).or_else(|| steps(path).find_map(|(first, rest)| below(claims.0.get(first)?, rest)))
}

fn below<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    value.get(path).or_else(|| steps(path).find_map(|(first, rest)| below(value.get(first)?, rest)))
}

/// Each way to take a path apart: names of clients and claims have dots in them as well.
fn steps(path: &str) -> impl Iterator<Item = (&str, &str)> {
    path.match_indices('.').map(|(place, _)| (&path[..place], &path[place + 1..]))
}

/// Whether the provider says that there are groups, and that they do not fit (Entra ID above 200: `_claim_names`, or
/// `hasgroups`).
fn has_too_many(claims: &MoreClaims, path: &str) -> bool {
    let is_elsewhere = claims.0.get("_claim_names").is_some_and(|names| names.get(path).is_some());
    is_elsewhere || claims.0.get("hasgroups").is_some_and(|has| *has == Value::Bool(true) || has == "true")
}

/// One name, a list of names or of objects that have one, or an object whose keys are the names (Zitadel).
fn names(claim: &Value) -> Vec<String> {
    match claim {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list.iter().filter_map(name).collect(),
        Value::Object(by_name) => by_name.keys().cloned().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn name(group: &Value) -> Option<String> {
    let named = |object: &Value| ["name", "displayName", "display", "value"].iter().find_map(|key| text(&object[*key]));
    text(group).or_else(|| named(group))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// At most 255 ASCII characters (OpenID Connect Core 1.0, 2).
fn subject(subject: &SubjectIdentifier) -> Result<String, ProviderError> {
    let is_subject = subject.len() <= 255 && subject.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if is_subject {
        Ok(subject.to_string())
    } else {
        Err(ProviderError::NotAcceptable("the subject is none".to_owned()))
    }
}

/// A name as it can be stored and shown: the provider lets people choose it.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn groups(claim: &str, prefix: &str, claims: Value) -> (Vec<String>, GroupsClaim) {
        let settings = ClaimSettings {
            groups: claim.into(),
            group_prefix: prefix.into(),
            user_name: EMAIL.into(),
            email_is_verified: false,
        };
        settings.groups([Some(&MoreClaims(serde_json::from_value(claims).unwrap()))])
    }

    #[test]
    fn groups_are_found_in_every_form_that_providers_send() {
        let sent = |claim: &str, claims: Value| {
            let (groups, found) = groups(claim, "", claims);
            assert_eq!(found, GroupsClaim::Sent, "{claim}");
            groups
        };
        assert_eq!(sent("groups", json!({ "groups": ["a b", "Büro"] })), ["a b", "Büro"]);
        assert_eq!(sent("groups", json!({ "groups": "one" })), ["one"]);
        assert_eq!(sent("groups", json!({ "groups": [] })), [""; 0]);
        assert_eq!(sent("groups", json!({ "groups": [{ "name": "a" }, { "value": "b" }, 3, null] })), ["a", "b"]);
        assert_eq!(sent("realm_access.roles", json!({ "realm_access": { "roles": ["a"] } })), ["a"]);
        assert_eq!(sent("https://example.com/groups", json!({ "https://example.com/groups": ["a"] })), ["a"]);
        assert_eq!(
            sent("resource_access.my.app.roles", json!({ "resource_access": { "my.app": { "roles": ["a"] } } })),
            ["a"]
        );
        assert_eq!(sent("urn:roles", json!({ "urn:roles": { "admin": { "1": "x" } } })), ["admin"]);
    }

    #[test]
    fn groups_that_are_not_sent_are_told_from_groups_that_do_not_fit() {
        assert_eq!(groups("groups", "", json!({})).1, GroupsClaim::Missing);
        let elsewhere = json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": {} });
        assert_eq!(groups("groups", "", elsewhere).1, GroupsClaim::TooMany);
        assert_eq!(groups("groups", "", json!({ "hasgroups": true })).1, GroupsClaim::TooMany);
    }

    #[test]
    fn with_a_prefix_only_the_groups_that_have_it_count() {
        assert_eq!(groups("groups", "/", json!({ "groups": ["/a", "b", "/c/d"] })).0, ["a", "c/d"]);
    }
}
