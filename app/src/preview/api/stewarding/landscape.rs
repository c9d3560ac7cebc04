//! What opt-ins give in the cluster, where, and beside whom.

use crate::error::AppError;
use crate::ports::{ClusterError, Given, Grant};
use crate::preview::acceptance::Acceptance;
use crate::preview::opt_in::Standing;
use crate::preview::terms::Effect;
use crate::state::AppState;
use std::collections::{BTreeMap, BTreeSet};

/// All that opt-ins give, and the cluster that they give it in.
#[derive(Clone, Copy)]
pub(super) struct Landscape<'a> {
    state: &'a AppState,
    open: &'a [Acceptance],
}

impl<'a> Landscape<'a> {
    /// As the watch caches show it. Before they were ever filled nothing is known, and least of all that a namespace is gone.
    pub(super) fn seen(state: &'a AppState, open: &'a [Acceptance]) -> Result<Self, ClusterError> {
        state.cluster.namespace("default")?;
        Ok(Self { state, open })
    }

    /// Makes what an opt-in gives, in every namespace where it can be.
    pub(super) async fn make(&self, acceptance: &Acceptance) -> Result<(), AppError> {
        if let Some(objection) = self.state.policy.effects.objection(&acceptance.terms.effect) {
            return Err(AppError::Conflict {
                message: format!("The settings do not allow this any more. {objection}"),
            });
        }
        let mut done = self.all_as_accepted(acceptance);
        for grant in self.grants_of(acceptance) {
            done = done.and(self.state.cluster.grant(&grant).await.map_err(AppError::from));
        }
        done
    }

    /// How the cluster differs from what an opt-in gives, in words; empty where it does not.
    pub(super) async fn differences(&self, acceptance: &Acceptance) -> Result<String, AppError> {
        let mut differences = Vec::new();
        if let Some(objection) = self.state.policy.effects.objection(&acceptance.terms.effect) {
            differences.push(format!("The settings do not allow this any more. {objection}"));
        }
        if let Err(AppError::Conflict { message }) = self.all_as_accepted(acceptance) {
            differences.push(message);
        }
        for grant in self.grants_of(acceptance) {
            match self.state.cluster.difference(&grant).await {
                Ok(difference) => differences.extend(difference),
                Err(error @ ClusterError::Away(_)) => return Err(error.into()),
                Err(error) => differences.push(AppError::from(error).to_string()),
            }
        }
        Ok(differences.join(" "))
    }

    /// Whether every namespace is there, and is the one that was accepted for.
    fn all_as_accepted(&self, acceptance: &Acceptance) -> Result<(), AppError> {
        for name in &acceptance.accepted.namespaces {
            let found = self.state.cluster.namespace(name)?;
            let message = match found {
                None => format!("The namespace {name} is not there."),
                Some(_) if self.is_as_accepted(acceptance, name) => continue,
                Some(_) => format!(
                    "The namespace {name} was made anew after the risks were accepted, and may be somebody else's, so nothing is given there. Whoever needs it accepts the risks for it again."
                ),
            };
            return Err(AppError::Conflict { message });
        }
        Ok(())
    }

    /// Whether a namespace is the very one that was accepted for, and not one made anew under its name.
    fn is_as_accepted(&self, acceptance: &Acceptance, name: &String) -> bool {
        let found = self.state.cluster.namespace(name).ok().flatten();
        // Of what was accepted before uids were noted, the name is all that is known.
        let accepted = acceptance.accepted.namespace_uids.get(name);
        found.is_some_and(|found| accepted.is_none_or(|uid| found.uid == *uid))
    }

    /// Whether an opt-in rightly gives something, as the settings are now.
    fn gives(&self, acceptance: &Acceptance) -> bool {
        acceptance.gives() && self.state.policy.effects.objection(&acceptance.terms.effect).is_none()
    }

    /// Whether an opt-in gives something in a namespace, or did and does not count as taken back yet.
    fn reaches(&self, acceptance: &Acceptance, namespace: &String) -> bool {
        acceptance.accepted.namespaces.contains(namespace) && self.is_as_accepted(acceptance, namespace)
    }

    /// What an opt-in gives, namespace by namespace. What others of the same feature give there is the same object, so it
    /// holds the groups, or the labels and annotations, of all of them; where two differ the later one counts.
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

    /// What it gave by itself, whatever others give beside it; also in a namespace that was made anew since, as a restored
    /// backup brings back what was in it.
    pub(super) fn grants_by_itself(&self, acceptance: &Acceptance) -> Vec<Grant> {
        let namespaces = acceptance.accepted.namespaces.iter();
        let grant = |namespace| self.grant(acceptance, namespace, &[acceptance]);
        namespaces.filter_map(grant).map(|grant| Grant { uid: None, ..grant }).collect()
    }

