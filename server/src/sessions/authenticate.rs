//! Who is asking: from the session to an [`Actor`], groups no older than the settings allow.

use super::person::{PersonError, upsert_person};
use super::{CURRENT, Current, PgSessionStore};
use crate::config::SessionLimits;
use app::access::{IdentityMode, KubeIdentity, KubeName, KubeToken};
use app::actor::{Actor, Profile};
use app::audit::{Intent, RecordActor};
use app::error::{AppError, Dependency};
use app::policy::Policy;
use app::ports::{ProviderError, SignedIn};
use app::state::AppState;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use record::Event;
use std::sync::Arc;
use time::OffsetDateTime;
use tower_sessions::Session;

/// What [`authenticate`] needs.
#[derive(Clone)]
pub struct Authenticate {
    pub state: AppState,
    pub store: Arc<PgSessionStore>,
    /// How old groups may be.
    pub limits: SessionLimits,
}

/// Middleware: puts the [`Actor`] into the request, where somebody is signed in. A database that is unavailable
/// means 503, never "signed out".
pub async fn authenticate(
    State(authenticate): State<Authenticate>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    match authenticate.actor(&session, request_id(&request)).await {
        Ok(Some(actor)) => drop(request.extensions_mut().insert(actor)),
        Ok(None) => {}
        Err(error) => return error.into_response(),
    }
    next.run(request).await
}

