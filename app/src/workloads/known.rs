//! What is known of the cluster when answers are checked: the workloads that people pick, and the places of the
//! platform.

use super::places::{Place, PlaceAt};
use crate::form::FormErrors;
use review::{Cidr, Manifest, Opening, Peer, PodLabels, Port, Workload, pods_in_words};
use std::collections::{BTreeMap, HashMap};

/// What answers may refer to by name.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The namespace that names without one belong to.
    namespace: String,
    /// By how connections write them, `namespace/name[Kind]`: labels and ports.
    workloads: BTreeMap<String, RunningWorkload>,
    places: Vec<Place>,
    /// Addresses of the API server, and its port.
    api_server: Option<(Vec<Cidr>, Port)>,
    /// Whether these are all workloads that there are.
    all_workloads: bool,
}

/// A workload that runs, as far as policies look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningWorkload {
    pub namespace: String,
    pub name: String,
    pub kind: String,
    /// What selects its pods, if they have labels.
    pub labels: Option<PodLabels>,
    /// All labels of its pods.
    pub pod_labels: BTreeMap<String, String>,
    /// Ports its containers say they listen on.
    pub ports: Vec<Port>,
}

impl RunningWorkload {
    /// From its manifest; nothing for other kinds.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let workload = Workload::of(manifest)?;
        Some(Self {
            namespace: workload.namespace().to_owned(),
            name: manifest.object().name.clone(),
            kind: manifest.object().kind.clone(),
            labels: workload.selecting_labels(),
            pod_labels: workload.labels(),
            ports: workload.declared_ports(),
        })
    }

    /// Whether a policy that selects these labels in a namespace means its pods.
    fn is_meant_by(&self, labels: &BTreeMap<String, String>, namespace: &str) -> bool {
        self.namespace == namespace && labels.iter().all(|(key, value)| self.pod_labels.get(key) == Some(value))
    }

    /// As connections write it, `namespace/name[Kind]`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}[{}]", self.namespace, self.name, self.kind)
    }
}

impl Known {
    /// What is known to somebody who writes for `namespace`.
    #[must_use]
    pub fn new(
        namespace: String,
        workloads: impl IntoIterator<Item = RunningWorkload>,
        places: Vec<Place>,
        api_server: Option<(Vec<Cidr>, Port)>,
    ) -> Self {
        let workloads = workloads.into_iter().map(|workload| (workload.reference(), workload)).collect();
        Self { namespace, workloads, places, api_server, all_workloads: true }
    }

    /// The same, saying whether workloads may be missing.
    #[must_use]
    pub fn with_all_workloads(self, all_workloads: bool) -> Self {
        Self { all_workloads, ..self }
    }

    /// The workload that a text means: `namespace/name[Kind]`, without a kind where only one has that name, and
    /// without a namespace where it is in the same one.
    ///
    /// # Errors
    /// A sentence for the person.
    pub fn workload(&self, text: &str) -> Result<&RunningWorkload, String> {
        let (place, kind) = match text.trim().strip_suffix(']').and_then(|text| text.split_once('[')) {
            Some((place, kind)) => (place, Some(kind)),
            None => (text.trim(), None),
        };
        let (namespace, name) = place.split_once('/').unwrap_or((&self.namespace, place));
        let fits = |workload: &&RunningWorkload| {
            workload.namespace == namespace && workload.name == name && kind.is_none_or(|kind| workload.kind == kind)
        };
        let found: Vec<&RunningWorkload> = self.workloads.values().filter(fits).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(format!(
                "There is no workload {name} in {namespace} that you can see. Pick one from the list, or choose pods \
                 and enter their labels."
            )),
            several => {
                let names: Vec<String> = several.iter().map(|workload| workload.reference()).collect();
                Err(format!("Several workloads have this name. Enter one of: {}.", names.join(", ")))
            }
        }
    }

    /// The pods of the workload that a text means.
    ///
    /// # Errors
    /// A sentence for the person.
    pub fn peer_of(&self, text: &str) -> Result<Peer, String> {
        let workload = self.workload(text)?;
        let labels = workload.labels.clone().ok_or_else(|| {
            format!("The pods of {} have no labels, so no policy can mean them alone.", workload.reference())
        })?;
        let namespace = (workload.namespace != self.namespace).then(|| workload.namespace.clone());
        Ok(Peer::Pods { namespace, labels })
    }

    /// What the places with these slugs open.
    pub fn places(&self, slugs: &[String], errors: &mut FormErrors) -> Vec<Opening> {
        let find = |slug: &String| self.places.iter().find(|place| place.slug == *slug).map(Place::opening);
        slugs
            .iter()
            .filter_map(|slug| {
                errors.take("place", find(slug).ok_or_else(|| format!("{slug} is not known here any more; untick it.")))
            })
            .collect()
    }

    /// What people call those whom a picture calls otherwise: DNS, places, and workloads that alone have their labels.
    #[must_use]
    pub fn names(&self) -> BTreeMap<String, String> {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut call = |words: String, name: String| names.entry(words).or_default().push(name);
        let mut with_label: HashMap<(&str, &str, &str), Vec<&RunningWorkload>> = HashMap::new();
        for workload in self.workloads.values() {
            for (key, value) in &workload.pod_labels {
                with_label.entry((&workload.namespace, key, value)).or_default().push(workload);
            }
        }
        let named = self.workloads.values().filter(|_| self.all_workloads);
        for workload in named {
            let Some(labels) = &workload.labels else { continue };
            // Whoever is meant has each of the labels, so those with the rarest are all that need be looked at.
            let pairs = BTreeMap::from(labels.clone());
            let namespace = workload.namespace.as_str();
            let having =
                pairs.iter().filter_map(|(key, value)| with_label.get(&(namespace, key.as_str(), value.as_str())));
            let fewest = having.min_by_key(|having| having.len());
            let is_meant = |other: &&&RunningWorkload| other.is_meant_by(&pairs, namespace);
            if fewest.is_some_and(|having| having.iter().filter(is_meant).nth(1).is_some()) {
                continue;
            }
            let is_here = workload.namespace == self.namespace;
            let name =
                if is_here { workload.name.clone() } else { format!("{} in {}", workload.name, workload.namespace) };
            call(pods_in_words(labels, &workload.namespace), name);
        }
        for place in &self.places {
            if let PlaceAt::Pods { namespace, labels } = &place.at {
                call(pods_in_words(labels, namespace), uncapitalised(&place.name));
            }
        }
        call("pods with k8s-app=kube-dns in kube-system".to_owned(), "DNS".to_owned());
        let alone = |(words, names): (String, Vec<String>)| match <[String; 1]>::try_from(names) {
            Ok([name]) => Some((words, name)),
            Err(_) => None,
        };
        names.into_iter().filter_map(alone).collect()
    }

    /// The way to the API server.
    pub fn kubernetes_api(&self, errors: &mut FormErrors) -> Option<Opening> {
        let found = self
            .api_server
            .clone()
            .ok_or("The cluster does not say where its API server is; enter its addresses below.");
        let (addresses, port) = errors.take("kubernetes_api", found)?;
        Some(Opening { peer: Peer::Addresses(addresses), ports: vec![port] })
    }
}

