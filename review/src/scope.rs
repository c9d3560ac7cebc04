//! What rules may know beyond the object they look at.

use crate::Context;
use crate::cluster_namespaces::ClusterNamespaces;
use crate::manifest::Manifest;
use crate::pod_security::PodSecurityVersion;
use crate::rules::{Problem, Selection};
use crate::selector::Selector;
use crate::settings::Settings;
use crate::workload::{Workload, namespace_or_default};
use crate::world::World;
use std::cell::OnceCell;
use std::collections::HashMap;

/// What rules may know beyond the object they look at.
pub(crate) struct Scope<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) pod_security_version: PodSecurityVersion,
    /// Whether the world holds every workload.
    pub(crate) every_workload: bool,
    /// Which of the namespaces that the policies under review name are there, where the cluster is known.
    pub(crate) namespaces: Option<&'a ClusterNamespaces>,
    /// Every workload that would be there afterwards, by namespace; made when it is first asked for.
    workloads: OnceCell<HashMap<&'a str, Vec<Workload<'a>>>>,
    objects: Vec<&'a Manifest>,
    quotas: Vec<&'a Manifest>,
    limit_ranges: Vec<&'a Manifest>,
    /// What is there now.
    before: &'a [Manifest],
    /// Where the last object under review of each kind, namespace and name stands.
    last_of: HashMap<(&'a str, &'a str, &'a str, &'a str), usize>,
    /// How many of the objects are under review; they come first.
    under_review: usize,
    pub(crate) world: World,
}

impl<'a> Scope<'a> {
    /// What rules may know of these manifests and their context.
    pub(crate) fn of(
        manifests: &'a [Manifest],
        context: &'a Context,
        settings: &'a Settings,
        selection: Selection,
    ) -> Self {
        let objects: Vec<&Manifest> = context.afterwards(manifests).collect();
        let of_kind = |kind: &str| {
            let is_it = |object: &&&Manifest| object.object().kind == kind && object.api_version() == "v1";
            objects.iter().filter(is_it).copied().collect()
        };
        Self {
            settings,
            pod_security_version: selection.pod_security_version,
            every_workload: context.every_workload,
            namespaces: context.namespaces.as_ref(),
            world: World::new(objects.iter().copied()),
            workloads: OnceCell::new(),
            under_review: manifests.len(),
            quotas: of_kind("ResourceQuota"),
            limit_ranges: of_kind("LimitRange"),
            before: &context.existing,
            last_of: manifests.iter().enumerate().map(|(place, manifest)| (manifest.key(), place)).collect(),
            objects,
        }
    }