fn request_id(request: &Request) -> String {
    request.headers().get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

impl Authenticate {
    async fn actor(&self, session: &Session, request_id: String) -> Result<Option<Actor>, AppError> {
        let current: Option<Current> = match session.get(CURRENT).await {
            // Written by another version of Fairway: as good as none.
            Err(tracing_error @ tower_sessions::session::Error::SerdeJson(_)) => {
                tracing::warn!(error = %tracing_error, "a session that cannot be read");
                None
            }
            other => other.map_err(unavailable)?,
        };
        let Some(current) = current else { return Ok(None) };
        let Some(current) = self.fresh(session, current).await? else { return Ok(None) };
        if !self.has_token(&current) {
            tracing::warn!(person_id = %current.person_id, "the ID token is over, and the provider has given no other");
            return Ok(None);
        }
        let SignedIn { profile, id_token, .. } = current.signed_in;
        let policy = &self.state.policy;
        let Some(kube) = kube_identity(&profile, policy) else {
            tracing::warn!(person_id = %current.person_id, "a person whose name cannot be impersonated");
            return Ok(None);
        };
        let kube = match policy.identity {
            IdentityMode::Token => kube.with_token(KubeToken::new(id_token)),
            IdentityMode::Impersonation => kube,
        };
        let actor = Actor::new(current.person_id, profile, kube, &policy.roles, request_id);
        let is_overdue = now() >= self.limits.groups_fresh_until(current.groups_read_at) + OVERDUE;
        let ends_at = || Timestamp::from_second(self.limits.groups_count_until(current.groups_read_at)).ok();
        Ok(Some(actor.ending_at(is_overdue.then(ends_at).flatten())))
    }

    /// The session with its groups read again where they are too old; nothing where the provider says
    /// that the person may no longer sign in.
    async fn fresh(&self, session: &Session, current: Current) -> Result<Option<Current>, AppError> {
        let Some(id) = session.id().filter(|_| !self.is_fresh(&current)) else { return Ok(Some(current)) };
        if !self.store.claim_refresh(&id).await? {
            // Another request is at it, or the provider was away a moment ago.
            let still_count = now() < self.limits.groups_count_until(current.groups_read_at);
            let unavailable = AppError::Unavailable { dependency: Dependency::IdentityProvider };
            return if still_count { Ok(Some(current)) } else { Err(unavailable) };
        }
        // Another request may have read them, and used up the refresh token, since this one began.
        session.load().await.map_err(unavailable)?;
        let Some(current) = session.get::<Current>(CURRENT).await.map_err(unavailable)? else { return Ok(None) };
        // A browser that goes away in between must not take the new refresh token with it.
        let (authenticate, session) = (self.clone(), session.clone());
        let reading = async move {
            let current = if authenticate.is_fresh(&current) {
                Some(current)
            } else {
                authenticate.read_again(&session, current).await?
            };
            if current.as_ref().is_some_and(|current| authenticate.is_fresh(current)) {
                authenticate.store.release_refresh(&id).await?;
            }
            Ok(current)
        };
        tokio::spawn(reading).await.unwrap_or(Err(AppError::Internal))
    }

    fn is_fresh(&self, current: &Current) -> bool {
        let has_token_for_long = match self.state.policy.identity {
            IdentityMode::Token => now() + TOKEN_MARGIN < current.signed_in.expires_at,
            IdentityMode::Impersonation => true,
        };
        has_token_for_long && now() < self.limits.groups_fresh_until(current.groups_read_at)
    }

    /// Whether they can act. The API server would refuse whoever cannot, and signing in again helps.
    fn has_token(&self, current: &Current) -> bool {
        self.state.policy.identity == IdentityMode::Impersonation || now() < current.signed_in.expires_at
    }

    async fn is_still_admitted(&self, profile: &Profile) -> Result<bool, AppError> {
        let Some(identity) = kube_identity(profile, &self.state.policy) else { return Ok(false) };
        match upsert_person(&self.state.database, profile, &identity.user).await {
            Ok(_) => Ok(true),
            Err(PersonError::NameTaken) => Ok(false),
            Err(PersonError::Database(error)) => Err(error),
        }
    }

    /// Ends a session that the provider no longer vouches for, and records it.
    async fn end(&self, session: &Session, current: &Current) -> Result<(), AppError> {
        let actor = RecordActor { profile: current.signed_in.profile.clone(), ..RecordActor::fairway() };
        let intent = Intent::announce(&self.state.database, actor, Event::SessionEnd {}).await?;
        let ended = session.flush().await.map_err(unavailable);
        intent.conclude(&self.state.database, ended).await
    }

    async fn read_again(&self, session: &Session, current: Current) -> Result<Option<Current>, AppError> {
        match self.state.identity_provider.refresh(&current.signed_in).await {
            Ok(signed_in) => {
                if !self.is_still_admitted(&signed_in.profile).await? {
                    tracing::warn!(person_id = %current.person_id, "session ended: the name is not usable any more");
                    self.end(session, &current).await?;
                    return Ok(None);
                }
                let groups_read_at = now();
                let fresh = Current { signed_in, groups_read_at, ..current };
                session.insert(CURRENT, &fresh).await.map_err(unavailable)?;
                // Saved at once: the old refresh token may be dead already.
                session.save().await.map_err(unavailable)?;
                Ok(Some(fresh))
            }
            Err(ProviderError::Unavailable(cause) | ProviderError::NotAccepted(cause))
                if now() >= self.limits.groups_count_until(current.groups_read_at) =>
            {
                tracing::warn!(cause, "session ended: its groups could not be read for too long");
                self.end(session, &current).await?;
                Ok(None)
            }
            Err(error @ (ProviderError::Refused(_) | ProviderError::EmailNotVerified)) => {
                tracing::info!(%error, "session ended: the provider no longer vouches for the person");
                self.end(session, &current).await?;
                Ok(None)
            }
            Err(ProviderError::Unavailable(cause) | ProviderError::NotAccepted(cause)) => {
                tracing::warn!(cause, "groups could not be read again; going on with those known");
                Ok(Some(current))
            }
        }
    }
}

/// How long, in seconds, before a token is over the next one is asked for: longer than a request takes.
const TOKEN_MARGIN: i64 = 45;

/// How late, in seconds, reading the groups again may be before people are told. Another request may just be at it, and the
/// provider has ten seconds to answer.
const OVERDUE: i64 = 15;

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// A session that cannot be read is a database that cannot be reached.
fn unavailable(error: tower_sessions::session::Error) -> AppError {
    tracing::warn!(%error, "session");
    AppError::Unavailable { dependency: Dependency::Database }
}

/// Who a person is to the cluster. Where the portal impersonates, groups outside the settings are left out, as its account
/// may not; a user name that is the cluster's own gives nothing.
pub(super) fn kube_identity(profile: &Profile, policy: &Policy) -> Option<KubeIdentity> {
    let mapping = &policy.groups;
    let user = KubeName::try_from(format!("{}{}", mapping.user_prefix, profile.user_name)).ok()?;
    let groups = profile
        .groups
        .iter()
        .filter(|group| policy.identity == IdentityMode::Token || mapping.impersonated.contains(group))
        .filter_map(|group| KubeName::try_from(format!("{}{group}", mapping.group_prefix)).ok())
        .collect();
    Some(KubeIdentity::new(user, groups))
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::policy::GroupMapping;
    use std::time::Duration;

    fn profile(email: &str, groups: &[&str]) -> Profile {
        Profile {
            issuer: "https://idp".into(),
            subject: "1".into(),
            name: "Robin".into(),
            email: email.into(),
            user_name: email.into(),
            groups: groups.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn only_configured_groups_reach_the_cluster() {
        let mapping =
            GroupMapping { impersonated: vec!["team".into(), "system:masters".into()], ..GroupMapping::default() };
        let groups = |identity: IdentityMode| {
            let policy = Policy { groups: mapping.clone(), identity, ..Policy::default() };
            let who = kube_identity(&profile("me@example.com", &["team", "other", "system:masters"]), &policy);
            who.unwrap().groups.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(groups(IdentityMode::Impersonation), ["team"]);
        // The API server reads the token itself; these are for showing bindings.
        assert_eq!(groups(IdentityMode::Token), ["team", "other"]);
    }

    #[test]
    fn groups_that_cannot_be_read_again_count_for_as_long_as_the_settings_say() {
        let limits = SessionLimits {
            idle: Duration::from_secs(1),
            absolute: Duration::from_secs(1),
            groups_max_age: Duration::from_secs(900),
            provider_away: Duration::from_secs(3_600),
        };
        assert_eq!(limits.groups_count_until(1_000), 1_000 + 900 + 3_600);
    }

    #[test]
    fn a_name_of_the_clusters_own_is_nobody() {
        let policy = Policy::default();
        assert!(kube_identity(&profile("system:admin", &[]), &policy).is_none());
        assert!(kube_identity(&profile("me@example.com\nImpersonate-Group: x", &[]), &policy).is_none());
    }
}
