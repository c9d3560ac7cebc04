//! The platform's policy: what an operator sets in the settings file, and what is wrong with it beyond its types.

use crate::access::{Environment, IdentityMode, KubeName, Team};
use crate::actor::RoleGroups;
use crate::audit::RecordSettings;
use crate::audit::controls::{Control, control_mistakes};
use crate::namespaces::{NamespaceTemplate, ReservedNamespaces, is_dns_label};
use crate::preview::AcceptedBy;
use crate::preview::notification::NotificationSettings;
use crate::preview::statement::EffectLimits;
use crate::workloads::places::{Place, usual_places};
use crate::workloads::second_person::SecondPerson;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyMistake {
    /// What stands in the file where the mistake is: the value, or the setting's name.
    pub near: String,
    pub message: String,
}

impl PolicyMistake {
    pub fn new(near: impl Into<String>, message: impl Into<String>) -> Self {
        Self { near: near.into(), message: message.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What the platform is called, in sentences.
    pub platform: PlatformNames,
    /// Who has a role in the portal.
    pub roles: RoleGroups,
    /// How the portal acts in a person's name.
    pub identity: IdentityMode,
    /// Groups and user names in the cluster.
    pub groups: GroupMapping,
    /// What a review judges by.
    pub review: review::Settings,
    /// Which findings need a second person.
    pub second_person: SecondPerson,
    /// What many workloads talk with, for the wizard to offer.
    pub places: Vec<Place>,
    /// What a namespace consists of where the portal creates it itself.
    pub namespace_template: NamespaceTemplate,
    /// Names that nobody gets for a new namespace.
    pub reserved_namespaces: ReservedNamespaces,
    /// Teams, with what is theirs.
    pub teams: Vec<Team>,
    /// Environments, for opt-ins.
    pub environments: Vec<Environment>,
    /// Who may accept the risks of preview features.
    pub risks_accepted_by: AcceptedBy,
    /// What opt-ins may change in the cluster.
    pub effects: EffectLimits,
    /// Who is told of opt-ins by e-mail, beside those whose they are.
    pub notifications: NotificationSettings,
    /// Where the record is kept beside the database.
    pub record: RecordSettings,
    /// What the record is evidence for.
    pub controls: Vec<Control>,
    /// Serve `/styleguide`.
    pub styleguide: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            platform: PlatformNames::default(),
            roles: RoleGroups::default(),
            identity: IdentityMode::default(),
            groups: GroupMapping::default(),
            review: review::Settings::default(),
            second_person: SecondPerson::default(),
            places: usual_places(),
            namespace_template: NamespaceTemplate::default(),
            reserved_namespaces: ReservedNamespaces::default(),
            teams: Vec::new(),
            environments: Vec::new(),
            risks_accepted_by: AcceptedBy::default(),
            effects: EffectLimits::default(),
            notifications: NotificationSettings::default(),
            record: RecordSettings::default(),
            controls: Vec::new(),
            styleguide: false,
        }
    }
}

impl Policy {
    /// Every value that cannot be used, area by area.
    #[must_use]
    pub fn mistakes(&self) -> Vec<PolicyMistake> {
        let mut mistakes = self.groups.mistakes();
        mistakes.extend(self.namespace_template.mistakes(&self.groups));
        mistakes.extend(self.reserved_namespaces.mistakes());
        mistakes.extend(self.effects.setting_mistake());
        mistakes.extend(self.scope_mistakes());
        mistakes.extend(self.places.iter().filter_map(Place::mistake));
        mistakes.extend(control_mistakes(&self.controls));
        mistakes.extend(self.missing_articles());
        mistakes.extend(self.second_person.mistakes());
        mistakes.extend(self.review_mistakes());
        mistakes
    }

    /// Teams and environments without a name of their own, and namespaces that cannot be theirs.
    fn scope_mistakes(&self) -> Vec<PolicyMistake> {
        let teams = self.teams.iter().map(|team| ("team", &team.name, &team.namespaces));
        let environments = self.environments.iter().map(|one| ("environment", &one.name, &one.namespaces));
        let mut mistakes = Vec::new();
        let mut known = BTreeSet::new();
        for (kind, name, namespaces) in teams.chain(environments) {
            if name.trim().is_empty() || !known.insert((kind, name)) {
                let message = format!("each {kind} needs a name of its own, and {name:?} is none or there twice");
                mistakes.push(PolicyMistake::new(name, message));
            }
            let wrong = namespaces.iter().filter(|namespace| !is_dns_label(namespace));
            mistakes.extend(wrong.map(|namespace| {
                PolicyMistake::new(namespace, format!("{namespace:?} cannot be a namespace of the {kind} {name}"))
            }));
        }
        mistakes
    }

    /// Articles that controls name and that the FAQ does not have.
    fn missing_articles(&self) -> impl Iterator<Item = PolicyMistake> {
        let named = self.controls.iter().flat_map(|control| control.articles.iter().map(move |slug| (control, slug)));
        named.filter(|(_, slug)| crate::faq::find(slug).is_none()).map(|(control, slug)| {
            PolicyMistake::new(
                slug,
                format!("the control {:?} names the article {slug}, and there is none", control.id),
            )
        })
    }

    fn review_mistakes(&self) -> impl Iterator<Item = PolicyMistake> {
        let unknown = self
            .review
            .unknown_rules()
            .map(|rule| PolicyMistake::new(rule, format!("review.levels names {rule}, and there is no such rule")));
        let is_wrong = |registry: &&String| registry.contains("://") || registry.is_empty();
        let registries = self.review.trusted_registries.iter().filter(is_wrong).map(|registry| {
            let message = format!("trusted registry {registry:?} must be written without a scheme, as in an image");
            PolicyMistake::new(registry, message)
        });
        unknown.chain(registries)
    }
}

/// Words that differ from platform to platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformNames {
    pub name: String,
    /// Whom to ask, for example an address or a channel.
    pub support: String,
}

impl Default for PlatformNames {
    fn default() -> Self {
        Self { name: "the platform".to_owned(), support: "your platform administrator".to_owned() }
    }
}

/// How the provider's groups become the cluster's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupMapping {
    /// The groups, as the provider names them, that the portal may impersonate. The same list stands as `resourceNames`
    /// in its ClusterRole. With `identity = "token"` the cluster takes all groups from the token itself.
    pub impersonated: Vec<String>,
    /// Put before every user name, as the API server's `--oidc-username-prefix` does.
    pub user_prefix: String,
    /// Put before every group, as the API server's `--oidc-groups-prefix` does.
    pub group_prefix: String,
}

impl GroupMapping {
    fn mistakes(&self) -> Vec<PolicyMistake> {
        let mistake = |group: &String| {
            let error = KubeName::try_from(format!("{}{group}", self.group_prefix)).err()?;
            Some(PolicyMistake::new(group, format!("group {group:?} cannot be impersonated: {error}")))
        };
        self.impersonated.iter().filter_map(mistake).collect()
    }
}
