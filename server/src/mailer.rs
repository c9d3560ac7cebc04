//! Sending mail through a server that the settings name.

use crate::config::MailServer;
use app::ports::{Mail, MailError, Mailer};
use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use std::time::Duration;

/// How long the server may take for each thing it is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub struct SmtpMailer {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl SmtpMailer {
    /// For these settings.
    ///
    /// # Errors
    /// When this machine's certificates cannot be used.
    pub fn new(settings: MailServer) -> anyhow::Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.url.expose_secret())?;
        Ok(Self { from: settings.from, transport: transport.timeout(Some(PATIENCE)).build() })
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let refused = |_| MailError::Refused("the address or the text is none".to_owned());
        let to: Address = mail.to.parse().map_err(|_| MailError::Refused("the address is none".to_owned()))?;
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            // The same for the same news, so that a mail that comes twice is known to.
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            // Nobody's holiday notice answers it (RFC 3834, 5).
            .raw_header(automatic)
            .subject(mail.subject.clone())
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())
            .map_err(refused)
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.message(mail)?;
        // What a server says holds addresses, which do not belong into the log: its code alone is given on.
        let answered = |error: &lettre::transport::smtp::Error| match error.status() {
            Some(code) => format!("it answered {code}"),
            None if error.is_timeout() => "it did not answer in time".to_owned(),
            None if error.is_tls() => "no secure connection could be made".to_owned(),
            None => "no connection could be made".to_owned(),
        };
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            // 421 ends the connection for everybody (RFC 5321, 4.2.2); any other answer is about this mail.
            Err(error) if error.status().is_some_and(|code| u16::from(code) != 421) => {
                Err(MailError::Refused(answered(&error)))
            }
            Err(error) => Err(MailError::Unavailable(answered(&error))),
        }
    }
}
