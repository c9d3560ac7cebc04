//! What reviewers and others say of a submission, and the forms to say it with.

use crate::form::FormErrors;
use crate::ui::{Badge, Field, OnEnter, Submit, TextArea, Time, Tone};
use crate::workloads::paths;
use crate::workloads::service::second_person::{CommentForm, ReviewForm};
use crate::workloads::submission::{Comment, EarlierReview, Review};
use leptos::prelude::*;
use record::ReviewVerdict;
use uuid::Uuid;

fn verdict_badge(verdict: ReviewVerdict) -> impl IntoView {
    let (tone, word) = match verdict {
        ReviewVerdict::Approved => (Tone::Good, "Approved"),
        ReviewVerdict::Refused => (Tone::Bad, "Not approved"),
        ReviewVerdict::ChangesRequested => (Tone::Warn, "Changes asked for"),
    };
    view! { <Badge tone=tone text=word/> }
}

#[component]
pub fn Reviews(reviews: Vec<Review>) -> impl IntoView {
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
pub fn EarlierReviews(earlier: Vec<EarlierReview>) -> impl IntoView {
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
pub(super) fn unanswered(earlier: &[EarlierReview]) -> Option<String> {
    let EarlierReview { review, .. } = earlier.iter().rfind(|earlier| earlier.is_same)?;
    let said = match review.verdict {
        ReviewVerdict::Approved => return None,
        ReviewVerdict::Refused => "did not approve exactly these bytes",
        ReviewVerdict::ChangesRequested => "asked for changes, and nothing was changed since",
    };
    Some(format!("{} {said}: {}", review.reviewer_name, review.comment))
}

/// The buttons of a reviewer; behind a click for whoever has decided already.
#[component]
pub fn ReviewFields(
    id: Uuid,
    digest: String,
    after: usize,
    has_decided: bool,
    form: ReviewForm,
    errors: FormErrors,
) -> impl IntoView {
    let is_hidden = has_decided && errors.is_empty();
    let fields = view! {
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
    };
    match is_hidden {
        true => view! { <details><summary>"Change your decision"</summary>{fields}</details> }.into_any(),
        false => fields.into_any(),
    }
}

#[component]
pub fn Comments(comments: Vec<Comment>) -> impl IntoView {
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
pub fn CommentFields(id: Uuid, form: CommentForm, errors: FormErrors) -> impl IntoView {
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
