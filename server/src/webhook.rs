//! The webhook that takes the head of the record once a day, and keeps it where the database's owner cannot reach.

use crate::config::HeadsWebhook;
use app::ports::{HeadPublisher, HeadPublisherError};
use async_trait::async_trait;
use record::Head;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::Duration;

/// See the module.
pub struct Webhook {
    settings: HeadsWebhook,
    host: String,
    http: reqwest::Client,
}

impl Webhook {
    /// For these settings.
    ///
    /// # Errors
    /// When this machine's certificates cannot be used.
    pub fn new(settings: HeadsWebhook) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            // A token must not follow to wherever an answer points.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(10))
            .build()?;
        let host = settings.url.host_str().unwrap_or_default().to_owned();
        Ok(Self { settings, host, http })
    }
}

#[async_trait]
impl HeadPublisher for Webhook {
    fn host(&self) -> &str {
        &self.host
    }

    /// `head` is as `fairway audit verify --heads` reads it.
    async fn publish(&self, day: &str, head: &Head) -> Result<(), HeadPublisherError> {
        let request = self.http.post(self.settings.url.clone());
        let request = match &self.settings.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let body = json!({ "day": day, "head": head.to_string() }).to_string();
        let sent = request.header(CONTENT_TYPE, "application/json").body(body).send().await;
        // An address may hold a secret of its own.
        let answer = sent.map_err(|error| HeadPublisherError(error.without_url().to_string()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(HeadPublisherError(format!("it answered {status}"))),
        }
    }
}
