//! Who is asking: from the session to an [`Actor`], groups no older than the settings allow.

use super::device::is_navigation;
use super::renewal::Renewal;
use super::seal::public_id;
use super::sign_in::leave_for_provider;
use super::{CURRENT, Current, PgSessionStore, ReturnPath, read, request_id};
use crate::config::SessionLimits;
use app::access::{IdentityMode, KubeIdentity, KubeName, KubeToken};
use app::actor::{Actor, Profile};
use app::error::AppError;
use app::policy::Policy;
use app::ports::{Beginning, Prompt, SignedIn};
use app::state::AppState;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;
use tokio_util::task::TaskTracker;
use tower_sessions::Session;

/// What [`authenticate`] needs.
#[derive(Clone)]
pub struct Authenticate {
    pub state: AppState,
    pub store: Arc<PgSessionStore>,
    /// How old groups may be.
    pub limits: SessionLimits,
    /// What must be ended before the process stops.
    pub writes: TaskTracker,
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
    if !asked.renews {
        request.extensions_mut().insert(authenticate.store.clone());
    }
    match authenticate.who(&session, asked).await {
        Ok(Who::Person(actor)) => drop(request.extensions_mut().insert(*actor)),
        Ok(Who::MustRenew(current, return_path)) => return authenticate.leave(&session, *current, return_path).await,
        Ok(Who::Nobody) => {}
        Err(error) => return error.into_response(),
    }
    next.run(request).await
}

enum Who {
    Person(Box<Actor>),
    Nobody,
    /// The browser must fetch today's groups from the provider, and then comes back here.
    MustRenew(Box<Current>, ReturnPath),
}

/// What of a request decides what becomes of its session.
struct Asked {
    /// Signing in and out must work whatever has become of the session, and of the provider.
    renews: bool,
    /// Where the browser can come back to, where it can leave for the provider.
    return_path: Option<ReturnPath>,
    request_id: String,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let address = request.uri().path_and_query().map_or("/", |address| address.as_str());
        let renews = !address.starts_with("/sign-") && request.uri().path() != "/back-channel-logout";
        Self {
            renews,
            return_path: (renews && is_navigation(request)).then(|| ReturnPath::parse(address)),
            request_id: request_id(request.headers()),
        }
    }
}

impl Authenticate {
    async fn who(&self, session: &Session, asked: Asked) -> Result<Who, AppError> {
        let (Some(current), Some(id)) = (read::<Current>(session, CURRENT).await?, session.id()) else {
            return Ok(Who::Nobody);
        };
        let renewal = match asked.renews {
            true => self.renewal(id, current, asked.return_path.is_some()).await?,
            false if self.still_counts(&current) => Renewal::Counts(Box::new(current)),
            false => return Ok(Who::Nobody),
        };
        let current = match renewal {
            Renewal::Counts(current) => *current,
            Renewal::AtProvider(current) => {
                return Ok(asked.return_path.map_or(Who::Nobody, |path| Who::MustRenew(current, path)));
            }
            Renewal::Ended => return Ok(Who::Nobody),
        };
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
            .in_session(Some(public_id(&id)), groups_claim)
            .ending_at(ends_at);
        Ok(Who::Person(Box::new(actor)))
    }

    /// Sends the browser to the provider. Where that is not possible, the same page is asked for once more, and shown with
    /// what is known.
    async fn leave(&self, session: &Session, current: Current, return_path: ReturnPath) -> Response {
        let beginning = Beginning { prompt: Prompt::Never, who: Some(&current.signed_in), ..Beginning::default() };
        let address = return_path.clone();
        match leave_for_provider(&self.state, session, return_path, beginning).await {
            Ok(response) => response,
            Err(error) => match session.id() {
                Some(id) if self.store.note_refresh_failed(&id).await.is_ok() => {
                    Redirect::to(address.as_str()).into_response()
                }
                _ => error.into_response(),
            },
        }
    }
}

/// Who a person is to the cluster. Where the portal impersonates, groups outside the settings are left out, as its account
/// may not; a user name that is the cluster's own gives nothing.
pub(super) fn kube_identity(profile: &Profile, policy: &Policy) -> Option<KubeIdentity> {
    let mapping = &policy.groups;
    let user = KubeName::of_user(format!("{}{}", mapping.user_prefix, profile.user_name)).ok()?;
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
