//! What every request may use.

use crate::actor::Actor;
use crate::compute_pool::ComputePool;
use crate::error::AppError;
use crate::policy::Policy;
use crate::ports::{Cluster, HeadPublisher, IdentityProvider, Mailer};
use crate::sessions::SignInFailures;
use crate::workloads::service::Listings;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use leptos::prelude::LeptosOptions;
use review::Rego;
use sqlx::PgPool;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// One per process. Every layer clones it for every request, so it is no more than a reference.
#[derive(Clone)]
pub struct AppState(Arc<Dependencies>);

impl From<Dependencies> for AppState {
    fn from(dependencies: Dependencies) -> Self {
        Self(Arc::new(dependencies))
    }
}

impl Deref for AppState {
    type Target = Dependencies;

    fn deref(&self) -> &Dependencies {
        &self.0
    }
}

/// What the portal is made of.
#[derive(Clone)]
pub struct Dependencies {
    /// The database, as the portal's own role.
    pub database: PgPool,
    pub cluster: Arc<dyn Cluster>,
    pub identity_provider: Arc<dyn IdentityProvider>,
    /// Where heads of the record are sent, if anywhere.
    pub head_publisher: Option<Arc<dyn HeadPublisher>>,
    /// What sends mails, if anything does.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// What people type to come here; an origin.
    pub public_url: Url,
    pub policy: Arc<Policy>,
    /// What evaluates the cluster's own policies in reviews.
    pub rego: Arc<dyn Rego>,
    /// What was found about workloads that run, while nothing has changed.
    pub listings: Listings,
    /// Sign-ins that failed.
    pub sign_in_failures: SignInFailures,
    /// Where reviews and other long computations run.
    pub compute: ComputePool,
    /// Where leptos finds what it serves.
    pub leptos: LeptosOptions,
}

impl AppState {
    /// Whether what the watch caches hold may be old, as the cluster does not answer now.
    pub async fn cluster_is_unavailable(&self) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(1), self.cluster.check()).await;
        !matches!(answer, Ok(Ok(())))
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = AppError;

    /// The person whom the session middleware found.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or(AppError::SignInRequired)
    }
}
