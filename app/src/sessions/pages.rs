//! `/sessions`, `/admin/sessions`, `/sign-out`.

use super::errors::failure_in_words;
use super::service::{MOST_PEOPLE, load_failed_sign_ins, load_own_sessions, load_signed_in};
use super::{FailedSignIns, SessionSummary, SignedInPerson, SignedOut};
use crate::ui::{Badge, Breadcrumb, Empty, Field, Notice, Page, Section, Submit, Table, Time, Tone, page, page_with};
use axum::http::HeaderValue;
use axum::http::header::REFRESH;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use uuid::Uuid;

#[component]
pub fn SessionsPage() -> impl IntoView {
    page(Section::None, |request| async move {
        let actor = request.actor()?;
        let sessions = load_own_sessions(&request.state, actor).await?;
        let own = actor.session;
        let has_others = sessions.iter().any(|session| Some(session.id) != own);
        let rows = sessions.into_iter().map(|session| view! { <OwnSession session=session own=own/> }).collect_view();
        let body = view! {
            <h1>"Your sessions"</h1>
            {request.query("ended").map(|_| view! { <Ended/> })}
            <p>
                "Every browser in which you are signed in. End any that you do not recognise or no longer use. Anyone \
                 using them is signed out at once; saved work is kept."
            </p>
            <Table label="Your sessions" columns=&["Browser", "Address", "Signed in", "Last used", "End"]>{rows}</Table>
            {has_others.then(|| view! {
                <form method="post" action="/sessions/end-others">
                    <button class="button">"End all other sessions"</button>
                </form>
            })}
        };
        Ok(Page::new("Your sessions", body))
    })
}

#[component]
fn OwnSession(session: SessionSummary, own: Option<Uuid>) -> impl IntoView {
    let is_this = Some(session.id) == own;
    let end = if is_this {
        view! { <Badge tone=Tone::Info text="this one"/> }.into_any()
    } else {
        let label = format!("End the session in {}", session.browser);
        view! {
            <form method="post" action=format!("/sessions/{}/end", session.id)>
                <button class="button button--quiet" aria-label=label>"End"</button>
            </form>
        }
        .into_any()
    };
    view! {
        <tr>
            <th scope="row">{session.browser}</th>
            <td data-label="Address">{session.address.unwrap_or_else(|| "not known".to_owned())}</td>
            <td data-label="Signed in"><Time at=session.began_at/></td>
            <td data-label="Last used"><Time at=session.last_used_at/></td>
            <td>{end}</td>
        </tr>
    }
}

#[component]
pub fn AllSessionsPage() -> impl IntoView {
    page(Section::Admin, |request| async move {
        let text = request.query("search").unwrap_or_default();
        let administrator = request.actor()?.administrator()?;
        let people = load_signed_in(&request.state, administrator, &text).await?;
        let failures = load_failed_sign_ins(&request.state, administrator).await?;
        let is_cut = i64::try_from(people.len()).is_ok_and(|number| number >= MOST_PEOPLE);
        let list = if people.is_empty() {
            view! { <Empty title="Nobody found"><p>"Nobody with that name or address is signed in."</p></Empty> }
                .into_any()
        } else {
            let rows = people.into_iter().map(|person| view! { <OthersSessions person=person/> }).collect_view();
            view! {
                <Table label="People who are signed in" columns=&["Person", "E-mail", "Sessions", "Last seen", "End"]>{rows}</Table>
            }
            .into_any()
        };
        let body = view! {
            <Breadcrumb links=vec![("/admin".to_owned(), "Admin".to_owned())]/>
            <h1>"Sessions"</h1>
            {request.query("ended").map(|_| view! { <Ended/> })}
            <p>
                "Who is signed in. End somebody's sessions if a device of theirs is lost, or a cookie may have been stolen. \
                 They can sign in again unless their account is locked at the identity provider. Both are in the record."
            </p>
            <form method="get" action="/admin/sessions" class="filter" role="search">
                <Field name="search" label="Name or e-mail" value=text/>
                <Submit label="Search"/>
            </form>
            {list}
            {is_cut.then(|| view! {
                <p>{format!("Only the {MOST_PEOPLE} who were seen last are listed. Search for others.")}</p>
            })}
            <Failures failures=failures/>
        };
        Ok(Page::new("Sessions", body))
    })
}

#[component]
fn Failures(failures: Vec<FailedSignIns>) -> impl IntoView {
    let list = if failures.is_empty() {
        view! { <p>"None in the last two weeks."</p> }.into_any()
    } else {
        let rows = failures
            .into_iter()
            .map(|FailedSignIns { day, code, count }| {
                view! {
                    <tr>
                        <th scope="row">{day.to_string()}</th>
                        <td data-label="Reason">{failure_in_words(&code).to_owned()}</td>
                        <td data-label="Times">{count}</td>
                    </tr>
                }
            })
            .collect_view();
        view! { <Table label="Sign-ins that failed" columns=&["Day", "Reason", "Times"]>{rows}</Table> }.into_any()
    };
    view! { <h2>"Sign-ins that failed"</h2>{list} }
}

#[component]
fn OthersSessions(person: SignedInPerson) -> impl IntoView {
    let label = format!("End all sessions of {}", person.name);
    view! {
        <tr>
            <th scope="row">{person.name}</th>
            <td data-label="E-mail">{person.email}</td>
            <td data-label="Sessions">{person.sessions}</td>
            <td data-label="Last seen"><Time at=person.last_used_at/></td>
            <td>
                <form method="post" action=format!("/admin/sessions/{}/end", person.id)>
                    <button class="button button--quiet" aria-label=label>"End all"</button>
                </form>
            </td>
        </tr>
    }
}

#[component]
fn Ended() -> impl IntoView {
    view! { <Notice tone=Tone::Good><p>"Done. Those sessions have ended."</p></Notice> }
}

/// Says that somebody is signed out, and takes them to the provider where that ends its own session. The form must not
/// lead there itself: the site's policy lets forms end here only.
#[component]
pub fn SignOutPage() -> impl IntoView {
    let context = (use_context::<SignedOut>(), expect_context::<ResponseOptions>());
    page_with(Section::None, context, |request, (signed_out, response)| async move {
        let more = match signed_out {
            None if request.visitor().is_some() => {
                return Ok(Page::new("Sign out", view! { <StillSignedIn/> }));
            }
            None | Some(SignedOut::HereOnly) => {
                view! { <p><a class="button" href="/">"Back to the front page"</a></p> }.into_any()
            }
            Some(SignedOut::AtProvider { address }) => {
                if let Ok(next) = HeaderValue::from_str(&format!("0; url={address}")) {
                    response.insert_header(REFRESH, next);
                }
                view! {
                    <p>"You are on your way to the identity provider, to be signed out there as well."</p>
                    <p><a class="button" href=address>"Sign out at the identity provider"</a></p>
                }
                .into_any()
            }
            Some(SignedOut::ProviderAway) => view! {
                <Notice tone=Tone::Warn>
                    <p>
                        "Fairway could not reach the identity provider, so you may still be signed in there. On a computer \
                         that you share, close the browser."
                    </p>
                </Notice>
            }
            .into_any(),
        };
        Ok(Page::new("Signed out", view! { <h1>"You are signed out"</h1>{more} }))
    })
}

#[component]
fn StillSignedIn() -> impl IntoView {
    view! {
        <h1>"Sign out"</h1>
        <p>"You are signed in."</p>
        <form method="post" action="/sign-out"><button class="button">"Sign out"</button></form>
    }
}
