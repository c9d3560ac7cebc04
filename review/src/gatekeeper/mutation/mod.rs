//! Gatekeeper's mutations: what the cluster changes of an object before its policies judge it
//! (open-policy-agent.github.io/gatekeeper/website/docs/mutation; Gatekeeper, `pkg/mutation`).

mod location;

use super::inventory::Admitted;
use super::object_match::{Applies, applies_to, texts};
use crate::manifest::Manifest;
use location::{Condition, Location, Setter, Step, Way};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The group of mutations.
const GROUP: &str = "mutations.gatekeeper.sh";

/// All mutations of a cluster, in the order in which Gatekeeper applies them.
pub(super) struct Mutations<'a>(Vec<Mutation<'a>>);

/// Why nobody can say what the cluster makes of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cluster's mutation {mutation} cannot be followed here: {reason}")]
pub(super) struct Doubt {
    mutation: String,
    reason: String,
}

struct Mutation<'a> {
    manifest: &'a Manifest,
    kind: Kind,
    change: Result<Change, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Assign,
    AssignMetadata,
    ModifySet,
    /// `AssignImage`, and what later versions may add.
    Other,
}

/// Where something is changed, and how.
struct Change {
    location: Location,
    conditions: BTreeMap<usize, Condition>,
    what: What,
}

enum What {
    Assign(Value),
    AssignName,
    AssignNamespace,
    Merge(Vec<Value>),
    Prune(Vec<Value>),
}

impl<'a> Mutations<'a> {
    pub(super) fn of(existing: &'a [Manifest]) -> Self {
        let is_mutation = |manifest: &&Manifest| manifest.group_version().0 == GROUP;
        let mut mutations: Vec<Mutation<'a>> = existing.iter().filter(is_mutation).map(Mutation::of).collect();
        mutations.sort_by_key(|mutation| (&mutation.manifest.object().kind, &mutation.manifest.object().name));
        find_conflicts(&mut mutations);
        Self(mutations)
    }

    /// Changes an object as the cluster would, over and over until nothing changes any more. Where that cannot be said,
    /// it stays as it is.
    pub(super) fn apply(
        &self,
        admitted: &mut Admitted<'_>,
        namespace: Option<&Value>,
        is_new: bool,
    ) -> Result<(), Doubt> {
        let before = admitted.object.clone();
        let applied = self.until_nothing_changes(admitted, namespace, is_new);
        if applied.is_err() {
            admitted.object = before;
        }
        applied
    }

    fn until_nothing_changes(
        &self,
        admitted: &mut Admitted<'_>,
        namespace: Option<&Value>,
        is_new: bool,
    ) -> Result<(), Doubt> {
        let mut last = None;
        for _ in 0..=self.0.len() {
            let before = admitted.object.clone();
            for mutation in &self.0 {
                if mutation.apply(admitted, namespace, is_new).map_err(|reason| mutation.doubt(reason))? {
                    last = Some(mutation);
                }
            }
            if before == admitted.object {
                return Ok(());
            }
        }
        let endless = || "it does not come to an end".to_owned();
        last.map_or(Ok(()), |mutation| Err(mutation.doubt(endless())))
    }

    /// Refuses what the owner of pods makes, where a mutation changes that owner: a ReplicaSet, which a controller makes,
    /// is not written here.
    pub(super) fn of_template(&self, api_version: &str, kind: &str) -> Result<(), Doubt> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let is_meant = |mutation: &&Mutation<'_>| {
            let changes_template = mutation.change.as_ref().map_or(true, Change::is_about_template);
            mutation.kind != Kind::AssignMetadata
                && changes_template
                && mutation.applies_to_kind(group, version, kind, true)
        };
        let reason = || format!("it changes the {kind} that makes the pods");
        self.0.iter().find(is_meant).map_or(Ok(()), |mutation| Err(mutation.doubt(reason())))
    }
}

