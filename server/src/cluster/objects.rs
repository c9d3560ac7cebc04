//! What is in each namespace, kept up to date by watches: looking costs what a namespace holds, not what the cluster
//! holds.

use super::served::Served;
use futures::TryStreamExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client};
use review::Manifest;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Objects by namespace, kind and name.
#[derive(Default)]
pub(super) struct ObjectIndex {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    by_namespace: HashMap<String, NamespaceObjects>,
    /// How many changes the watches told.
    changes: u64,
    states: HashMap<String, KindState>,
    /// Since when the watch of a kind is broken.
    broken: HashMap<String, Instant>,
    /// Seen since a watch began anew; the others of that kind are gone when it is done.
    seen: HashMap<String, HashSet<(String, String)>>,
}

/// What is in a namespace.
#[derive(Default)]
struct NamespaceObjects {
    objects: BTreeMap<Key, Manifest>,
    /// The number of the change that it comes from.
    revision: u64,
}

/// Kind and name.
type Key = (String, String);

/// What is known of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KindState {
    Filled,
    /// The API server does not have this kind, so there are no objects of it.
    NotServed,
    /// The portal's own account may not watch it.
    NotAllowed,
    /// The watch has been broken for so long that nobody knows what is there now.
    Stale,
}

/// How long a watch may be broken before what it told is old.
const PATIENCE: Duration = Duration::from_secs(60);

impl ObjectIndex {
    /// Begins to watch; goes on as long as the process.
    pub(super) fn watch(self: &Arc<Self>, client: &Client, kinds: &[Served]) {
        for kind in kinds {
            tokio::spawn(self.clone().follow(client.clone(), kind.clone()));
        }
    }

    async fn follow(self: Arc<Self>, client: Client, kind: Served) {
        let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
        let gvk = GroupVersionKind::gvk(group, version, &kind.kind);
        let api: Api<DynamicObject> = Api::all_with(client, &ApiResource::from_gvk_with_plural(&gvk, &kind.plural));
        let mut events = std::pin::pin!(watch(api, watcher::Config::default()).default_backoff());
        loop {
            match events.try_next().await {
                Ok(Some(event)) => self.take(&kind, event),
                Ok(None) => return,
                Err(error) => self.interrupted(&kind, &error),
            }
        }
    }

    fn take(&self, kind: &Served, event: Event<DynamicObject>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.broken.remove(&kind.kind);
        match event {
            Event::Init => drop(inner.seen.insert(kind.kind.clone(), HashSet::new())),
            Event::InitApply(object) => {
                if let Some(place) = inner.insert(kind, object) {
                    inner.seen.entry(kind.kind.clone()).or_default().insert(place);
                }
            }
            Event::InitDone => inner.forget_unseen(kind),
            Event::Apply(object) => drop(inner.insert(kind, object)),
            Event::Delete(object) => {
                inner.remove(
                    kind,
                    &object.metadata.namespace.unwrap_or_default(),
                    &object.metadata.name.unwrap_or_default(),
                );
            }
        }
    }

    fn interrupted(&self, kind: &Served, error: &watcher::Error) {
        let code = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code,
            _ => 0,
        };
        let state = match code {
            404 => KindState::NotServed,
            403 => KindState::NotAllowed,
            _ => {
                tracing::warn!(%error, kind = kind.kind, "watch of objects interrupted");
                let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
                inner.broken.entry(kind.kind.clone()).or_insert_with(Instant::now);
                return;
            }
        };
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.states.insert(kind.kind.clone(), state) != Some(state) {
            tracing::info!(kind = kind.kind, ?state, "these objects are not watched");
        }
    }

    /// What is known of a kind; nothing until it was listed once.
    pub(super) fn state(&self, kind: &Served) -> Option<KindState> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let state = inner.states.get(&kind.kind).copied()?;
        let is_old = inner.broken.get(&kind.kind).is_some_and(|since| since.elapsed() > PATIENCE);
        Some(if is_old && state == KindState::Filled { KindState::Stale } else { state })
    }

    /// Says whether something in a namespace has changed: then it is another. 0 while there is nothing.
    pub(super) fn revision(&self, namespace: &str) -> u64 {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.by_namespace.get(namespace).map_or(0, |found| found.revision)
    }

    /// The objects of a kind in a namespace, by name.
    pub(super) fn of(&self, kind: &Served, namespace: &str) -> Vec<Manifest> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = inner.by_namespace.get(namespace) else { return Vec::new() };
        found
            .objects
            .range((kind.kind.clone(), String::new())..)
            .take_while(|((found, _), _)| *found == kind.kind)
            .map(|(_, manifest)| manifest.clone())
            .collect()
    }
}

impl Inner {
    fn insert(&mut self, kind: &Served, object: DynamicObject) -> Option<(String, String)> {
        let manifest = manifest_of(kind, object)?;
        let place = (manifest.object().namespace.clone(), manifest.object().name.clone());
        self.changes += 1;
        let namespace = self.by_namespace.entry(place.0.clone()).or_default();
        namespace.objects.insert((kind.kind.clone(), place.1.clone()), manifest);
        namespace.revision = self.changes;
        Some(place)
    }

