//! The cluster adapter on a real API server with RBAC, the platform's webhook and HNC's interface.

use crate::parts::browser::Browser;
use crate::parts::{client, clients, cluster, dex, identity, kube_config, told, wait_for};
use app::access::{IdentityMode, KubeIdentity, KubeToken, Subject};
use app::policy::{GroupMapping, Policy};
use app::ports::{
    Beginning, ClusterAccess, ClusterApply, ClusterError, ClusterInventory, Finished, IdentityProvider, Right, Run,
};
use kube::config::AuthInfo;
use review::Manifest;
use serde_json::{Value, json};
use server::cluster::{Clients, KubeCluster, account_mistakes};
use uuid::Uuid;

fn dana() -> KubeIdentity {
    identity("dana", &["team-shop"])
}

fn unique(stem: &str) -> String {
    format!("{stem}-{}", Uuid::new_v4().simple())
}

/// Applies an object; the bytes are what the portal would send.
async fn apply(
    cluster: &KubeCluster,
    who: &KubeIdentity,
    object: &Value,
    run: Run,
) -> Result<Vec<String>, ClusterError> {
    let manifest = Manifest::from_value(object.clone()).unwrap();
    cluster.apply(who, &manifest, &object.to_string(), run).await.map(|applied| applied.warnings)
}

/// A policy for the pods of an app.
fn policy_for(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": name, "namespace": "shop" },
        "spec": { "podSelector": { "matchLabels": { "app": app } }, "policyTypes": ["Ingress", "Egress"] },
    })
}

fn policy(name: &str) -> Value {
    policy_for(name, name)
}

fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "shop", "labels": { "app": name } },
        "spec": {
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "main", "image": image,
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" } },
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    })
}

/// The watch caches fill in the background.
async fn filled(cluster: &KubeCluster) {
    wait_for(async || {
        cluster.objects_in(&dana(), "shop").await.ok()?;
        cluster.bindings_of(&dana()).ok()?;
        cluster.namespace("shop").ok()?.map(drop)
    })
    .await;
}

#[tokio::test]
async fn rights_are_those_of_the_person_and_not_of_the_portal() {
    let cluster = cluster().await;
    let right = |namespace: &str| Right::within(namespace.to_owned(), "create", "apps", "deployments");
    assert_eq!(cluster.allows(&dana(), &right("shop")).await, Ok(true));
    assert_eq!(cluster.allows(&dana(), &right("pay")).await, Ok(false));
    assert_eq!(cluster.allows(&identity("nico", &[]), &right("shop")).await, Ok(false));
}

/// The same person with a token of their own, from Dex.
async fn with_token(subject: &str, groups: &[&str]) -> KubeIdentity {
    let provider = dex();
    for _ in 0..2 {
        let (url, pending) = provider.begin(Beginning::default()).await.unwrap();
        let answer = Browser::default().sign_in(url, subject).await;
        if let Finished::SignedIn(signed_in) = provider.finish(answer["code"].clone(), pending).await.unwrap() {
            return identity(subject, groups).with_token(KubeToken::new(signed_in.id_token));
        }
    }
    panic!("{subject} is not signed in")
}

/// The portal without an account of its own.
async fn without_account() -> KubeCluster {
    let mut config = kube_config(&told("FAIRWAY_TEST_KUBECONFIG")).await;
    config.auth_info = AuthInfo::default();
    KubeCluster::start(Clients::new(config).unwrap())
}