    fn grant(&self, acceptance: &Acceptance, namespace: &String, all: &[&Acceptance]) -> Option<Grant> {
        let given = match &acceptance.terms.effect {
            Effect::ByHand => return None,
            Effect::Metadata { .. } => metadata_of(all),
            Effect::RoleBinding { cluster_role } => {
                Given::RoleBinding { cluster_role: cluster_role.clone(), groups: groups_of(all, cluster_role) }
            }
        };
        Some(Grant {
            feature: acceptance.accepted.feature.clone(),
            namespace: namespace.clone(),
            uid: acceptance.accepted.namespace_uids.get(namespace).cloned(),
            given,
            mandate: mandate_of(acceptance),
            since: acceptance.feature_since,
            beside: self.features_beside(acceptance, namespace),
        })
    }

    /// Other features that bind the same role in a namespace, or have bound it and do not count as taken back yet.
    fn features_beside(&self, acceptance: &Acceptance, namespace: &String) -> BTreeSet<String> {
        let others = self.open.iter().filter(|other| {
            // Also what the settings allow no more: it is in the cluster all the same.
            let is_in_the_cluster = other.gives() || matches!(other.standing(), Standing::Ending(_));
            let is_other = other.accepted.feature != acceptance.accepted.feature;
            let binds_it = matches!(&other.terms.effect, Effect::RoleBinding { .. } if other.terms.effect == acceptance.terms.effect);
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
        let difference = self.state.cluster.difference(&kept).await?;
        match difference.or(self.state.cluster.leftover(grant, &kept).await?) {
            None => Ok(()),
            Some(message) => Err(AppError::ClusterRefused { message }),
        }
    }

    /// What another opt-in of the same feature still gives in place of a grant, and which.
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
        let is_same_place = |other: &Grant| other.namespace == grant.namespace && same_kind(&other.given, &grant.given);
        let mut kept = others.flat_map(|other| self.grants_of(other).into_iter().map(move |given| (other, given)));
        Ok(kept.find(|(_, other)| is_same_place(other)))
    }

    /// In words, for the record: nobody may read that people lost what another opt-in still gives them.
    pub(super) fn what_stays(&self, acceptance: &Acceptance, grants: &[Grant]) -> Result<String, ClusterError> {
        let mut sentences = Vec::new();
        for grant in grants {
            if let Some((other, kept)) = self.kept(acceptance, grant)? {
                let what = shared(&grant.given, &kept.given);
                let (namespace, id) = (&grant.namespace, other.accepted.id);
                let sentence = || format!("{what} stays in {namespace}, because acceptance {id} gives it as well.");
                sentences.extend((!what.is_empty()).then(sentence));
            }
        }
        Ok(sentences.join(" "))
    }
}

fn metadata_of(all: &[&Acceptance]) -> Given {
    let (mut labels, mut annotations) = (BTreeMap::new(), BTreeMap::new());
    for one in all {
        if let Effect::Metadata { labels: more_labels, annotations: more_annotations } = &one.terms.effect {
            labels.extend(more_labels.clone());
            annotations.extend(more_annotations.clone());
        }
    }
    Given::Metadata { labels, annotations }
}

fn groups_of(all: &[&Acceptance], cluster_role: &str) -> Vec<String> {
    let is_same = |one: &&&Acceptance| matches!(&one.terms.effect, Effect::RoleBinding { cluster_role: other } if other == cluster_role);
    let groups: BTreeSet<String> = all.iter().filter(is_same).flat_map(|one| one.accepted.groups.clone()).collect();
    groups.into_iter().collect()
}

/// Names nobody: an annotation would keep the names of people who were blanked.
fn mandate_of(acceptance: &Acceptance) -> String {
    format!("acceptance {}", acceptance.accepted.id)
}

/// What two opt-ins give alike, in words; empty where it is nothing.
fn shared(one: &Given, other: &Given) -> String {
    match (one, other) {
        (
            Given::RoleBinding { cluster_role, groups },
            Given::RoleBinding { cluster_role: other_role, groups: other_groups },
        ) if cluster_role == other_role => {
            let both: Vec<&str> =
                groups.iter().filter(|group| other_groups.contains(group)).map(String::as_str).collect();
            if both.is_empty() { String::new() } else { format!("The role {cluster_role} of {}", both.join(", ")) }
        }
        (
            Given::Metadata { labels, annotations },
            Given::Metadata { labels: other_labels, annotations: other_annotations },
        ) => {
            let in_both = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
                one.keys().filter(|key| other.contains_key(*key)).cloned().collect::<Vec<_>>()
            };
            [in_both(labels, other_labels), in_both(annotations, other_annotations)].concat().join(", ")
        }
        _ => String::new(),
    }
}

fn same_kind(one: &Given, other: &Given) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
