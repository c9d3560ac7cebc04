//! What opt-ins give in the cluster, where, and beside whom.

use crate::error::AppError;
use crate::ports::{ClusterError, Drift, Grant, GrantContent, Leftover};
use crate::preview::acceptance::Acceptance;
use crate::preview::errors::PreviewError;
use crate::preview::opt_in::Status;
use crate::preview::statement::Effect;
use crate::state::AppState;
use std::collections::{BTreeMap, BTreeSet};

/// All that opt-ins give, and the cluster that they give it in.
#[derive(Clone, Copy)]
pub(super) struct GrantPlan<'a> {
    state: &'a AppState,
    open: &'a [Acceptance],
}

impl<'a> GrantPlan<'a> {
    /// As the watch caches show it. Before they were ever filled nothing is known, and least of all that a namespace is
    /// gone.
    pub(super) fn seen(state: &'a AppState, open: &'a [Acceptance]) -> Result<Self, ClusterError> {
        state.cluster.namespace("default")?;
        Ok(Self { state, open })
    }

    /// Makes what an opt-in gives, in every namespace where it can be.
    pub(super) async fn make(&self, acceptance: &Acceptance) -> Result<(), AppError> {
        if let Some(objection) = self.state.policy.effects.objection(&acceptance.terms.effect) {
            return Err(PreviewError::NotAllowed { objection }.into());
        }
        let mut done = match self.first_not_as_accepted(acceptance)? {
            Some(error) => Err(error.into()),
            None => Ok(()),
        };
        for grant in self.grants_of(acceptance) {
            done = done.and(self.state.cluster.grant(&grant).await.map_err(AppError::from));
        }
        done
    }

    /// How the cluster differs from what an opt-in gives, in words; empty where it does not.
    pub(super) async fn drift(&self, acceptance: &Acceptance) -> Result<String, AppError> {
        let mut drift = Vec::new();
        if let Some(objection) = self.state.policy.effects.objection(&acceptance.terms.effect) {
            drift.push(PreviewError::NotAllowed { objection }.to_string());
        }
        if let Some(error) = self.first_not_as_accepted(acceptance)? {
            drift.push(error.to_string());
        }
        for grant in self.grants_of(acceptance) {
            match self.state.cluster.drift(&grant).await {
                Ok(found) => drift.extend(found.map(|found| drift_in_words(&found))),
                Err(error @ (ClusterError::Unavailable(_) | ClusterError::Failed(_))) => return Err(error.into()),
                Err(error) => drift.push(AppError::from(error).to_string()),
            }
        }
        Ok(drift.join(" "))
    }

    /// The first namespace that is not there, or is not the one that was accepted for.
    fn first_not_as_accepted(&self, acceptance: &Acceptance) -> Result<Option<PreviewError>, ClusterError> {
        for namespace in &acceptance.accepted.namespaces {
            if self.state.cluster.namespace(namespace)?.is_none() {
                return Ok(Some(PreviewError::NamespaceMissing { namespace: namespace.clone() }));
            }
            if !self.is_as_accepted(acceptance, namespace) {
                return Ok(Some(PreviewError::NamespaceRecreated { namespace: namespace.clone() }));
            }
        }
        Ok(None)
    }

    /// Whether a namespace is the very one that was accepted for, and not one made anew under its name.
    fn is_as_accepted(&self, acceptance: &Acceptance, name: &String) -> bool {
        let found = self.state.cluster.namespace(name).ok().flatten();
        found.is_some_and(|found| acceptance.accepted.namespace_uids.get(name) == Some(&found.uid))
    }

    /// Whether an opt-in rightly gives something, as the settings are now.
    fn gives(&self, acceptance: &Acceptance) -> bool {
        acceptance.gives() && self.state.policy.effects.objection(&acceptance.terms.effect).is_none()
    }

    /// Whether an opt-in gives something in a namespace, or did and does not count as taken back yet.
    fn reaches(&self, acceptance: &Acceptance, namespace: &String) -> bool {
        acceptance.accepted.namespaces.contains(namespace) && self.is_as_accepted(acceptance, namespace)
    }

