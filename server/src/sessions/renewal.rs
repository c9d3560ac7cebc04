//! Keeping what is known of a person no older than the settings allow: with a refresh token ahead of time and in the
//! background, else by sending the browser to the provider and back.

use super::authenticate::{Authenticate, kube_identity};
use super::person::{PersonError, upsert_person};
use super::{CURRENT, Current, unavailable};
use app::access::IdentityMode;
use app::actor::Profile;
use app::audit::{RecordActor, record_event};
use app::error::{AppError, Dependency};
use app::ports::ProviderError;
use app::state::AppState;
use jiff::Timestamp;
use record::{Event, SessionEndReason};
use std::time::Duration;
use time::OffsetDateTime;
use tower_sessions::Session;
use tower_sessions::session::Id;

/// How long, in seconds, before a token is over the next one is asked for: longer than a request takes.
const TOKEN_MARGIN: i64 = 45;

/// How late, in seconds, reading the groups again may be before people are told. Another request may just be at it, and the
/// provider has ten seconds to answer.
const OVERDUE: i64 = 15;

/// How long a request waits for groups to be read again while those that are known still count: a provider that hangs delays
/// no page for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same where they count no longer.
const LONG_PATIENCE: Duration = Duration::from_secs(10);

/// Shortest time, in seconds, between two ways of a browser to the provider.
const PAUSE: i64 = 2;

/// What has become of a session.
pub(super) enum Renewal {
    Counts(Box<Current>),
    /// Only the browser can bring today's groups.
    AtProvider,
    Ended,
}

impl From<Option<Current>> for Renewal {
    fn from(current: Option<Current>) -> Self {
        current.map_or(Self::Ended, |current| Self::Counts(Box::new(current)))
    }
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn provider_away() -> AppError {
    AppError::Unavailable { dependency: Dependency::IdentityProvider }
}

impl Authenticate {
    /// The session with groups that count. `may_leave` says that the browser can be sent to the provider now.
    pub(super) async fn renewal(
        &self,
        session: &Session,
        current: Current,
        may_leave: bool,
    ) -> Result<Renewal, AppError> {
        let is_due = match current.signed_in.refresh_token.is_some() {
            true => now() >= self.limits.groups_due_at(current.groups_read_at) || self.ends_soon(&current),
            // While somebody types, what they send must be taken: the browser leaves when it asks for a page.
            false if may_leave => self.is_due_by_browser(&current),
            false => !self.is_fresh(&current),
        };
        match session.id() {
            Some(id) if is_due && current.signed_in.refresh_token.is_some() => self.refresh(session, id, current).await,
            Some(_) if is_due => self.renew_by_browser(session, current).await,
            _ => Ok(Renewal::Counts(Box::new(current))),
        }
    }

    async fn refresh(&self, session: &Session, id: Id, current: Current) -> Result<Renewal, AppError> {
        if !self.store.claim_refresh(&id).await? {
            // Another request is at it, or the provider was away a moment ago.
            return if self.counts(&current) { Ok(Some(current).into()) } else { Err(provider_away()) };
        }
        // A browser that goes away in between must not take the new refresh token with it.
        let reading = tokio::spawn(self.clone().read_in_turn(session.clone(), id));
        if self.is_fresh(&current) {
            return Ok(Some(current).into());
        }
        let patience = if self.counts(&current) { PATIENCE } else { LONG_PATIENCE };
        match tokio::time::timeout(patience, reading).await {
            Ok(read) => read.unwrap_or(Err(AppError::Internal)).map(Into::into),
            Err(_) if self.counts(&current) => Ok(Some(current).into()),
            Err(_) => Err(provider_away()),
        }
    }

    /// Only for whoever has claimed it.
    async fn read_in_turn(self, session: Session, id: Id) -> Result<Option<Current>, AppError> {
        // Another request may have read them, and used up the refresh token, since this one began.
        session.load().await.map_err(unavailable)?;
        let Some(current) = session.get::<Current>(CURRENT).await.map_err(unavailable)? else { return Ok(None) };
        let is_read = now() < self.limits.groups_due_at(current.groups_read_at) && !self.ends_soon(&current);
        let current = if is_read { Some(current) } else { self.read_again(&session, current).await? };
        if current.as_ref().is_some_and(|current| self.is_fresh(current)) {
            self.store.release_refresh(&id).await?;
        }
        Ok(current)
    }

