//! `/workloads/{id}`: one submission, from what was reviewed to what runs.

use super::dry_runs::{Conflicts, DryRuns};
use super::findings::{Findings, Headline, Readiness};
use super::panel::marks;
use super::picture::Pictured;
use super::review::SecondPersonNotice;
use super::submission_reviews::{CommentFields, Comments, EarlierReviews, ReviewFields, Reviews, unanswered};
use crate::error::AppError;
use crate::faq::{Article, diagnose};
use crate::form::Rejected;
use crate::ui::{
    Badge, Breadcrumb, ErrorSummary, Fact, Notice, Page, PageRequest, Section, Submit, Table, Time, Tone, Yaml,
    page_with,
};
use crate::workloads::draft::Step;
use crate::workloads::paths;
use crate::workloads::rollout::{Rollout, Stage, rollout};
use crate::workloads::service::second_person::{
    CommentForm, ReviewForm, is_reviewable, load_earlier_reviews, may_comment, may_review,
};
use crate::workloads::service::{DryRun, draw_submission, is_overtaken, load_submission, may_deploy};
use crate::workloads::submission::{ApplyOutcome, ApplyResult, Submission, SubmissionState};
use islands::CopyButton;
use leptos::prelude::*;
use review::{Manifest, Report, Workload};
use uuid::Uuid;

/// What the person may do with the submission.
#[derive(Clone)]
struct Allowed {
    /// Or why it cannot be said.
    apply: Result<bool, AppError>,
    undo: bool,
    review: bool,
    comment: bool,
}

/// One submission: what was reviewed, what a second person said, what the cluster said, what runs.
#[component]
pub fn SubmissionPage() -> impl IntoView {
    let context = (Rejected::<ReviewForm>::on_this_page(), Rejected::<CommentForm>::on_this_page());
    page_with(Section::Workloads, context, |request, (review, comment)| async move {
        let id = request.param("id").parse().map_err(|_| AppError::NotFound)?;
        let submission = load_submission(&request.state, request.actor()?, id).await?;
        let report: Report = read(&submission.report)?;
        let dry_run: Vec<DryRun> = read(&submission.dry_run)?;
        let title = format!("{} in {}", submission.name, submission.namespace);
        let readiness = Readiness::of(&report, &dry_run);
        let is_overtaken = is_overtaken(&request.state, &submission).await.unwrap_or(true);
        let allowed = allowed(&request, &submission, is_overtaken).await;
        let rollouts = rollouts(&request, &submission).await;
        // Drawn against what runs today: once something else was applied, that is not what was decided on.
        let picture = match submission.state {
            SubmissionState::Replaced => None,
            _ if is_overtaken => None,
            _ => draw_submission(&request.state, request.actor()?, &submission).await,
        };
        // While the cluster cannot be asked, nobody who needs it may decide either.
        let earlier = load_earlier_reviews(&request.state, request.actor()?, &submission).await.unwrap_or_default();
        let is_waiting = submission.state == SubmissionState::Waiting;
        let unanswered = if is_waiting { unanswered(&earlier) } else { None };
        let has_decided = submission.reviews.last().map(|last| last.reviewer_id) == Some(request.actor()?.person_id);
        let failed = review.is_some() || comment.is_some();
        let (review, review_errors) = review.map(|sent| (sent.form, sent.errors)).unwrap_or_default();
        let (comment, comment_errors) = comment.map(|sent| (sent.form, sent.errors)).unwrap_or_default();
        let marks = marks(&report);
        let state = submission.state;
        let reviews_before = submission.reviews.len();
        let (digest, shown_digest) = (submission.digest.to_string(), submission.digest.to_string());
        let reviewed = request.query("reviewed").map(|_| {
            view! {
                <Notice tone=Tone::Good><p>"Your review is recorded. The author sees it on this page."</p></Notice>
            }
        });
        let body = view! {
            <Breadcrumb links=vec![("/workloads".to_owned(), "Workloads".to_owned())]/>
            <ErrorSummary errors=review_errors.clone()/>
            <ErrorSummary errors=comment_errors.clone()/>
            <h1>{title.clone()}</h1>
            {reviewed}
            <State state=state reviews=reviews_before/>
            {unanswered.map(|text| view! { <Notice tone=Tone::Warn><p>{text}</p></Notice> })}
            <Next id=submission.id draft=submission.draft_id state=state allowed=allowed.clone()/>
            <Rollouts rollouts=rollouts/>
            <Results results=submission.results/>
            <dl class="facts">
                <Fact term="Submitted by">{submission.author_name}</Fact>
                <Fact term="When"><Time at=submission.created_at/></Fact>
                <Fact term="SHA-256"><code>{shown_digest}</code></Fact>
                <Fact term="Reference"><code>{submission.id.to_string()}</code></Fact>
            </dl>
            <SecondPersonNotice
                reasons=submission.second_person
                lead="A second person has to look at this submission, because:"
            />
            <Reviews reviews=submission.reviews/>
            <EarlierReviews earlier=earlier/>
            {allowed.review.then(|| view! {
                <ReviewFields
                    id=submission.id
                    digest=digest
                    after=reviews_before
                    has_decided=has_decided
                    form=review
                    errors=review_errors
                />
            })}
            <h2>"What was reviewed"</h2>
            <Headline report=report.clone() readiness=readiness/>
            {picture.map(|picture| view! { <Pictured picture=picture/> })}
            <Findings report=report/>
            <h2>"What the cluster said beforehand"</h2>
            <DryRuns dry_run=dry_run/>
            <h2>"Manifest"</h2>
            <div id="manifest"><Yaml label="Manifest" text=submission.manifest marks=marks/></div>
            <p class="buttons"><CopyButton target="manifest".to_owned() label="Copy YAML".to_owned()/></p>
            <Comments comments=submission.comments/>
            {allowed.comment.then(|| view! { <CommentFields id=submission.id form=comment errors=comment_errors/> })}
        };
        Ok(Page::new(title, body).with_errors(failed))
    })
}

