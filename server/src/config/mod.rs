//! Settings: the environment first, and one optional TOML file for the platform's policy. Every
//! mistake is named at once.

mod policy;

pub use policy::policy_from_env;

use app::state::Policy;
use lettre::message::Mailbox;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
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
    pub database_url: Secret,
    /// The OpenID client.
    pub oidc: Oidc,
    /// Where the head of the record is sent once a day, if anywhere.
    pub heads_webhook: Option<HeadsWebhook>,
    /// Where mails are sent, if anywhere.
    pub mail_server: Option<MailServer>,
    /// How long sessions last.
    pub sessions: SessionLimits,
    /// The platform's policy.
    pub policy: Policy,
}

/// The OpenID client.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// `OIDC_ISSUER_URL`.
    pub issuer: Url,
    /// `OIDC_CLIENT_ID`.
    pub client_id: String,
    /// `OIDC_CLIENT_SECRET`; none for a public client.
    pub client_secret: Option<Secret>,
    /// `OIDC_SCOPES`, parted by spaces.
    pub scopes: Vec<String>,
    /// `OIDC_GROUPS_CLAIM`.
    pub groups_claim: String,
}

/// A webhook that takes the head of the record.
#[derive(Debug, Clone)]
pub struct HeadsWebhook {
    /// `FAIRWAY_HEADS_WEBHOOK_URL`.
    pub url: Url,
    /// `FAIRWAY_HEADS_WEBHOOK_TOKEN`: sent as a bearer token (RFC 6750), if set.
    pub token: Option<Secret>,
}

/// A server that takes mails.
#[derive(Debug, Clone)]
pub struct MailServer {
    /// `FAIRWAY_SMTP_URL`: `smtps://` and the server, or `smtp://` and `?tls=required` for STARTTLS; with name and
    /// password before the server, if it wants them.
    pub url: Secret,
    /// `FAIRWAY_MAIL_FROM`: the sender, as `Fairway <fairway@example.com>`.
    pub from: Mailbox,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// `FAIRWAY_SESSION_IDLE_MINUTES`: without a request.
    pub idle: Duration,
    /// `FAIRWAY_SESSION_ABSOLUTE_MINUTES`: in all.
    pub absolute: Duration,
    /// `FAIRWAY_GROUPS_MAX_AGE_SECONDS`: after this the groups are read again.
    pub groups_max_age: Duration,
}

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself; for handing on only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The settings have {} mistake{}:", self.0.len(), if self.0.len() == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|mistake| writeln!(f, "- {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// Reads settings and collects what is wrong with them.
struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn text(&mut self, name: &str, default: Option<&str>) -> String {
        match (self.variable)(name).filter(|text| !text.trim().is_empty()).or_else(|| default.map(str::to_owned)) {
            Some(text) => text,
            None => {
                self.mistakes.push(format!("{name} is not set"));
                String::new()
            }
        }
    }

    fn parse<T: std::str::FromStr>(&mut self, name: &str, default: Option<&str>, expected: &str) -> Option<T> {
        let text = self.text(name, default);
        if text.is_empty() {
            return None;
        }
        text.parse().map_err(|_| self.mistakes.push(format!("{name} is not {expected}"))).ok()
    }

    fn duration(&mut self, name: &str, default: &str, unit: u64) -> Option<Duration> {
        let number: u64 = self.parse(name, Some(default), "a whole number above 0")?;
        if number == 0 {
            self.mistakes.push(format!("{name} is not a whole number above 0"));
        }
        Some(Duration::from_secs(number * unit))
    }

    fn web_address(&mut self, name: &str, default: Option<&str>) -> Option<Url> {
        let url: Url = self.parse(name, default, "an address that begins with https://")?;
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() == "https" || (url.scheme() == "http" && local) {
            return Some(url);
        }
        self.mistakes.push(format!("{name} must begin with https://; http:// is for localhost only"));
        None
    }

    fn mail_server(&mut self) -> Option<MailServer> {
        let url: Url = self.parse("FAIRWAY_SMTP_URL", None, "an address that begins with smtps:// or smtp://")?;
        let from = self.parse("FAIRWAY_MAIL_FROM", None, "a sender, such as Fairway <fairway@example.com>");
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let tls: Vec<String> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
        match (url.scheme(), tls.join("&").as_str()) {
            ("smtps", "") | ("smtp", "tls=required") => {}
            ("smtp", "") if local => {}
            _ => {
                let mistake = "FAIRWAY_SMTP_URL must begin with smtps://, or with smtp:// and end with ?tls=required; without, smtp:// is for localhost only";
                self.mistakes.push(mistake.to_owned());
            }
        }
        Some(MailServer { url: Secret(url.into()), from: from? })
    }
}