    /// Every workload of a namespace that would be there afterwards.
    pub(crate) fn workloads_in(&self, namespace: &str) -> impl Iterator<Item = &Workload<'a>> {
        let by_namespace = self.workloads.get_or_init(|| {
            let mut by_namespace: HashMap<_, Vec<_>> = HashMap::new();
            for workload in self.objects.iter().filter_map(|manifest| Workload::of(manifest)) {
                by_namespace.entry(workload.namespace()).or_default().push(workload);
            }
            by_namespace
        });
        by_namespace.get(namespace).into_iter().flatten()
    }

    /// The finding that a selector fits no workload, where those of its namespace are known. What is reviewed all alone
    /// says nothing about its pods.
    pub(crate) fn selecting_nothing(
        &self,
        namespace: &str,
        selector: &Selector,
        path: &str,
        consequence: &str,
    ) -> Option<Problem> {
        let endpoints = self.world.endpoints_in(namespace);
        let is_known = self.every_workload && !endpoints.is_empty();
        if !is_known || selector.is_empty() || endpoints.iter().any(|endpoint| endpoint.is_selected_by(selector)) {
            return None;
        }
        let message = format!("No workload has the labels {selector}, so this {consequence}.");
        let fix = "Compare the labels with those of the pods: for a Deployment, with its template's.";
        Some(Problem::warn(path, message, fix))
    }

    /// The later object under review of the same kind, namespace and name.
    pub(crate) fn replaced_by(&self, manifest: &Manifest) -> Option<&'a Manifest> {
        let under_review = &self.objects[..self.under_review];
        let own = under_review.iter().position(|other| std::ptr::eq(*other, manifest))?;
        // A name that the API server makes up is another each time.
        if manifest.value()["metadata"]["name"].is_null() {
            return None;
        }
        let last = self.last_of.get(&manifest.key()).copied()?;
        (last > own).then(|| under_review[last])
    }

    /// The quotas of a namespace that count all of its pods, not only some.
    pub(crate) fn quotas_of(&self, namespace: &str) -> impl Iterator<Item = &'a Manifest> {
        let counts_everything = |quota: &&Manifest| {
            let spec = &quota.value()["spec"];
            spec["scopes"].as_array().is_none_or(Vec::is_empty) && spec["scopeSelector"].is_null()
        };
        in_namespace(&self.quotas, namespace).filter(counts_everything)
    }

    /// The limit ranges of a namespace.
    pub(crate) fn limit_ranges_of(&self, namespace: &str) -> impl Iterator<Item = &'a Manifest> {
        in_namespace(&self.limit_ranges, namespace)
    }

    /// The workloads under review for a namespace, in the order in which they were given.
    pub(crate) fn workloads_under_review(&self, namespace: &str) -> impl DoubleEndedIterator<Item = Workload<'a>> {
        let workloads = self.objects[..self.under_review].iter().filter_map(|manifest| Workload::of(manifest));
        workloads.filter(move |workload| workload.namespace() == namespace)
    }

    /// The workloads of a namespace that are there now and that those under review replace.
    pub(crate) fn replaced_workloads(&self, namespace: &str) -> impl Iterator<Item = Workload<'a>> {
        let replaced = self.before.iter().filter(|manifest| self.last_of.contains_key(&manifest.key()));
        replaced.filter_map(Workload::of).filter(move |workload| workload.namespace() == namespace)
    }

    /// What is there already and stays.
    pub(crate) fn existing(&self) -> &[&Manifest] {
        &self.objects[self.under_review..]
    }

    /// Every Service that would be there afterwards.
    pub(crate) fn services(&self) -> impl Iterator<Item = &'a Manifest> {
        let is_service = |object: &&&'a Manifest| object.api_version() == "v1" && object.object().kind == "Service";
        self.objects.iter().filter(is_service).copied()
    }

    /// The HorizontalPodAutoscaler that decides how often a workload runs.
    pub(crate) fn autoscaler_of(&self, workload: &Workload<'_>) -> Option<Autoscaler<'a>> {
        let object = workload.manifest.object();
        let scales = |other: &&&'a Manifest| {
            let target = &other.value()["spec"]["scaleTargetRef"];
            other.object().kind == "HorizontalPodAutoscaler"
                && namespace_or_default(&other.object().namespace) == workload.namespace()
                && target["kind"] == object.kind.as_str()
                && target["name"] == object.name.as_str()
        };
        let found = self.objects.iter().find(scales)?;
        let at_least = found.value()["spec"]["minReplicas"].as_u64().unwrap_or(1);
        Some(Autoscaler { name: &found.object().name, at_least })
    }

    /// How many pods a workload has at least.
    pub(crate) fn least_replicas(&self, workload: &Workload<'_>) -> u64 {
        self.autoscaler_of(workload).map_or_else(|| workload.replicas(), |autoscaler| autoscaler.at_least)
    }
}

/// The most quotas and limit ranges of a namespace that are looked at: each is compared with every container.
const MOST_BOUNDS: usize = 20;

fn in_namespace<'a>(objects: &[&'a Manifest], namespace: &str) -> impl Iterator<Item = &'a Manifest> {
    let is_there = move |object: &&Manifest| namespace_or_default(&object.object().namespace) == namespace;
    objects.iter().copied().filter(is_there).take(MOST_BOUNDS)
}

/// A HorizontalPodAutoscaler of a workload.
pub(crate) struct Autoscaler<'a> {
    pub(crate) name: &'a str,
    /// Its `minReplicas`, 1 where it names none (autoscaling/v2).
    pub(crate) at_least: u64,
}