/// Gatekeeper applies neither of two mutations that take one place for different things; which those are is its to say.
fn find_conflicts(mutations: &mut [Mutation<'_>]) {
    let conflicts: Vec<usize> = (0..mutations.len())
        .filter(|one| mutations.iter().any(|other| mutations[*one].conflicts_with(other)))
        .collect();
    for place in conflicts {
        mutations[place].change = Err("another mutation takes the same place for something else".to_owned());
    }
}

impl<'a> Mutation<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let kind = match manifest.object().kind.as_str() {
            "Assign" => Kind::Assign,
            "AssignMetadata" => Kind::AssignMetadata,
            "ModifySet" => Kind::ModifySet,
            _ => Kind::Other,
        };
        Self { manifest, kind, change: Change::of(kind, &manifest.value()["spec"]) }
    }

    fn spec(&self) -> &'a Value {
        &self.manifest.value()["spec"]
    }

    fn doubt(&self, reason: String) -> Doubt {
        let object = self.manifest.object();
        Doubt { mutation: format!("{} {}", object.kind, object.name), reason }
    }

    /// Changes an object that it means; says whether it did.
    fn apply(&self, admitted: &mut Admitted<'_>, namespace: Option<&Value>, is_new: bool) -> Result<bool, String> {
        let (group, version) = admitted.group_version();
        if self.kind != Kind::AssignMetadata && !self.applies_to_kind(group, version, admitted.kind(), is_new) {
            return Ok(false);
        }
        match applies_to(&self.spec()["match"], admitted, namespace) {
            Applies::No => return Ok(false),
            Applies::Unknown => return Err("the labels of the namespace are not known".to_owned()),
            Applies::Yes => {}
        }
        self.change.as_ref().map_err(Clone::clone)?.apply(admitted)
    }

    /// `spec.applyTo`, which has no wildcards.
    fn applies_to_kind(&self, group: &str, version: &str, kind: &str, is_new: bool) -> bool {
        let operation = if is_new { "CREATE" } else { "UPDATE" };
        self.spec()["applyTo"].as_array().into_iter().flatten().any(|entry| {
            let has = |field: &str, wanted: &str| texts(&entry[field]).any(|found| found == wanted);
            let operations = &entry["operations"];
            let is_any = operations.as_array().is_none_or(|operations| operations.is_empty());
            let fits_operation = is_any || has("operations", "*") || has("operations", operation);
            has("groups", group) && has("versions", version) && has("kinds", kind) && fits_operation
        })
    }

    fn conflicts_with(&self, other: &Self) -> bool {
        let (Ok(own), Ok(others)) = (&self.change, &other.change) else { return false };
        own.conflicts_with(others) && self.shares_a_kind_with(other)
    }

    /// Whether some kind is in both `spec.applyTo`, which AssignMetadata has none of.
    fn shares_a_kind_with(&self, other: &Self) -> bool {
        let entries = |mutation: &Self| mutation.spec()["applyTo"].as_array().into_iter().flatten();
        let share = |field: &str, one: &Value, other: &Value| {
            texts(&one[field]).any(|text| texts(&other[field]).any(|found| found == text))
        };
        let is_shared =
            |one: &Value, other: &Value| ["groups", "versions", "kinds"].iter().all(|field| share(field, one, other));
        let is_metadata = |mutation: &Self| mutation.kind == Kind::AssignMetadata;
        !is_metadata(self)
            && !is_metadata(other)
            && entries(self).any(|one| entries(other).any(|other| is_shared(one, other)))
    }
}

impl Change {
    fn of(kind: Kind, spec: &Value) -> Result<Self, String> {
        let location = Location::parse(spec["location"].as_str().unwrap_or_default())?;
        let parameters = &spec["parameters"];
        let what = match kind {
            Kind::Assign | Kind::AssignMetadata => assigned(&parameters["assign"])?,
            Kind::ModifySet => {
                let values = parameters["values"]["fromList"].as_array().cloned().unwrap_or_default();
                match parameters["operation"].as_str() {
                    None | Some("merge") => What::Merge(values),
                    Some("prune") => What::Prune(values),
                    Some(other) => return Err(format!("the operation {other} is not known")),
                }
            }
            Kind::Other => return Err("mutations of this kind are not".to_owned()),
        };
        let conditions = match kind {
            // What is there is never changed.
            Kind::AssignMetadata => BTreeMap::from([(location.0.len() - 1, Condition::MustNotExist)]),
            _ => conditions(&parameters["pathTests"], &location)?,
        };
        Ok(Self { location, conditions, what })
    }