    fn remove(&mut self, kind: &Served, namespace: &str, name: &str) {
        self.changes += 1;
        if let Some(found) = self.by_namespace.get_mut(namespace) {
            found.objects.remove(&(kind.kind.clone(), name.to_owned()));
            found.revision = self.changes;
            if found.objects.is_empty() {
                self.by_namespace.remove(namespace);
            }
        }
    }

    fn forget_unseen(&mut self, kind: &Served) {
        let seen = self.seen.remove(&kind.kind).unwrap_or_default();
        self.changes += 1;
        for (namespace, NamespaceObjects { objects, revision }) in &mut self.by_namespace {
            let before = objects.len();
            objects.retain(|(found, name), _| *found != kind.kind || seen.contains(&(namespace.clone(), name.clone())));
            if objects.len() < before {
                *revision = self.changes;
            }
        }
        self.by_namespace.retain(|_, found| !found.objects.is_empty());
        self.states.insert(kind.kind.clone(), KindState::Filled);
    }
}

/// Without what only the API server needs, which is most of it.
fn manifest_of(kind: &Served, mut object: DynamicObject) -> Option<Manifest> {
    object.metadata.managed_fields = None;
    let mut value: Value = serde_json::to_value(object).ok()?;
    kind.name(&mut value);
    Manifest::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods() -> Served {
        Served::new("v1", "Pod", "pods")
    }

    fn pod(namespace: &str, name: &str) -> DynamicObject {
        serde_json::from_value(json!({ "metadata": { "namespace": namespace, "name": name, "managedFields": [{}] } }))
            .unwrap()
    }

    fn names(index: &ObjectIndex, kind: &Served, namespace: &str) -> Vec<String> {
        index.of(kind, namespace).iter().map(|object| object.object().to_string()).collect()
    }

    #[test]
    fn objects_are_found_by_their_namespace_and_kind() {
        let index = ObjectIndex::default();
        let services = Served::new("v1", "Service", "services");
        index.take(&pods(), Event::Apply(pod("shop", "b")));
        index.take(&pods(), Event::Apply(pod("shop", "a")));
        index.take(&pods(), Event::Apply(pod("pay", "c")));
        index.take(&services, Event::Apply(pod("shop", "a")));
        assert_eq!(names(&index, &pods(), "shop"), ["Pod/shop/a", "Pod/shop/b"]);
        assert_eq!(names(&index, &services, "shop"), ["Service/shop/a"]);
        assert_eq!(index.of(&pods(), "pay")[0].value()["metadata"].get("managedFields"), None);
        index.take(&pods(), Event::Delete(pod("pay", "c")));
        assert!(index.of(&pods(), "pay").is_empty());
    }

    #[test]
    fn a_namespace_has_another_revision_after_each_change_in_it_and_after_no_other() {
        let index = ObjectIndex::default();
        let mut seen = vec![index.revision("shop")];
        index.take(&pods(), Event::Apply(pod("shop", "a")));
        seen.push(index.revision("shop"));
        index.take(&pods(), Event::Apply(pod("shop", "a")));
        seen.push(index.revision("shop"));
        index.take(&pods(), Event::Apply(pod("shop", "b")));
        seen.push(index.revision("shop"));
        index.take(&pods(), Event::Delete(pod("shop", "b")));
        seen.push(index.revision("shop"));
        index.take(&pods(), Event::Apply(pod("pay", "a")));
        assert_eq!(index.revision("shop"), seen[4]);
        for event in [Event::Init, Event::InitApply(pod("pay", "a")), Event::InitDone] {
            index.take(&pods(), event);
        }
        assert_eq!(index.revision("shop"), seen[0], "nothing is there");
        index.take(&pods(), Event::Apply(pod("shop", "a")));
        seen.push(index.revision("shop"));
        let distinct: HashSet<u64> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "{seen:?}");
    }

    #[test]
    fn what_went_while_the_watch_was_away_is_gone_and_other_kinds_stay() {
        let index = ObjectIndex::default();
        let services = Served::new("v1", "Service", "services");
        index.take(&services, Event::Apply(pod("shop", "a")));
        for name in ["a", "b"] {
            index.take(&pods(), Event::Apply(pod("shop", name)));
        }
        assert_eq!(index.state(&pods()), None);
        index.take(&pods(), Event::Init);
        index.take(&pods(), Event::InitApply(pod("shop", "b")));
        index.take(&pods(), Event::InitDone);
        assert_eq!(names(&index, &pods(), "shop"), ["Pod/shop/b"]);
        assert_eq!(names(&index, &services, "shop"), ["Service/shop/a"]);
        assert_eq!(index.state(&pods()), Some(KindState::Filled));
    }
}