fn read<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> Result<T, AppError> {
    T::deserialize(value).map_err(|error| {
        tracing::error!(%error, "a stored verdict cannot be read");
        AppError::Internal
    })
}

/// What cannot be asked is not allowed.
async fn allowed(request: &PageRequest, submission: &Submission, is_overtaken: bool) -> Allowed {
    let Ok(actor) = request.actor() else {
        return Allowed { apply: Ok(false), undo: false, review: false, comment: false };
    };
    let is_own = submission.contributors.contains(&actor.person_id);
    let review = is_reviewable(submission)
        && !is_own
        && may_review(&request.state, actor, &submission.namespace).await.unwrap_or_default();
    let apply = if submission.state.may_apply() {
        may_deploy(&request.state, actor, &submission.namespace).await
    } else {
        Ok(false)
    };
    let comment = review || may_comment(&request.state, actor, submission).await.unwrap_or_default();
    let undo = submission.state == SubmissionState::Applied
        && !is_overtaken
        && may_deploy(&request.state, actor, &submission.namespace).await.unwrap_or_default();
    Allowed { apply, undo, review, comment }
}

/// How far the workloads of an applied submission have come.
async fn rollouts(request: &PageRequest, submission: &Submission) -> Vec<(String, Result<Rollout, AppError>)> {
    let (Ok(actor), SubmissionState::Applied | SubmissionState::Stopped(_) | SubmissionState::Unknown) =
        (request.actor(), submission.state)
    else {
        return Vec::new();
    };
    let manifests: Vec<Manifest> = review::decode("submission", &submission.manifest).unwrap_or_default();
    let mut found = Vec::new();
    for manifest in manifests.iter().filter(|manifest| Workload::of(manifest).is_some()) {
        let family = request.state.cluster.family(&actor.kube, manifest.object()).await;
        found.push((manifest.object().to_string(), family.map(|family| rollout(&family)).map_err(AppError::from)));
    }
    found
}

#[component]
fn State(state: SubmissionState, reviews: usize) -> impl IntoView {
    let (tone, text) = match state {
        SubmissionState::Waiting => (
            Tone::Info,
            "Waiting for a second person. Administrators of the namespace and of the platform see it under Workloads.",
        ),
        SubmissionState::Ready if reviews == 0 => {
            (Tone::Info, "It was submitted and not applied yet; nobody else need look at it.")
        }
        SubmissionState::Ready => (Tone::Good, "Approved: it can be applied, exactly as it stands here."),
        SubmissionState::Refused => {
            (Tone::Bad, "A second person refused it. The draft is kept: change it and submit it again.")
        }
        SubmissionState::ChangesRequested => {
            (Tone::Warn, "A second person asks for changes. The draft is kept: change it and submit it again.")
        }
        SubmissionState::Replaced => (Tone::Info, "A later submission of the same draft stands in its place."),
        SubmissionState::Applied => (Tone::Good, "Applied exactly as reviewed."),
        SubmissionState::Unknown => {
            (Tone::Bad, "It is not known whether this was applied: Fairway was interrupted. Applying it again is safe.")
        }
        SubmissionState::Stopped(_) => (
            Tone::Bad,
            "Not everything was applied. Each object below says why. Your draft is kept under Workloads: change it, \
             or apply again once the cause is gone; objects that were applied stay as they are.",
        ),
    };
    view! { <Notice tone=tone><p>{text}</p></Notice> }
}

/// How far a submission has come, in a word or two.
#[component]
pub fn StateBadge(state: SubmissionState) -> impl IntoView {
    let (tone, word) = match state {
        SubmissionState::Waiting => (Tone::Info, "Waiting for review"),
        SubmissionState::Ready => (Tone::Good, "Ready to apply"),
        SubmissionState::Refused => (Tone::Bad, "Not approved"),
        SubmissionState::ChangesRequested => (Tone::Warn, "Changes asked for"),
        SubmissionState::Replaced => (Tone::Info, "Replaced"),
        SubmissionState::Applied => (Tone::Good, "Applied"),
        SubmissionState::Stopped(outcome) => return view! { <OutcomeBadge outcome=outcome/> }.into_any(),
        SubmissionState::Unknown => (Tone::Bad, "Unknown"),
    };
    view! { <Badge tone=tone text=word/> }.into_any()
}

