//! The platform's policy: one TOML file, and rules about its values beyond their types.

use super::{Mistakes, Reader};
use app::access::KubeName;
use app::state::Policy;
use lettre::Address;
use std::collections::BTreeSet;

impl Reader<'_> {
    pub(super) fn policy(&mut self) -> Policy {
        let Some(path) = (self.variable)("FAIRWAY_CONFIG").filter(|path| !path.is_empty()) else {
            return Policy::default();
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                self.mistakes.push(format!("FAIRWAY_CONFIG names {path}, which cannot be read: {error}"));
                return Policy::default();
            }
        };
        match toml::from_str::<Policy>(&text) {
            Ok(policy) => {
                self.check_policy(&path, &text, &policy);
                policy
            }
            Err(error) => {
                let line = error.span().map_or(0, |span| line_of(&text, span.start));
                self.mistakes.push(format!("{path}:{line}: {}", error.message()));
                Policy::default()
            }
        }
    }

    /// Rules about values, beyond their types.
    fn check_policy(&mut self, path: &str, text: &str, policy: &Policy) {
        for group in &policy.groups.impersonated {
            if let Err(error) = KubeName::try_from(format!("{}{group}", policy.groups.group_prefix)) {
                self.mistakes.push(format!(
                    "{path}:{}: group {group:?} cannot be impersonated: {error}",
                    line_of_text(text, group)
                ));
            }
        }
        for group in &policy.namespace_template.owner_groups {
            if !policy.groups.impersonated.contains(group) {
                self.mistakes.push(format!(
                    "{path}:{}: owner group {group:?} is not among groups.impersonated",
                    line_of_text(text, "owner_groups")
                ));
            }
        }
        if let Some(mistake) = policy.effects.mistake() {
            self.mistakes.push(format!("{path}:{}: {mistake}", line_of_text(text, "prefix")));
        }
        let scopes = policy.teams.iter().map(|team| ("team", &team.name, &team.namespaces));
        let scopes = scopes.chain(policy.environments.iter().map(|one| ("environment", &one.name, &one.namespaces)));
        let mut known = BTreeSet::new();
        for (kind, name, namespaces) in scopes {
            if name.trim().is_empty() || !known.insert((kind, name)) {
                self.mistakes.push(format!(
                    "{path}:{}: each {kind} needs a name of its own, and {name:?} is none or there twice",
                    line_of_text(text, name)
                ));
            }
            for namespace in namespaces.iter().filter(|namespace| !app::namespaces::is_dns_label(namespace)) {
                self.mistakes.push(format!(
                    "{path}:{}: {namespace:?} cannot be a namespace of the {kind} {name}",
                    line_of_text(text, namespace)
                ));
            }
        }
        let administrators = &policy.notifications.administrators;
        if !administrators.is_empty() && administrators.parse::<Address>().is_err() {
            self.mistakes.push(format!(
                "{path}:{}: notifications.administrators must be one address, such as platform-team@example.com",
                line_of_text(text, administrators)
            ));
        }
        for place in &policy.places {
            if let Some(mistake) = place.mistake() {
                self.mistakes.push(format!(
                    "{path}:{}: the place {:?} cannot be used: {mistake}",
                    line_of_text(text, &place.slug),
                    place.slug
                ));
            }
        }
        let mut ids = BTreeSet::new();
        for control in &policy.controls {
            if control.id.trim().is_empty() || !ids.insert(control.id.as_str()) {
                self.mistakes.push(format!(
                    "{path}:{}: each control needs an id of its own, and {:?} is none or there twice",
                    line_of_text(text, &control.id),
                    control.id
                ));
            }
            for article in control.articles.iter().filter(|slug| app::faq::find(slug).is_none()) {
                self.mistakes.push(format!(
                    "{path}:{}: the control {:?} names the article {article}, and there is none",
                    line_of_text(text, article),
                    control.id
                ));
            }
        }
        let is_known = |rule: &str| rule.starts_with("policy/") || review::rules().iter().any(|known| known.id == rule);
        for rule in policy.second_person.rules.iter().filter(|rule| !is_known(rule)) {
            self.mistakes.push(format!(
                "{path}:{}: second_person.rules names {rule}, and there is no such rule",
                line_of_text(text, rule)
            ));
        }
        for rule in policy.review.unknown_rules() {
            self.mistakes.push(format!(
                "{path}:{}: review.levels names {rule}, and there is no such rule",
                line_of_text(text, rule)
            ));
        }
        for registry in &policy.review.trusted_registries {
            if registry.contains("://") || registry.is_empty() {
                self.mistakes.push(format!(
                    "{path}:{}: trusted registry {registry:?} must be written without a scheme, as in an image",
                    line_of_text(text, registry)
                ));
            }
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn line_of_text(text: &str, part: &str) -> usize {
    text.find(part).map_or(0, |offset| line_of(text, offset))
}

/// Reads only the platform's policy, from the file that the environment names.
///
/// # Errors
/// All mistakes at once.
pub fn policy_from_env() -> Result<Policy, Mistakes> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut reader = Reader { variable: &variable, mistakes: Vec::new() };
    let policy = reader.policy();
    if reader.mistakes.is_empty() { Ok(policy) } else { Err(Mistakes(reader.mistakes)) }
}
