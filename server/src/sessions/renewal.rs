//! Keeping what is known of a person no older than the settings allow: with a refresh token ahead of time and in the
//! background, else by sending the browser to the provider and back.

use super::authenticate::{Authenticate, kube_identity};
use super::person::{PersonError, upsert_person};
use super::store::{Claim, RefreshProgress};
use super::{CURRENT, Current, now, unavailable};
use app::access::IdentityMode;
use app::actor::Profile;
use app::audit::{RecordActor, record_event};
use app::error::{AppError, Dependency};
use app::ports::ProviderError;
use app::state::AppState;
use jiff::Timestamp;
use record::{Event, SessionEndReason};
use std::time::Duration;
use tower_sessions::Session;
use tower_sessions::session::Id;

/// How long, in seconds, before a token is over the next one is asked for: longer than a request takes.
const TOKEN_MARGIN: i64 = 45;

/// How late, in seconds, reading the groups again may be before people are told. Another request may just be at it.
const OVERDUE: i64 = 15;

/// How long a request waits for groups that are too old to be read again. A provider that has not answered before is not
/// waited for at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a request looks whether another has read them.
const POLL: Duration = Duration::from_millis(50);

/// Shortest time, in seconds, from one renewal by the browser to the next.
const PAUSE: i64 = 2;

/// What has become of a session.
pub(super) enum Renewal {
    Counts(Box<Current>),
    /// Only the browser can bring today's groups.
    AtProvider(Box<Current>),
    Ended,
}

fn counts(current: Current) -> Renewal {
    Renewal::Counts(Box::new(current))
}

fn provider_away() -> AppError {
    AppError::Unavailable { dependency: Dependency::IdentityProvider }
}

impl Authenticate {
    /// The session with groups that count. `may_leave` says that the browser can be sent to the provider now.
    pub(super) async fn renewal(&self, id: Id, current: Current, may_leave: bool) -> Result<Renewal, AppError> {
        if current.signed_in.refresh_token.is_some() {
            let is_due = now() >= self.limits.groups_due_at(current.groups_read_at) || self.ends_soon(&current);
            return if is_due { self.refresh(id, current).await } else { Ok(counts(current)) };
        }
        // While somebody types, what they send must be taken: the browser leaves when it asks for a page.
        let is_due = if may_leave { self.is_due_by_browser(&current) } else { !self.is_fresh(&current) };
        if is_due { self.renew_by_browser(id, current).await } else { Ok(counts(current)) }
    }

    /// Reads the groups again, and waits for it only where those that are known are too old.
    async fn refresh(&self, id: Id, current: Current) -> Result<Renewal, AppError> {
        let progress = self.store.refresh_progress(&id).await?;
        let reading = match self.store.claim_refresh(&id).await? {
            // A browser that goes away, or a portal that stops, must not take the new refresh token with it.
            Claim::Ours => Some(self.writes.spawn(self.clone().read_in_turn(id))),
            Claim::Others => None,
        };
        if self.is_fresh(&current) {
            return Ok(counts(current));
        }
        // It did not answer the last time, and is asked again in the background.
        if progress.failing_for.is_some() && self.still_counts(&current) {
            return Ok(counts(current));
        }
        let waited = async {
            match reading {
                Some(reading) => reading.await.unwrap_or(Err(AppError::Internal)),
                None => self.wait_for_other(id).await,
            }
        };
        match tokio::time::timeout(PATIENCE, waited).await {
            Ok(read) => self.after_reading(id, read?).await,
            Err(_) => self.without_provider(id, current).await,
        }
    }

    /// Only for whoever has claimed it. With a session of its own: the request may sign out meanwhile, and what is deleted
    /// must stay deleted.
    async fn read_in_turn(self, id: Id) -> Result<Option<Current>, AppError> {
        let session = Session::new(Some(id), self.store.clone(), None);
        // Another request may have read them, and used up the refresh token, since this one began.
        let Some(current) = session.get::<Current>(CURRENT).await.map_err(unavailable)? else { return Ok(None) };
        if now() < self.limits.groups_due_at(current.groups_read_at) && !self.ends_soon(&current) {
            self.store.release_refresh(&id).await?;
            return Ok(Some(current));
        }
        self.read_again(&session, id, current).await
    }

    async fn read_again(&self, session: &Session, id: Id, current: Current) -> Result<Option<Current>, AppError> {
        let mut signed_in = match self.state.identity_provider.refresh(&current.signed_in).await {
            Ok(signed_in) => signed_in,
            Err(error) => {
                return match refused_because(&error) {
                    Some(reason) => self.end(session, current, reason).await,
                    None => {
                        tracing::warn!(%error, "groups could not be read again");
                        self.store.note_refresh_failed(&id).await?;
                        Ok(Some(current))
                    }
                };
            }
        };
        if !self.is_still_admitted(&signed_in.profile).await? {
            return self.end(session, current, SessionEndReason::NameNotUsable).await;
        }
        // A provider that brings no new token on a refresh brings it by way of the browser.
        if self.acts_with_tokens() && now() + TOKEN_MARGIN >= signed_in.expires_at {
            signed_in.refresh_token = None;
        }
        let fresh = Current { signed_in, groups_read_at: now(), ..current };
        session.insert(CURRENT, &fresh).await.map_err(unavailable)?;
        // Saved at once: the old refresh token may be dead already.
        session.save().await.map_err(unavailable)?;
        self.store.release_refresh(&id).await?;
        Ok(Some(fresh))
    }

