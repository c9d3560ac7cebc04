//! Where the API server keeps objects of the kinds that the portal applies.

use app::namespaces::is_dns_label;
use app::ports::ClusterError;
use review::Manifest;

/// Where objects of its kind are created.
///
/// # Errors
/// [`ClusterError::NotSent`] for a kind that the portal does not make, or a name that is none.
pub(super) fn collection_path(object: &Manifest) -> Result<String, ClusterError> {
    let plural = match (object.api_version(), object.object().kind.as_str()) {
        ("v1", "Namespace") => return Ok("/api/v1/namespaces".to_owned()),
        ("v1", "Pod") => "pods",
        ("v1", "Service") => "services",
        ("v1", "ConfigMap") => "configmaps",
        ("v1", "ServiceAccount") => "serviceaccounts",
        ("v1", "PersistentVolumeClaim") => "persistentvolumeclaims",
        ("v1", "ResourceQuota") => "resourcequotas",
        ("apps/v1", "Deployment") => "deployments",
        ("apps/v1", "StatefulSet") => "statefulsets",
        ("apps/v1", "DaemonSet") => "daemonsets",
        ("autoscaling/v2", "HorizontalPodAutoscaler") => "horizontalpodautoscalers",
        ("batch/v1", "Job") => "jobs",
        ("batch/v1", "CronJob") => "cronjobs",
        ("policy/v1", "PodDisruptionBudget") => "poddisruptionbudgets",
        ("networking.k8s.io/v1", "Ingress") => "ingresses",
        ("networking.k8s.io/v1", "NetworkPolicy") => "networkpolicies",
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => "rolebindings",
        (_, kind) => return Err(ClusterError::NotSent(format!("Fairway does not apply objects of kind {kind}."))),
    };
    let root = if object.api_version() == "v1" { "/api" } else { "/apis" };
    Ok(format!("{root}/{}/namespaces/{}/{plural}", object.api_version(), segment(&object.object().namespace)?))
}

/// The path of one object.
///
/// # Errors
/// As [`collection_path`].
pub(super) fn resource_path(object: &Manifest) -> Result<String, ClusterError> {
    Ok(format!("{}/{}", collection_path(object)?, segment(&object.object().name)?))
}

/// A name as part of a path. Names of objects are DNS subdomains (RFC 1123), so nothing in one can end
/// the path or begin a query.
///
/// # Errors
/// [`ClusterError::NotSent`] for anything else.
pub(super) fn segment(name: &str) -> Result<&str, ClusterError> {
    let is_subdomain = name.len() <= 253 && name.split('.').all(is_dns_label);
    is_subdomain.then_some(name).ok_or_else(|| ClusterError::NotSent(format!("{name:?} is not a name.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        assert_eq!(segment("shop.staging-2"), Ok("shop.staging-2"));
        for name in ["", "a/b", "a?dryRun=All", "a#", "..", "a%2Fb", "A", "a b", "-a"] {
            assert!(segment(name).is_err(), "{name}");
        }
    }
}