    fn apply(&self, admitted: &mut Admitted<'_>) -> Result<bool, String> {
        let value = match &self.what {
            What::AssignName => Some(admitted.name().into()),
            What::AssignNamespace => Some(admitted.namespace.clone().into()),
            What::Assign(value) => Some(value.clone()),
            What::Merge(_) | What::Prune(_) => None,
        };
        let setter = ChangeSetter { what: &self.what, value };
        let way = Way { location: &self.location, conditions: &self.conditions };
        way.follow(admitted.object.to_mut(), &setter)
    }

    /// Whether it changes the template of pods.
    fn is_about_template(&self) -> bool {
        let field = |place: usize, name: &str| self.location.0.get(place) == Some(&Step::Field(name.to_owned()));
        field(0, "spec") && (field(1, "template") || field(1, "jobTemplate"))
    }

    /// Whether both cannot be right about what stands somewhere.
    fn conflicts_with(&self, other: &Self) -> bool {
        let both = self.location.0.iter().zip(&other.location.0);
        let differing = both.map(|steps| match steps {
            (Step::Field(one), Step::Field(other)) => (one == other, false),
            (Step::Items { key: one, .. }, Step::Items { key: other, .. }) => (one == other, one != other),
            _ => (false, true),
        });
        let mut parted = false;
        for (is_same, is_conflict) in differing {
            if is_conflict {
                return true;
            }
            if !is_same {
                parted = true;
                break;
            }
        }
        // A set ends where the other goes on.
        let (own, others) = (self.location.0.len(), other.location.0.len());
        !parted && (self.is_set() && own < others || other.is_set() && others < own)
    }

    fn is_set(&self) -> bool {
        matches!(self.what, What::Merge(_) | What::Prune(_))
    }
}

fn assigned(assign: &Value) -> Result<What, String> {
    if let Some(value) = assign.get("value") {
        return Ok(What::Assign(value.clone()));
    }
    match assign["fromMetadata"]["field"].as_str() {
        Some("name") => Ok(What::AssignName),
        Some("namespace") => Ok(What::AssignNamespace),
        _ => Err("its value comes from outside the cluster".to_owned()),
    }
}

fn conditions(tests: &Value, location: &Location) -> Result<BTreeMap<usize, Condition>, String> {
    let tests = tests.as_array().into_iter().flatten().map(|test| {
        let prefix = Location::parse(test["subPath"].as_str().unwrap_or_default())?;
        let step = location.step_of(&prefix).ok_or("a test is about another place")?;
        match test["condition"].as_str() {
            Some("MustExist") => Ok((step, Condition::MustExist)),
            Some("MustNotExist") => Ok((step, Condition::MustNotExist)),
            _ => Err("a test cannot be read".to_owned()),
        }
    });
    tests.collect()
}

struct ChangeSetter<'a> {
    what: &'a What,
    /// What is assigned.
    value: Option<Value>,
}

