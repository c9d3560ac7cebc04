//! One request to the API server: in whose name, what, and what the answer means.

use app::access::KubeIdentity;
use app::error::{WebhookFailure, WebhookFault};
use app::ports::{ClusterError, FieldConflict};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WARNING};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Error as ConnectionError;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use std::error::Error as _;
use std::time::Duration;

/// Longest wait for an answer to what webhooks do not see.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Longest wait for an answer to a write, also one that is only tried: a webhook may take up to 30 seconds
/// (admissionregistration.k8s.io/v1, timeoutSeconds), and the API server then says which one it was.
const WRITE_TIMEOUT: Duration = Duration::from_secs(33);

/// In whose name.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    Portal,
    /// A person; groups never go without the user.
    Person(&'a KubeIdentity),
}

/// The clients of the API server.
#[derive(Clone)]
pub struct Clients {
    /// With the portal's own account.
    pub(super) portal: Client,
    /// Without any account, for requests that carry a person's own token: the portal's would take its place.
    people: Client,
}

impl Clients {
    /// Both, as a configuration says.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: kube::Config) -> kube::Result<Self> {
        let mut nobody = config.clone();
        nobody.auth_info = kube::config::AuthInfo::default();
        Ok(Self { portal: Client::try_from(config)?, people: Client::try_from(nobody)? })
    }
}

/// A request in the making.
pub(super) struct ApiRequest {
    request: http::request::Builder,
    /// It carries a person's own token.
    is_persons: bool,
    body: String,
    writes: bool,
    is_seen_by_webhooks: bool,
}

/// What the API server answered.
pub(super) struct Sent {
    pub(super) body: Value,
    pub(super) warnings: Vec<String>,
}

impl ApiRequest {
    fn new(method: Method, path: &str, content_type: &str, body: String) -> Self {
        // Questions about rights are not stored, so no webhook sees them.
        let is_seen_by_webhooks = method != Method::GET && !path.starts_with("/apis/authorization.k8s.io/");
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, content_type);
        Self { request, is_persons: false, body, writes: false, is_seen_by_webhooks }
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new(Method::GET, path, "application/json", String::new())
    }

    pub(super) fn post(path: &str, body: &Value) -> Self {
        Self::new(Method::POST, path, "application/json", body.to_string())
    }

    /// A JSON merge patch (RFC 7396).
    pub(super) fn merge(path: &str, body: &Value) -> Self {
        Self::new(Method::PATCH, path, "application/merge-patch+json", body.to_string())
    }

    pub(super) fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path, "application/json", String::new())
    }

    /// Server-side apply of YAML bytes as they are (JSON is YAML as well).
    pub(super) fn apply(path: &str, body: String) -> Self {
        Self::new(Method::PATCH, path, "application/apply-patch+yaml", body)
    }

    /// Says in whose name it goes.
    pub(super) fn acting(mut self, who: As<'_>) -> Self {
        let As::Person(identity) = who else { return self };
        if let Some(token) = &identity.token {
            self.is_persons = true;
            self.request = self.request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        } else {
            self.request = self.request.header("Impersonate-User", identity.user.as_ref());
            for group in &identity.groups {
                self.request = self.request.header("Impersonate-Group", group.as_ref());
            }
        }
        self
    }

    /// Says that something is stored: then a connection that breaks leaves the outcome unknown.
    pub(super) fn writing(mut self) -> Self {
        self.writes = true;
        self
    }

    pub(super) async fn send(self, clients: &Clients) -> Result<Sent, ClusterError> {
        self.answer(clients).await?.understand()
    }

    /// As [`Self::send`]; nothing where the API server does not know what is asked for.
    pub(super) async fn send_if_served(self, clients: &Clients) -> Result<Option<Sent>, ClusterError> {
        match self.answer(clients).await? {
            answer if answer.status == StatusCode::NOT_FOUND => Ok(None),
            answer => answer.understand().map(Some),
        }
    }

    async fn answer(self, clients: &Clients) -> Result<Answer, ClusterError> {
        let client = if self.is_persons { &clients.people } else { &clients.portal };
        let is_persons = self.is_persons;
        let writes = self.writes;
        let patience = if self.is_seen_by_webhooks { WRITE_TIMEOUT } else { TIMEOUT };
        let request = self
            .request
            .body(Body::from(self.body.into_bytes()))
            .map_err(|error| ClusterError::NotSent(error.to_string()))?;
        let answered = async {
            let response = client.send(request).await.map_err(|error| broken(writes, &error))?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.map_err(|error| lost(writes, error.to_string()))?.to_bytes();
            if is_persons && parts.status == StatusCode::UNAUTHORIZED {
                return Err(ClusterError::NotSignedIn);
            }
            Ok(Answer { writes, status: parts.status, headers: parts.headers, bytes: bytes.to_vec() })
        };
        tokio::time::timeout(patience, answered)
            .await
            .unwrap_or_else(|_| Err(lost(writes, "no answer in time".to_owned())))
    }
}