    /// What an opt-in gives, namespace by namespace. What others of the same feature give there is the same object, so
    /// it holds the groups, or the labels and annotations, of all of them; where two differ the later one counts.
    fn grants_of(&self, acceptance: &Acceptance) -> Vec<Grant> {
        let accepted = &acceptance.accepted;
        let of_all = |namespace: &String| {
            let others = self.open.iter().filter(|other| {
                let is_other = other.accepted.id != accepted.id && other.accepted.feature == accepted.feature;
                is_other && self.gives(other) && self.reaches(other, namespace)
            });
            let mut all: Vec<&Acceptance> = others.chain([acceptance]).collect();
            all.sort_by_key(|one| one.accepted.accepted_at);
            self.grant(acceptance, namespace, &all)
        };
        accepted.namespaces.iter().filter(|name| self.is_as_accepted(acceptance, name)).filter_map(of_all).collect()
    }

    /// What it gave by itself, whatever others give beside it; also in a namespace that was made anew since, as a
    /// restored backup brings back what was in it.
    pub(super) fn grants_by_itself(&self, acceptance: &Acceptance) -> Vec<Grant> {
        let namespaces = acceptance.accepted.namespaces.iter();
        let grant = |namespace| self.grant(acceptance, namespace, &[acceptance]);
        namespaces.filter_map(grant).map(|grant| Grant { uid: None, ..grant }).collect()
    }

    fn grant(&self, acceptance: &Acceptance, namespace: &String, all: &[&Acceptance]) -> Option<Grant> {
        let content = match &acceptance.terms.effect {
            Effect::Manual => return None,
            Effect::Metadata { .. } => metadata_of(all),
            Effect::RoleBinding { cluster_role } => {
                GrantContent::RoleBinding { cluster_role: cluster_role.clone(), groups: groups_of(all, cluster_role) }
            }
        };
        Some(Grant {
            feature: acceptance.accepted.feature.clone(),
            namespace: namespace.clone(),
            uid: acceptance.accepted.namespace_uids.get(namespace).cloned(),
            content,
            granted_for: granted_for(acceptance),
            since: acceptance.feature_since,
            other_features: self.other_features(acceptance, namespace),
        })
    }

    /// Other features that bind the same role in a namespace, or have bound it and do not count as taken back yet.
    fn other_features(&self, acceptance: &Acceptance, namespace: &String) -> BTreeSet<String> {
        let others = self.open.iter().filter(|other| {
            // Also what the settings allow no more: it is in the cluster all the same.
            let is_in_the_cluster = other.gives() || matches!(other.status(), Status::Ending(_));
            let is_other = other.accepted.feature != acceptance.accepted.feature;
            let binds_it = matches!(
                &other.terms.effect, Effect::RoleBinding { .. } if other.terms.effect == acceptance.terms.effect
            );
            is_other && is_in_the_cluster && binds_it && self.reaches(other, namespace)
        });
        others.map(|other| other.accepted.feature.clone()).collect()
    }

    /// Where another opt-in still gives the same thing of the same feature, what is there becomes that one's alone.
    pub(super) async fn take_back(&self, acceptance: &Acceptance, grant: &Grant) -> Result<(), AppError> {
        let Some((_, kept)) = self.kept(acceptance, grant)? else {
            return Ok(self.state.cluster.withdraw(grant).await?);
        };
        self.state.cluster.grant(&kept).await?;
        // Whoever loses it may have given it to themselves in another way, and what is kept may be something else.
        let drift = self.state.cluster.drift(&kept).await?.map(|drift| drift_in_words(&drift));
        let leftover = self.state.cluster.leftover(grant, &kept).await?.map(|left| leftover_in_words(&left));
        match drift.or(leftover) {
            None => Ok(()),
            Some(message) => Err(AppError::ClusterRefused { message }),
        }
    }

    /// What another opt-in of the same feature still gives in place of a grant, and which: the latest, as a namespace
    /// has one binding for a feature, and its role is that of the latest version that was accepted there.
    fn kept(&self, acceptance: &Acceptance, grant: &Grant) -> Result<Option<(&Acceptance, Grant)>, ClusterError> {
        // With the namespace everything in it is gone, and nothing can be kept there.
        if self.state.cluster.namespace(&grant.namespace)?.is_none() {
            return Ok(None);
        }
        let others = self.open.iter().filter(|other| {
            let is_other = other.accepted.id != acceptance.accepted.id;
            let is_same = other.accepted.feature == grant.feature && self.reaches(other, &grant.namespace);
            is_other && is_same && self.gives(other)
        });
        let is_same_place =
            |other: &Grant| other.namespace == grant.namespace && same_kind(&other.content, &grant.content);
        let kept = others.flat_map(|other| self.grants_of(other).into_iter().map(move |grant| (other, grant)));
        let kept = kept.filter(|(_, other)| is_same_place(other));
        Ok(kept.max_by_key(|(other, _)| (other.accepted.accepted_at, other.accepted.id)))
    }

