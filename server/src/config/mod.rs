//! Settings: the environment first, and one optional TOML file for the platform's policy. Every
//! mistake is named at once.

mod connections;
mod head_publishing;
mod identity_provider;
mod mail;
mod policy;
mod rates;
mod reader;
mod sessions;

pub use head_publishing::HeadsWebhook;
pub use identity_provider::IdentityProviderSettings;
pub use mail::MailServer;
pub use reader::ConfigError;
pub use sessions::SessionLimits;

use crate::connections::ConnectionLimits;
use crate::rate_limits::RateSettings;
use app::policy::Policy;
use reader::Reader;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;

/// Everything the portal needs to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// `FAIRWAY_LISTEN`: where the portal listens.
    pub listen: SocketAddr,
    /// `FAIRWAY_METRICS_LISTEN`: where metrics are served, if at all.
    pub metrics_listen: Option<SocketAddr>,
    /// `FAIRWAY_PUBLIC_URL`: what people type; an origin.
    pub public_url: Url,
    /// `FAIRWAY_SITE_ROOT`: the folder with style sheet and WASM.
    pub site_root: PathBuf,
    /// `DATABASE_URL`: the database, as the portal's own role.
    pub database_url: SecretString,
    pub identity_provider: IdentityProviderSettings,
    /// Where the head of the record is sent once a day, if anywhere.
    pub heads_webhook: Option<HeadsWebhook>,
    /// Where mails are sent, if anywhere.
    pub mail_server: Option<MailServer>,
    pub sessions: SessionLimits,
    pub connections: ConnectionLimits,
    pub rates: RateSettings,
    pub policy: Policy,
}

impl Config {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&from_env)
    }

    /// Reads the settings through `variable`.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variable);
        let config = Self::read_each(&mut reader);
        reader.finish(config)
    }

    fn read_each(reader: &mut Reader<'_>) -> Option<Self> {
        let listen =
            reader.parse("FAIRWAY_LISTEN", Some("127.0.0.1:3000"), "an address and port, such as 0.0.0.0:3000");
        let metrics_listen = reader
            .optional("FAIRWAY_METRICS_LISTEN")
            .and_then(|_| reader.parse("FAIRWAY_METRICS_LISTEN", None, "an address and port, such as 0.0.0.0:9090"));
        let public_url = reader.web_address("FAIRWAY_PUBLIC_URL", Some("http://localhost:3000"));
        let site_root = reader.text("FAIRWAY_SITE_ROOT", Some("target/site"));
        if reader.optional("DATABASE_URL").or_else(|| reader.optional("DATABASE_URL_FILE")).is_none() {
            reader.mistake("DATABASE_URL is not set");
        }
        let database_url = reader.secret("DATABASE_URL");
        let identity_provider = IdentityProviderSettings::read(reader);
        let heads_webhook = HeadsWebhook::read(reader);
        let mail_server = MailServer::read(reader);
        let sessions = SessionLimits::read(reader);
        let connections = ConnectionLimits::read(reader);
        let rates = RateSettings::read(reader);
        let policy = policy::read(reader);
        Some(Self {
            listen: listen?,
            metrics_listen,
            public_url: public_url?,
            site_root: PathBuf::from(site_root?),
            database_url: database_url?,
            identity_provider: identity_provider?,
            heads_webhook,
            mail_server,
            sessions: sessions?,
            connections: connections?,
            rates: rates?,
            policy: policy?,
        })
    }
}

/// Reads only the platform's policy, from the file that the environment names.
///
/// # Errors
/// All mistakes at once.
pub fn policy_from_env() -> Result<Policy, ConfigError> {
    let mut reader = Reader::new(&from_env);
    let policy = policy::read(&mut reader);
    reader.finish(policy)
}