/// A connection that was never made cannot have written anything.
fn broken(writes: bool, error: &kube::Error) -> ClusterError {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.downcast_ref::<ConnectionError>().is_some_and(ConnectionError::is_connect) {
            return ClusterError::Unavailable(error.to_string());
        }
        source = cause.source();
    }
    lost(writes, error.to_string())
}

fn lost(writes: bool, cause: String) -> ClusterError {
    if writes { ClusterError::Unknown(cause) } else { ClusterError::Unavailable(cause) }
}

/// What came back, before it is known what it means.
struct Answer {
    writes: bool,
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn understand(self) -> Result<Sent, ClusterError> {
        let Self { writes, status, headers, bytes } = self;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let message =
            || body["message"].as_str().map_or_else(|| format!("the API server answered {status}"), str::to_owned);
        match status {
            status if status.is_success() => Ok(Sent { warnings: warnings(&headers), body }),
            StatusCode::CONFLICT => Err(ClusterError::Conflict { message: message(), fields: field_conflicts(&body) }),
            StatusCode::GATEWAY_TIMEOUT => Err(lost(writes, message())),
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => Err(ClusterError::Unavailable(message())),
            // A webhook may refuse with any status; its decision is one all the same.
            status if status.is_server_error() && message().contains("denied the request") => {
                Err(ClusterError::Refused(message()))
            }
            status if status.is_server_error() => Err(match webhook_failure(&message(), writes) {
                Some(failure) => ClusterError::WebhookFailed { failure, cause: message() },
                // An error of the API server's own, in its own words.
                None if status == StatusCode::INTERNAL_SERVER_ERROR && !writes && body["kind"] == "Status" => {
                    ClusterError::Failed(message())
                }
                // A proxy in front, or a store behind that answered too late: it may have been stored.
                None => lost(writes, message()),
            }),
            _ => Err(ClusterError::Refused(message())),
        }
    }
}

/// A webhook that the API server could not ask (apiserver, pkg/admission/plugin/webhook/errors and
/// apiextensions-apiserver, pkg/apiserver/conversion): admission comes before storing, so nothing is stored then.
/// Conversion also comes after, so of a write it leaves open what happened.
fn webhook_failure(message: &str, writes: bool) -> Option<WebhookFailure> {
    let (webhook, cause) = match message.split_once("failed calling webhook \"") {
        Some((_, rest)) => rest.split_once("\": ")?,
        None if writes => return None,
        None => message.split_once("conversion webhook for ")?.1.split_once(" failed: ")?,
    };
    Some(WebhookFailure { webhook: webhook.to_owned(), fault: webhook_fault(cause) })
}

fn webhook_fault(cause: &str) -> WebhookFault {
    const TOO_SLOW: [&str; 4] = ["deadline exceeded", "Client.Timeout", "i/o timeout", "timed out"];
    const UNREACHABLE: [&str; 9] = [
        "connection refused",
        "connection reset",
        "no such host",
        "no route to host",
        "EOF",
        "x509",
        "tls:",
        "not found",
        "no endpoints available",
    ];
    let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    match () {
        () if says(&TOO_SLOW) => WebhookFault::TooSlow,
        () if says(&UNREACHABLE) => WebhookFault::Unreachable,
        () => WebhookFault::Invalid,
    }
}

/// The fields of a conflict (apimachinery, pkg/api/errors, NewApplyConflict): the manager stands in quotes in the
/// message of each cause.
fn field_conflicts(status: &Value) -> Vec<FieldConflict> {
    let causes = status["details"]["causes"].as_array().into_iter().flatten();
    causes
        .filter(|cause| cause["reason"] == "FieldManagerConflict")
        .filter_map(|cause| {
            let message = cause["message"].as_str()?;
            let manager = message.split('"').nth(1).unwrap_or(message).to_owned();
            Some(FieldConflict { field: cause["field"].as_str().unwrap_or_default().to_owned(), manager })
        })
        .collect()
}

