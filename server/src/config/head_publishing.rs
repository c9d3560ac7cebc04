//! The webhook that takes the head of the record.

use super::reader::Reader;
use secrecy::SecretString;
use url::Url;

#[derive(Debug, Clone)]
pub struct HeadsWebhook {
    /// `FAIRWAY_HEADS_WEBHOOK_URL`.
    pub url: Url,
    /// `FAIRWAY_HEADS_WEBHOOK_TOKEN`: sent as a bearer token (RFC 6750), if set.
    pub token: Option<SecretString>,
}

impl HeadsWebhook {
    /// Nothing where no webhook is named.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.optional("FAIRWAY_HEADS_WEBHOOK_URL")?;
        let url = reader.web_address("FAIRWAY_HEADS_WEBHOOK_URL", None)?;
        Some(Self { url, token: reader.secret("FAIRWAY_HEADS_WEBHOOK_TOKEN") })
    }
}
