//! What somebody else may do and why, for administrators who are asked. It is answered from what the cluster shows;
//! nothing is done in their name, and that somebody looked is recorded.

pub mod handlers;
pub mod pages;

use crate::access::{KubeIdentity, KubeName};
use crate::policy::GroupMapping;

/// Who somebody is to the cluster, from their address and their groups, one a line: with the prefixes that whoever
/// signs in gets.
///
/// # Errors
/// What is wrong, by the field of the form.
pub fn identity(address: &str, groups: &str, mapping: &GroupMapping) -> Result<KubeIdentity, (&'static str, String)> {
    let address = address.trim();
    if address.is_empty() {
        return Err(("address", "Enter their address.".to_owned()));
    }
    let user = KubeName::of_user(format!("{}{address}", mapping.user_prefix))
        .map_err(|error| ("address", format!("Enter the address that they sign in with: {error}.")))?;
    let groups = groups.lines().map(str::trim).filter(|group| !group.is_empty());
    let named = groups.map(|group| {
        KubeName::try_from(format!("{}{group}", mapping.group_prefix))
            .map_err(|error| ("groups", format!("{group} is no group of a person: {error}.")))
    });
    Ok(KubeIdentity::new(user, named.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_typed_gets_the_prefixes_of_whoever_signs_in() {
        let mapping =
            GroupMapping { user_prefix: "oidc:".into(), group_prefix: "idp:".into(), ..GroupMapping::default() };
        let who = identity(" dana@example.com ", "team-shop\r\n\r\n team-pay \n", &mapping).unwrap();
        let groups: Vec<String> = who.groups.iter().map(ToString::to_string).collect();
        assert_eq!(
            (who.user.to_string().as_str(), groups),
            ("oidc:dana@example.com", vec!["idp:team-shop".to_owned(), "idp:team-pay".to_owned()])
        );
    }

    #[test]
    fn names_that_the_cluster_keeps_for_itself_are_refused_at_their_field() {
        let wrong = |address: &str, groups: &str| identity(address, groups, &GroupMapping::default()).unwrap_err().0;
        assert_eq!(wrong("", ""), "address");
        assert_eq!(wrong("system:admin", ""), "address");
        assert_eq!(wrong("dana@example.com", "team-shop\nsystem:masters"), "groups");
    }
}
