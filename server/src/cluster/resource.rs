//! Where the API server keeps objects of the kinds that the portal applies.

use app::ports::ClusterError;
use review::Manifest;

/// The path of one object.
///
/// # Errors
/// [`ClusterError::Refused`] for a kind that the portal does not apply.
pub(super) fn resource_path(object: &Manifest) -> Result<String, ClusterError> {
    let plural = match (object.api_version(), object.object().kind.as_str()) {
        ("v1", "Pod") => "pods",
        ("v1", "ResourceQuota") => "resourcequotas",
        ("apps/v1", "Deployment") => "deployments",
        ("batch/v1", "Job") => "jobs",
        ("networking.k8s.io/v1", "NetworkPolicy") => "networkpolicies",
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => "rolebindings",
        (_, kind) => return Err(ClusterError::Refused(format!("Fairway does not apply objects of kind {kind}."))),
    };
    let root = if object.api_version() == "v1" { "/api" } else { "/apis" };
    let address = object.object();
    Ok(format!("{root}/{}/namespaces/{}/{plural}/{}", object.api_version(), address.namespace, address.name))
}