    /// In words, for the record: nobody may read that people lost what another opt-in still gives them.
    pub(super) fn what_stays(&self, acceptance: &Acceptance, grants: &[Grant]) -> Result<String, ClusterError> {
        let mut sentences = Vec::new();
        for grant in grants {
            if let Some((other, kept)) = self.kept(acceptance, grant)? {
                let what = shared(&grant.content, &kept.content);
                let (namespace, id) = (&grant.namespace, other.accepted.id);
                let sentence = || format!("{what} stays in {namespace}, because acceptance {id} gives it as well.");
                sentences.extend((!what.is_empty()).then(sentence));
            }
        }
        Ok(sentences.join(" "))
    }
}

fn drift_in_words(drift: &Drift) -> String {
    match drift {
        Drift::NamespaceGone { namespace } => format!("The namespace {namespace} is gone."),
        Drift::Metadata { namespace, key, wanted, found } => {
            let found = found.as_ref().map_or("missing".to_owned(), |found| format!("{found:?}"));
            format!("In {namespace}, {key} is {found} instead of {wanted:?}.")
        }
        Drift::BindingGone { namespace, binding } => format!("The RoleBinding {binding} in {namespace} is gone."),
        Drift::BindingChanged { namespace, binding } => {
            format!("The RoleBinding {binding} in {namespace} was changed.")
        }
        Drift::OtherBindings { namespace, bindings } => format!(
            "In {namespace} the role is also given by the RoleBinding {}, which Fairway did not make.",
            bindings.join(", ")
        ),
    }
}

fn leftover_in_words(leftover: &Leftover) -> String {
    match leftover {
        Leftover::Metadata { namespace, key } => {
            format!("somebody else keeps {key} on the namespace {namespace}; it must be taken off by hand")
        }
        Leftover::Bindings { namespace, bindings } => format!(
            "in {namespace} the role is still given by the RoleBinding {}; it must be removed by hand",
            bindings.join(", ")
        ),
    }
}

fn metadata_of(all: &[&Acceptance]) -> GrantContent {
    let (mut labels, mut annotations) = (BTreeMap::new(), BTreeMap::new());
    for one in all {
        if let Effect::Metadata { labels: more_labels, annotations: more_annotations } = &one.terms.effect {
            labels.extend(more_labels.clone());
            annotations.extend(more_annotations.clone());
        }
    }
    GrantContent::Metadata { labels, annotations }
}

fn groups_of(all: &[&Acceptance], cluster_role: &str) -> Vec<String> {
    let is_same = |one: &&&Acceptance| {
        matches!(
            &one.terms.effect, Effect::RoleBinding { cluster_role: other } if other == cluster_role
        )
    };
    let groups: BTreeSet<String> = all.iter().filter(is_same).flat_map(|one| one.accepted.groups.clone()).collect();
    groups.into_iter().collect()
}

/// Names nobody: an annotation would keep the names of people who were erased.
fn granted_for(acceptance: &Acceptance) -> String {
    format!("acceptance {}", acceptance.accepted.id)
}

/// What two opt-ins give alike, in words; empty where it is nothing.
fn shared(one: &GrantContent, other: &GrantContent) -> String {
    match (one, other) {
        (
            GrantContent::RoleBinding { cluster_role, groups },
            GrantContent::RoleBinding { cluster_role: other_role, groups: other_groups },
        ) if cluster_role == other_role => {
            let both: Vec<&str> =
                groups.iter().filter(|group| other_groups.contains(group)).map(String::as_str).collect();
            if both.is_empty() { String::new() } else { format!("The role {cluster_role} of {}", both.join(", ")) }
        }
        (
            GrantContent::Metadata { labels, annotations },
            GrantContent::Metadata { labels: other_labels, annotations: other_annotations },
        ) => {
            let in_both = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
                one.keys().filter(|key| other.contains_key(*key)).cloned().collect::<Vec<_>>()
            };
            [in_both(labels, other_labels), in_both(annotations, other_annotations)].concat().join(", ")
        }
        _ => String::new(),
    }
}

fn same_kind(one: &GrantContent, other: &GrantContent) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
