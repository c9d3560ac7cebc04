//! What runs.

use crate::form::FormErrors;
use crate::namespaces::is_dns_label;
use review::{ImageRef, Kind, MountPath, PodLabels, Port, Variable, Volume, VolumeSource};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The most volumes of a workload: far more than people type.
const MOST_VOLUMES: usize = 50;

/// What runs, as typed. Lists run in parallel: one entry a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkloadForm {
    pub namespace: String,
    /// Its name; of one that runs already as connections write it, or the name alone.
    pub name: String,
    /// `deployment`, `job`, `pod`, or `running` for one that runs already.
    pub kind: String,
    pub replicas: String,
    pub image: String,
    pub command: String,
    /// Ports, parted by commas.
    pub ports: String,
    /// `yes` where a Service is written.
    pub service: String,
    /// Labels of its pods; empty for the usual one.
    pub labels: String,
    /// Environment variables, a line each.
    pub environment: String,
    /// Kind of each volume.
    pub volume_kind: Vec<String>,
    /// Name of what each volume holds.
    pub volume_source: Vec<String>,
    /// Where each volume is mounted.
    pub volume_path: Vec<String>,
    /// Names of volumes that have one already.
    pub volume_name: Vec<String>,
}

impl Default for WorkloadForm {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            name: String::new(),
            kind: "deployment".to_owned(),
            replicas: "2".to_owned(),
            image: String::new(),
            command: String::new(),
            ports: String::new(),
            service: "yes".to_owned(),
            labels: String::new(),
            environment: String::new(),
            volume_kind: Vec::new(),
            volume_source: Vec::new(),
            volume_path: Vec::new(),
            volume_name: Vec::new(),
        }
    }
}

/// [`WorkloadForm`], checked.
pub struct CheckedWorkload {
    pub namespace: String,
    /// Ports it listens on.
    pub ports: Vec<Port>,
    pub runs: Runs,
}

/// Whether the wizard writes pods.
pub enum Runs {
    New(Box<NewWorkload>),
    /// Something that runs already, as it was named.
    Already(String),
}

/// A workload that is to be written.
pub struct NewWorkload {
    pub name: String,
    /// Labels of its pods.
    pub labels: PodLabels,
    pub kind: Kind,
    pub image: ImageRef,
    pub command: Vec<String>,
    pub environment: Vec<Variable>,
    pub volumes: Vec<Volume>,
    /// Whether a Service is written.
    pub service: bool,
}

impl WorkloadForm {
    /// Whether only a policy is written.
    #[must_use]
    pub fn runs_already(&self) -> bool {
        self.kind == "running"
    }

    /// Checks it, adding what is wrong to `errors`.
    pub fn check(&self, errors: &mut FormErrors) -> Option<CheckedWorkload> {
        let namespace = errors.take("namespace", dns_label(&self.namespace, "Choose the namespace it runs in."));
        if self.runs_already() {
            let name = self.name.trim();
            let named =
                if name.is_empty() { Err("Choose the workload that runs already.") } else { Ok(name.to_owned()) };
            let name = errors.take("name", named);
            let ports = errors.take("ports", parse_ports(&self.ports));
            return Some(CheckedWorkload { namespace: namespace?, ports: ports?, runs: Runs::Already(name?) });
        }
        let runs = self.check_new(errors);
        let ports = errors.take("ports", parse_ports(&self.ports));
        Some(CheckedWorkload { namespace: namespace?, ports: ports?, runs: Runs::New(Box::new(runs?)) })
    }

    fn check_new(&self, errors: &mut FormErrors) -> Option<NewWorkload> {
        const NAME: &str = "Enter a name of lower-case letters, digits and '-', at most 63 long, for example web.";
        let name = errors.take("name", dns_label(&self.name, NAME));
        let kind = self.check_kind(errors);
        let image = errors.take("image", self.image.trim().parse());
        let command = errors.take("command", split_command(&self.command));
        let labels = match self.labels.trim() {
            "" => name.as_deref().map(PodLabels::named),
            text => errors.take("labels", text.parse()),
        };
        let environment = errors.take("environment", parse_environment(&self.environment));
        let volumes = self.check_volumes(errors);
        Some(NewWorkload {
            name: name?,
            labels: labels?,
            kind: kind?,
            image: image?,
            command: command?,
            environment: environment?,
            volumes: volumes?,
            service: self.service == "yes",
        })
    }

    fn check_kind(&self, errors: &mut FormErrors) -> Option<Kind> {
        match self.kind.as_str() {
            "deployment" => match self.replicas.trim().parse() {
                Ok(replicas @ 1..=100) => Some(Kind::Deployment { replicas }),
                _ => {
                    errors.add("replicas", "Enter how many copies run, from 1 to 100.");
                    None
                }
            },
            "job" => Some(Kind::Job),
            "pod" => Some(Kind::Pod),
            _ => {
                errors.add("kind", "Choose what kind of workload it is.");
                None
            }
        }
    }

    /// Rows without a kind, a source and a path are passed over.
    fn check_volumes(&self, errors: &mut FormErrors) -> Option<Vec<Volume>> {
        let before = errors.all().len();
        if self.volume_kind.len() > MOST_VOLUMES {
            errors.add("volume_path-0", format!("There can be at most {MOST_VOLUMES} volumes."));
            return None;
        }
        let mut volumes: Vec<Volume> = Vec::new();
        for row in 0..self.volume_kind.len() {
            let Some(volume) = self.check_volume(errors, row) else { continue };
            if volumes.iter().any(|other| other.path == volume.path) {
                errors.add(format!("volume_path-{row}"), "Another volume is mounted there already.");
            }
            volumes.push(volume);
        }
        (errors.all().len() == before).then_some(volumes)
    }

