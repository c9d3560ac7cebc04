//! Whether the portal's own account has the rights that it needs, and none that it must not have.

use super::request::{ApiRequest, As, Clients};
use app::access::IdentityMode;
use app::policy::Policy;
use app::ports::ClusterError;
use serde_json::{Value, json};

/// What the portal cannot do without: verb, group of the API, resource.
const NEEDED: [(&str, &str, &str); 5] = [
    ("list", "", "namespaces"),
    ("list", "rbac.authorization.k8s.io", "rolebindings"),
    ("list", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("list", "networking.k8s.io", "networkpolicies"),
    ("list", "apps", "deployments"),
];

/// A group whose members may do everything, whatever roles there are.
const EVERYTHING: &str = "system:masters";

/// Every right that is missing, or too much.
///
/// # Errors
/// When the cluster does not answer.
pub async fn account_mistakes(clients: &Clients, policy: &Policy) -> Result<Vec<String>, ClusterError> {
    let account = Account { clients };
    let mut mistakes = Vec::new();
    for (verb, group, resource) in NEEDED {
        if !account.may(json!({ "verb": verb, "group": group, "resource": resource })).await? {
            mistakes.push(format!("cluster: the portal's account may not {verb} {resource} (deploy/rbac.yaml)"));
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
