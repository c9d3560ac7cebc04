//! Answers as a person would have typed them.

use super::{DestinationsForm, PeerRows, ResourcesForm, SourcesForm, WorkloadForm, join_command};
use crate::workloads::draft::DraftForm;
use crate::workloads::places::Place;
use review::{Answers, Kind, Opening, Peer, PodAnswers, PodLabels, Port, VolumeSource};

/// The forms that give these answers.
#[must_use]
pub fn draft_of(answers: &Answers, places: &[Place]) -> DraftForm {
    let mut draft = DraftForm { workload: workload(answers), ..DraftForm::default() };
    if let Some(pods) = &answers.pods {
        draft.resources = resources(pods);
    }
    draft.sources = sources(&answers.ingress, places);
    draft.destinations = destinations(&answers.egress, places);
    draft.destinations.dns = yes(answers.dns);
    draft
}

fn yes(is: bool) -> String {
    if is { "yes".to_owned() } else { String::new() }
}

fn listed(ports: &[Port]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn workload(answers: &Answers) -> WorkloadForm {
    let mut form = WorkloadForm {
        namespace: answers.namespace.clone(),
        name: answers.name.clone(),
        ports: listed(&answers.ports),
        ..WorkloadForm::default()
    };
    if answers.labels != PodLabels::named(&answers.name) {
        form.labels = answers.labels.to_string();
    }
    if let Some(pods) = &answers.pods {
        pods_into(&mut form, pods);
    }
    form
}

fn pods_into(form: &mut WorkloadForm, pods: &PodAnswers) {
    match pods.kind {
        Kind::Deployment { replicas } => {
            (form.kind, form.replicas) = ("deployment".to_owned(), replicas.to_string());
        }
        Kind::Job => form.kind = "job".to_owned(),
        Kind::Pod => form.kind = "pod".to_owned(),
    }
    form.image = pods.image_text.clone();
    form.command = join_command(&pods.command);
    form.service = yes(pods.service);
    form.environment = pods.environment.iter().map(|variable| format!("{variable}\n")).collect();
    for volume in &pods.volumes {
        let (kind, source) = match &volume.source {
            VolumeSource::Scratch => ("scratch", ""),
            VolumeSource::ConfigMap(name) => ("configmap", name.as_str()),
            VolumeSource::Secret(name) => ("secret", name.as_str()),
            VolumeSource::Claim(name) => ("claim", name.as_str()),
        };
        form.volume_kind.push(kind.to_owned());
        form.volume_source.push(source.to_owned());
        form.volume_path.push(volume.path.to_string());
        form.volume_name.push(volume.name.clone());
    }
}

fn resources(pods: &PodAnswers) -> ResourcesForm {
    ResourcesForm {
        cpu: pods.cpu_millis.to_string(),
        memory: pods.memory_mib.to_string(),
        run_as_user: pods.run_as_user.to_string(),
        read_only_root: yes(pods.read_only_root),
    }
}

fn sources(openings: &[Opening], places: &[Place]) -> SourcesForm {
    openings.iter().fold(SourcesForm::default(), |mut form, opening| {
        match place_of(opening, places) {
            Some(place) => form.place.push(place.slug.clone()),
            None if opening.peer == Peer::SameNamespace && opening.ports.is_empty() => form.same_namespace = yes(true),
            None => form.rows = with_row(form.rows, opening),
        }
        form
    })
}

fn destinations(openings: &[Opening], places: &[Place]) -> DestinationsForm {
    openings.iter().fold(DestinationsForm::default(), |mut form, opening| {
        match (place_of(opening, places), &opening.peer) {
            (Some(place), _) => form.place.push(place.slug.clone()),
            (None, Peer::Internet { reason }) => {
                form.internet = yes(true);
                form.internet_reason.clone_from(reason);
                form.internet_ports = listed(&opening.ports);
            }
            (None, _) => form.rows = with_row(form.rows, opening),
        }
        form
    })
}

fn place_of<'a>(opening: &Opening, places: &'a [Place]) -> Option<&'a Place> {
    places.iter().find(|place| place.opening() == *opening)
}

/// A row; every pod of the same namespace is the pods of a namespace there, and the internet is never in one.
fn with_row(rows: PeerRows, opening: &Opening) -> PeerRows {
    let ports = listed(&opening.ports);
    match &opening.peer {
        Peer::Namespace(name) => rows.with("namespace", name, &ports),
        Peer::Pods { namespace: None, labels } => rows.with("pods", &labels.to_string(), &ports),
        Peer::Pods { namespace: Some(name), labels } => rows.with("pods", &format!("{labels} in {name}"), &ports),
        Peer::Addresses(blocks) => {
            let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
            rows.with("addresses", &blocks.join(", "), &ports)
        }
        Peer::SameNamespace => rows.with("same-namespace", "", &ports),
        Peer::Internet { .. } => rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::known::Known;
    use crate::workloads::places::usual_places;

    #[test]
    fn answers_that_were_typed_back_are_the_same_answers() {
        let known = Known::new("shop".into(), [], usual_places(), None);
        let workload = WorkloadForm {
            namespace: "shop".into(),
            name: "web".into(),
            image: "harbor.example.com/shop/web:1".into(),
            command: "serve --greeting 'hello there'".into(),
            ports: "8080, UDP 53".into(),
            labels: "app=web".into(),
            environment: "A=1\nB from secret db/password\n".into(),
            volume_kind: vec!["claim".into()],
            volume_source: vec!["data".into()],
            volume_path: vec!["/data".into()],
            ..WorkloadForm::default()
        };
        let mut form = DraftForm { workload, ..DraftForm::default() };
        form.sources.same_namespace = "yes".into();
        form.sources.place = vec!["monitoring".into()];
        form.sources.rows = PeerRows::default().with("pods", "app=a in pay", "8080").with("same-namespace", "", "8080");
        form.destinations.rows = PeerRows::default().with("addresses", "203.0.113.0/24, 198.51.100.7/32", "443").with(
            "namespace",
            "pay",
            "80",
        );
        form.destinations.internet = "yes".into();
        form.destinations.internet_reason = "Calls payment providers".into();
        let answers = form.answers(&known).unwrap();
        assert_eq!(draft_of(&answers, &usual_places()).answers(&known).unwrap(), answers);
    }
}