#[component]
fn OutcomeBadge(outcome: ApplyOutcome) -> impl IntoView {
    let (tone, word) = match outcome {
        ApplyOutcome::Applied => (Tone::Good, "Applied"),
        ApplyOutcome::Refused => (Tone::Bad, "Refused"),
        ApplyOutcome::Conflict => (Tone::Bad, "Conflict"),
        ApplyOutcome::Failed => (Tone::Bad, "Failed"),
    };
    view! { <Badge tone=tone text=word/> }
}

/// What can be done now.
#[component]
fn Next(id: Uuid, draft: Uuid, state: SubmissionState, allowed: Allowed) -> impl IntoView {
    let change = matches!(
        state,
        SubmissionState::Waiting
            | SubmissionState::Refused
            | SubmissionState::ChangesRequested
            | SubmissionState::Stopped(_)
    );
    let apply = match allowed.apply {
        Ok(true) => {
            let label = if state == SubmissionState::Ready { "Apply workload" } else { "Apply again" };
            view! { <form method="post" action=paths::submission_action(id, "apply")><Submit label=label/></form> }
                .into_any()
        }
        Ok(false) => ().into_any(),
        Err(error) => view! { <p>{error.to_string()}" Then reload this page to apply it."</p> }.into_any(),
    };
    let change = change.then(
        || view! { <a class="button button--secondary" href=paths::step(draft, Step::Review)>"Open the draft"</a> },
    );
    let undo = allowed.undo.then(|| {
        view! {
            <form method="post" action=paths::submission_action(id, "undo")>
                <Submit label="Undo this change" secondary=true/>
            </form>
        }
    });
    view! { <div class="buttons">{apply}{change}{undo}</div> }
}

#[component]
fn Rollouts(rollouts: Vec<(String, Result<Rollout, AppError>)>) -> impl IntoView {
    let items = rollouts
        .into_iter()
        .map(|(object, found)| match found {
            Ok(rollout) => view! { <RolloutItem object=object rollout=rollout/> }.into_any(),
            Err(error) => view! { <p>{format!("{object}: {error}")}</p> }.into_any(),
        })
        .collect_view();
    (!items.is_empty()).then(|| view! { <h2>"What runs now"</h2>{items} })
}

#[component]
fn RolloutItem(object: String, rollout: Rollout) -> impl IntoView {
    let Rollout { stage, pods, scheduled, ready, wanted, problems } = rollout;
    let (tone, word) = match stage {
        Stage::NotThere => (Tone::Info, "Not to be seen"),
        Stage::Refused => (Tone::Bad, "Pods refused"),
        Stage::Waiting => (Tone::Info, "Waiting for a node"),
        Stage::Starting => (Tone::Info, "Starting"),
        Stage::Planned => (Tone::Info, "Planned"),
        Stage::Running => (Tone::Good, "Running"),
    };
    let counted = match stage {
        Stage::NotThere => "The cluster does not show it to you, or it is gone.".to_owned(),
        Stage::Planned => format!("It makes pods when their time comes; {pods} are there now."),
        _ => format!("{wanted} wanted, {pods} admitted, {scheduled} on a node, {ready} ready."),
    };
    let problems = problems.into_iter().map(|problem| view! { <Problem text=problem/> }).collect_view();
    view! {
        <div class="finding">
            <p><Badge tone=tone text=word/>" "<code>{object}</code>" "{counted}</p>
            {problems}
        </div>
    }
}

/// What the cluster says, and the article that says what to do about it.
#[component]
fn Problem(text: String) -> impl IntoView {
    let article: Option<&Article> = diagnose(&text).into_iter().next();
    let help = match article {
        Some(article) => view! { " "<a href=format!("/faq/{}", article.slug)>{article.title}</a> }.into_any(),
        None => {
            view! { " "<a href=format!("/faq?{}", super::query(&[("message", &text)]))>"Look for it in the FAQ"</a> }
                .into_any()
        }
    };
    view! { <p>{text}{help}</p> }
}

#[component]
fn Results(results: Vec<ApplyResult>) -> impl IntoView {
    (!results.is_empty()).then(|| {
        let rows = results
            .into_iter()
            .map(|result| {
                view! {
                    <tr>
                        <td data-label="Object"><code>{result.object}</code></td>
                        <td data-label="Outcome"><OutcomeBadge outcome=result.outcome/></td>
                        <td data-label="Message">{result.message}<Conflicts fields=result.conflicts/></td>
                        <td data-label="Version"><code>{result.resource_version}</code></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2>"What the cluster said"</h2>
            <Table label="Objects" columns=&["Object", "Outcome", "Message", "Version"]>{rows}</Table>
        }
    })
}
