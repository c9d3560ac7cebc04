//! The identity provider.

use super::reader::Reader;
use crate::identity_provider::{ClaimSettings, ClientAuthentication};
use secrecy::SecretString;
use url::Url;

#[derive(Debug, Clone)]
pub struct IdentityProviderSettings {
    /// `OIDC_ISSUER_URL`, with or without a slash at its end.
    pub issuer: Url,
    /// `OIDC_CLIENT_ID`.
    pub client_id: String,
    /// `OIDC_CLIENT_SECRET`, or what the file holds that `OIDC_CLIENT_SECRET_FILE` names; none for a public client.
    pub client_secret: Option<SecretString>,
    /// `OIDC_CLIENT_AUTHENTICATION`: where the secret is sent. By default as the provider's metadata say.
    pub client_authentication: Option<ClientAuthentication>,
    /// `OIDC_CA_FILE`: what the file holds, certificates of authorities (PEM) that are trusted for the provider beside
    /// those of the system.
    pub authorities: Option<String>,
    /// `OIDC_SCOPES`, separated by spaces. Those that the provider does not have are not asked for.
    pub scopes: Vec<String>,
    pub claims: ClaimSettings,
    /// `OIDC_OTHER_AUDIENCES`, separated by spaces: clients that an ID token may be for beside this one.
    pub other_audiences: Vec<String>,
    /// `OIDC_EXTRA_PARAMETERS`, as in an address: sent along when somebody leaves to sign in.
    pub extra_parameters: Vec<(String, String)>,
    /// `OIDC_LOGOUT_URL`: where sessions at the provider are ended, if its metadata do not say so.
    pub logout_url: Option<Url>,
}

impl IdentityProviderSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let issuer = reader.web_address("OIDC_ISSUER_URL", None);
        let client_id = reader.text("OIDC_CLIENT_ID", Some("fairway"));
        let client_secret = reader.secret("OIDC_CLIENT_SECRET");
        let client_authentication = reader.optional("OIDC_CLIENT_AUTHENTICATION").and_then(|_| {
            reader.parse("OIDC_CLIENT_AUTHENTICATION", None, "basic or post (client_secret_basic, client_secret_post)")
        });
        let authorities = certificates(reader, "OIDC_CA_FILE");
        let scopes = reader.text("OIDC_SCOPES", Some("openid profile email groups offline_access"));
        let claims = read_claims(reader);
        let other_audiences = words(&reader.optional("OIDC_OTHER_AUDIENCES").unwrap_or_default());
        let extra_parameters = extra_parameters(reader);
        let logout_url = reader.optional("OIDC_LOGOUT_URL").and_then(|_| reader.web_address("OIDC_LOGOUT_URL", None));
        Some(Self {
            issuer: issuer?,
            client_id: client_id?,
            client_secret,
            client_authentication,
            authorities,
            scopes: words(&scopes?),
            claims: claims?,
            other_audiences,
            extra_parameters,
            logout_url,
        })
    }
}

fn read_claims(reader: &mut Reader<'_>) -> Option<ClaimSettings> {
    let groups = reader.text("OIDC_GROUPS_CLAIM", Some("groups"));
    let user_name = reader.text("OIDC_USERNAME_CLAIM", Some("email"));
    let group_prefix = reader.optional("OIDC_GROUPS_STRIP_PREFIX").unwrap_or_default();
    let email_is_verified = reader.parse("OIDC_EMAIL_IS_VERIFIED", Some("false"), "true or false");
    Some(ClaimSettings { groups: groups?, user_name: user_name?, group_prefix, email_is_verified: email_is_verified? })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What a sign-in itself says, which nothing may say otherwise.
const OWN_PARAMETERS: [&str; 12] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "id_token_hint",
    "login_hint",
    "nonce",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

fn extra_parameters(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let text = reader.optional("OIDC_EXTRA_PARAMETERS").unwrap_or_default();
    let parameters: Vec<_> = url::form_urlencoded::parse(text.trim().as_bytes()).into_owned().collect();
    if let Some((name, _)) = parameters.iter().find(|(name, _)| OWN_PARAMETERS.contains(&name.as_str())) {
        reader.mistake(format!("OIDC_EXTRA_PARAMETERS sets {name}, which Fairway sets itself"));
    }
    parameters
}

/// The content of a file of certificates, where one is named.
fn certificates(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    let file = reader.optional(name)?;
    match std::fs::read_to_string(&file) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => return Some(text),
        Ok(_) => reader.mistake(format!("{name} names {file}, which holds no certificate (PEM)")),
        Err(error) => reader.mistake(format!("{name} names {file}, which cannot be read ({error})")),
    }
    None
}