impl Setter for ChangeSetter<'_> {
    fn set(&self, object: &mut Map<String, Value>, field: &str) -> Result<(), String> {
        if let Some(value) = &self.value {
            object.insert(field.to_owned(), value.clone());
            return Ok(());
        }
        let found = match object.get_mut(field) {
            None => None,
            Some(Value::Array(found)) => Some(found),
            Some(_) => return Err(format!("{field} is no list")),
        };
        match (self.what, found) {
            (What::Merge(values), None) => drop(object.insert(field.to_owned(), values.clone().into())),
            (What::Merge(values), Some(found)) => {
                for value in values {
                    if !found.contains(value) {
                        found.push(value.clone());
                    }
                }
            }
            (What::Prune(values), Some(found)) => found.retain(|value| !values.contains(value)),
            _ => {}
        }
        Ok(())
    }

    fn item(&self) -> Result<&Map<String, Value>, String> {
        self.value.as_ref().and_then(Value::as_object).ok_or_else(|| "only objects are items of such a list".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::decode;
    use serde_json::json;

    /// What becomes of a pod of the namespace shop.
    fn mutated(mutations: &str, pod: &str) -> Result<Value, Doubt> {
        let mutations = decode("mutations", mutations).unwrap();
        let pod = decode("pod", &format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop}}\n{pod}"));
        let pod = pod.unwrap();
        let mut admitted = Admitted::all_of(&pod[0], |_| ()).remove(0);
        let namespace = json!({ "metadata": { "labels": { "team": "shop" } } });
        Mutations::of(&mutations).apply(&mut admitted, Some(&namespace), true)?;
        Ok(admitted.object.into_owned())
    }

    fn mutation(kind: &str, name: &str, spec: &str) -> String {
        format!(
            "apiVersion: mutations.gatekeeper.sh/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  \
             applyTo: [{{groups: [''], versions: [v1], kinds: [Pod]}}]\n{spec}\n---\n"
        )
    }

    const CONTAINERS: &str = "spec: {containers: [{name: a, image: x}, {name: b, image: v, securityContext: \
                              {privileged: true}}]}";

    #[test]
    fn what_is_not_set_is_set_in_every_container_and_what_is_stays() {
        let unset = mutation(
            "Assign",
            "a",
            "  location: 'spec.containers[name:*].securityContext.privileged'\n  parameters: {assign: {value: false}, \
             pathTests: [{subPath: 'spec.containers[name:*].securityContext.privileged', condition: MustNotExist}]}",
        );
        let pod = mutated(&unset, CONTAINERS).unwrap();
        let privileged: Vec<&Value> = pod["spec"]["containers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|container| &container["securityContext"]["privileged"])
            .collect();
        assert_eq!(privileged, [false, true]);
        assert_eq!(mutated(&unset, "spec: {containers: []}").unwrap()["spec"]["containers"], json!([]));
    }

    #[test]
    fn an_item_of_a_list_is_found_by_its_key_or_made() {
        let one = |location: &str, value: &str| {
            let spec = format!("  location: \"{location}\"\n  parameters: {{assign: {{value: {value}}}}}");
            mutated(&mutation("Assign", "a", &spec), CONTAINERS).unwrap()["spec"].clone()
        };
        assert_eq!(one("spec.containers[name:b].image", "z")["containers"][1]["image"], "z");
        assert_eq!(one("spec.containers[name:c].image", "z")["containers"][2], json!({ "name": "c", "image": "z" }));
        let tolerations = one("spec.tolerations[key:'a/b']", "{key: 'a/b', operator: Exists}")["tolerations"].clone();
        assert_eq!(tolerations, json!([{ "key": "a/b", "operator": "Exists" }]));
    }

    #[test]
    fn metadata_is_added_and_never_changed() {
        let label = |name: &str, assign: &str| {
            let spec = format!("  location: metadata.labels.{name}\n  parameters: {{assign: {assign}}}");
            mutation("AssignMetadata", name, &spec)
        };
        let both = format!("{}{}", label("owner", "{value: us}"), label("of", "{fromMetadata: {field: namespace}}"));
        let pod = mutated(&both, "spec: {}").unwrap();
        assert_eq!(pod["metadata"]["labels"], json!({ "owner": "us", "of": "shop" }));
        let taken = mutation("Assign", "x", "  location: spec.hostIPC\n  parameters: {assign: {value: false}}");
        assert_eq!(mutated(&taken, "spec: {hostIPC: true}").unwrap()["spec"]["hostIPC"], false);
        let existing = "spec: {}\n".to_owned();
        let labelled = decode(
            "p",
            &format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop, labels: {{owner: me}}}}\n{existing}"
            ),
        )
        .unwrap();
        let mut admitted = Admitted::all_of(&labelled[0], |_| ()).remove(0);
        let mutations = decode("m", &label("owner", "{value: us}")).unwrap();
        Mutations::of(&mutations).apply(&mut admitted, None, true).unwrap();
        assert_eq!(admitted.object["metadata"]["labels"]["owner"], "me");
    }

    #[test]
    fn a_set_has_each_value_once_and_loses_what_is_taken_out() {
        let set = |operation: &str, spec: &str| {
            let change = format!(
                "  location: 'spec.containers[name:*].args'\n  parameters: {{operation: {operation}, values: \
                 {{fromList: [--a, --b]}}}}"
            );
            mutated(&mutation("ModifySet", "s", &change), spec).unwrap()["spec"]["containers"][0]["args"].clone()
        };
        assert_eq!(set("merge", "spec: {containers: [{args: [--b, --c]}]}"), json!(["--b", "--c", "--a"]));
        assert_eq!(set("merge", "spec: {containers: [{name: x}]}"), json!(["--a", "--b"]));
        assert_eq!(set("prune", "spec: {containers: [{args: [--b, --c]}]}"), json!(["--c"]));
    }

    #[test]
    fn mutations_see_what_others_changed_until_nothing_changes() {
        // The first in order needs what the second one makes.
        let first = mutation(
            "Assign",
            "a",
            "  location: spec.securityContext.fsGroup\n  parameters: {assign: {value: 1}, pathTests: [{subPath: \
             spec.securityContext, condition: MustExist}]}",
        );
        let second =
            mutation("Assign", "b", "  location: spec.securityContext.runAsGroup\n  parameters: {assign: {value: 2}}");
        let pod = mutated(&format!("{second}{first}"), "spec: {}").unwrap();
        assert_eq!(pod["spec"]["securityContext"], json!({ "runAsGroup": 2, "fsGroup": 1 }));
        let grows = mutation(
            "Assign",
            "a",
            "  location: spec.priority\n  parameters: {assign: {value: 1}, pathTests: [{subPath: spec.priority, \
             condition: MustExist}]}",
        );
        assert!(mutated(&grows, "spec: {}").unwrap()["spec"].get("priority").is_none());
    }

    #[test]
    fn a_match_decides_whom_it_is_for_and_what_cannot_be_followed_is_said() {
        let for_labels = |label: &str| {
            mutation(
                "Assign",
                "a",
                &format!(
                    "  match: {{namespaceSelector: {{matchLabels: {{team: {label}}}}}}}\n  location: spec.hostPID\n  \
                     parameters: {{assign: {{value: false}}}}"
                ),
            )
        };
        let host_pid = |mutations: &str| mutated(mutations, "spec: {}").unwrap()["spec"].get("hostPID").cloned();
        assert_eq!(host_pid(&for_labels("shop")), Some(false.into()));
        assert_eq!(host_pid(&for_labels("pay")), None);
        let doubt = |kind: &str, spec: &str| mutated(&mutation(kind, "a", spec), CONTAINERS).unwrap_err().to_string();
        let external = "  location: spec.nodeName\n  parameters: {assign: {externalData: {provider: p}}}";
        assert!(doubt("Assign", external).contains("Assign a cannot be followed here: its value comes from outside"));
        assert!(doubt("AssignImage", "  location: spec.x\n  parameters: {}").contains("AssignImage a"));
        let not_a_list = "  location: 'spec.containers.image'\n  parameters: {assign: {value: x}}";
        assert!(doubt("Assign", not_a_list).contains("is no object"));
        let elsewhere = mutation("AssignImage", "a", "  location: spec.x").replace("Pod", "Service");
        assert!(mutated(&elsewhere, "spec: {}").is_ok(), "it means nothing here");
    }

    #[test]
    fn of_two_that_take_one_place_for_different_things_nobody_says_which_counts() {
        let assign = |name: &str, location: &str| {
            let spec = format!("  location: '{location}'\n  parameters: {{assign: {{value: 1}}}}");
            mutation("Assign", name, &spec)
        };
        let both = format!("{}{}", assign("a", "spec.x.y"), assign("b", "spec.x[name: z].y"));
        assert!(mutated(&both, "spec: {}").unwrap_err().to_string().contains("takes the same place"));
        let fine = format!("{}{}", assign("a", "spec.x.y"), assign("b", "spec.x.z"));
        assert_eq!(mutated(&fine, "spec: {}").unwrap()["spec"]["x"], json!({ "y": 1, "z": 1 }));
    }
}
