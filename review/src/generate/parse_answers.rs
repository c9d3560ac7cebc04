//! The way back: from manifests to answers, and overrides for what answers cannot say.

use super::differences::{cpu_millis, memory_mib, missing, nothing_lost, overrides_of};
use super::overrides::Override;
use super::parse_policy::openings;
use super::{Answers, KeyedObject, Kind, PodAnswers, Port, Variable, VariableValue, Volume, VolumeSource, generate};
use crate::manifest::Manifest;
use crate::network_policy::NetworkPolicy;
use crate::patch::Operation;
use crate::settings::Settings;
use crate::workload::Workload;
use serde_json::Value;

/// Manifests, as far as answers can say them.
#[derive(Debug, Clone)]
pub struct ParsedAnswers {
    pub answers: Answers,
    /// Fields of the objects that the answers make again.
    pub overrides: Vec<Override>,
    /// Objects that the answers do not make.
    pub others: Vec<Manifest>,
}

/// Why manifests have no answers. They can still be reviewed and applied as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAnswersError {
    /// Not exactly one Deployment, Job or Pod.
    #[error("The wizard writes one Deployment, Job or Pod at a time, and here is none or more than one.")]
    NotOneWorkload,
    /// Its pods have no labels, or its name is none that the wizard takes.
    #[error("The workload's pods have no labels, or its name is longer than a label.")]
    NoLabels,
    /// No container, or an image that cannot be read.
    #[error("The workload has no container whose image can be read.")]
    NoImage,
    /// Something would get lost on the way through the answers.
    #[error("The wizard cannot write {0} as it stands here.")]
    Lossy(String),
}

/// Finds the answers that make these manifests. What comes of them again, with the overrides, holds every field that
/// the manifests have; fields that the wizard adds for safety may be there besides.
///
/// # Errors
/// [`ParseAnswersError`] where there are none.
pub fn parse_answers(manifests: &[Manifest], settings: &Settings) -> Result<ParsedAnswers, ParseAnswersError> {
    let workloads: Vec<&Manifest> = manifests.iter().filter(|manifest| Workload::of(manifest).is_some()).collect();
    let [manifest] = workloads.as_slice() else { return Err(ParseAnswersError::NotOneWorkload) };
    let workload = Workload::of(manifest).ok_or(ParseAnswersError::NotOneWorkload)?;
    let labels = workload.selecting_labels().ok_or(ParseAnswersError::NoLabels)?;
    let name = manifest.object().name.clone();
    if !crate::names::is_dns_label(&name) {
        return Err(ParseAnswersError::NoLabels);
    }
    let mut answers = Answers {
        namespace: manifest.object().namespace.clone(),
        name,
        labels,
        ports: ports_of(&workload),
        ingress: Vec::new(),
        egress: Vec::new(),
        dns: false,
        pods: Some(pods(&workload)?),
    };
    let mut taken: Vec<&Manifest> = vec![manifest];
    if let Some(service) = manifests.iter().find(|manifest| is_service_of(manifest, &answers, settings)) {
        taken.push(service);
        set_service(&mut answers);
    }
    let policies: Vec<&Manifest> = manifests.iter().filter(|manifest| selects(manifest, &workload)).collect();
    if let [policy] = policies.as_slice()
        && let Some((ingress, egress, dns)) = openings(policy, &answers, settings)
    {
        (answers.ingress, answers.egress, answers.dns) = (ingress, egress, dns);
        taken.push(policy);
    }
    let others: Vec<Manifest> = manifests
        .iter()
        .filter(|manifest| !taken.iter().any(|taken| std::ptr::eq(*taken, *manifest)))
        .cloned()
        .collect();
    let generated = generate(&answers, settings);
    let mut overrides = overrides_of(&generated, &taken, &answers);
    nothing_lost(generated, &overrides, &taken, &answers)?;
    overrides.extend(renamed_policy(&answers, &others));
    Ok(ParsedAnswers { answers, overrides, others })
}

fn set_service(answers: &mut Answers) {
    if let Some(pods) = &mut answers.pods {
        pods.service = true;
    }
}

/// A policy that stays as it is may have the name that the wizard's would get.
fn renamed_policy(answers: &Answers, others: &[Manifest]) -> Option<Override> {
    let is_policy_named =
        |name: &str| others.iter().any(|other| other.object().kind == "NetworkPolicy" && other.object().name == name);
    is_policy_named(&answers.name).then(|| {
        let free = (1..).map(|number| format!("{}-wizard-{number}", answers.name)).find(|name| !is_policy_named(name));
        let value = free.unwrap_or_default().into();
        Override {
            kind: "NetworkPolicy".into(),
            operations: vec![Operation::Replace { path: "/metadata/name".into(), value }],
        }
    })
}

