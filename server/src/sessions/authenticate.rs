//! Who is asking: from the session to an [`Actor`], groups no older than the settings allow.

use super::device::is_navigation;
use super::renewal::Renewal;
use super::seal::public_id;
use super::sign_in::leave_for_provider;
use super::{CURRENT, Current, PgSessionStore, ReturnPath, request_id, unavailable};
use crate::config::SessionLimits;
use app::access::{IdentityMode, KubeIdentity, KubeName, KubeToken};
use app::actor::{Actor, Profile};
use app::error::AppError;
use app::policy::Policy;
use app::ports::{Prompt, SignedIn};
use app::state::AppState;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
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
    let asked = Asked::of(&request);
    match authenticate.who(&session, asked).await {
        Ok(Who::Person(actor)) => drop(request.extensions_mut().insert(*actor)),
        Ok(Who::MustRenew(return_path)) => {
            let left = leave_for_provider(&authenticate.state, &session, return_path, Prompt::Never).await;
            return left.unwrap_or_else(AppError::into_response);
        }
        Ok(Who::Nobody) => {}
        Err(error) => return error.into_response(),
    }
    next.run(request).await
}

enum Who {
    Person(Box<Actor>),
    Nobody,
    /// The browser must fetch today's groups from the provider, and then comes back here.
    MustRenew(ReturnPath),
}

/// What of a request decides what becomes of its session.
struct Asked {
    /// Where the browser can come back to, where it can leave for the provider.
    return_path: Option<ReturnPath>,
    request_id: String,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let address = request.uri().path_and_query().map_or("/", |address| address.as_str());
        // Signing in and out must work whatever has become of the session.
        let may_leave = is_navigation(request) && !address.starts_with("/sign-");
        Self { return_path: may_leave.then(|| ReturnPath::parse(address)), request_id: request_id(request.headers()) }
    }
}

impl Authenticate {
    async fn who(&self, session: &Session, asked: Asked) -> Result<Who, AppError> {
        let current: Option<Current> = match session.get(CURRENT).await {
            // Written by another version of Fairway: as good as none.
            Err(tracing_error @ tower_sessions::session::Error::SerdeJson(_)) => {
                tracing::warn!(error = %tracing_error, "a session that cannot be read");
                None
            }
            other => other.map_err(unavailable)?,
        };
        let Some(current) = current else { return Ok(Who::Nobody) };
        let current = match self.renewal(session, current, asked.return_path.is_some()).await? {
            Renewal::Counts(current) => *current,
            Renewal::AtProvider => return Ok(asked.return_path.map_or(Who::Nobody, Who::MustRenew)),
            Renewal::Ended => return Ok(Who::Nobody),
        };
        let is_overdue = self.is_overdue(&current);
        let ends_at = self.ends_at(&current);
        let Current { person_id, signed_in: SignedIn { profile, id_token, groups_claim, .. }, .. } = current;
        let policy = &self.state.policy;
        let Some(kube) = kube_identity(&profile, policy) else {
            tracing::warn!(%person_id, "a person whose name cannot be impersonated");
            return Ok(Who::Nobody);
        };
        let kube = match policy.identity {
            IdentityMode::Token => kube.with_token(KubeToken::new(id_token)),
            IdentityMode::Impersonation => kube,
        };
        let actor = Actor::new(person_id, profile, kube, &policy.roles, asked.request_id)
            .in_session(session.id().map(|id| public_id(&id)), groups_claim)
            .ending_at(if is_overdue { ends_at } else { None });
        Ok(Who::Person(Box::new(actor)))
    }
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
    fn a_name_of_the_clusters_own_is_nobody() {
        let policy = Policy::default();
        assert!(kube_identity(&profile("system:admin", &[]), &policy).is_none());
        assert!(kube_identity(&profile("me@example.com\nImpersonate-Group: x", &[]), &policy).is_none());
    }
}
