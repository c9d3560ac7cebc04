//! Bindings by subject, kept up to date by watches: finding a person's costs what they have, not what
//! the cluster holds.

use super::effects::opted_in_feature;
use app::access::{Binding, KubeIdentity, Subject};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject as KubeSubject};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// The two kinds of bindings.
pub(super) trait BindingSource:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
    const KIND: &'static str;
    fn role(&self) -> &RoleRef;
    fn subjects(&self) -> &[KubeSubject];
}

impl BindingSource for RoleBinding {
    const KIND: &'static str = "RoleBinding";

    fn role(&self) -> &RoleRef {
        &self.role_ref
    }

    fn subjects(&self) -> &[KubeSubject] {
        self.subjects.as_deref().unwrap_or_default()
    }
}

impl BindingSource for ClusterRoleBinding {
    const KIND: &'static str = "ClusterRoleBinding";

    fn role(&self) -> &RoleRef {
        &self.role_ref
    }

    fn subjects(&self) -> &[KubeSubject] {
        self.subjects.as_deref().unwrap_or_default()
    }
}

/// Kind, namespace and name of a binding.
type Key = (&'static str, Option<String>, String);

#[derive(Default)]
pub(super) struct BindingIndex {
    inner: RwLock<Inner>,
    /// Grows with everything that the watches tell.
    revision: AtomicU64,
}

#[derive(Default)]
struct Inner {
    by_subject: HashMap<Subject, BTreeSet<Binding>>,
    by_key: HashMap<Key, Vec<Binding>>,
    /// Keys seen since a watch began anew; the others of that kind are gone when it is done.
    seen: HashMap<&'static str, HashSet<Key>>,
    ready: HashSet<&'static str>,
}

impl Inner {
    fn is_ready(&self) -> bool {
        self.ready.len() == 2
    }
}

impl BindingIndex {
    /// Whether both watches have been filled once.
    pub(super) fn is_ready(&self) -> bool {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).is_ready()
    }

    /// What names the person or a group; nothing before both watches have been filled once.
    pub(super) fn of(&self, who: &KubeIdentity) -> Option<Vec<Binding>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if !inner.is_ready() {
            return None;
        }
        let groups = who.groups.iter().map(|group| Subject::Group(group.to_string()));
        let subjects = std::iter::once(Subject::User(who.user.to_string())).chain(groups);
        Some(subjects.filter_map(|subject| inner.by_subject.get(&subject)).flatten().cloned().collect())
    }

    /// The same number means that no binding has changed.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    pub(super) fn take<K: BindingSource>(&self, event: Event<K>) {
        self.revision.fetch_add(1, Ordering::AcqRel);
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => drop(inner.seen.insert(K::KIND, HashSet::new())),
            Event::InitApply(object) => {
                inner.seen.entry(K::KIND).or_default().insert(key(&object));
                inner.insert(&object);
            }
            Event::InitDone => {
                let seen = inner.seen.remove(K::KIND).unwrap_or_default();
                let gone: Vec<Key> =
                    inner.by_key.keys().filter(|key| key.0 == K::KIND && !seen.contains(*key)).cloned().collect();
                gone.iter().for_each(|key| inner.remove(key));
                inner.ready.insert(K::KIND);
            }
            Event::Apply(object) => inner.insert(&object),
            Event::Delete(object) => inner.remove(&key(&object)),
        }
    }
}

impl Inner {
    fn insert<K: BindingSource>(&mut self, object: &K) {
        let key = key(object);
        self.remove(&key);
        let bindings: Vec<Binding> = object.subjects().iter().filter_map(|subject| binding(object, subject)).collect();
        for binding in &bindings {
            self.by_subject.entry(binding.subject.clone()).or_default().insert(binding.clone());
        }
        self.by_key.insert(key, bindings);
    }

    fn remove(&mut self, key: &Key) {
        for binding in self.by_key.remove(key).unwrap_or_default() {
            if let Some(bindings) = self.by_subject.get_mut(&binding.subject) {
                bindings.remove(&binding);
                if bindings.is_empty() {
                    self.by_subject.remove(&binding.subject);
                }
            }
        }
    }
}

fn key<K: BindingSource>(object: &K) -> Key {
    (K::KIND, object.namespace(), object.name_any())
}

fn binding<K: BindingSource>(object: &K, subject: &KubeSubject) -> Option<Binding> {
    let subject = match subject.kind.as_str() {
        "User" => Subject::User(subject.name.clone()),
        "Group" => Subject::Group(subject.name.clone()),
        _ => return None,
    };
    let role = object.role();
    Some(Binding {
        namespace: object.namespace(),
        name: object.name_any(),
        role: role.name.clone(),
        cluster_role: role.kind == "ClusterRole",
        subject,
        preview_feature: opted_in_feature(object.meta()).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::access::KubeName;

    fn role_binding(name: &str, group: &str) -> RoleBinding {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": name, "namespace": "shop" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin" },
            "subjects": [{ "kind": "Group", "name": group }],
        }))
        .unwrap()
    }

    fn who(group: &str) -> KubeIdentity {
        let name = |text: &str| KubeName::try_from(text.to_owned()).unwrap();
        KubeIdentity::new(name("me@example.com"), vec![name(group)])
    }

    fn filled(names: &[&str]) -> BindingIndex {
        let index = BindingIndex::default();
        index.take::<ClusterRoleBinding>(Event::InitDone);
        index.take::<RoleBinding>(Event::Init);
        names.iter().for_each(|name| index.take(Event::InitApply(role_binding(name, "team"))));
        index.take::<RoleBinding>(Event::InitDone);
        index
    }

    fn names(index: &BindingIndex, group: &str) -> Vec<String> {
        index.of(&who(group)).unwrap().into_iter().map(|binding| binding.name).collect()
    }

    #[test]
    fn nothing_is_said_before_both_watches_are_filled() {
        let index = BindingIndex::default();
        index.take::<RoleBinding>(Event::InitDone);
        assert!(index.of(&who("team")).is_none());
    }

    #[test]
    fn a_binding_whose_subject_changes_leaves_the_old_one() {
        let index = filled(&["a"]);
        index.take(Event::Apply(role_binding("a", "other")));
        assert!(names(&index, "team").is_empty());
        assert_eq!(names(&index, "other"), ["a"]);
    }

    #[test]
    fn what_was_deleted_while_the_watch_was_away_is_gone_afterwards() {
        let index = filled(&["a", "b"]);
        index.take::<RoleBinding>(Event::Init);
        index.take(Event::InitApply(role_binding("b", "team")));
        assert_eq!(names(&index, "team"), ["a", "b"]);
        index.take::<RoleBinding>(Event::InitDone);
        assert_eq!(names(&index, "team"), ["b"]);
        index.take(Event::Delete(role_binding("b", "team")));
        assert!(names(&index, "team").is_empty());
    }
}
