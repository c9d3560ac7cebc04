//! What every request may use.

use crate::access::{Environment, Team};
use crate::actor::{Actor, RoleGroups};
use crate::audit::RecordSettings;
use crate::audit::controls::Control;
use crate::error::AppError;
use crate::namespaces::NamespaceTemplate;
use crate::ports::{Cluster, IdentityProvider, Mailer, Witness};
use crate::preview::AcceptedBy;
use crate::preview::notification::NotificationSettings;
use crate::preview::terms::EffectLimits;
use crate::workloads::places::{Place, usual_places};
use crate::workloads::second_person::SecondPerson;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use leptos::prelude::LeptosOptions;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct AppState {
    /// The database, as the portal's own role.
    pub database: PgPool,
    /// The cluster.
    pub cluster: Arc<dyn Cluster>,
    /// The OpenID provider.
    pub identity_provider: Arc<dyn IdentityProvider>,
    /// Origin of the provider: signing out is a form that ends there.
    pub identity_provider_origin: String,
    /// Where heads of the record are sent, if anywhere.
    pub witness: Option<Arc<dyn Witness>>,
    /// What sends mails, if anything does.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// What people type to come here; an origin.
    pub public_url: Url,
    /// The platform's policy.
    pub policy: Arc<Policy>,
    /// Where leptos finds what it serves.
    pub leptos: LeptosOptions,
}

impl AppState {
    /// Whether what the watch caches hold may be old, as the cluster does not answer now.
    pub async fn cluster_is_away(&self) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(1), self.cluster.check()).await;
        !matches!(answer, Ok(Ok(())))
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

/// The platform's policy: what an operator sets in the settings file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What the platform is called, in sentences.
    pub platform: PlatformNames,
    /// Who has a role in the portal.
    pub roles: RoleGroups,
    /// Groups and user names in the cluster.
    pub groups: GroupMapping,
    /// What a review judges by.
    pub review: review::Settings,
    /// Which findings need a second person.
    pub second_person: SecondPerson,
    /// What many workloads talk with, for the wizard to offer.
    pub places: Vec<Place>,
    /// What a namespace consists of where the portal creates it itself.
    pub namespace_template: NamespaceTemplate,
    /// Teams, with what is theirs.
    pub teams: Vec<Team>,
    /// Environments, for opt-ins.
    pub environments: Vec<Environment>,
    /// Who may accept the risks of preview features.
    pub risks_accepted_by: AcceptedBy,
    /// What opt-ins may change in the cluster.
    pub effects: EffectLimits,
    /// Who is told of opt-ins by e-mail, beside those whose they are.
    pub notifications: NotificationSettings,
    /// Where the record is kept beside the database.
    pub record: RecordSettings,
    /// What the record is evidence for.
    pub controls: Vec<Control>,
    /// Serve `/styleguide`.
    pub styleguide: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            platform: PlatformNames::default(),
            roles: RoleGroups::default(),
            groups: GroupMapping::default(),
            review: review::Settings::default(),
            second_person: SecondPerson::default(),
            places: usual_places(),
            namespace_template: NamespaceTemplate::default(),
            teams: Vec::new(),
            environments: Vec::new(),
            risks_accepted_by: AcceptedBy::default(),
            effects: EffectLimits::default(),
            notifications: NotificationSettings::default(),
            record: RecordSettings::default(),
            controls: Vec::new(),
            styleguide: false,
        }
    }
}

/// Words that differ from platform to platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformNames {
    /// The platform's own name.
    pub name: String,
    /// Whom to ask, for example an address or a channel.
    pub support: String,
}

impl Default for PlatformNames {
    fn default() -> Self {
        Self { name: "the platform".to_owned(), support: "your platform administrator".to_owned() }
    }
}

/// How the provider's groups become the cluster's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupMapping {
    /// The groups, as the provider names them, that the portal may impersonate. The same list stands
    /// as `resourceNames` in its ClusterRole.
    pub impersonated: Vec<String>,
    /// Put before every user name, as the API server's `--oidc-username-prefix` does.
    pub user_prefix: String,
    /// Put before every group, as the API server's `--oidc-groups-prefix` does.
    pub group_prefix: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = AppError;

    /// The person whom the session middleware found.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or(AppError::SignInRequired)
    }
}
