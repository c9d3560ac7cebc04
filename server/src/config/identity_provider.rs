//! The identity provider.

use super::reader::Reader;
use secrecy::SecretString;
use url::Url;

#[derive(Debug, Clone)]
pub struct IdentityProviderSettings {
    /// `OIDC_ISSUER_URL`.
    pub issuer: Url,
    /// `OIDC_CLIENT_ID`.
    pub client_id: String,
    /// `OIDC_CLIENT_SECRET`; none for a public client.
    pub client_secret: Option<SecretString>,
    /// `OIDC_CA_FILE`: what the file holds, certificates of authorities (PEM) that are trusted for the provider on top
    /// of the usual ones.
    pub authorities: Option<String>,
    /// `OIDC_SCOPES`, separated by spaces. Those that the provider does not have are not asked for.
    pub scopes: Vec<String>,
    /// `OIDC_GROUPS_CLAIM`.
    pub groups_claim: String,
    /// `OIDC_USERNAME_CLAIM`: the claim that the cluster's user name follows from, as the API server's
    /// `--oidc-username-claim` says.
    pub username_claim: String,
    /// `OIDC_EMAIL_IS_VERIFIED`: take e-mail addresses as verified of a provider that does not say so.
    pub email_is_verified: bool,
}

impl IdentityProviderSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let issuer = reader.web_address("OIDC_ISSUER_URL", None);
        let client_id = reader.text("OIDC_CLIENT_ID", Some("fairway"));
        let client_secret = reader.secret("OIDC_CLIENT_SECRET");
        let authorities = certificates(reader, "OIDC_CA_FILE");
        let scopes = reader.text("OIDC_SCOPES", Some("openid profile email groups offline_access"))?;
        let scopes = scopes.split_whitespace().map(str::to_owned).collect();
        let groups_claim = reader.text("OIDC_GROUPS_CLAIM", Some("groups"))?;
        let username_claim = reader.text("OIDC_USERNAME_CLAIM", Some("email"))?;
        let email_is_verified = reader.parse("OIDC_EMAIL_IS_VERIFIED", Some("false"), "true or false")?;
        Some(Self {
            issuer: issuer?,
            client_id: client_id?,
            client_secret,
            authorities,
            scopes,
            groups_claim,
            username_claim,
            email_is_verified,
        })
    }
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
