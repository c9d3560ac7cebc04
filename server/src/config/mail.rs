//! The server that takes mails.

use super::reader::{Reader, is_local};
use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

#[derive(Debug, Clone)]
pub struct MailServer {
    /// `FAIRWAY_SMTP_URL`: `smtps://` and the server, or `smtp://` and `?tls=required` for STARTTLS; with name and
    /// password before the server, if it wants them.
    pub url: SecretString,
    /// `FAIRWAY_MAIL_FROM`: the sender, as `Fairway <fairway@example.com>`.
    pub from: Mailbox,
}

impl MailServer {
    /// Nothing where no server is named.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.secret("FAIRWAY_SMTP_URL")?;
        let Ok(url) = url.expose_secret().parse::<Url>() else {
            reader.mistake("FAIRWAY_SMTP_URL is not an address that begins with smtps:// or smtp://");
            return None;
        };
        let from = reader.parse("FAIRWAY_MAIL_FROM", None, "a sender, such as Fairway <fairway@example.com>");
        let tls: Vec<String> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
        match (url.scheme(), tls.join("&").as_str()) {
            ("smtps", "") | ("smtp", "tls=required") => {}
            ("smtp", "") if is_local(&url) => {}
            _ => reader.mistake(
                "FAIRWAY_SMTP_URL must begin with smtps://, or with smtp:// and end with ?tls=required; \
                 without, smtp:// is for localhost only",
            ),
        }
        Some(Self { url: String::from(url).into(), from: from? })
    }
}
