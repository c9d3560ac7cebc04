//! `/workloads/{id}`: one submission, from what was reviewed to what runs.

use super::findings::{Conflicts, DryRuns, Findings, Headline, Readiness};
use super::panel::marks;
use super::picture::Pictured;
use super::review::SecondPersonNotice;
use crate::error::AppError;
use crate::faq::{Article, diagnose};
use crate::form::{FormErrors, Rejected};
use crate::ui::{
    Badge, Breadcrumb, ErrorSummary, Fact, Field, Notice, OnEnter, Page, PageRequest, Section, Submit, Table, TextArea,
    Time, Tone, Yaml, page_with,
};
use crate::workloads::draft::Step;
use crate::workloads::paths;
use crate::workloads::rollout::{Rollout, Stage, rollout};
use crate::workloads::service::second_person::{CommentForm, ReviewForm, is_reviewable, may_comment, may_review};
use crate::workloads::service::{DryRun, draw_submission, is_latest, load_submission, may_deploy};
use crate::workloads::submission::{
    ApplyOutcome, ApplyResult, Comment, EarlierReview, Review, Submission, SubmissionState,
};
use islands::CopyButton;
use leptos::prelude::*;
use record::ReviewVerdict;
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
        let allowed = allowed(&request, &submission).await;
        let rollouts = rollouts(&request, &submission).await;
        let picture = draw_submission(&request.state, request.actor()?, &submission).await;
        let is_waiting = submission.state == SubmissionState::Waiting;
        let unanswered = if is_waiting { unanswered(&submission.earlier_reviews) } else { None };
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
            <EarlierReviews earlier=submission.earlier_reviews/>
            {allowed.review.then(|| {
                let has_errors = !review_errors.is_empty();
                let fields = view! {
                    <ReviewFields id=submission.id digest=digest after=reviews_before form=review errors=review_errors/>
                };
                match has_decided && !has_errors {
                    true => {
                        view! { <details><summary>"Change your decision"</summary>{fields}</details> }.into_any()
                    }
                    false => fields.into_any(),
                }
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
async fn allowed(request: &PageRequest, submission: &Submission) -> Allowed {
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
        && is_latest(&request.state, submission).await.unwrap_or_default()
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

fn verdict_badge(verdict: ReviewVerdict) -> impl IntoView {
    let (tone, word) = match verdict {
        ReviewVerdict::Approved => (Tone::Good, "Approved"),
        ReviewVerdict::Refused => (Tone::Bad, "Not approved"),
        ReviewVerdict::ChangesRequested => (Tone::Warn, "Changes asked for"),
    };
    view! { <Badge tone=tone text=word/> }
}

#[component]
fn Reviews(reviews: Vec<Review>) -> impl IntoView {
    (!reviews.is_empty()).then(|| {
        let items = reviews
            .into_iter()
            .map(|review| {
                view! {
                    <li class="finding">
                        <p>
                            {verdict_badge(review.verdict)}" by "<strong>{review.reviewer_name}</strong>", "
                            <Time at=review.decided_at/>
                        </p>
                        <p>{review.comment}</p>
                    </li>
                }
            })
            .collect_view();
        view! { <h2>"Reviews"</h2><ul class="findings">{items}</ul> }
    })
}

/// What was said of earlier versions: whoever decides next knows it.
#[component]
fn EarlierReviews(earlier: Vec<EarlierReview>) -> impl IntoView {
    (!earlier.is_empty()).then(|| {
        let items = earlier
            .into_iter()
            .map(|EarlierReview { submission, is_same, review }| {
                let of = if is_same { " of these very bytes" } else { " of an earlier version" };
                view! {
                    <li class="finding">
                        <p>
                            {verdict_badge(review.verdict)}" by "<strong>{review.reviewer_name}</strong>", "
                            <Time at=review.decided_at/>", "<a href=paths::submission(submission)>{of}</a>
                        </p>
                        <p>{review.comment}</p>
                    </li>
                }
            })
            .collect_view();
        view! { <h2>"Reviews of earlier submissions"</h2><ul class="findings">{items}</ul> }
    })
}

/// What somebody else found wrong with the same bytes, and nobody has changed.
fn unanswered(earlier: &[EarlierReview]) -> Option<String> {
    let EarlierReview { review, .. } = earlier.iter().rfind(|earlier| earlier.is_same)?;
    let said = match review.verdict {
        ReviewVerdict::Approved => return None,
        ReviewVerdict::Refused => "did not approve exactly these bytes",
        ReviewVerdict::ChangesRequested => "asked for changes, and nothing was changed since",
    };
    Some(format!("{} {said}: {}", review.reviewer_name, review.comment))
}

#[component]
fn ReviewFields(id: Uuid, digest: String, after: usize, form: ReviewForm, errors: FormErrors) -> impl IntoView {
    view! {
        <section aria-labelledby="your-review">
            <h2 id="your-review">"Your review"</h2>
            <p>
                "It counts for exactly these bytes. If the author changes anything, it is submitted and reviewed anew."
            </p>
            <form method="post" action=paths::submission_action(id, "approve") class="form">
                <OnEnter sends=false/>
                <input type="hidden" name="digest" value=digest/>
                <input type="hidden" name="after" value=after.to_string()/>
                <TextArea
                    name="comment"
                    label="Comment"
                    hint="Needed where you do not approve: what should change, and why."
                    value=form.comment
                    errors=errors
                />
                <div class="buttons">
                    <Submit label="Approve"/>
                    <Submit label="Ask for changes" secondary=true to=paths::submission_action(id, "request-changes")/>
                    <Submit label="Refuse" secondary=true to=paths::submission_action(id, "refuse")/>
                </div>
            </form>
        </section>
    }
}

#[component]
fn Comments(comments: Vec<Comment>) -> impl IntoView {
    (!comments.is_empty()).then(|| {
        let items = comments
            .into_iter()
            .map(|comment| {
                let line = comment.line.map(|line| view! { " on "<a href=format!("#line-{line}")>"line "{line}</a> });
                view! {
                    <li class="finding">
                        <p><strong>{comment.author_name}</strong>{line}", "<Time at=comment.written_at/></p>
                        <p class="said">{comment.body}</p>
                    </li>
                }
            })
            .collect_view();
        view! { <h2 id="comments">"Comments"</h2><ul class="findings">{items}</ul> }
    })
}

#[component]
fn CommentFields(id: Uuid, form: CommentForm, errors: FormErrors) -> impl IntoView {
    let open = !form.body.is_empty() || errors.of("body").is_some() || errors.of("line").is_some();
    view! {
        <details open=open>
            <summary>"Comment on a line"</summary>
            <form method="post" action=paths::submission_action(id, "comment") class="form">
                <OnEnter sends=false/>
                <Field
                    name="line"
                    label="Line of the manifest"
                    optional=true
                    hint="Its number, or empty for the whole."
                    value=form.line
                    kind="number"
                    width="short"
                    errors=errors.clone()
                />
                <TextArea
                    name="body"
                    label="Your comment"
                    hint="Everyone who may see this submission can read it."
                    value=form.body
                    errors=errors
                />
                <Submit label="Add comment" secondary=true/>
            </form>
        </details>
    }
}