/// `Warning: 299 - "text"` (RFC 7234, 5.5): the text, its escapes undone.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(WARNING)
        .into_iter()
        .filter_map(|value| {
            let text = value.to_str().ok()?;
            let quoted = text.split_once('"')?.1;
            Some(quoted.rsplit_once('"')?.0.replace("\\\"", "\"").replace("\\\\", "\\"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read_without_their_quotes() {
        let mut headers = HeaderMap::new();
        headers.append(WARNING, r#"299 - "unknown field \"spec.x\"""#.parse().unwrap());
        headers.append(WARNING, r#"299 - "second""#.parse().unwrap());
        assert_eq!(warnings(&headers), ["unknown field \"spec.x\"", "second"]);
    }

    #[test]
    fn a_conflict_names_each_field_and_its_manager() {
        let causes = serde_json::json!([
            {
                "reason": "FieldManagerConflict", "message": "conflict with \"helm\" using apps/v1",
                "field": ".spec.replicas"
            },
            { "reason": "Other", "message": "x", "field": ".y" },
        ]);
        let found = field_conflicts(&serde_json::json!({ "details": { "causes": causes } }));
        assert_eq!(found, [FieldConflict { field: ".spec.replicas".into(), manager: "helm".into() }]);
    }

    #[test]
    fn a_webhook_that_gives_no_usable_answer_is_named_with_what_was_wrong() {
        let found = |message: &str| webhook_failure(message, true).map(|found| (found.webhook, found.fault));
        let called =
            |cause: &str| found(&format!("Internal error occurred: failed calling webhook \"x.example.com\": {cause}"));
        for (cause, fault) in [
            (
                "failed to call webhook: Post \"https://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: \
                 connection refused",
                WebhookFault::Unreachable,
            ),
            (
                "failed to call webhook: Post \"https://x.y.svc:443/\": service \"x\" not found",
                WebhookFault::Unreachable,
            ),
            ("failed to call webhook: Post \"https://127.0.0.1:1/\": context deadline exceeded", WebhookFault::TooSlow),
            ("failed to call webhook: invalid character '<' looking for beginning of value", WebhookFault::Invalid),
        ] {
            assert_eq!(called(cause), Some(("x.example.com".to_owned(), fault)), "{cause}");
        }
        assert_eq!(found("etcdserver: request timed out"), None);
        let conversion = "conversion webhook for example.com/v1, Kind=Thing failed: Post \"https://127.0.0.1:1/\": EOF";
        assert_eq!(webhook_failure(conversion, false).map(|found| found.fault), Some(WebhookFault::Unreachable));
        assert_eq!(found(conversion), None);
    }

    #[test]
    fn a_webhook_that_refuses_with_a_server_error_has_refused() {
        let message = "admission webhook \"x.example.com\" denied the request: no policies are loaded yet";
        let bytes = serde_json::json!({ "message": message }).to_string().into_bytes();
        let answer =
            Answer { writes: true, status: StatusCode::INTERNAL_SERVER_ERROR, headers: HeaderMap::new(), bytes };
        assert!(matches!(answer.understand().err().unwrap(), ClusterError::Refused(_)));
    }

    #[test]
    fn an_error_of_the_api_servers_own_is_shown_where_nothing_was_stored() {
        let answer = |writes, body: &str| {
            let (status, headers) = (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new());
            Answer { writes, status, headers, bytes: body.as_bytes().to_vec() }.understand().err().unwrap()
        };
        let status = r#"{"kind": "Status", "message": "element 0: omits key field \"protocol\""}"#;
        assert_eq!(answer(false, status), ClusterError::Failed("element 0: omits key field \"protocol\"".to_owned()));
        assert!(matches!(answer(true, status), ClusterError::Unknown(_)), "it may have been stored");
        assert!(matches!(answer(false, "<html>"), ClusterError::Unavailable(_)), "a proxy says so");
    }

    #[test]
    fn a_write_that_times_out_is_unknown_and_a_read_is_away() {
        let answer = |writes| {
            let (status, headers, bytes) = (StatusCode::GATEWAY_TIMEOUT, HeaderMap::new(), b"{}".to_vec());
            Answer { writes, status, headers, bytes }.understand().err().unwrap()
        };
        assert!(matches!(answer(true), ClusterError::Unknown(_)));
        assert!(matches!(answer(false), ClusterError::Unavailable(_)));
    }
}
