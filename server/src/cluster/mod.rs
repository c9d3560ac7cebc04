//! The cluster adapter: watch caches for what exists, requests in the person's name for the rest.

mod account_check;
mod bindings;
mod effects;
mod events;
mod namespace_snapshot;
mod objects;
mod request;
mod resource;
mod served;

pub use self::account_check::account_mistakes;
use self::bindings::{BindingIndex, BindingSource};
use self::objects::ObjectIndex;
pub use self::request::Clients;
use self::request::{ApiRequest, As, Sent};
use self::resource::{collection_path, resource_path, segment};
use self::served::kinds_of_a_namespace;
use app::access::{Binding, KubeIdentity, KubeName};
use app::namespaces::{Namespace, NamespaceName};
use app::ports::{
    Applied, ClusterAccess, ClusterApply, ClusterError, ClusterGrants, ClusterInventory, Drift, Family, Grant,
    Leftover, NamespaceSnapshot, Right, Run, SnapshotVersion,
};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use moka::future::Cache;
use review::{Cidr, Manifest, ObjectRef, Port};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The field manager of everything the portal applies.
const FIELD_MANAGER: &str = "fairway";

/// Annotation on objects that the portal's own account makes: who asked.
const REQUESTED_BY: &str = "fairway.dev/requested-by";

/// How long a yes to a person's right, an answer about what they may list, and the cluster's own policies are taken to
/// be still true. What is applied is decided by the API server itself, every time.
const SHORT_MEMORY: Duration = Duration::from_secs(10);

/// How long a no to a person's right is, unless a binding changes. Roles may change as well, which nothing tells.
const REFUSAL_MEMORY: Duration = Duration::from_secs(2);

/// How long the addresses of the API server are.
const LONG_MEMORY: Duration = Duration::from_secs(300);

/// How long an API server that answered is taken to be there: pages and probes ask far more often than that.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// A user of the cluster that no provider names: who is in a group is somebody else.
const NOBODY: &str = "fairway-asks-for-a-group";

/// The most answers kept about what somebody may list.
const MOST_ANSWERS: u64 = 50_000;

/// The most versions of namespaces whose objects are kept together.
const MOST_VERSIONS: u64 = 500;

/// Who, which kind, in which namespace.
type ListQuestion = (KubeIdentity, String, String);

/// The Kubernetes API server behind a client with the portal's own account.
pub struct KubeCluster {
    clients: Clients,
    namespaces: Store<KubeNamespace>,
    namespaces_ready: Arc<AtomicBool>,
    bindings: Arc<BindingIndex>,
    objects: Arc<ObjectIndex>,
    allowed: Cache<(KubeIdentity, Right), ()>,
    /// At which revision of the bindings: somebody who has just been let in is not kept waiting.
    refused: Cache<(KubeIdentity, Right), u64>,
    may_list: Cache<ListQuestion, bool>,
    policies: Cache<(), NamespaceSnapshot>,
    /// The objects of a version of a namespace.
    namespace_objects: Cache<SnapshotVersion, Arc<Vec<Manifest>>>,
    api_server: Cache<(), Option<(Vec<Cidr>, Port)>>,
    /// That the API server answered.
    answers: Cache<(), ()>,
}

