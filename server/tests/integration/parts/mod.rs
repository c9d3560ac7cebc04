//! The real parts that these tests run on: `make test` starts them and says where they are.

pub mod browser;
pub mod fixture;
pub mod portal;
pub mod variant_provider;

use app::access::{KubeIdentity, KubeName};
use app::actor::{Actor, Profile, RoleGroups};
use app::compute_pool::ComputePool;
use app::policy::Policy;
use app::ports::{Beginning, ClusterInventory, Finished, IdentityProvider, ProviderError, SignedIn};
use app::sessions::SignInFailures;
use app::state::{AppState, Dependencies};
use app::workloads::service::Listings;
use browser::Browser;
use kube::config::{KubeConfigOptions, Kubeconfig};
use leptos::prelude::LeptosOptions;
use server::cluster::{Clients, KubeCluster};
use server::config::IdentityProviderSettings;
use server::identity_provider::{ClaimSettings, OpenIdProvider};
use server::rego_workers::RegoWorkers;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use uuid::Uuid;
use variant_provider::VariantProvider;

/// Long enough for the slowest machine, should what is waited for never come.
pub const NEVER: Duration = Duration::from_secs(60);

/// What `make test` says under a name.
pub fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests are run by make test"))
}

/// The database as the running portal sees it: with the rights of its role and no others.
pub async fn portal_role(options: PgPoolOptions, connect: PgConnectOptions) -> PgPool {
    options
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute("set role fairway_app").await.map(drop) })
        })
        .connect_with(connect)
        .await
        .unwrap()
}

/// What the provider would say of somebody.
pub fn profile(subject: &str, groups: &[&str]) -> Profile {
    Profile {
        issuer: "https://idp.example.com".into(),
        subject: subject.into(),
        name: subject.to_uppercase(),
        email: format!("{subject}@example.com"),
        user_name: format!("{subject}@example.com"),
        groups: groups.iter().map(ToString::to_string).collect(),
    }
}

/// Who somebody is to the cluster.
pub fn identity(subject: &str, groups: &[&str]) -> KubeIdentity {
    let name = |text: String| KubeName::try_from(text).unwrap();
    let groups = groups.iter().map(|group| name((*group).to_owned())).collect();
    KubeIdentity::new(name(format!("{subject}@example.com")), groups)
}

/// Somebody who has signed in before.
pub async fn actor(database: &PgPool, subject: &str, groups: &[&str]) -> Actor {
    let profile = profile(subject, groups);
    let row: (Uuid,) =
        sqlx::query_as("insert into people (issuer, subject, name, email) values ($1, $2, $3, $4) returning id")
            .bind(&profile.issuer)
            .bind(&profile.subject)
            .bind(&profile.name)
            .bind(&profile.email)
            .fetch_one(database)
            .await
            .unwrap();
    let roles = RoleGroups { administrators: vec!["platform-admins".into()], auditors: vec!["auditors".into()] };
    Actor::new(row.0, profile, identity(subject, groups), &roles, "request".into())
}

/// What a kubeconfig says.
pub async fn kube_config(kubeconfig: &str) -> kube::Config {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

/// A client with the account that a kubeconfig names.
pub async fn client(kubeconfig: &str) -> kube::Client {
    kube::Client::try_from(kube_config(kubeconfig).await).unwrap()
}

/// The API server's clients, with the account that a kubeconfig names, and with none.
pub async fn clients(kubeconfig: &str) -> Clients {
    Clients::new(kube_config(kubeconfig).await).unwrap()
}

/// The cluster adapter with the portal's own account, once its watch caches are filled: a portal whose caches are not is not
/// ready, gets no requests, and would answer 503.
pub async fn cluster() -> KubeCluster {
    let cluster = KubeCluster::start(clients(&told("FAIRWAY_TEST_KUBECONFIG")).await);
    wait_for(async || cluster.caches_are_filled().then_some(())).await;
    cluster
}

/// Looks until there is something to see.
pub async fn wait_for<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let seen = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(NEVER, seen).await.unwrap()
}

/// How the portal is registered at a provider; `issuer` names the variable that says where it is.
pub fn settings(issuer: &str) -> IdentityProviderSettings {
    IdentityProviderSettings {
        issuer: told(issuer).parse().unwrap(),
        client_id: "fairway".into(),
        client_secret: Some("demo-secret-of-the-local-stack".to_owned().into()),
        client_authentication: None,
        authorities: Some(std::fs::read_to_string(told("FAIRWAY_TEST_AUTHORITY")).unwrap()),
        scopes: ["openid", "profile", "email", "groups", "offline_access"].map(str::to_owned).to_vec(),
        claims: ClaimSettings {
            groups: "groups".into(),
            group_prefix: String::new(),
            user_name: "email".into(),
            email_is_verified: false,
        },
        other_audiences: Vec::new(),
        extra_parameters: Vec::new(),
        logout_url: None,
    }
}

pub fn provider_with(settings: IdentityProviderSettings) -> OpenIdProvider {
    OpenIdProvider::new(settings, &told("FAIRWAY_TEST_PORTAL").parse().unwrap()).unwrap()
}

pub fn provider() -> OpenIdProvider {
    provider_with(settings("FAIRWAY_TEST_ISSUER"))
}

/// How the portal is registered at a provider that behaves as a test wants.
pub fn settings_of(variant: &VariantProvider) -> IdentityProviderSettings {
    IdentityProviderSettings { issuer: variant.issuer().parse().unwrap(), ..settings("FAIRWAY_TEST_ISSUER") }
}

/// Signs in there; again where the provider is asked for a refresh token first.
pub async fn sign_in_at(
    variant: &VariantProvider,
    settings: IdentityProviderSettings,
) -> (OpenIdProvider, Result<SignedIn, ProviderError>) {
    let provider = provider_with(settings);
    for _ in 0..2 {
        let (url, pending) = match provider.begin(Beginning::default()).await {
            Ok(begun) => begun,
            Err(error) => return (provider, Err(error)),
        };
        assert!(url.as_str().starts_with(variant.issuer()));
        let answer = Browser::default().sign_in(url, "nobody is asked").await;
        match provider.finish(answer["code"].clone(), pending).await {
            Ok(Finished::SignedIn(signed_in)) => return (provider, Ok(*signed_in)),
            Ok(Finished::BeginAgain(_)) => {}
            Err(error) => return (provider, Err(error)),
        }
    }
    panic!("sent to the provider twice and not signed in")
}

/// Dex in front of it, as the platform has it.
pub fn dex() -> OpenIdProvider {
    provider_with(settings("FAIRWAY_TEST_DEX"))
}

/// The same for all tests of a process.
pub fn rego_workers() -> RegoWorkers {
    static WORKERS: LazyLock<RegoWorkers> =
        LazyLock::new(|| RegoWorkers::start(env!("CARGO_BIN_EXE_fairway"), 2, Duration::from_secs(5)).unwrap());
    WORKERS.clone()
}

/// A portal, as its handlers see it.
pub fn state(database: PgPool, cluster: KubeCluster, policy: Policy) -> AppState {
    AppState::from(Dependencies {
        database,
        cluster: Arc::new(cluster),
        identity_provider: Arc::new(provider()),
        head_publisher: None,
        mailer: None,
        public_url: told("FAIRWAY_TEST_PORTAL").parse().unwrap(),
        policy: Arc::new(policy),
        rego: Arc::new(rego_workers()),
        listings: Listings::default(),
        sign_in_failures: SignInFailures::default(),
        compute: ComputePool::default(),
        leptos: LeptosOptions::builder().output_name("fairway").build(),
    })
}