fn from_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::collections::HashMap;
    use std::time::Duration;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let map: HashMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::read(&|name| map.get(name).cloned())
    }

    #[test]
    fn a_database_and_an_issuer_are_enough() {
        let config = read(&[("DATABASE_URL", "postgres://x"), ("OIDC_ISSUER_URL", "https://idp.example.com")]).unwrap();
        assert_eq!(config.sessions.idle, Duration::from_secs(8 * 3600));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = read(&[
            ("FAIRWAY_LISTEN", "here"),
            ("OIDC_ISSUER_URL", "http://idp.example.com"),
            ("FAIRWAY_SESSION_IDLE_MINUTES", "0"),
        ])
        .unwrap_err();
        assert_eq!(
            mistakes.0,
            [
                "FAIRWAY_LISTEN is not an address and port, such as 0.0.0.0:3000",
                "DATABASE_URL is not set",
                "OIDC_ISSUER_URL must begin with https://; http:// is for localhost only",
                "FAIRWAY_SESSION_IDLE_MINUTES is not a whole number above 0",
            ]
        );
    }

    #[test]
    fn mistakes_in_the_file_name_their_line() {
        let path = std::env::temp_dir().join(format!("fairway-config-{}.toml", std::process::id()));
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        let mistake = || {
            read(&[
                ("DATABASE_URL", "x"),
                ("OIDC_ISSUER_URL", "https://idp"),
                ("FAIRWAY_CONFIG", path.to_str().unwrap()),
            ])
            .unwrap_err()
            .0
            .remove(0)
        };
        write("styleguide = true\n[groups]\nimpersonated = [\"system:masters\"]\n");
        assert!(mistake().contains(":3: group \"system:masters\" cannot be impersonated"), "{}", mistake());
        write("[review]\nregistries = []\n");
        assert!(mistake().contains(":2: unknown field"), "{}", mistake());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn mail_goes_over_a_secure_connection_or_stays_on_this_machine() {
        let with = |url: &str, from: &str| {
            let config = read(&[
                ("DATABASE_URL", "postgres://x"),
                ("OIDC_ISSUER_URL", "https://idp"),
                ("FAIRWAY_SMTP_URL", url),
                ("FAIRWAY_MAIL_FROM", from),
            ]);
            config.map(|config| config.mail_server.is_some()).map_err(|mistakes| mistakes.0.join(" "))
        };
        let from = "Fairway <fairway@example.com>";
        for url in
            ["smtps://user:secret@mail.example.com", "smtp://mail.example.com:587?tls=required", "smtp://localhost:25"]
        {
            assert_eq!(with(url, from), Ok(true), "{url}");
        }
        for url in ["smtp://mail.example.com", "smtp://mail.example.com?tls=opportunistic", "https://mail.example.com"]
        {
            assert!(with(url, from).is_err_and(|mistakes| mistakes.contains("must begin with smtps://")), "{url}");
        }
        assert!(
            with("smtp://localhost:25", "").is_err_and(|mistakes| mistakes.contains("FAIRWAY_MAIL_FROM is not set"))
        );
        assert!(
            with("smtp://localhost:25", "Fairway")
                .is_err_and(|mistakes| mistakes.contains("FAIRWAY_MAIL_FROM is not a sender"))
        );
        assert_eq!(with("", ""), Ok(false));
    }

    #[test]
    fn secrets_are_read_from_files_where_those_are_named() {
        let path = std::env::temp_dir().join(format!("fairway-secret-{}", std::process::id()));
        std::fs::write(&path, "p%ss: w+rd\n").unwrap();
        let file = path.to_str().unwrap();
        let with = |pairs: &[(&str, &str)]| {
            let all = [&[("DATABASE_URL", "postgres://x"), ("OIDC_ISSUER_URL", "https://idp")], pairs].concat();
            let secret = |config: Config| config.identity_provider.client_secret.unwrap().expose_secret().to_owned();
            read(&all).map(secret).map_err(|mistakes| mistakes.0.join(" "))
        };
        assert_eq!(with(&[("OIDC_CLIENT_SECRET_FILE", file)]).unwrap(), "p%ss: w+rd");
        let both = with(&[("OIDC_CLIENT_SECRET_FILE", file), ("OIDC_CLIENT_SECRET", "x")]).unwrap_err();
        assert!(both.contains("are both set"), "{both}");
        let missing = with(&[("OIDC_CLIENT_SECRET_FILE", "/nowhere/secret")]).unwrap_err();
        assert!(missing.contains("/nowhere/secret, which cannot be read"), "{missing}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_database_address_whose_file_cannot_be_read_is_not_called_unset() {
        let mistakes =
            read(&[("DATABASE_URL_FILE", "/nowhere/url"), ("OIDC_ISSUER_URL", "https://idp")]).unwrap_err().0;
        let [only] = mistakes.as_slice() else { panic!("{mistakes:?}") };
        assert!(only.contains("/nowhere/url, which cannot be read"), "{only}");
    }

    #[test]
    fn what_a_sign_in_says_itself_cannot_be_said_otherwise() {
        let with = |parameters: &str| {
            let pairs =
                [("DATABASE_URL", "x"), ("OIDC_ISSUER_URL", "https://idp"), ("OIDC_EXTRA_PARAMETERS", parameters)];
            read(&pairs)
                .map(|config| config.identity_provider.extra_parameters)
                .map_err(|mistakes| mistakes.0.join(" "))
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(with("audience=a+b&hd=example.com").unwrap(), [pair("audience", "a b"), pair("hd", "example.com")]);
        assert!(with("redirect_uri=https://evil").unwrap_err().contains("sets redirect_uri"));
        assert!(with("id_token_hint=x").unwrap_err().contains("sets id_token_hint"));
        assert!(with("login_hint=x").unwrap_err().contains("sets login_hint"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = read(&[
            ("DATABASE_URL", "postgres://canary"),
            ("OIDC_ISSUER_URL", "https://idp"),
            ("OIDC_CLIENT_SECRET", "canary"),
            ("FAIRWAY_SMTP_URL", "smtps://user:canary@mail.example.com"),
            ("FAIRWAY_MAIL_FROM", "fairway@example.com"),
        ])
        .unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
