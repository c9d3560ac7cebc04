//! What a logout token must be (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6). The library knows none, so only the
//! signature is its work.

use super::id_token::{ALGORITHMS, LEEWAY};
use app::ports::LoggedOut;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeyUse, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, JsonWebKeySet};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Longest token: a request of anybody may hold one.
const LONGEST: usize = 16 * 1024;

/// Oldest token that is accepted, in seconds. What it says is of sessions that began before it.
const OLDEST: i64 = 300;

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogoutTokenError {
    /// No key that is known has signed it.
    UnknownKey,
    Invalid(&'static str),
}

#[derive(Deserialize)]
struct Head {
    alg: CoreJwsSigningAlgorithm,
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: f64,
    exp: f64,
    sub: Option<String>,
    sid: Option<String>,
    nonce: Option<Value>,
    events: Map<String, Value>,
    /// There must be one. Whoever sends a token twice ends nothing that the first has not ended.
    #[serde(rename = "jti")]
    _id: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn holds(&self, client: &str) -> bool {
        match self {
            Self::One(one) => one == client,
            Self::Several(all) => all.iter().any(|one| one == client),
        }
    }
}

/// Whose sessions have ended at the provider, and when; `now` in seconds since the epoch.
pub(super) fn verify_logout_token(
    token: &str,
    (issuer, client): (&str, &str),
    keys: &JsonWebKeySet<CoreJsonWebKey>,
    now: i64,
) -> Result<LoggedOut, LogoutTokenError> {
    use LogoutTokenError::Invalid;
    if token.len() > LONGEST {
        return Err(Invalid("it is too long"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Invalid("it is no signed token"))?;
    let (head, claims) = signed.split_once('.').ok_or(Invalid("it is no signed token"))?;
    let head: Head = part(head).ok_or(Invalid("its head cannot be read, or its algorithm is not known"))?;
    if !ALGORITHMS.contains(&head.alg) {
        return Err(Invalid("its algorithm is not allowed"));
    }
    if head.crit.is_some() {
        return Err(Invalid("it asks for an extension that is not known"));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Invalid("its signature cannot be read"))?;
    let is_signed = candidates(keys, head.kid.as_deref())
        .any(|key| key.verify_signature(&head.alg, signed.as_bytes(), &signature).is_ok());
    if !is_signed {
        return Err(LogoutTokenError::UnknownKey);
    }
    let claims: Claims = part(claims).ok_or(Invalid("a claim is missing, or of the wrong type"))?;
    check_claims(claims, issuer, client, now).map_err(Invalid)
}

/// The keys that may have signed it; all of them where it does not say which.
fn candidates<'a>(
    keys: &'a JsonWebKeySet<CoreJsonWebKey>,
    kid: Option<&'a str>,
) -> impl Iterator<Item = &'a CoreJsonWebKey> {
    keys.keys().iter().filter(move |key| {
        let is_named = kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid));
        is_named && key.key_use().is_none_or(|of| *of == CoreJsonWebKeyUse::Signature)
    })
}

fn check_claims(claims: Claims, issuer: &str, client: &str, now: i64) -> Result<LoggedOut, &'static str> {
    if claims.iss != issuer {
        return Err("it is of another issuer");
    }
    if !claims.aud.holds(client) {
        return Err("it is for another client");
    }
    let (issued_at, expires_at) = (claims.iat as i64, claims.exp as i64);
    if !(-LEEWAY..=OLDEST + LEEWAY).contains(&(now - issued_at)) || expires_at + LEEWAY <= now {
        return Err("it is too old, or of the future");
    }
    if !claims.events.get(EVENT).is_some_and(Value::is_object) {
        return Err("it does not say that somebody was signed out");
    }
    if claims.nonce.is_some() {
        return Err("it has a nonce, which only ID tokens have");
    }
    if claims.sub.is_none() && claims.sid.is_none() {
        return Err("it names neither a person nor a session");
    }
    Ok(LoggedOut { issuer: claims.iss, subject: claims.sub, session: claims.sid, at: issued_at })
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