#[tokio::test]
async fn with_their_own_tokens_people_act_through_a_portal_that_may_act_as_nobody() {
    let cluster = without_account().await;
    let right = |namespace: &str| Right::within(namespace.to_owned(), "create", "apps", "deployments");
    let dana = with_token("dana", &["team-shop"]).await;
    assert_eq!(cluster.allows(&dana, &right("shop")).await, Ok(true));
    assert_eq!(cluster.allows(&dana, &right("pay")).await, Ok(false));
    let name = unique("token");
    apply(&cluster, &dana, &policy(&name), Run::Real).await.unwrap();
    let manifest = Manifest::from_value(policy(&name)).unwrap();
    assert!(cluster.read(&dana, &manifest).await.unwrap().is_some());
    // What the token says counts, not what the portal believes.
    let pia = with_token("pia", &["team-shop"]).await;
    assert!(matches!(apply(&cluster, &pia, &policy(&name), Run::Dry).await, Err(ClusterError::Refused(_))));
    // Impersonating, which nobody may without an account, it gets nowhere.
    assert!(cluster.allows(&identity("dana", &["team-shop"]), &right("shop")).await.is_err());
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_a_person_who_must_sign_in() {
    let cluster = without_account().await;
    let nobody = identity("dana", &["team-shop"]).with_token(KubeToken::new("a.b.c".to_owned()));
    let right = Right::within("shop".to_owned(), "create", "apps", "deployments");
    assert_eq!(cluster.allows(&nobody, &right).await, Err(ClusterError::NotSignedIn));
}

#[tokio::test]
async fn a_group_is_asked_for_without_acting_as_anybody() {
    let cluster = cluster().await;
    let right = Right::within("shop".to_owned(), "create", "apps", "deployments");
    let allows = async |group: &str| cluster.allows_group(&group.to_owned().try_into().unwrap(), &right).await;
    assert_eq!((allows("team-shop").await, allows("team-pay").await), (Ok(true), Ok(false)));
}

#[tokio::test]
async fn every_binding_of_a_person_is_found_with_the_group_it_comes_through() {
    let cluster = cluster().await;
    filled(&cluster).await;
    let lee = identity("lee", &["team-shop", "team-shop-leads"]);
    let mut found: Vec<(String, String)> = cluster
        .bindings_of(&lee)
        .unwrap()
        .into_iter()
        .filter(|binding| binding.namespace.as_deref() == Some("shop"))
        .map(|binding| match binding.subject {
            Subject::Group(group) => (binding.name, group),
            Subject::User(user) => panic!("bound by name: {user}"),
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("extra-workload-admins".to_owned(), "team-shop-leads".to_owned()),
            ("workload-admin".to_owned(), "team-shop".to_owned())
        ]
    );
}

#[tokio::test]
async fn a_dry_run_stores_nothing_and_an_apply_stores_the_object_under_our_name() {
    let cluster = cluster().await;
    let name = unique("web");
    apply(&cluster, &dana(), &policy(&name), Run::Dry).await.unwrap();
    let manifest = Manifest::from_value(policy(&name)).unwrap();
    assert_eq!(cluster.read(&dana(), &manifest).await, Ok(None));
    apply(&cluster, &dana(), &policy(&name), Run::Real).await.unwrap();
    let stored = cluster.read(&dana(), &manifest).await.unwrap().unwrap();
    assert_eq!(stored["metadata"]["managedFields"][0]["manager"], "fairway");
}

#[tokio::test]
async fn a_review_sees_the_namespace_as_the_person_does_and_the_policies_of_the_cluster() {
    let cluster = cluster().await;
    filled(&cluster).await;
    let around = cluster.namespace_snapshot(&dana(), "shop").await.unwrap();
    assert_eq!(around.unread, Vec::<String>::new());
    let kinds: Vec<&str> = around.objects.iter().map(|object| object.object().kind.as_str()).collect();
    for kind in ["Namespace", "ConstraintTemplate", "K8sRequireNetworkPolicy", "K8sResourceRequests"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let elsewhere = cluster.namespace_snapshot(&identity("pia", &["team-pay"]), "shop").await.unwrap();
    assert!(elsewhere.unread.contains(&"networkpolicies of shop".to_owned()), "{:?}", elsewhere.unread);
    assert!(elsewhere.objects.iter().all(|object| object.object().kind != "NetworkPolicy"));
}

#[tokio::test]
async fn what_rbac_forbids_comes_back_in_the_clusters_own_words() {
    let cluster = cluster().await;
    let refused = apply(&cluster, &identity("pia", &["team-pay"]), &policy(&unique("x")), Run::Dry).await;
    let Err(ClusterError::Refused(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains(r#"User "pia@example.com" cannot patch resource "networkpolicies""#), "{message}");
}

#[tokio::test]
async fn a_field_that_somebody_else_manages_is_a_conflict_and_is_not_overwritten() {
    let cluster = cluster().await;
    let name = unique("web");
    let admin = client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    let path = format!("/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/{name}");
    let request = http::Request::patch(format!("{path}?fieldManager=helm"))
        .header("content-type", "application/apply-patch+yaml")
        .body(policy_for(&name, "theirs").to_string().into_bytes())
        .unwrap();
    admin.request_text(request).await.unwrap();
    let conflict = apply(&cluster, &dana(), &policy_for(&name, "ours"), Run::Real).await;
    let Err(ClusterError::Conflict { message, fields }) = conflict else { panic!("{conflict:?}") };
    assert!(message.contains("helm"), "{message}");
    assert!(fields.iter().all(|conflict| conflict.manager == "helm"), "{fields:?}");
    assert!(fields.iter().any(|conflict| conflict.field.starts_with(".spec.podSelector")), "{fields:?}");
    let kept = admin.request_text(http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap();
    assert!(kept.contains("theirs"));
}

#[tokio::test]
async fn a_webhook_refuses_in_its_own_words_and_its_warnings_arrive() {
    let cluster = cluster().await;
    let name = unique("job");
    apply(&cluster, &dana(), &policy(&name), Run::Real).await.unwrap();
    let refused = apply(&cluster, &dana(), &pod(&name, "harbor.example.com/web:latest"), Run::Dry).await;
    let Err(ClusterError::Refused(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("The container named <main> uses the :latest tag."), "{message}");
    let warnings = apply(&cluster, &dana(), &pod(&name, "docker.io/library/web:1"), Run::Dry).await.unwrap();
    assert!(warnings.iter().any(|text| text.contains("does not have an allowed image registry")), "{warnings:?}");
}

#[tokio::test]
async fn the_portals_account_cannot_act_as_a_group_it_was_not_given() {
    let cluster = cluster().await;
    let intruder = identity("dana", &["cluster-operators"]);
    let refused = apply(&cluster, &intruder, &policy(&unique("x")), Run::Dry).await;
    let Err(ClusterError::Refused(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("cannot impersonate:user-info resource \"groups\""), "{message}");
}

#[tokio::test]
async fn the_portals_account_may_do_nothing_of_its_own_in_a_teams_namespace() {
    let portal = client(&told("FAIRWAY_TEST_KUBECONFIG")).await;
    for path in
        ["/api/v1/namespaces/shop/secrets", "/api/v1/namespaces/shop/configmaps", "/api/v1/secrets", "/api/v1/events"]
    {
        let refused = portal.request_text(http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap_err();
        assert!(refused.to_string().contains("forbidden"), "{path}: {refused}");
    }
}

#[tokio::test]
async fn a_subnamespace_is_asked_for_as_the_person() {
    let cluster = cluster().await;
    assert_eq!(cluster.serves_hierarchy().await, Ok(true));
    let name: app::namespaces::NamespaceName =
        format!("shop-{}", &Uuid::new_v4().simple().to_string()[..8]).parse().unwrap();
    let refused = cluster.create_subnamespace(&identity("pia", &["team-pay"]), "shop", &name).await;
    assert!(matches!(refused, Err(ClusterError::Refused(_))), "{refused:?}");
    cluster.create_subnamespace(&dana(), "shop", &name).await.unwrap();
    let again = cluster.create_subnamespace(&dana(), "shop", &name).await;
    assert!(matches!(again, Err(ClusterError::Conflict { .. })), "{again:?}");
}

#[tokio::test]
async fn an_api_server_that_is_not_there_is_away_even_for_a_write() {
    let nowhere = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
    let cluster = KubeCluster::start(Clients::new(nowhere).unwrap());
    assert!(matches!(cluster.check().await, Err(ClusterError::Unavailable(_))));
    let write = apply(&cluster, &dana(), &policy("x"), Run::Real).await;
    assert!(matches!(write, Err(ClusterError::Unavailable(_))), "{write:?}");
    assert!(matches!(cluster.namespace("shop"), Err(ClusterError::Unavailable(_))));
}

#[tokio::test]
async fn what_runs_is_seen_as_soon_as_it_is_there_and_only_by_who_may_list_it() {
    let cluster = cluster().await;
    filled(&cluster).await;
    let name = unique("seen");
    apply(&cluster, &dana(), &policy(&name), Run::Real).await.unwrap();
    let of = async |who: &KubeIdentity| cluster.objects_in(who, "shop").await.unwrap();
    wait_for(async || of(&dana()).await.objects.iter().any(|object| object.object().name == name).then_some(())).await;
    let stranger = of(&identity("pia", &["team-pay"])).await;
    assert!(stranger.objects.is_empty(), "{:?}", stranger.objects);
    assert!(stranger.unread.contains(&"pods of shop".to_owned()), "{:?}", stranger.unread);
}

#[tokio::test]
async fn a_workload_is_found_with_all_that_was_made_for_it_and_what_was_said() {
    let cluster = cluster().await;
    filled(&cluster).await;
    let name = unique("family");
    let template =
        json!({ "metadata": { "labels": { "app": name } }, "spec": pod(&name, "harbor.example.com/web:1")["spec"] });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": "shop" },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": name } }, "template": template },
    });
    apply(&cluster, &dana(), &deployment, Run::Real).await.unwrap();
    let workload = Manifest::from_value(deployment).unwrap().object().clone();
    let family = wait_for(async || {
        let family = cluster.family(&dana(), &workload).await.unwrap();
        // The cluster tells of the pods after it has told of their set.
        let told = family.events.iter().any(|event| event.reason == "SuccessfulCreate");
        (family.made.len() == 3 && told).then_some(family)
    })
    .await;
    let mut kinds: Vec<&str> = family.made.iter().map(|made| made.object().kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Pod", "Pod", "ReplicaSet"]);
    let stranger = cluster.family(&identity("pia", &["team-pay"]), &workload).await.unwrap();
    assert!(stranger.workload.is_none() && stranger.made.is_empty() && stranger.events.is_empty());
}

#[tokio::test]
async fn the_api_server_says_where_it_is() {
    let (addresses, port) = cluster().await.api_server().await.unwrap().unwrap();
    assert!(!addresses.is_empty() && port.number > 0);
}

#[tokio::test]
async fn groups_with_spaces_and_letters_of_any_language_give_what_they_are_bound_to() {
    let admin = client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    let name = unique("letters");
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "Büro Süd 東京" }],
    });
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings";
    let request = http::Request::post(path).header("content-type", "application/json");
    admin.request_text(request.body(binding.to_string().into_bytes()).unwrap()).await.unwrap();
    // The portal's account of the stack may act as none of these groups.
    let cluster = KubeCluster::start(clients(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await);
    let right = Right::within("shop".to_owned(), "list", "apps", "deployments");
    let named = identity("nico", &["Büro Süd 東京"]);
    wait_for(async || (cluster.allows(&named, &right).await == Ok(true)).then_some(())).await;
    assert_eq!(cluster.allows(&identity("nico", &["Büro Süd"]), &right).await, Ok(false));
    let request = http::Request::delete(format!("{path}/{name}")).body(Vec::new()).unwrap();
    admin.request_text(request).await.unwrap();
}

#[tokio::test]
async fn what_the_portals_account_lacks_or_has_too_much_of_is_named() {
    let impersonating = Policy {
        groups: GroupMapping {
            impersonated: vec!["team-shop".into(), "team-unlisted".into()],
            ..GroupMapping::default()
        },
        ..Policy::default()
    };
    let own = clients(&told("FAIRWAY_TEST_KUBECONFIG")).await;
    let mistakes = account_mistakes(&own, &impersonating).await.unwrap();
    assert!(
        matches!(mistakes.as_slice(), [one] if one.contains("may not act as the group team-unlisted")),
        "{mistakes:?}"
    );
    let with_tokens = Policy { identity: IdentityMode::Token, ..Policy::default() };
    let mistakes = account_mistakes(&own, &with_tokens).await.unwrap();
    assert!(matches!(mistakes.as_slice(), [one] if one.contains("take that right from it")), "{mistakes:?}");
    let admins = clients(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    let mistakes = account_mistakes(&admins, &Policy::default()).await.unwrap();
    assert!(mistakes.iter().any(|mistake| mistake.contains("system:masters")), "{mistakes:?}");
}

#[tokio::test]
async fn a_stolen_token_of_the_portals_account_reads_no_secret_directly_and_is_no_part_of_the_cluster() {
    let portal = client(&told("FAIRWAY_TEST_KUBECONFIG")).await;
    let status = async |method: &str, path: &str, as_whom: &[(&str, &str)]| {
        let request =
            as_whom.iter().fold(http::Request::builder().method(method).uri(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        let answer = portal.clone().send(request.body(kube::client::Body::empty()).unwrap()).await.unwrap();
        answer.status().as_u16()
    };
    let user = |name| ("Impersonate-User", name);
    let group = |name| ("Impersonate-Group", name);
    let namespaces = "/api/v1/namespaces";
    for as_whom in [
        &[user("dana@example.com"), group("system:masters")][..],
        &[user("dana@example.com"), group("an-unlisted-group")],
        &[user("system:serviceaccount:kube-system:clusterrole-aggregation-controller")],
        &[user("system:node:node-1"), group("system:nodes")],
    ] {
        assert_eq!(status("GET", namespaces, as_whom).await, 403, "{as_whom:?}");
    }
    // It may act as users of any name, but only to do what people do in the portal.
    let controller = [user("system:kube-controller-manager")];
    assert_eq!(status("GET", "/api/v1/namespaces/kube-system/secrets", &controller).await, 403);
    assert_eq!(status("GET", "/api/v1/secrets", &controller).await, 403);
    let token = "/api/v1/namespaces/kube-system/serviceaccounts/clusterrole-aggregation-controller/token";
    assert_eq!(status("POST", token, &controller).await, 403);
    let dana = [user("dana@example.com"), group("team-shop")];
    assert_eq!(status("GET", "/api/v1/namespaces/shop/events", &dana).await, 200);
    assert_eq!(status("GET", "/api/v1/namespaces/shop/secrets", &dana).await, 403);
}
