//! The labels that the pods of a workload have: those of its template, and those that its controller adds (Kubernetes
//! reference, Well-Known Labels; pkg/controller of Kubernetes 1.37).

use crate::manifest::Manifest;
use crate::selector::{Labelled, Labels};
use std::collections::BTreeMap;

/// Labels of the pods of one workload.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkloadLabels {
    template: Labels,
    added: BTreeMap<&'static str, Added>,
}

/// A label that a controller adds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Added {
    Is(String),
    /// `stem0` to `stem` and one less than the number, a pod each.
    Numbered {
        stem: String,
        number: u64,
    },
    /// Made up anew each time.
    Unknown,
}

impl Added {
    fn may_be(&self, value: &str) -> bool {
        match self {
            Self::Is(own) => own == value,
            Self::Numbered { stem, number } => {
                let ordinal = value.strip_prefix(stem.as_str()).filter(|rest| *rest == "0" || !rest.starts_with('0'));
                ordinal.and_then(|rest| rest.parse::<u64>().ok()).is_some_and(|ordinal| ordinal < *number)
            }
            Self::Unknown => false,
        }
    }

    fn may_be_outside(&self, values: &[String]) -> bool {
        match self {
            Self::Is(own) => !values.contains(own),
            Self::Numbered { number, .. } => {
                let named = values.iter().filter(|value| self.may_be(value)).count();
                u64::try_from(named).is_ok_and(|named| named < *number)
            }
            Self::Unknown => true,
        }
    }
}

impl WorkloadLabels {
    pub(crate) fn new(manifest: &Manifest, template: Labels) -> Self {
        let mut added = added_by_controller(manifest);
        // What a template says of these, its controller says otherwise or refuses.
        added.retain(|key, value| !matches!(value, Added::Unknown) || !template.contains_key(*key));
        Self { template, added }
    }
}

impl Labelled for WorkloadLabels {
    fn has(&self, key: &str) -> bool {
        self.added.contains_key(key) || self.template.contains_key(key)
    }

    fn may_be_in(&self, key: &str, values: &[String]) -> bool {
        match self.added.get(key) {
            Some(added) => values.iter().any(|value| added.may_be(value)),
            None => self.template.may_be_in(key, values),
        }
    }

    fn may_be_outside(&self, key: &str, values: &[String]) -> bool {
        match self.added.get(key) {
            Some(added) => added.may_be_outside(values),
            None => self.template.may_be_outside(key, values),
        }
    }
}

fn added_by_controller(manifest: &Manifest) -> BTreeMap<&'static str, Added> {
    let (name, spec) = (&manifest.object().name, &manifest.value()["spec"]);
    let numbered = |stem: String, number: u64| Added::Numbered { stem, number };
    match manifest.object().kind.as_str() {
        "Job" => {
            let mut added = job(Added::Is(name.clone()));
            if spec["completionMode"] == "Indexed" {
                let number = spec["completions"].as_u64().unwrap_or(1);
                added.insert("batch.kubernetes.io/job-completion-index", numbered(String::new(), number));
            }
            added
        }
        // Each of its Jobs has a name of its own.
        "CronJob" => job(Added::Unknown),
        "StatefulSet" => {
            let number = spec["replicas"].as_u64().unwrap_or(1);
            let first = spec["ordinals"]["start"].as_u64().unwrap_or_default();
            [
                ("statefulset.kubernetes.io/pod-name", numbered(format!("{name}-"), first + number)),
                ("apps.kubernetes.io/pod-index", numbered(String::new(), first + number)),
                ("controller-revision-hash", Added::Unknown),
            ]
            .into()
        }
        "DaemonSet" => {
            [("controller-revision-hash", Added::Unknown), ("pod-template-generation", Added::Unknown)].into()
        }
        "Deployment" => [("pod-template-hash", Added::Unknown)].into(),
        _ => BTreeMap::new(),
    }
}

fn job(name: Added) -> BTreeMap<&'static str, Added> {
    [
        ("job-name", name.clone()),
        ("batch.kubernetes.io/job-name", name),
        ("controller-uid", Added::Unknown),
        ("batch.kubernetes.io/controller-uid", Added::Unknown),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;
    use crate::selector::Selector;
    use crate::workload::Workload;
    use serde_json::{Value, json};

    fn selects(kind: (&str, &str), spec: Value, selector: Value) -> bool {
        let object = json!({ "apiVersion": kind.0, "kind": kind.1, "metadata": { "name": "web" }, "spec": spec });
        let manifest = Manifest::from_value(object).unwrap();
        Selector::from_value(Some(&selector)).matches(&Workload::of(&manifest).unwrap().pod_labels())
    }

    fn is(key: &str, value: &str) -> Value {
        json!({ "matchLabels": { key: value } })
    }

    fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
        json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] })
    }

    #[test]
    fn a_job_names_its_pods_and_numbers_them_where_they_are_indexed() {
        let job = ("batch/v1", "Job");
        for key in ["job-name", "batch.kubernetes.io/job-name"] {
            assert!(selects(job, json!({}), is(key, "web")));
            assert!(!selects(job, json!({}), is(key, "other")));
        }
        let index = "batch.kubernetes.io/job-completion-index";
        assert!(!selects(job, json!({}), is(index, "0")));
        let indexed = json!({ "completionMode": "Indexed", "completions": 3 });
        assert!(selects(job, indexed.clone(), is(index, "2")) && !selects(job, indexed, is(index, "3")));
        assert!(!selects(("batch/v1", "CronJob"), json!({}), is("job-name", "web")));
    }

    #[test]
    fn pods_of_a_stateful_set_can_be_meant_one_by_one() {
        let set = ("apps/v1", "StatefulSet");
        let two = json!({ "replicas": 2 });
        let name = "statefulset.kubernetes.io/pod-name";
        assert!(selects(set, two.clone(), is(name, "web-1")) && !selects(set, two.clone(), is(name, "web-2")));
        assert!(!selects(set, two.clone(), is(name, "web-01")) && !selects(set, two.clone(), is(name, "web-")));
        assert!(selects(set, two.clone(), is("apps.kubernetes.io/pod-index", "0")));
        assert!(selects(set, two.clone(), expression(name, "NotIn", &["web-0"])));
        assert!(!selects(set, two, expression(name, "NotIn", &["web-0", "web-1"])));
    }

    #[test]
    fn a_value_that_is_made_up_is_there_and_is_nothing_that_can_be_written_down() {
        for (kind, key) in [
            (("apps/v1", "Deployment"), "pod-template-hash"),
            (("apps/v1", "DaemonSet"), "controller-revision-hash"),
            (("batch/v1", "Job"), "controller-uid"),
        ] {
            assert!(selects(kind, json!({}), expression(key, "Exists", &[])), "{key}");
            assert!(!selects(kind, json!({}), is(key, "x")), "{key}");
            assert!(selects(kind, json!({}), expression(key, "NotIn", &["x"])), "{key}");
        }
    }
}