impl Config {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn from_env() -> Result<Self, Mistakes> {
        Self::read(&|name| std::env::var(name).ok())
    }

    /// Reads the settings through `variable`.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Mistakes> {
        let mut reader = Reader { variable, mistakes: Vec::new() };
        let listen =
            reader.parse("FAIRWAY_LISTEN", Some("127.0.0.1:3000"), "an address and port, such as 0.0.0.0:3000");
        let metrics_listen = variable("FAIRWAY_METRICS_LISTEN")
            .is_some()
            .then(|| reader.parse("FAIRWAY_METRICS_LISTEN", None, "an address and port, such as 0.0.0.0:9090"))
            .flatten();
        let public_url = reader.web_address("FAIRWAY_PUBLIC_URL", Some("http://localhost:3000"));
        let site_root = PathBuf::from(reader.text("FAIRWAY_SITE_ROOT", Some("target/site")));
        let database_url = Secret(reader.text("DATABASE_URL", None));
        let issuer = reader.web_address("OIDC_ISSUER_URL", None);
        let client_id = reader.text("OIDC_CLIENT_ID", Some("fairway"));
        let client_secret = variable("OIDC_CLIENT_SECRET").filter(|secret| !secret.is_empty()).map(Secret);
        let scopes = reader
            .text("OIDC_SCOPES", Some("openid profile email groups offline_access"))
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let groups_claim = reader.text("OIDC_GROUPS_CLAIM", Some("groups"));
        let webhook_token = variable("FAIRWAY_HEADS_WEBHOOK_TOKEN").filter(|secret| !secret.is_empty()).map(Secret);
        let heads_webhook = variable("FAIRWAY_HEADS_WEBHOOK_URL")
            .filter(|url| !url.is_empty())
            .and_then(|_| reader.web_address("FAIRWAY_HEADS_WEBHOOK_URL", None))
            .map(|url| HeadsWebhook { url, token: webhook_token });
        let is_set = variable("FAIRWAY_SMTP_URL").is_some_and(|url| !url.is_empty());
        let mail_server = is_set.then(|| reader.mail_server()).flatten();
        let idle = reader.duration("FAIRWAY_SESSION_IDLE_MINUTES", "480", 60);
        let absolute = reader.duration("FAIRWAY_SESSION_ABSOLUTE_MINUTES", "1440", 60);
        let groups_max_age = reader.duration("FAIRWAY_GROUPS_MAX_AGE_SECONDS", "900", 1);
        let policy = reader.policy();
        match (listen, public_url, issuer, idle, absolute, groups_max_age) {
            (Some(listen), Some(public_url), Some(issuer), Some(idle), Some(absolute), Some(groups_max_age))
                if reader.mistakes.is_empty() =>
            {
                Ok(Self {
                    listen,
                    metrics_listen,
                    public_url,
                    site_root,
                    database_url,
                    oidc: Oidc { issuer, client_id, client_secret, scopes, groups_claim },
                    heads_webhook,
                    mail_server,
                    sessions: SessionLimits { idle, absolute, groups_max_age },
                    policy,
                })
            }
            _ => Err(Mistakes(reader.mistakes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Mistakes> {
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
