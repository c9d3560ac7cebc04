//! Drafts: what was typed so far over all steps, and which step comes next.

use super::bundle::ManifestBundle;
use super::forms::{CheckedWorkload, DestinationsForm, ManifestsForm, ResourcesForm, Runs, SourcesForm, WorkloadForm};
use super::known::Known;
use crate::form::FormErrors;
use jiff::Timestamp;
use review::{Answers, Manifest, PodAnswers, Settings, decode, generate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Workload,
    Sources,
    Destinations,
    Resources,
    /// Objects and fields beside the answers.
    Manifests,
    Review,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 6] =
        [Self::Workload, Self::Sources, Self::Destinations, Self::Resources, Self::Manifests, Self::Review];

    /// As in the address.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Sources => "sources",
            Self::Destinations => "destinations",
            Self::Resources => "resources",
            Self::Manifests => "manifests",
            Self::Review => "review",
        }
    }

    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.slug() == slug)
    }

    /// As on the page.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Workload => "What runs",
            Self::Sources => "Who may reach it",
            Self::Destinations => "What it may reach",
            Self::Resources => "Resources and safety",
            Self::Manifests => "Manifests",
            Self::Review => "Review",
        }
    }
}

/// A draft as it is stored.
pub struct Draft {
    pub id: Uuid,
    pub author_id: Uuid,
    /// The namespace whose people share it; empty while it is its author's alone.
    pub shared_with: String,
    /// Everyone who ever saved it.
    pub contributors: Vec<Uuid>,
    pub saved_by: String,
    /// Grows with every save: who saves an older one would undo what another person typed.
    pub version: i32,
    /// What was typed so far.
    pub form: DraftForm,
    /// When it was last saved.
    pub updated_at: Timestamp,
}

/// A draft as lists show it: without what was typed.
#[derive(Debug, Clone)]
pub struct DraftSummary {
    pub id: Uuid,
    /// Empty while it has none.
    pub name: String,
    pub namespace: String,
    pub next_step: Step,
    pub saved_by: String,
    pub updated_at: Timestamp,
}

/// Everything typed so far, over all steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DraftForm {
    pub workload: WorkloadForm,
    pub sources: SourcesForm,
    pub destinations: DestinationsForm,
    pub resources: ResourcesForm,
    /// What the answers cannot say.
    pub manifests: ManifestsForm,
    /// Where it undoes a change: objects that the change added, and that stay.
    pub remains: Vec<String>,
    /// Steps that were sent without an error.
    pub done: Vec<String>,
}

pub struct Written {
    /// The answers, unless all of it is manifests.
    pub answers: Option<Answers>,
    pub bundle: ManifestBundle,
}