    async fn read_again(&self, session: &Session, current: Current) -> Result<Option<Current>, AppError> {
        match self.state.identity_provider.refresh(&current.signed_in).await {
            Ok(signed_in) => {
                if !self.is_still_admitted(&signed_in.profile).await? {
                    self.end(session, current, SessionEndReason::NameNotUsable).await?;
                    return Ok(None);
                }
                let fresh = Current { signed_in, groups_read_at: now(), ..current };
                session.insert(CURRENT, &fresh).await.map_err(unavailable)?;
                // Saved at once: the old refresh token may be dead already.
                session.save().await.map_err(unavailable)?;
                Ok(Some(fresh))
            }
            Err(error @ (ProviderError::Refused(_) | ProviderError::EmailNotVerified)) => {
                tracing::info!(%error, "the provider no longer vouches for a person");
                self.end(session, current, SessionEndReason::RefusedByProvider).await?;
                Ok(None)
            }
            Err(error) if self.counts(&current) => {
                tracing::warn!(%error, "groups could not be read again; going on with those known");
                Ok(Some(current))
            }
            Err(error) => {
                tracing::warn!(%error, "groups could not be read again for too long");
                self.end(session, current, SessionEndReason::ProviderAway).await?;
                Ok(None)
            }
        }
    }

    /// Where there is no refresh token: the browser goes, unless the provider would leave it with an error page.
    async fn renew_by_browser(&self, session: &Session, current: Current) -> Result<Renewal, AppError> {
        let answer = tokio::time::timeout(PATIENCE, self.state.identity_provider.check()).await;
        if matches!(answer, Ok(Ok(()))) {
            return Ok(Renewal::AtProvider);
        }
        if self.counts(&current) {
            return Ok(Some(current).into());
        }
        self.end(session, current, SessionEndReason::ProviderAway).await?;
        Ok(Renewal::Ended)
    }

    async fn is_still_admitted(&self, profile: &Profile) -> Result<bool, AppError> {
        let Some(identity) = kube_identity(profile, &self.state.policy) else { return Ok(false) };
        match upsert_person(&self.state.database, profile, &identity.user).await {
            Ok(_) => Ok(true),
            Err(PersonError::NameTaken) => Ok(false),
            Err(PersonError::Database(error)) => Err(error),
        }
    }

    async fn end(&self, session: &Session, current: Current, reason: SessionEndReason) -> Result<(), AppError> {
        end_session(&self.state, session, Some(current), reason).await
    }

    fn is_fresh(&self, current: &Current) -> bool {
        !self.ends_soon(current) && now() < self.limits.groups_fresh_until(current.groups_read_at)
    }

    fn is_due_by_browser(&self, current: &Current) -> bool {
        let is_due = self.ends_soon(current) || now() >= self.limits.groups_due_by_browser_at(current.groups_read_at);
        is_due && now() >= current.groups_read_at + PAUSE
    }

    /// Whether the token that the API server is called with is over soon.
    fn ends_soon(&self, current: &Current) -> bool {
        self.acts_with_tokens() && now() + TOKEN_MARGIN >= current.signed_in.expires_at
    }

    /// Whether the person can act with what is known, although it should have been read again.
    fn counts(&self, current: &Current) -> bool {
        let has_token = !self.acts_with_tokens() || now() < current.signed_in.expires_at;
        has_token && now() < self.limits.groups_count_until(current.groups_read_at)
    }

    fn acts_with_tokens(&self) -> bool {
        self.state.policy.identity == IdentityMode::Token
    }

    /// Whether people must be told that the groups may be old.
    pub(super) fn is_overdue(&self, current: &Current) -> bool {
        now() >= self.limits.groups_fresh_until(current.groups_read_at) + OVERDUE
    }

    /// When the session ends if the provider stays away.
    pub(super) fn ends_at(&self, current: &Current) -> Option<Timestamp> {
        Timestamp::from_second(self.limits.groups_count_until(current.groups_read_at)).ok()
    }
}

/// Ends a session, and records why.
pub(super) async fn end_session(
    state: &AppState,
    session: &Session,
    current: Option<Current>,
    reason: SessionEndReason,
) -> Result<(), AppError> {
    session.flush().await.map_err(unavailable)?;
    let Some(current) = current else { return Ok(()) };
    tracing::info!(person_id = %current.person_id, reason = reason.as_str(), "session ended");
    let actor = RecordActor { profile: current.signed_in.profile, ..RecordActor::fairway() };
    record_event(state, actor, &Event::SessionEnd { reason }).await
}