    fn check_volume(&self, errors: &mut FormErrors, row: usize) -> Option<Volume> {
        let (kind, source, path, name) = self.volume(row);
        if kind.is_empty() && source.is_empty() && path.is_empty() {
            return None;
        }
        let named = || {
            let message = "Enter the name of the object, as kubectl get shows it.";
            source.split('.').all(is_dns_label).then(|| source.to_owned()).ok_or(message)
        };
        let source = match kind {
            "scratch" => Ok(VolumeSource::Scratch),
            "configmap" => named().map(VolumeSource::ConfigMap),
            "secret" => named().map(VolumeSource::Secret),
            "claim" => named().map(VolumeSource::Claim),
            _ => Err("Choose what is mounted."),
        };
        let source = errors.take(format!("volume_source-{row}"), source);
        let path = errors.take(format!("volume_path-{row}"), path.parse::<MountPath>());
        let name = match name {
            "" => format!("volume-{}", row + 1),
            name => name.to_owned(),
        };
        Some(Volume { name, path: path?, source: source? })
    }

    /// Kind, source, path and name of a volume.
    #[must_use]
    pub fn volume(&self, row: usize) -> (&str, &str, &str, &str) {
        let lists = (&self.volume_kind, &self.volume_source, &self.volume_path, &self.volume_name);
        (at(lists.0, row), at(lists.1, row), at(lists.2, row), at(lists.3, row))
    }

    /// How many rows were sent.
    #[must_use]
    pub fn rows(&self) -> usize {
        let lists = [&self.volume_kind, &self.volume_source, &self.volume_path, &self.volume_name];
        lists.into_iter().map(Vec::len).max().unwrap_or_default()
    }

    /// The same form with one more empty volume to fill in.
    #[must_use]
    pub fn with_volume(mut self) -> Self {
        self.volume_kind.push(String::new());
        self.volume_source.push(String::new());
        self.volume_path.push(String::new());
        self.volume_name.push(String::new());
        self
    }

    /// The same form without that volume.
    #[must_use]
    pub fn without_volume(mut self, row: usize) -> Self {
        for list in [&mut self.volume_kind, &mut self.volume_source, &mut self.volume_path, &mut self.volume_name] {
            if row < list.len() {
                list.remove(row);
            }
        }
        self
    }
}

pub(super) fn at(list: &[String], row: usize) -> &str {
    list.get(row).map_or("", |text| text.trim())
}

pub(super) fn dns_label(text: &str, message: &'static str) -> Result<String, &'static str> {
    let text = text.trim();
    if is_dns_label(text) { Ok(text.to_owned()) } else { Err(message) }
}

/// Ports parted by commas.
pub(super) fn parse_ports(text: &str) -> Result<Vec<Port>, review::AnswersError> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
}

/// A variable on each line; empty lines and comments are passed over.
fn parse_environment(text: &str) -> Result<Vec<Variable>, String> {
    let mut names = HashSet::new();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with('#'));
    let mut found: Vec<Variable> = Vec::new();
    for (index, line) in lines {
        let number = index + 1;
        let variable: Variable = line.parse().map_err(|error| format!("Line {number}: {error}"))?;
        if !names.insert(variable.name.clone()) {
            return Err(format!("Line {number}: {} is set twice.", variable.name));
        }
        found.push(variable);
    }
    Ok(found)
}

/// Splits a command as a shell would, as far as quotes go; nothing is expanded.
fn split_command(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("A quotation mark in the command is not closed.") } else { Ok(words) }
}

/// Writes words so that checking the form gives them back.
#[must_use]
pub fn join_command(words: &[String]) -> String {
    let quoted = |word: &String| {
        let is_plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        if is_plain {
            return word.clone();
        }
        // Quotes of one kind stand inside quotes of the other.
        word.split_inclusive('\'')
            .map(|part| match part.strip_suffix('\'') {
                Some(rest) => format!("'{rest}'\"'\""),
                None => format!("'{part}'"),
            })
            .collect::<String>()
    };
    let words: Vec<String> =
        words.iter().map(|word| if word.is_empty() { "''".to_owned() } else { quoted(word) }).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_split_as_a_shell_would() {
        assert_eq!(split_command(r#"sh -c "echo 'a b'" ''"#).unwrap(), ["sh", "-c", "echo 'a b'", ""]);
        assert!(split_command("echo 'open").is_err());
    }

    proptest! {
        #[test]
        fn a_command_that_was_written_splits_into_its_words(words in prop::collection::vec("[ -~]{0,9}", 0..5)) {
            prop_assert_eq!(split_command(&join_command(&words)).unwrap(), words);
        }
    }

    #[test]
    fn a_wrong_variable_is_named_by_its_line() {
        assert_eq!(parse_environment("# settings\n\nA=1\nB from secret db/password").unwrap().len(), 2);
        assert!(parse_environment("A=1\nnonsense").unwrap_err().starts_with("Line 2: "));
        assert_eq!(parse_environment("A=1\nA=2").unwrap_err(), "Line 2: A is set twice.");
    }

    #[test]
    fn a_volume_needs_a_source_and_a_path() {
        let form = WorkloadForm::default().with_volume();
        let mut errors = FormErrors::default();
        assert_eq!(form.check_volumes(&mut errors), Some(Vec::new()));
        let form = WorkloadForm { volume_kind: vec!["secret".into()], ..form };
        assert_eq!(form.check_volumes(&mut errors), None);
        let fields: Vec<&str> = errors.all().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["volume_source-0", "volume_path-0"]);
        assert!(form.without_volume(0).volume_path.is_empty());
    }
}