impl DraftForm {
    /// The steps of this draft: pods that run already have their resources, and manifests alone need no answers.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let is_needed = |step: &Step| match step {
            Step::Workload | Step::Sources | Step::Destinations => !self.is_manifests_alone(),
            Step::Resources => !self.is_manifests_alone() && !self.workload.runs_already(),
            Step::Manifests => self.is_manifests_alone() || !self.manifests.is_empty(),
            Step::Review => true,
        };
        Step::ALL.into_iter().filter(is_needed).collect()
    }

    /// Whether there are no answers.
    #[must_use]
    pub fn is_manifests_alone(&self) -> bool {
        self.workload.kind == "manifests"
    }

    /// What the draft is called, once its workload has a name.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        if self.is_manifests_alone() {
            let pasted = decode("text", &self.manifests.text).unwrap_or_default();
            let shown = |manifest: &Manifest| manifest.object().name.chars().filter(|c| !c.is_control()).collect();
            return pasted.last().map(shown);
        }
        let name = self.workload.name.trim();
        let name = name.split('[').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// The objects that the draft makes, or what is wrong with it.
    ///
    /// # Errors
    /// All errors of all steps.
    pub fn written(&self, known: &Known, settings: &Settings) -> Result<Written, FormErrors> {
        let answers = if self.is_manifests_alone() { None } else { Some(self.answers(known)?) };
        let mut errors = FormErrors::default();
        let generated = answers.as_ref().map(|answers| generate(answers, settings)).unwrap_or_default();
        let namespace = self.workload.namespace.trim();
        let manifests = self.manifests.check(generated, namespace, &mut errors);
        let bundle = manifests.and_then(|manifests| errors.take("text", ManifestBundle::write(&manifests)));
        let (Some(bundle), true) = (bundle, errors.is_empty()) else { return Err(errors) };
        Ok(Written { answers, bundle })
    }

    /// The step after this one.
    #[must_use]
    pub fn after(&self, step: Step) -> Step {
        self.steps().into_iter().skip_while(|other| *other != step).nth(1).unwrap_or(Step::Review)
    }

    /// The steps a person may open: those done, and the first that is not.
    #[must_use]
    pub fn may_open(&self, step: Step) -> bool {
        let steps = self.steps();
        steps.contains(&step)
            && steps.into_iter().take_while(|earlier| *earlier != step).all(|earlier| self.is_done(earlier))
    }

    /// The furthest step a person may open.
    #[must_use]
    pub fn furthest(&self) -> Step {
        self.steps().into_iter().rev().find(|step| self.may_open(*step)).unwrap_or(Step::Workload)
    }

    /// Whether a step was sent without an error.
    #[must_use]
    pub fn is_done(&self, step: Step) -> bool {
        self.done.iter().any(|slug| slug == step.slug())
    }

    /// Notes whether a step was sent without an error.
    pub fn set_done(&mut self, step: Step, done: bool) {
        self.done.retain(|slug| slug != step.slug());
        if done {
            self.done.push(step.slug().to_owned());
        }
    }

    /// Whether nothing was typed yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let namespace = self.workload.namespace.clone();
        *self == Self { workload: WorkloadForm { namespace, ..WorkloadForm::default() }, ..Self::default() }
    }

    /// Namespaces, other than its own, whose workloads it names.
    pub fn other_namespaces(&self) -> impl Iterator<Item = &str> {
        let rows = [&self.sources.rows, &self.destinations.rows].into_iter();
        rows.flat_map(|rows| (0..rows.len()).map(|row| rows.row(row)))
            .filter(|(kind, ..)| *kind == "workload")
            .filter_map(|(_, value, _)| value.split_once('/').map(|(namespace, _)| namespace))
            .filter(|namespace| *namespace != self.workload.namespace)
    }

    /// The answers, or what is wrong with them.
    ///
    /// # Errors
    /// All errors of all steps.
    pub fn answers(&self, known: &Known) -> Result<Answers, FormErrors> {
        let mut errors = FormErrors::default();
        let workload = self.workload.check(&mut errors);
        let ingress = self.sources.check(known, &mut errors);
        let egress = self.destinations.check(known, &mut errors);
        let resources = if self.workload.runs_already() { None } else { self.resources.check(&mut errors) };
        let (Some(workload), Some(ingress), Some(egress), true) = (workload, ingress, egress, errors.is_empty()) else {
            return Err(errors);
        };
        let CheckedWorkload { namespace, ports, runs } = workload;
        let dns = self.destinations.dns == "yes";
        match (runs, resources) {
            (Runs::New(new), Some(resources)) => {
                let pods = PodAnswers {
                    kind: new.kind,
                    image: new.image,
                    image_text: self.workload.image.trim().to_owned(),
                    command: new.command,
                    environment: new.environment,
                    volumes: new.volumes,
                    service: new.service,
                    cpu_millis: resources.cpu_millis,
                    memory_mib: resources.memory_mib,
                    run_as_user: resources.run_as_user,
                    read_only_root: resources.read_only_root,
                };
                let (name, labels) = (new.name, new.labels);
                Ok(Answers { namespace, name, labels, ports, ingress, egress, dns, pods: Some(pods) })
            }
            (Runs::Already(text), _) => {
                let found = known.workload(&text).and_then(|workload| {
                    let labels = workload.labels.clone();
                    let labels =
                        labels.ok_or("Its pods have no labels, so no policy can select them. Give them one first.")?;
                    Ok((workload.name.clone(), labels))
                });
                let Some((name, labels)) = errors.take("name", found) else { return Err(errors) };
                Ok(Answers { namespace, name, labels, ports, ingress, egress, dns, pods: None })
            }
            (Runs::New(_), None) => Err(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::forms::PeerRows;
    use crate::workloads::known::RunningWorkload;

    fn valid() -> DraftForm {
        let workload = WorkloadForm {
            namespace: "shop".into(),
            name: "web".into(),
            image: "harbor.example.com/shop/web:1".into(),
            ports: "8080, UDP 53".into(),
            ..WorkloadForm::default()
        };
        DraftForm { workload, ..DraftForm::default() }
    }

    fn errors(form: &DraftForm) -> Vec<String> {
        form.answers(&Known::default()).unwrap_err().all().iter().map(|error| error.field.clone()).collect()
    }

    #[test]
    fn the_defaults_need_only_a_name_a_namespace_and_an_image() {
        let answers = valid().answers(&Known::default()).unwrap();
        assert_eq!(answers.ports.len(), 2);
        assert!(answers.dns && answers.pods.unwrap().read_only_root);
        assert_eq!(errors(&DraftForm::default()), ["namespace", "name", "image"]);
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut form = valid();
        form.workload.replicas = "many".into();
        form.workload.ports = "http".into();
        form.resources.run_as_user = "0".into();
        form.destinations.rows = PeerRows::default().with("addresses", "10.0.0", "443");
        assert_eq!(errors(&form), ["replicas", "ports", "value-0", "run_as_user"]);
    }

    #[test]
    fn for_what_runs_already_only_its_name_is_needed_and_there_are_fewer_steps() {
        let labels = Some("app=old".parse().unwrap());
        let running = RunningWorkload {
            namespace: "shop".into(),
            name: "api".into(),
            kind: "Deployment".into(),
            labels,
            pod_labels: std::collections::BTreeMap::default(),
            ports: Vec::new(),
        };
        let known = Known::new("shop".into(), [running], Vec::new(), None);
        let workload = WorkloadForm {
            namespace: "shop".into(),
            name: "shop/api[Deployment]".into(),
            kind: "running".into(),
            ..WorkloadForm::default()
        };
        let mut form = DraftForm { workload, ..DraftForm::default() };
        let answers = form.answers(&known).unwrap();
        assert_eq!((answers.name.as_str(), answers.labels.to_string().as_str()), ("api", "app=old"));
        assert!(answers.pods.is_none() && !form.steps().contains(&Step::Resources));
        assert_eq!(form.after(Step::Destinations), Step::Review);
        form.workload.name = "gone".into();
        assert!(form.answers(&known).is_err());
    }

    #[test]
    fn a_step_opens_when_those_before_it_are_done() {
        let mut form = DraftForm::default();
        assert!(form.may_open(Step::Workload) && !form.may_open(Step::Sources));
        form.set_done(Step::Workload, true);
        assert!(form.may_open(Step::Sources) && !form.may_open(Step::Review));
        assert_eq!(form.furthest(), Step::Sources);
    }

    #[test]
    fn a_draft_is_untouched_until_something_but_the_namespace_is_typed() {
        let mut form = DraftForm::default();
        form.workload.namespace = "shop".into();
        assert!(form.is_untouched());
        assert!(!valid().is_untouched());
    }
}