fn selects(manifest: &Manifest, workload: &Workload<'_>) -> bool {
    NetworkPolicy::of(manifest).is_some_and(|policy| policy.selects_workload(workload))
}

/// Whether it is the Service that the wizard would write: another one stays as it is.
fn is_service_of(manifest: &Manifest, answers: &Answers, settings: &Settings) -> bool {
    let mut with_service = answers.clone();
    set_service(&mut with_service);
    let made = generate(&with_service, settings);
    let written = made.iter().find(|made| made.object().kind == "Service");
    manifest.api_version() == "v1"
        && written.is_some_and(|written| {
            written.object() == manifest.object() && missing(manifest.value(), written.value(), String::new()).is_none()
        })
}

/// Ports of the first container; those of others are overrides.
fn ports_of(workload: &Workload<'_>) -> Vec<Port> {
    let first = workload.spec()["containers"][0]["ports"].as_array().into_iter().flatten();
    first.filter_map(Port::of_container).collect()
}

fn pods(workload: &Workload<'_>) -> Result<PodAnswers, ParseAnswersError> {
    let container = &workload.spec()["containers"][0];
    let image_text = container["image"].as_str().ok_or(ParseAnswersError::NoImage)?.to_owned();
    let kind = match workload.manifest.object().kind.as_str() {
        "Deployment" => Kind::Deployment { replicas: u32::try_from(workload.replicas()).unwrap_or(1) },
        "Job" => Kind::Job,
        "Pod" => Kind::Pod,
        _ => return Err(ParseAnswersError::NotOneWorkload),
    };
    let context = |field: &str| {
        let own = &container["securityContext"][field];
        if own.is_null() { &workload.spec()["securityContext"][field] } else { own }
    };
    let user = context("runAsUser").as_u64().and_then(|user| u32::try_from(user).ok()).filter(|user| *user > 0);
    Ok(PodAnswers {
        kind,
        image: image_text.parse().map_err(|_| ParseAnswersError::NoImage)?,
        image_text,
        command: typed(&container["command"]),
        environment: variables(list(&container["env"])),
        volumes: mounted(workload.spec(), container),
        service: false,
        cpu_millis: cpu_millis(&container["resources"]["requests"]["cpu"]).unwrap_or(100),
        memory_mib: memory_mib(&container["resources"]["requests"]["memory"]).unwrap_or(128),
        run_as_user: user.unwrap_or(10_001),
        read_only_root: container["securityContext"]["readOnlyRootFilesystem"] == true,
    })
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A command that can be typed in one line; any other is an override.
fn typed(command: &Value) -> Vec<String> {
    let words: Option<Vec<String>> = list(command).iter().map(|word| word.as_str().map(str::to_owned)).collect();
    words.filter(|words| !words.iter().any(|word| word.contains(char::is_control))).unwrap_or_default()
}

/// Variables refer to those before them: where one cannot be said, all are overrides, in their order.
fn variables(given: &[Value]) -> Vec<Variable> {
    given.iter().map(variable).collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn variable(value: &Value) -> Option<Variable> {
    let from = &value["valueFrom"];
    let key = |object: KeyedObject, reference: &Value| VariableValue::Key {
        object,
        name: reference["name"].as_str().unwrap_or_default().to_owned(),
        key: reference["key"].as_str().unwrap_or_default().to_owned(),
    };
    let name = value["name"].as_str()?.to_owned();
    let read = match (&from["secretKeyRef"], &from["configMapKeyRef"], from) {
        (secret @ Value::Object(_), ..) => key(KeyedObject::Secret, secret),
        (_, map @ Value::Object(_), _) => key(KeyedObject::ConfigMap, map),
        (_, _, Value::Null) => VariableValue::Text(value["value"].as_str().unwrap_or_default().to_owned()),
        _ => return None,
    };
    let variable = Variable { name, value: read };
    // What would be written in another way, or cannot be typed in one line, is an override.
    let line = variable.to_string();
    let says_the_same = variable.written() == *value && line.parse() == Ok(variable.clone());
    (says_the_same && !line.contains(char::is_control) && !line.starts_with('#')).then_some(variable)
}

/// Volumes that the first container mounts once, as a whole.
fn mounted(spec: &Value, container: &Value) -> Vec<Volume> {
    let mounts = list(&container["volumeMounts"]);
    let found = list(&spec["volumes"]).iter().filter_map(|volume| {
        let name = volume["name"].as_str()?;
        let mut here = mounts.iter().filter(|mount| mount["name"] == name);
        let (Some(mount), None) = (here.next(), here.next()) else { return None };
        let named = |reference: &Value, field: &str| reference[field].as_str().map(str::to_owned);
        let source = if volume["emptyDir"].is_object() {
            VolumeSource::Scratch
        } else if let Some(of) = named(&volume["configMap"], "name") {
            VolumeSource::ConfigMap(of)
        } else if let Some(of) = named(&volume["secret"], "secretName") {
            VolumeSource::Secret(of)
        } else {
            VolumeSource::Claim(named(&volume["persistentVolumeClaim"], "claimName")?)
        };
        let volume = Volume { name: name.to_owned(), path: mount["mountPath"].as_str()?.parse().ok()?, source };
        Some(volume).filter(|volume| mount.get("subPath").is_none() && volume.path.to_string() == mount["mountPath"])
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::overrides::apply_overrides;
    use crate::generate::tests::any_answers;
    use crate::manifest::decode;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(yaml: &str) -> Vec<Manifest> {
        decode("given", yaml).unwrap()
    }

    /// What comes of manifests that went through the answers.
    fn again(manifests: &[Manifest]) -> Vec<Manifest> {
        let settings = Settings::default();
        let parsed = parse_answers(manifests, &settings).unwrap();
        let mut made = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
        made.extend(parsed.others);
        made
    }

    proptest! {
        #[test]
        fn what_the_wizard_wrote_comes_back_as_its_answers(answers in any_answers()) {
            let settings = Settings::default();
            let made = generate(&answers, &settings);
            let parsed = parse_answers(&made, &settings).unwrap();
            let again = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
            prop_assert_eq!(&again, &made);
            prop_assert!(parsed.others.is_empty() && parsed.overrides.is_empty(), "{:#?}", parsed);
        }
    }

    const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop, labels: {team: a}, annotations: {note: mine}}
spec:
  replicas: 3
  strategy: {type: Recreate}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, version: v7}}
    spec:
      serviceAccountName: shop
      containers:
      - name: main
        image: harbor.example.com/shop/web:1.4.2
        args: [serve]
        ports: [{containerPort: 8080, name: http}]
        env:
        - {name: LEVEL, value: info}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
        resources: {requests: {cpu: "1", memory: 1Gi}, limits: {memory: 2Gi}}
        livenessProbe: {httpGet: {path: /, port: 8080}}
        securityContext: {runAsUser: 1000}
        volumeMounts: [{name: data, mountPath: /data}, {name: settings, mountPath: /etc/a, subPath: a}]
      - {name: sidecar, image: harbor.example.com/shop/side:2}
      volumes:
      - {name: data, emptyDir: {}}
      - {name: settings, configMap: {name: settings}}
"#;

    #[test]
    fn what_answers_can_say_becomes_answers() {
        let answers = parse_answers(&read(DEPLOYMENT), &Settings::default()).unwrap().answers;
        let pods = answers.pods.unwrap();
        assert_eq!((answers.name.as_str(), answers.labels.to_string().as_str()), ("shop", "app=shop"));
        assert_eq!(pods.kind, Kind::Deployment { replicas: 3 });
        assert_eq!((pods.cpu_millis, pods.memory_mib, pods.run_as_user), (1000, 1024, 1000));
        let variables: Vec<String> = pods.environment.iter().map(ToString::to_string).collect();
        assert_eq!(variables, Vec::<String>::new(), "one of them cannot be said");
        assert_eq!(pods.volumes.len(), 1);
    }

    #[test]
    fn what_answers_cannot_say_becomes_an_override() {
        let given = read(DEPLOYMENT);
        let made = again(&given);
        let deployment = made.iter().find(|made| made.object().kind == "Deployment").unwrap().value();
        let spec = &deployment["spec"]["template"]["spec"];
        assert_eq!(spec["serviceAccountName"], "shop");
        assert_eq!(spec["containers"][0]["livenessProbe"]["httpGet"]["path"], "/");
        assert_eq!(spec["containers"][0]["args"], json!(["serve"]));
        assert_eq!(spec["containers"][0]["resources"]["limits"]["memory"], "2048Mi");
        assert_eq!(spec["containers"][1]["name"], "sidecar");
        assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
        assert_eq!(deployment["metadata"]["annotations"]["note"], "mine");
        let names: Vec<&Value> = list(&spec["containers"][0]["env"]).iter().map(|variable| &variable["name"]).collect();
        assert_eq!(names, ["LEVEL", "NODE", "PASSWORD"], "variables refer to those before them");
    }

    #[test]
    fn a_second_container_that_is_called_like_the_workload_is_not_taken_for_the_first() {
        let yaml = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, \
            spec: {containers: [{name: proxy, image: 'a/p:1'}, {name: web, image: 'a/w:1'}]}}";
        let made = again(&read(yaml));
        let pod = made.iter().find(|made| made.object().kind == "Pod").unwrap();
        let images: Vec<&Value> =
            list(&pod.value()["spec"]["containers"]).iter().map(|container| &container["image"]).collect();
        assert_eq!(images, ["a/p:1", "a/w:1"]);
    }

    #[test]
    fn values_of_several_lines_are_kept_and_not_torn_apart() {
        let yaml = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, \
            spec: {containers: [{name: web, image: 'a/w:1', command: [sh, -c, \"a\\nb\"], env: [{name: A, \
            value: \"a=1\\n#b=2\"}]}]}}";
        let parsed = parse_answers(&read(yaml), &Settings::default()).unwrap();
        let pods = parsed.answers.pods.as_ref().unwrap();
        assert!(pods.environment.is_empty() && pods.command.is_empty());
        let made = again(&read(yaml));
        let container = &made.last().unwrap().value()["spec"]["containers"][0];
        assert_eq!((&container["env"][0]["value"], &container["command"][2]), (&json!("a=1\n#b=2"), &json!("a\nb")));
    }

    #[test]
    fn limits_users_and_services_keep_their_meaning() {
        let pod = |resources: &str, context: &str| {
            format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: web, labels: {{app: web}}}}, \
                 spec: {{securityContext: {{runAsUser: 2000}}, containers: [{{name: web, image: 'a/w:1', \
                 ports: [{{containerPort: 8080}}], resources: {resources}, securityContext: {context}}}]}}}}"
            )
        };
        let made = again(&read(&pod("{requests: {cpu: 1500m, memory: 512M}}", "{runAsUser: 1000}")));
        let spec = &made.last().unwrap().value()["spec"];
        assert_eq!(spec["containers"][0]["resources"]["requests"]["memory"], "512M");
        assert_eq!(spec["containers"][0]["resources"]["limits"].get("memory"), None);
        assert_eq!(
            (&spec["securityContext"]["runAsUser"], &spec["containers"][0]["securityContext"]["runAsUser"]),
            (&json!(2000), &json!(1000))
        );
        let service = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, \
            ports: [{port: 80, targetPort: 8080}]}}";
        let given = read(&format!("{}\n---\n{service}", pod("{}", "{}")));
        let parsed = parse_answers(&given, &Settings::default()).unwrap();
        assert!(!parsed.answers.pods.unwrap().service);
        assert_eq!(parsed.others[0].object().to_string(), "Service/web");
    }

    #[test]
    fn other_objects_and_policies_that_answers_cannot_say_stay_as_they_are() {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: shop, \
            namespace: shop}, spec: {podSelector: {matchLabels: {app: shop}}, policyTypes: [Ingress, Egress], \
            ingress: [{from: [{podSelector: {}}], ports: [{port: 1, endPort: 9}]}]}}";
        let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {a: b}}";
        let given = read(&format!("{DEPLOYMENT}\n---\n{policy}\n---\n{map}"));
        let made = again(&given);
        let names: Vec<String> = made.iter().map(|made| made.object().to_string()).collect();
        assert_eq!(
            names,
            [
                "NetworkPolicy/shop/shop-wizard-1",
                "Deployment/shop/shop",
                "NetworkPolicy/shop/shop",
                "ConfigMap/shop/settings"
            ]
        );
    }

    #[test]
    fn a_policy_that_answers_can_say_keeps_its_name() {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: allow-shop, \
            namespace: shop}, spec: {podSelector: {matchLabels: {app: shop}}, policyTypes: [Egress, Ingress], \
            ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}]}}";
        let given = read(&format!("{DEPLOYMENT}\n---\n{policy}"));
        let answers = parse_answers(&given, &Settings::default()).unwrap().answers;
        assert_eq!(answers.ingress.len(), 1);
        assert!(answers.ingress[0].ports.is_empty() && !answers.dns);
        assert!(again(&given).iter().any(|made| made.object().to_string() == "NetworkPolicy/shop/allow-shop"));
    }

    #[test]
    fn manifests_without_one_workload_have_no_answers() {
        let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
        assert_eq!(parse_answers(&read(map), &Settings::default()).unwrap_err(), ParseAnswersError::NotOneWorkload);
        assert_eq!(
            parse_answers(&read(&format!("{DEPLOYMENT}\n---\n{DEPLOYMENT}")), &Settings::default()).unwrap_err(),
            ParseAnswersError::NotOneWorkload
        );
    }
}