    /// Until the request that has claimed it has read the groups, or could not.
    async fn wait_for_other(&self, id: Id) -> Result<Option<Current>, AppError> {
        loop {
            let RefreshProgress { is_running, failing_for } = self.store.refresh_progress(&id).await?;
            if !is_running || failing_for.is_some() {
                return Session::new(Some(id), self.store.clone(), None).get(CURRENT).await.map_err(unavailable);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn after_reading(&self, id: Id, read: Option<Current>) -> Result<Renewal, AppError> {
        match read {
            None => Ok(Renewal::Ended),
            Some(current) if self.is_fresh(&current) => Ok(counts(current)),
            Some(current) if current.signed_in.refresh_token.is_none() => Ok(Renewal::AtProvider(Box::new(current))),
            Some(current) => self.without_provider(id, current).await,
        }
    }

    /// Where there is no refresh token. The browser goes, unless the provider would leave it with an error page.
    async fn renew_by_browser(&self, id: Id, current: Current) -> Result<Renewal, AppError> {
        let progress = self.store.refresh_progress(&id).await?;
        if self.store.claim_refresh(&id).await? == Claim::Ours {
            let answer = tokio::time::timeout(PATIENCE, self.state.identity_provider.check()).await;
            if matches!(answer, Ok(Ok(()))) {
                return Ok(Renewal::AtProvider(Box::new(current)));
            }
            self.store.note_refresh_failed(&id).await?;
            return self.without_provider(id, current).await;
        }
        match progress.failing_for {
            Some(_) => self.without_provider(id, current).await,
            // Another tab is on its way.
            None if self.is_fresh(&current) => Ok(counts(current)),
            None => Ok(Renewal::AtProvider(Box::new(current))),
        }
    }

    /// Goes on with what is known, for as long as the settings say.
    async fn without_provider(&self, id: Id, current: Current) -> Result<Renewal, AppError> {
        if self.still_counts(&current) {
            return Ok(counts(current));
        }
        let failing_for = self.store.refresh_progress(&id).await?.failing_for;
        if failing_for.is_none_or(|time| time < self.limits.provider_away) {
            return Err(provider_away());
        }
        let session = Session::new(Some(id), self.store.clone(), None);
        self.end(&session, current, SessionEndReason::ProviderAway).await?;
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

    async fn end(
        &self,
        session: &Session,
        current: Current,
        reason: SessionEndReason,
    ) -> Result<Option<Current>, AppError> {
        end_session(&self.state, session, Some(current), reason).await?;
        Ok(None)
    }

    fn is_fresh(&self, current: &Current) -> bool {
        self.has_token(current) && self.groups_are_fresh(current)
    }

    fn groups_are_fresh(&self, current: &Current) -> bool {
        now() < self.limits.groups_fresh_until(current.groups_read_at)
    }

    fn is_due_by_browser(&self, current: &Current) -> bool {
        let is_due = self.ends_soon(current) || now() >= self.limits.groups_due_by_browser_at(current.groups_read_at);
        is_due && now() >= current.groups_read_at + PAUSE
    }

    /// Whether the token that the API server is called with is over soon.
    fn ends_soon(&self, current: &Current) -> bool {
        self.acts_with_tokens() && now() + TOKEN_MARGIN >= current.signed_in.expires_at
    }

    /// Whether the person can act at all: the API server refuses a token that is over.
    fn has_token(&self, current: &Current) -> bool {
        !self.acts_with_tokens() || now() < current.signed_in.expires_at
    }

    /// Whether what is known counts while the provider does not answer.
    pub(super) fn still_counts(&self, current: &Current) -> bool {
        now() < self.counts_until(current)
    }

    fn counts_until(&self, current: &Current) -> i64 {
        let groups = self.limits.groups_count_until(current.groups_read_at);
        if self.acts_with_tokens() { groups.min(current.signed_in.expires_at) } else { groups }
    }

    fn acts_with_tokens(&self) -> bool {
        self.state.policy.identity == IdentityMode::Token
    }

    /// When the session ends if the provider stays away, where people must be told.
    pub(super) fn ends_at(&self, current: &Current) -> Option<Timestamp> {
        let renewed_by = match self.acts_with_tokens() {
            true => current.signed_in.expires_at - TOKEN_MARGIN,
            false => i64::MAX - OVERDUE,
        };
        let due = self.limits.groups_fresh_until(current.groups_read_at).min(renewed_by);
        (now() >= due + OVERDUE).then(|| Timestamp::from_second(self.counts_until(current)).ok()).flatten()
    }
}

/// Why the provider's answer ends a session; nothing where it says nothing of the person.
pub(super) fn refused_because(error: &ProviderError) -> Option<SessionEndReason> {
    match error {
        ProviderError::Refused(_) | ProviderError::EmailNotVerified => Some(SessionEndReason::RefusedByProvider),
        ProviderError::NotAcceptable(_) | ProviderError::Misconfigured(_) | ProviderError::Unavailable(_) => None,
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