impl KubeCluster {
    /// Connects, and starts the watches. They go on as long as the process; while the API server is
    /// away they retry with growing pauses and keep what they know.
    #[must_use]
    pub fn start(clients: Clients) -> Self {
        let client = clients.portal.clone();
        let (namespaces, writer) = reflector::store();
        let namespaces_ready = Arc::new(AtomicBool::new(false));
        let bindings = Arc::new(BindingIndex::default());
        let ready = namespaces_ready.clone();
        let watched = watcher(Api::<KubeNamespace>::all(client.clone()), watcher::Config::default()).default_backoff();
        tokio::spawn(async move {
            let mut events = std::pin::pin!(reflector::reflector(writer, watched));
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::InitDone) => ready.store(true, Ordering::Release),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "watch of namespaces interrupted"),
                }
            }
        });
        watch_bindings::<RoleBinding>(client.clone(), bindings.clone());
        watch_bindings::<ClusterRoleBinding>(client.clone(), bindings.clone());
        let objects = Arc::new(ObjectIndex::default());
        objects.watch(&client, &kinds_of_a_namespace());
        Self {
            clients,
            namespaces,
            namespaces_ready,
            bindings,
            objects,
            allowed: Cache::builder().max_capacity(MOST_ANSWERS).time_to_live(SHORT_MEMORY).build(),
            refused: Cache::builder().max_capacity(MOST_ANSWERS).time_to_live(REFUSAL_MEMORY).build(),
            may_list: Cache::builder().max_capacity(MOST_ANSWERS).time_to_live(SHORT_MEMORY).build(),
            policies: Cache::builder().max_capacity(1).time_to_live(SHORT_MEMORY).build(),
            namespace_objects: Cache::builder().max_capacity(MOST_VERSIONS).time_to_live(SHORT_MEMORY).build(),
            api_server: Cache::builder().max_capacity(1).time_to_live(LONG_MEMORY).build(),
            answers: Cache::builder().max_capacity(1).time_to_live(HEARTBEAT).build(),
        }
    }

    async fn send(&self, request: ApiRequest) -> Result<Sent, ClusterError> {
        request.send(&self.clients).await
    }
}

fn watch_bindings<K: BindingSource>(client: Client, index: Arc<BindingIndex>) {
    let watched = watcher(Api::<K>::all(client), watcher::Config::default()).default_backoff();
    tokio::spawn(async move {
        let mut events = std::pin::pin!(watched);
        loop {
            match events.try_next().await {
                Ok(Some(event)) => index.take(event),
                Ok(None) => return,
                Err(error) => tracing::warn!(%error, kind = K::KIND, "watch of bindings interrupted"),
            }
        }
    });
}

/// A right as the API server is asked for it (authorization.k8s.io/v1, ResourceAttributes).
fn resource_attributes(right: &Right) -> Value {
    json!({ "verb": right.verb, "group": right.group, "resource": right.resource, "namespace": right.namespace })
}

fn not_yet() -> ClusterError {
    ClusterError::Unavailable("the watch caches have not been filled yet".to_owned())
}

#[async_trait]
impl ClusterAccess for KubeCluster {
    fn bindings_of(&self, who: &KubeIdentity) -> Result<Vec<Binding>, ClusterError> {
        self.bindings.of(who).ok_or_else(not_yet)
    }

    async fn allows(&self, who: &KubeIdentity, right: &Right) -> Result<bool, ClusterError> {
        let key = (who.clone(), right.clone());
        let revision = self.bindings.revision();
        if self.allowed.contains_key(&key) {
            return Ok(true);
        }
        if self.refused.get(&key).await == Some(revision) {
            return Ok(false);
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": resource_attributes(right) },
        });
        let sent = self
            .send(
                ApiRequest::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review)
                    .acting(As::Person(who)),
            )
            .await?;
        let is_allowed = sent.body["status"]["allowed"] == true;
        match is_allowed {
            true => self.allowed.insert(key, ()).await,
            false => self.refused.insert(key, revision).await,
        }
        Ok(is_allowed)
    }

    async fn allows_group(&self, group: &KubeName, right: &Right) -> Result<bool, ClusterError> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {
                "user": NOBODY, "groups": [group.as_ref()], "resourceAttributes": resource_attributes(right),
            },
        });
        let request = ApiRequest::post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review);
        let sent = self.send(request.acting(As::Portal)).await?;
        Ok(sent.body["status"]["allowed"] == true)
    }
}

#[async_trait]
impl ClusterInventory for KubeCluster {
    fn namespace(&self, name: &str) -> Result<Option<Namespace>, ClusterError> {
        if !self.namespaces_ready.load(Ordering::Acquire) {
            return Err(not_yet());
        }
        Ok(self.namespaces.get(&reflector::ObjectRef::new(name)).map(|found| Namespace {
            name: found.name_any(),
            labels: found.labels().clone(),
            uid: found.uid().unwrap_or_default(),
            created_at: found.creation_timestamp().map(|at| at.0.to_string()),
            subnamespace_of: found.annotations().get("hnc.x-k8s.io/subnamespace-of").cloned(),
            terminating: found.metadata.deletion_timestamp.is_some(),
        }))
    }

