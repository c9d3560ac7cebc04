//! Whether the portal's own account has the rights that it needs, and none that it must not have.

use super::request::{ApiRequest, As, Clients};
use app::access::IdentityMode;
use app::policy::Policy;
use app::ports::ClusterError;
use serde_json::{Value, json};

/// What the portal cannot do without, as `deploy/rbac.yaml` grants it: group of the API, resources, verbs.
const NEEDED: [(&str, &[&str], &[&str]); 11] = [
    ("", &["namespaces"], &["get", "list", "watch"]),
    ("rbac.authorization.k8s.io", &["rolebindings", "clusterrolebindings"], &["get", "list", "watch"]),
    ("", &["pods", "services", "replicationcontrollers", "resourcequotas", "limitranges"], &["list", "watch"]),
    ("apps", &["deployments", "statefulsets", "daemonsets", "replicasets"], &["list", "watch"]),
    ("batch", &["jobs", "cronjobs"], &["list", "watch"]),
    ("policy", &["poddisruptionbudgets"], &["list", "watch"]),
    ("networking.k8s.io", &["networkpolicies"], &["list", "watch"]),
    ("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
    ("templates.gatekeeper.sh", &["constrainttemplates"], &["list"]),
    ("constraints.gatekeeper.sh", &["*"], &["list"]),
    ("mutations.gatekeeper.sh", &["assign", "assignmetadata", "modifyset", "assignimage"], &["list"]),
];

/// What it does for people in any case, where it may act as them only for what is listed.
const NEEDED_FOR_PEOPLE: [(&str, &str, &str); 2] =
    [("authorization.k8s.io", "selfsubjectaccessreviews", "create"), ("apps", "deployments", "patch")];

/// A group whose members may do everything, whatever roles there are.
const EVERYTHING: &str = "system:masters";

/// Every right that is missing for reading and for acting as people, and those that are too much.
///
/// # Errors
/// When the cluster does not answer.
pub async fn account_mistakes(clients: &Clients, policy: &Policy) -> Result<Vec<String>, ClusterError> {
    let account = Account { clients };
    let mut mistakes = Vec::new();
    for (group, resources, verbs) in NEEDED {
        for (resource, verb) in resources.iter().flat_map(|resource| verbs.iter().map(move |verb| (resource, verb))) {
            if !account.may(json!({ "verb": verb, "group": group, "resource": resource })).await? {
                mistakes.push(format!("cluster: the portal's account may not {verb} {resource} (deploy/rbac.yaml)"));
            }
        }
    }
    if account.may_impersonate("groups", EVERYTHING).await? {
        mistakes.push(format!(
            "cluster: the portal's account may act as the group {EVERYTHING}, which may do everything: name the groups that \
             it may act as (deploy/rbac-impersonation.yaml)"
        ));
    }
    let acts_as_people = account.may_impersonate("users", "fairway-asks@example.com").await?;
    match policy.identity {
        IdentityMode::Token if acts_as_people => mistakes.push(
            "cluster: identity is \"token\", and the portal's account may act as people all the same: take that right \
             from it"
                .to_owned(),
        ),
        IdentityMode::Impersonation if !acts_as_people => mistakes.push(
            "cluster: identity is \"impersonation\", and the portal's account may not act as people \
             (deploy/rbac-impersonation.yaml)"
                .to_owned(),
        ),
        IdentityMode::Impersonation => {
            let unconstrained = json!({ "verb": "impersonate", "resource": "users" });
            if !account.may(unconstrained).await? {
                mistakes.extend(account.missing_for_people().await?);
            }
            for group in &policy.groups.impersonated {
                let name = format!("{}{group}", policy.groups.group_prefix);
                if !account.may_impersonate("groups", &name).await? {
                    mistakes.push(format!(
                        "cluster: the portal's account may not act as the group {name}, which groups.impersonated names"
                    ));
                }
            }
        }
        IdentityMode::Token => {}
    }
    Ok(mistakes)
}

struct Account<'a> {
    clients: &'a Clients,
}

impl Account<'_> {
    /// In one of the two ways that there are: for what is listed only (KEP-5284), or for everything.
    async fn may_impersonate(&self, resource: &str, name: &str) -> Result<bool, ClusterError> {
        let constrained = json!({
            "verb": "impersonate:user-info", "group": "authentication.k8s.io", "resource": resource, "name": name,
        });
        let unconstrained = json!({ "verb": "impersonate", "resource": resource, "name": name });
        Ok(self.may(constrained).await? || self.may(unconstrained).await?)
    }

    async fn missing_for_people(&self) -> Result<Vec<String>, ClusterError> {
        let mut missing = Vec::new();
        for (group, resource, verb) in NEEDED_FOR_PEOPLE {
            let verb = format!("impersonate-on:user-info:{verb}");
            if !self.may(json!({ "verb": verb, "group": group, "resource": resource })).await? {
                missing.push(format!(
                    "cluster: the portal's account may not {verb} {resource} (deploy/rbac-impersonation.yaml)"
                ));
            }
        }
        Ok(missing)
    }

    async fn may(&self, attributes: Value) -> Result<bool, ClusterError> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": attributes },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = ApiRequest::post(path, &review).acting(As::Portal).send(self.clients).await?;
        Ok(answer.body["status"]["allowed"] == true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_asked_for_is_what_the_file_grants() {
        let file = review::decode("rbac.yaml", include_str!("../../../deploy/rbac.yaml")).unwrap_or_default();
        let role =
            file.iter().find(|object| object.object().name == "fairway-read" && object.object().kind == "ClusterRole");
        let rules = role.map(|role| role.value()["rules"].clone()).unwrap_or_default();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut granted = BTreeSet::new();
        for rule in rules.as_array().into_iter().flatten() {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    granted
                        .extend(texts(&rule["verbs"]).into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
                }
            }
        }
        let mut needed = BTreeSet::new();
        for (group, resources, verbs) in NEEDED {
            for resource in resources {
                needed.extend(verbs.iter().map(|verb| (group.to_owned(), (*resource).to_owned(), (*verb).to_owned())));
            }
        }
        assert_eq!(granted, needed);
    }
}
