//! The browser's part of a sign-in, played by hand.

use super::told;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Certificate, Client, Response, redirect};
use std::collections::BTreeMap;
use url::Url;

/// A browser that keeps cookies and stops when it is sent back to the portal.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn client() -> Client {
        let authority = std::fs::read(told("FAIRWAY_TEST_AUTHORITY")).unwrap();
        let authority = Certificate::from_pem(&authority).unwrap();
        Client::builder().add_root_certificate(authority).redirect(redirect::Policy::none()).build().unwrap()
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    /// Follows redirects until somebody has to choose, chooses, and gives what comes back to the portal.
    pub async fn sign_in(&mut self, start: Url, person: &str) -> BTreeMap<String, String> {
        let portal = told("FAIRWAY_TEST_PORTAL");
        let mut here = start;
        loop {
            if here.as_str().starts_with(&portal) {
                return here.query_pairs().into_owned().collect();
            }
            let request = if here.path().starts_with("/choose/") {
                let form = format!("person={person}");
                let form_type = "application/x-www-form-urlencoded";
                Self::client().post(here.clone()).header("content-type", form_type).body(form)
            } else {
                Self::client().get(here.clone())
            };
            let response = self.send(request).await;
            here = here.join(response.headers()[LOCATION].to_str().unwrap()).unwrap();
        }
    }
}