/// For the middle of a sentence: only an article loses its capital letter.
fn uncapitalised(name: &str) -> String {
    name.strip_prefix("The ").map_or_else(|| name.to_owned(), |rest| format!("the {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::places::usual_places;

    fn running(namespace: &str, name: &str, kind: &str) -> RunningWorkload {
        let labels = PodLabels::named(name);
        let pod_labels = labels.clone().into();
        let labels = Some(labels);
        RunningWorkload {
            namespace: namespace.into(),
            name: name.into(),
            kind: kind.into(),
            labels,
            pod_labels,
            ports: Vec::new(),
        }
    }

    fn known() -> Known {
        let workloads = [
            running("shop", "api", "Deployment"),
            running("shop", "backup", "CronJob"),
            running("shop", "backup", "Job"),
            running("pay", "ledger", "StatefulSet"),
        ];
        Known::new("shop".into(), workloads, usual_places(), None)
    }

    #[test]
    fn a_workload_is_found_by_as_much_of_its_name_as_is_needed() {
        let found = |text: &str| known().workload(text).map(RunningWorkload::reference);
        for text in ["api", "shop/api", "shop/api[Deployment]", " api "] {
            assert_eq!(found(text).unwrap(), "shop/api[Deployment]", "{text}");
        }
        assert_eq!(found("backup[Job]").unwrap(), "shop/backup[Job]");
        assert!(found("backup").unwrap_err().contains("shop/backup[CronJob], shop/backup[Job]"));
        assert!(found("ledger").unwrap_err().contains("no workload ledger in shop"));
    }

    #[test]
    fn a_workload_of_another_namespace_is_meant_there_and_nowhere_else() {
        let Peer::Pods { namespace, labels } = known().peer_of("pay/ledger").unwrap() else { panic!() };
        assert_eq!((namespace.as_deref(), labels.to_string().as_str()), (Some("pay"), "app.kubernetes.io/name=ledger"));
        assert!(matches!(known().peer_of("api").unwrap(), Peer::Pods { namespace: None, .. }));
    }

    #[test]
    fn pods_are_called_by_the_name_of_the_one_workload_that_has_their_labels() {
        let names = known().names();
        let called = |words: &str| names.get(words).map(String::as_str);
        assert_eq!(called("pods with app.kubernetes.io/name=api in shop"), Some("api"));
        assert_eq!(called("pods with app.kubernetes.io/name=ledger in pay"), Some("ledger in pay"));
        assert_eq!(called("pods with app.kubernetes.io/name=backup in shop"), None);
        let ingress = "pods with app.kubernetes.io/name=ingress-nginx in ingress-nginx";
        assert_eq!(called(ingress), Some("the ingress controller"));
    }

    #[test]
    fn a_workload_is_not_named_where_another_has_its_labels_too_or_where_some_are_hidden() {
        let mut canary = running("shop", "api-canary", "Deployment");
        canary.pod_labels = [("app.kubernetes.io/name", "api"), ("track", "canary")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        canary.labels = Some("track=canary".parse().unwrap());
        let words = "pods with app.kubernetes.io/name=api in shop";
        let with_canary = Known::new("shop".into(), [running("shop", "api", "Deployment"), canary], Vec::new(), None);
        assert_eq!(with_canary.names().get(words), None);
        assert_eq!(known().with_all_workloads(false).names().get(words), None);
    }

    #[test]
    fn a_place_that_is_gone_and_an_api_server_that_is_not_known_are_said() {
        let mut errors = FormErrors::default();
        assert_eq!(known().places(&["monitoring".into(), "gone".into()], &mut errors).len(), 1);
        assert_eq!(known().kubernetes_api(&mut errors), None);
        assert_eq!(errors.all().len(), 2);
    }
}
