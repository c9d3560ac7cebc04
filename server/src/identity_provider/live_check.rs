//! Asks the provider, before anybody signs in, what of the settings does not fit.

use super::OpenIdProvider;
use super::discovery::Discovered;
use super::id_token::ALGORITHMS;
use super::refusals::{causes, code_error, needs_person, setting_of};
use app::ports::{Beginning, IdentityProvider, Prompt, ProviderError};
use openidconnect::{AuthorizationCode, PkceCodeVerifier};
use reqwest::header::LOCATION;
use url::Url;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveFinding {
    /// Nobody can sign in like this.
    Mistake(String),
    /// It may be meant so.
    Note(String),
}

impl OpenIdProvider {
    /// Everything that does not fit, with the setting it is about. The provider sees a sign-in that nobody finishes and a
    /// code that it has not given out.
    pub async fn live_findings(&self) -> Vec<LiveFinding> {
        let found = match self.discovery.look_again().await {
            Ok(found) => found,
            Err(error) => return vec![LiveFinding::Mistake(format!("identity provider: {error}"))],
        };
        let mut findings = self.metadata_findings(&found);
        findings.extend(self.redirect_finding().await);
        findings.extend(self.client_finding(&found).await);
        findings
    }

    fn metadata_findings(&self, found: &Discovered) -> Vec<LiveFinding> {
        let mut findings = Vec::new();
        if !found.algorithms.iter().any(|algorithm| ALGORITHMS.contains(algorithm)) {
            findings.push(LiveFinding::Mistake(format!(
                "identity provider: it signs ID tokens with {:?}, and Fairway accepts only RS256 and the like, which need \
                 no shared secret",
                found.algorithms
            )));
        }
        let unknown_scopes = self.settings.scopes.iter().filter(|scope| !found.has_scope(scope));
        findings.extend(unknown_scopes.map(|scope| {
            LiveFinding::Note(format!("OIDC_SCOPES: the provider does not list {scope}, so it is not asked for"))
        }));
        let claims = [
            ("OIDC_GROUPS_CLAIM", &self.settings.claims.groups),
            ("OIDC_USERNAME_CLAIM", &self.settings.claims.user_name),
        ];
        for (setting, claim) in claims {
            let first = claim.split('.').next().unwrap_or(claim);
            let is_listed = |known: &Vec<String>| known.iter().any(|one| one == claim || one == first);
            if !found.claims.as_ref().is_none_or(is_listed) {
                findings.push(LiveFinding::Note(format!("{setting}: the provider does not list the claim {claim}")));
            }
        }
        findings
    }

    /// Begins a sign-in at which the provider may ask nobody: it must send the browser back, with an error.
    async fn redirect_finding(&self) -> Option<LiveFinding> {
        let beginning = Beginning { prompt: Prompt::Never, ..Beginning::default() };
        let (mut url, _) = self.begin(beginning).await.ok()?;
        let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri")?.1.into_owned();
        // Some providers lead from one page of theirs to the next before they look at what is asked.
        for _ in 0..MOST_REDIRECTS {
            let answer = match self.http.get(url.clone()).send().await {
                Ok(answer) => answer,
                Err(error) => return Some(no_answer(&url, &causes(&error))),
            };
            let status = answer.status();
            let leads_to = answer.headers().get(LOCATION).and_then(|address| url.join(address.to_str().ok()?).ok());
            match leads_to {
                Some(next) if next.as_str().starts_with(&redirect) => return refused_at_redirect(&next),
                Some(next) if next.origin() == url.origin() => url = next,
                _ if status.is_client_error() => return Some(self.not_registered(status.as_u16(), &redirect)),
                _ => break,
            }
        }
        Some(LiveFinding::Note(format!(
            "FAIRWAY_PUBLIC_URL: whether {redirect} is registered could not be found out, as the provider shows a page of \
             its own"
        )))
    }

    fn not_registered(&self, status: u16, redirect: &str) -> LiveFinding {
        LiveFinding::Mistake(format!(
            "OIDC_CLIENT_ID, FAIRWAY_PUBLIC_URL: the provider refuses a sign-in (HTTP {status}). Register {redirect} as the \
             redirect address of the client {}",
            self.settings.client_id
        ))
    }

    /// Sends a code that the provider has not given out: it must refuse the code, not the client.
    async fn client_finding(&self, found: &Discovered) -> Option<LiveFinding> {
        let request = found.client.exchange_code(AuthorizationCode::new("not-a-code".to_owned())).ok()?;
        let verifier = PkceCodeVerifier::new("x".repeat(43));
        match request.set_pkce_verifier(verifier).request_async(&self.http).await.map_err(code_error) {
            Ok(_) => Some(LiveFinding::Mistake("identity provider: it takes any code for a sign-in".to_owned())),
            Err(ProviderError::Refused(_)) => None,
            Err(error) => Some(LiveFinding::Mistake(format!("identity provider: {error}"))),
        }
    }
}

/// The longest way through the provider's own pages that is followed.
const MOST_REDIRECTS: usize = 5;

fn no_answer(url: &Url, cause: &str) -> LiveFinding {
    let origin = url.origin().ascii_serialization();
    LiveFinding::Mistake(format!("identity provider: its sign-in page at {origin} does not answer ({cause})"))
}

/// That nobody is signed in is right; any other error is not.
fn refused_at_redirect(url: &Url) -> Option<LiveFinding> {
    let value = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    let code = value("error")?;
    if needs_person(&code) {
        return None;
    }
    let description = value("error_description").unwrap_or_default();
    Some(LiveFinding::Mistake(format!(
        "{}: the provider answers a sign-in with {code} {description}",
        setting_of(&code)
    )))
}
