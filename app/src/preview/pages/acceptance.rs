//! `/preview-features/acceptances/{id}`: the record of one acceptance, to read, print and export.

use super::StatusBadge;
use super::feature::DocumentFacts;
use crate::error::AppError;
use crate::faq::markdown;
use crate::form::{FormErrors, Rejected};
use crate::preview::acceptance::{Acceptance, StepTaken};
use crate::preview::opt_in::{EndReason, Status};
use crate::preview::paths;
use crate::preview::service::deciding::RevokeForm;
use crate::preview::service::deciding::{AcceptanceView, load_acceptance};
use crate::preview::statement::Effect;
use crate::ui::{
    Badge, Breadcrumb, ErrorSummary, Fact, Field, Notice, OnEnter, Page, Section, Submit, Table, Time, Tone, page_with,
};
use leptos::prelude::*;

#[component]
pub fn AcceptancePage() -> impl IntoView {
    page_with(Section::PreviewFeatures, Rejected::<RevokeForm>::on_this_page(), |request, rejected| async move {
        let id = request.param("id").parse().map_err(|_| AppError::NotFound)?;
        let shown = load_acceptance(&request.state, request.actor()?, id).await?;
        let failed = rejected.is_some();
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let acceptance = shown.acceptance.clone();
        let title = format!("{} for {}", acceptance.terms.name, acceptance.accepted.scope);
        let told = request
            .query("accepted")
            .map(|_| "Your acceptance is recorded. An administrator decides next; how it stands is shown below.");
        let told = told.or_else(|| request.query("done").map(|_| "It is done and recorded."));
        let told = told.map(|words| view! { <Notice tone=Tone::Good><p>{words}</p></Notice> });
        let body = view! {
            <Breadcrumb links=vec![("/preview-features".to_owned(), "Preview features".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            {told}
            <h1>{title.clone()}</h1>
            <CurrentStatus acceptance=acceptance.clone()/>
            <Buttons view=shown.clone()/>
            <Certificate acceptance=acceptance.clone() may_export=shown.may_export()/>
            <Mails acceptance=acceptance/>
            <Revoking view=shown form=form errors=errors/>
        };
        Ok(Page::new(title, body).with_errors(failed))
    })
}

/// How it stands, and what is in the way.
#[component]
fn CurrentStatus(acceptance: Acceptance) -> impl IntoView {
    let status = acceptance.status().clone();
    let manual = acceptance.terms.effect == Effect::Manual;
    let waits = match &status {
        Status::Approved if manual => Some("An administrator enables it by hand, and confirms it here."),
        Status::Ending(_) if manual => Some("An administrator takes it back by hand, and confirms it here."),
        Status::Approved => Some(
            "It is made in the cluster within seconds. Where the cluster is unavailable or refuses, it is tried again.",
        ),
        _ => None,
    };
    let ends = status.is_granted().then(|| acceptance.lifecycle.ends_at()).flatten();
    let ends = ends.map(|(at, end)| {
        let day = at.strftime("%-d %B %Y");
        view! { <p>{match end {
            EndReason::Retired => format!("It ends on {day}, because the feature is retired."),
            EndReason::NotRenewed => format!("It ends on {day}, unless the new version of the statement is accepted \
                before."),
            _ => format!("It ends on {day}, unless it is accepted again before."),
        }}</p> }
    });
    let problem = (!acceptance.problem.is_empty())
        .then(|| view! { <Notice tone=Tone::Bad><p>"Tried, and not done: "{acceptance.problem.clone()}</p></Notice> });
    let drift = (!acceptance.drift.is_empty() && status == Status::Effective).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>"The cluster differs from what was approved. "{acceptance.drift.clone()}</p>
            </Notice>
        }
    });
    view! {
        <p><StatusBadge status=status.kind() words=status.in_words()/></p>
        {waits.map(|words| view! { <p>{words}</p> })}
        {ends}
        {problem}
        {drift}
    }
}

/// What may be done with it by whoever looks at it.
#[component]
fn Buttons(view: AcceptanceView) -> impl IntoView {
    let id = view.acceptance.accepted.id;
    let status = view.acceptance.status();
    let button = |label: &'static str, verb: &'static str| {
        view! {
            <form method="post" action=paths::acceptance_action(id, verb) class="no-print">
                <Submit label=label secondary=true/>
            </form>
        }
    };
    let is_approved = *status == Status::Approved;
    let has_drift = !view.acceptance.drift.is_empty() && *status == Status::Effective;
    let is_ending = matches!(status, Status::Ending(_));
    let withdraw = view.may_withdraw().then(|| button("Withdraw acceptance", "withdraw"));
    let confirm_effect = (view.may_administer() && view.is_manual() && is_approved)
        .then(|| button("Confirm that it is enabled", "confirm-effect"));
    let confirm_removal =
        (is_ending && view.may_confirm_removal()).then(|| button("Confirm that it is taken back", "confirm-removal"));
    let repair = (view.may_administer() && has_drift).then(|| button("Make it again as approved", "repair"));
    view! { {withdraw}{confirm_effect}{confirm_removal}{repair} }
}