    fn namespace_names(&self) -> Result<Vec<String>, ClusterError> {
        if !self.namespaces_ready.load(Ordering::Acquire) {
            return Err(not_yet());
        }
        let mut names: Vec<String> = self.namespaces.state().iter().map(|namespace| namespace.name_any()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn caches_are_filled(&self) -> bool {
        self.namespaces_ready.load(Ordering::Acquire) && self.bindings.is_ready()
    }

    async fn objects_in(&self, who: &KubeIdentity, namespace: &str) -> Result<NamespaceSnapshot, ClusterError> {
        self.of_namespace(who, namespace).await
    }

    async fn family(&self, who: &KubeIdentity, workload: &ObjectRef) -> Result<Family, ClusterError> {
        self.family_of(who, workload).await
    }

    async fn api_server(&self) -> Result<Option<(Vec<Cidr>, Port)>, ClusterError> {
        self.api_server.try_get_with((), self.read_api_server()).await.map_err(|error| (*error).clone())
    }

    async fn read(&self, who: &KubeIdentity, object: &Manifest) -> Result<Option<Value>, ClusterError> {
        let request = ApiRequest::get(&resource_path(object)?).acting(As::Person(who));
        Ok(request.send_if_served(&self.clients).await?.map(|sent| sent.body))
    }

    async fn namespace_snapshot(&self, who: &KubeIdentity, namespace: &str) -> Result<NamespaceSnapshot, ClusterError> {
        let (mut found, policies) = futures::try_join!(self.of_namespace(who, namespace), self.policies())?;
        found.objects.extend(policies.objects);
        found.unread.extend(policies.unread);
        found.version = found.version.and(&policies.version);
        Ok(found)
    }

    async fn serves_hierarchy(&self) -> Result<bool, ClusterError> {
        let groups = self.send(ApiRequest::get("/apis").acting(As::Portal)).await?;
        Ok(groups.body["groups"]
            .as_array()
            .is_some_and(|groups| groups.iter().any(|group| group["name"] == "hnc.x-k8s.io")))
    }

    async fn check(&self) -> Result<(), ClusterError> {
        let asked = async { self.send(ApiRequest::get("/version").acting(As::Portal)).await.map(drop) };
        self.answers.try_get_with((), asked).await.map_err(Arc::unwrap_or_clone)
    }
}

#[async_trait]
impl ClusterApply for KubeCluster {
    async fn create_subnamespace(
        &self,
        who: &KubeIdentity,
        parent: &str,
        name: &NamespaceName,
    ) -> Result<(), ClusterError> {
        let anchor = json!({
            "apiVersion": "hnc.x-k8s.io/v1alpha2", "kind": "SubnamespaceAnchor",
            "metadata": { "name": name.as_ref(), "namespace": parent },
        });
        let path = format!("{}?fieldManager={FIELD_MANAGER}", anchors_path(parent)?);
        self.send(ApiRequest::post(&path, &anchor).acting(As::Person(who)).writing()).await?;
        Ok(())
    }

    async fn subnamespace_state(
        &self,
        who: &KubeIdentity,
        parent: &str,
        name: &NamespaceName,
    ) -> Result<String, ClusterError> {
        let path = format!("{}/{name}", anchors_path(parent)?);
        let anchor = self.send(ApiRequest::get(&path).acting(As::Person(who))).await?;
        Ok(anchor.body["status"]["status"].as_str().unwrap_or_default().to_owned())
    }

    async fn create_from_template(
        &self,
        requested_by: &KubeIdentity,
        objects: &[Manifest],
    ) -> Result<(), ClusterError> {
        for object in objects {
            let mut value = object.value().clone();
            value["metadata"]["annotations"][REQUESTED_BY] = requested_by.user.as_ref().into();
            self.create(object, &value).await?;
        }
        Ok(())
    }

    async fn apply(
        &self,
        who: &KubeIdentity,
        object: &Manifest,
        bytes: &str,
        run: Run,
    ) -> Result<Applied, ClusterError> {
        let dry = if run == Run::Dry { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldManager={FIELD_MANAGER}{dry}", resource_path(object)?);
        let request = ApiRequest::apply(&path, bytes.to_owned()).acting(As::Person(who));
        let sent = self.send(if run == Run::Real { request.writing() } else { request }).await?;
        Ok(Applied { object: sent.body, warnings: sent.warnings })
    }

    async fn keep(&self, namespace: &str, config_map: &str, key: &str, value: &str) -> Result<(), ClusterError> {
        let path = format!("/api/v1/namespaces/{}/configmaps/{}", segment(namespace)?, segment(config_map)?);
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        let request = ApiRequest::merge(&path, &json!({ "data": { (key): value } }));
        self.send(request.acting(As::Portal).writing()).await.map(drop)
    }
}

#[async_trait]
impl ClusterGrants for KubeCluster {
    async fn grant(&self, grant: &Grant) -> Result<(), ClusterError> {
        self.make(grant).await
    }

    async fn withdraw(&self, grant: &Grant) -> Result<(), ClusterError> {
        self.unmake(grant).await
    }

    async fn drift(&self, grant: &Grant) -> Result<Option<Drift>, ClusterError> {
        self.compare(grant).await
    }

    async fn leftover(&self, grant: &Grant, kept: &Grant) -> Result<Option<Leftover>, ClusterError> {
        self.find_left(grant, kept).await
    }
}

impl KubeCluster {
    /// From the endpoints of the Service `kubernetes`, which the API server keeps itself. Policies see addresses behind
    /// a Service, not the Service's own.
    async fn read_api_server(&self) -> Result<Option<(Vec<Cidr>, Port)>, ClusterError> {
        let request = ApiRequest::get("/api/v1/namespaces/default/endpoints/kubernetes").acting(As::Portal);
        let found = match request.send_if_served(&self.clients).await {
            Err(ClusterError::Refused(reason)) => {
                tracing::info!(reason, "the addresses of the API server are not shown");
                None
            }
            other => other?,
        };
        let Some(sent) = found else { return Ok(None) };
        let subset = &sent.body["subsets"][0];
        let addresses = subset["addresses"].as_array().into_iter().flatten();
        let blocks: Vec<Cidr> = addresses.filter_map(|address| address["ip"].as_str()?.parse().ok()).collect();
        let port = subset["ports"][0]["port"].to_string().parse().ok();
        Ok(port.filter(|_| !blocks.is_empty()).map(|port| (blocks, port)))
    }

    /// Creates an object of a template; nothing is ever changed. What stands there from an attempt that
    /// broke is passed over if it is ours in every annotation, up to the RoleBinding: it comes last, so
    /// where it stands the namespace is complete and somebody's.
    async fn create(&self, object: &Manifest, value: &Value) -> Result<(), ClusterError> {
        let path = format!("{}?fieldManager={FIELD_MANAGER}", collection_path(object)?);
        let created = self.send(ApiRequest::post(&path, value).acting(As::Portal).writing()).await;
        match (created, object.object().kind.as_str()) {
            (Ok(_), _) => Ok(()),
            (Err(ClusterError::Conflict { .. }), "NetworkPolicy" | "ResourceQuota") => Ok(()),
            (Err(conflict @ ClusterError::Conflict { .. }), "Namespace") => {
                let found = self.send(ApiRequest::get(&resource_path(object)?).acting(As::Portal)).await?;
                let annotations = value["metadata"]["annotations"].as_object().into_iter().flatten();
                let ours =
                    annotations.into_iter().all(|(key, wanted)| found.body["metadata"]["annotations"][key] == *wanted);
                if ours { Ok(()) } else { Err(conflict) }
            }
            (Err(error), _) => Err(error),
        }
    }
}

fn anchors_path(parent: &str) -> Result<String, ClusterError> {
    Ok(format!("/apis/hnc.x-k8s.io/v1alpha2/namespaces/{}/subnamespaceanchors", segment(parent)?))
}