/// Ending it before its time.
#[component]
fn Revoking(view: AcceptanceView, form: RevokeForm, errors: FormErrors) -> impl IntoView {
    let hint = match view.acceptance.terms.effect {
        Effect::Manual => "An administrator then takes back what it gave.",
        _ => "What it gave is taken back at once.",
    };
    let action = paths::acceptance_action(view.acceptance.accepted.id, "revoke");
    (view.may_revoke() && view.acceptance.status().is_granted()).then(|| {
        view! {
            <section class="no-print">
                <h2>"End it"</h2>
                <form method="post" action=action class="form">
                    // A decision is made with a button, never by the way.
                    <OnEnter sends=false/>
                    <Field
                        name="comment"
                        label="Why it is no longer wanted"
                        hint=hint
                        value=form.comment
                        errors=errors
                    />
                    <Submit label="Revoke opt-in" secondary=true/>
                </form>
            </section>
        }
    })
}

/// Everything that was recorded, as one would print it.
#[component]
fn Certificate(acceptance: Acceptance, may_export: bool) -> impl IntoView {
    let (name, email) = acceptance.person();
    let id = acceptance.accepted.id;
    let accepted_at = acceptance.accepted.accepted_at;
    let rows = acceptance.steps.iter().cloned().map(|taken| view! { <Step taken=taken/> }).collect_view();
    let subject = acceptance.identity.as_ref().map(|identity| format!("{} at {}", identity.subject, identity.issuer));
    view! {
        <h2>"Certificate of risk acceptance"</h2>
        <p class="only-print">
            "From the record of Fairway. Its export as a file proves what is printed here: fairway audit \
             verify-acceptance."
        </p>
        {may_export.then(|| view! {
            <form method="post" action=paths::acceptance_action(id, "export") class="no-print">
                <p>
                    "Exported, it holds every text, decision and row about it: with an export of the record beside it, \
                     it can be verified without Fairway. To print it, use the print command of the browser."
                </p>
                <Submit label="Export as JSON" secondary=true/>
            </form>
        })}
        <dl class="facts">
            <Fact term="Accepted by">{name}" "<span class="quiet">{email}</span></Fact>
            <Fact term="Known to the provider as">{subject.unwrap_or_else(|| "(erased)".to_owned())}</Fact>
            <Fact term="When">
                <time datetime=accepted_at.to_string()>
                    {accepted_at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()}
                </time>
            </Fact>
            <Fact term="Acceptance">
                <code>{id.to_string()}</code>", SHA-256 "<code>{acceptance.digest.to_string()}</code>
            </Fact>
        </dl>
        <DocumentFacts document=acceptance.accepted.clone()/>
        <dl class="facts">
            <Fact term="Reference"><code>{acceptance.accepted.request_id.clone()}</code></Fact>
            <Fact term="What approval does">{acceptance.terms.effect.in_words()}</Fact>
            <Fact term="How long">{format!("{} months from approval", acceptance.terms.validity_months)}</Fact>
            <Fact term="Approvals needed">{acceptance.terms.approvals}</Fact>
        </dl>
        <h3>"Decisions"</h3>
        {acceptance.steps.is_empty().then(|| view! { <p>"None yet."</p> })}
        <Table label="Decisions" columns=&["What", "Who", "When", "Comment", "Reference"]>{rows}</Table>
        <h3>{format!("The statement, version {}", acceptance.accepted.statement_version)}</h3>
        <div class="prose" inner_html=markdown(&acceptance.terms.body)></div>
    }
    .into_any()
}

/// Who was told of it, and who could not be.
#[component]
fn Mails(acceptance: Acceptance) -> impl IntoView {
    let rows = acceptance
        .deliveries
        .iter()
        .map(|delivery| {
            let of = acceptance.occasion_in_words(delivery.occasion);
            let state = match delivery.sent_at {
                Some(at) => view! { <Time at=at/> }.into_any(),
                None => view! {
                    <Badge tone=Tone::Warn text="Not sent"/>" "{delivery.problem.clone()}
                    " It is tried again for three days."
                }
                .into_any(),
            };
            view! {
                <tr>
                    <th scope="row">{of}</th>
                    <td data-label="To">{delivery.recipient.in_words()}</td>
                    <td data-label="Sent">{state}</td>
                </tr>
            }
        })
        .collect_view();
    (!acceptance.deliveries.is_empty()).then(|| {
        view! {
            <section class="no-print">
                <h2>"Told by e-mail"</h2>
                <Table label="Told by e-mail" columns=&["Of what", "To", "Sent"]>{rows}</Table>
            </section>
        }
    })
}

#[component]
fn Step(taken: StepTaken) -> impl IntoView {
    let when = taken.taken_at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string();
    view! {
        <tr>
            <th scope="row">{taken.in_words()}</th>
            <td data-label="Who">{taken.taken_by()}</td>
            <td data-label="When"><time datetime=taken.taken_at.to_string()>{when}</time></td>
            <td data-label="Comment">
                {(!taken.comment.is_empty()).then(|| view! { <div class="comment">{taken.comment.clone()}</div> })}
            </td>
            <td data-label="Reference"><code class="quiet">{taken.request_id.clone()}</code></td>
        </tr>
    }
}
