//! The last step of the wizard: everything that is known before something is sent.

use super::dry_runs::DryRuns;
use super::findings::{Findings, FixForm, Headline, Readiness, things};
use super::panel::marks;
use super::picture::{Disagreements, Pictured};
use super::proposals::Proposals;
use super::wizard::{DraftFooter, Head, Steps};
use crate::error::AppError;
use crate::form::FormErrors;
use crate::ui::{Code, Fact, Notice, Page, PageRequest, Submit, Tone, Yaml};
use crate::workloads::draft::{Draft, DraftForm, Step};
use crate::workloads::paths;
use crate::workloads::service::{Depth, DryRun, DryRunAnswer, Reviewed, dry_run, review_draft};
use islands::CopyButton;
use leptos::prelude::*;
use review::{Answers, Change, Connection, Effect, Line, Picture};
use uuid::Uuid;

/// The review of a draft.
pub(super) async fn show_review(request: &PageRequest, draft: &Draft) -> Result<Page, AppError> {
    let actor = request.actor()?;
    let form = draft.form.clone();
    let reviewed = match review_draft(&request.state, actor, &form, Depth::Full).await? {
        Ok(reviewed) => reviewed,
        Err(errors) => {
            let body = view! { <Incomplete id=draft.id form=form errors=errors/> };
            return Ok(Page::new("Review - Add workload", body).with_errors(true));
        }
    };
    let dry_run = dry_run(&request.state, &actor.kube, &reviewed.bundle).await;
    let body = view! {
        <Head form=form.clone() step=Step::Review/>
        <Steps draft=draft.id form=form current=Step::Review/>
        <Remaining objects=draft.form.remains.clone()/>
        <div class="review"><ReviewBody id=draft.id reviewed=reviewed dry_run=dry_run/></div>
        <DraftFooter id=draft.id/>
    };
    Ok(Page::new("Review - Add workload", body))
}

#[component]
fn Incomplete(id: Uuid, form: DraftForm, errors: FormErrors) -> impl IntoView {
    let first = form.steps().into_iter().next().unwrap_or(Step::Workload);
    let items = errors.all().iter().map(|error| view! { <li>{error.message.clone()}</li> }).collect_view();
    view! {
        <Head form=form.clone() step=Step::Review/>
        <Steps draft=id form=form current=Step::Review/>
        <Notice tone=Tone::Bad><p>"Some answers no longer hold:"</p><ul>{items}</ul></Notice>
        <p><a href=paths::step(id, first)>"Go through the steps again"</a></p>
    }
}

#[component]
fn ReviewBody(id: Uuid, reviewed: Reviewed, dry_run: Vec<DryRun>) -> impl IntoView {
    let readiness = Readiness::of(&reviewed.report, &dry_run);
    let digest = reviewed.bundle.digest().to_string();
    let fix = FixForm {
        action: paths::draft_action(id, "fix"),
        action_for_all: paths::draft_action(id, "fix-all"),
        digest: digest.clone(),
    };
    let answers = reviewed.answers.clone();
    let commands = answers.as_ref().map(|answers| review::kubectl_commands(answers, reviewed.bundle.objects()));
    let action =
        view! { <Action id=id readiness=readiness digest=digest.clone() reasons=reviewed.second_person.clone()/> };
    let marks = marks(&reviewed.report);
    view! {
        <Headline report=reviewed.report.clone() readiness=readiness closed=reviewed.effect.closed.clone()/>
        <NotSent dry_run=dry_run.clone()/>
        <Unread parts=reviewed.unread.clone()/>
        <Existing dry_run=dry_run.clone()/>
        <SecondPersonNotice reasons=reviewed.second_person.clone()/>
        <Proposals id=id digest=digest.clone() proposals=reviewed.proposals.clone()/>
        <Pictures id=id first=reviewed.picture.clone() others=reviewed.other_pictures.clone()/>
        <Disagreements one_sided=reviewed.one_sided.clone()/>
        {answers.map(|answers| view! { <AnswerList id=id answers=answers/> })}
        <h2>"Findings"</h2>
        <Findings report=reviewed.report.clone() fix=fix/>
        <h2>"What the cluster says"</h2>
        <DryRuns dry_run=dry_run/>
        <h2>"Effect on existing connections"</h2>
        <Effects effect=reviewed.effect.clone()/>
        <h2>"Manifest"</h2>
        <p class="quiet">"SHA-256 " <code>{digest}</code></p>
        <div id="manifest"><Yaml label="Manifest" text=reviewed.bundle.text().to_owned() marks=marks/></div>
        <Downloads id=id commands=commands/>
        {action}
    }
    .into_any()
}

/// The one main action of the page.
#[component]
fn Action(id: Uuid, readiness: Readiness, digest: String, reasons: Vec<String>) -> impl IntoView {
    match readiness {
        Readiness::Ready => {
            let label = if reasons.is_empty() { "Apply workload" } else { "Send to a second person" };
            view! {
                <form method="post" action=paths::draft_action(id, "submit") class="form">
                    <input type="hidden" name="digest" value=digest/>
                    <Submit label=label/>
                </form>
            }
            .into_any()
        }
        Readiness::Unknown => view! {
            <p>
                "The cluster cannot be asked at the moment, so nothing can be applied. The draft is saved; reload \
                 this page in a minute."
            </p>
        }
        .into_any(),
        Readiness::NotReady | Readiness::NotSent => view! {
            <p>"It cannot be applied like this. Change what is named above; the draft is saved."</p>
        }
        .into_any(),
    }
}

/// Why somebody else has to look, before it is a surprise.
#[component]
pub fn SecondPersonNotice(
    reasons: Vec<String>,
    /// What leads up to them.
    #[prop(
        default = "A second person has to approve this: an administrator of the namespace or of the platform, and not \
            its author. Because:"
    )]
    lead: &'static str,
) -> impl IntoView {
    (!reasons.is_empty()).then(|| {
        let items = reasons.into_iter().map(|reason| view! { <li>{reason}</li> }).collect_view();
        view! {
            <Notice tone=Tone::Info>
                <p>
                    {lead}" "
                    <a href="/faq/second-person">"Why"<span class="visually-hidden">" a second person"</span></a>
                </p>
                <ul>{items}</ul>
            </Notice>
        }
    })
}

/// What undoing a change does not take away.
#[component]
fn Remaining(objects: Vec<String>) -> impl IntoView {
    (!objects.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>
                    "The change that you undo added these, and applying deletes nothing: "
                    <strong>{objects.join(", ")}</strong>
                    ". Delete them with kubectl afterwards if they are not wanted; policies last."
                </p>
            </Notice>
        }
    })
}

/// What stops all of it comes before the rest.
#[component]
fn NotSent(dry_run: Vec<DryRun>) -> impl IntoView {
    let is_not_sent = |object: &DryRun| matches!(object.answer, DryRunAnswer::NotSent(_));
    let objects: Vec<String> = dry_run.into_iter().filter(is_not_sent).map(|object| object.object).collect();
    (!objects.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Bad>
                <p>
                    "Fairway does not apply these: "<strong>{objects.join(", ")}</strong>
                    ". Take them out of the manifests, and apply them with kubectl if you may."
                </p>
            </Notice>
        }
    })
}

/// The picture of the workload; of an application with several, each folded under what it comes to.
#[component]
fn Pictures(id: Uuid, first: Option<Picture>, others: Vec<Picture>) -> impl IntoView {
    if others.is_empty() {
        return first
            .map(|picture| {
                view! {
                    <Pictured picture=picture/>
                    <p><a href=paths::draft_action(id, "picture.svg") download="">"Download the picture (SVG)"</a></p>
                }
            })
            .into_any();
    }
    let folded = first.into_iter().chain(others).map(|picture| {
        let ways_in = ends(&picture.ingress, "source", "nobody", "anyone");
        let ways_out = ends(&picture.egress, "destination", "nothing", "anything");
        let summary = format!("reached by {ways_in}, reaches {ways_out}");
        view! {
            <details>
                <summary><strong>{picture.workload.clone()}</strong>": "{summary}</summary>
                <Pictured picture=picture/>
            </details>
        }
    });
    view! { <h2>"Connections of each workload"</h2>{folded.collect_view()} }.into_any()
}

/// How many others there are afterwards; a direction that no policy governs is open to all.
fn ends(lines: &[Line], word: &str, none: &str, all: &str) -> String {
    let kept: Vec<&Line> = lines.iter().filter(|line| line.change != Change::Removed).collect();
    match kept.as_slice() {
        [] => none.to_owned(),
        lines if lines.iter().any(|line| line.policies.is_empty()) => all.to_owned(),
        lines => things(lines.len(), word),
    }
}

/// A name that is taken is no mistake, but it must not be taken unseen.
#[component]
fn Existing(dry_run: Vec<DryRun>) -> impl IntoView {
    let changed = |answer: &DryRunAnswer| {
        matches!(
            answer, DryRunAnswer::Admitted { change: Some(change), .. } if !change.is_empty()
        )
    };
    let objects: Vec<String> =
        dry_run.into_iter().filter(|object| changed(&object.answer)).map(|object| object.object).collect();
    (!objects.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>
                    "These exist already, and applying changes what runs: "<strong>{objects.join(", ")}</strong>
                    ". If you meant a new workload, go back and give it another name."
                </p>
            </Notice>
        }
    })
}

/// What was not looked at is said, or silence would mean that all is well.
#[component]
fn Unread(parts: Vec<String>) -> impl IntoView {
    (!parts.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Info>
                <p>
                    "The cluster does not show this to you or to the portal, so it was not taken into \
                     account: "{parts.join(", ")}"."
                </p>
            </Notice>
        }
    })
}

#[component]
fn AnswerList(id: Uuid, answers: Answers) -> impl IntoView {
    let change = move |step: Step| {
        view! {
            <a href=paths::step(id, step)>"Change"<span class="visually-hidden">" " {step.title()}</span></a>
        }
    };
    let ports: Vec<String> = answers.ports.iter().map(ToString::to_string).collect();
    let pods = answers.pods.map(|pods| {
        view! {
            <Fact term="Image"><code>{pods.image_text}</code>" "{change(Step::Workload)}</Fact>
            <Fact term="Resources">
                {
                    format!(
                        "{} thousandths of a core, {} MiB, user {}", pods.cpu_millis, pods.memory_mib, pods.run_as_user
                    )
                }" "{change(Step::Resources)}
            </Fact>
        }
    });
    view! {
        <dl class="facts">
            <Fact term="Workload">
                {answers.name.clone()}" in "{answers.namespace.clone()}" "{change(Step::Workload)}
            </Fact>
            <Fact term="Ports">
                {if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }}" "{change(Step::Workload)}
            </Fact>
            <Fact term="Who may reach it">{things(answers.ingress.len(), "source")}" "{change(Step::Sources)}</Fact>
            <Fact term="What it may reach">
                {
                    things(answers.egress.len(), "destination")
                }{if answers.dns { " and DNS" } else { "" }}" "{change(Step::Destinations)}
            </Fact>
            {pods}
        </dl>
    }
}

/// More connections than this are folded.
const MOST_UNFOLDED: usize = 10;

/// The most connections listed; there may be thousands.
const MOST_CONNECTIONS: usize = 200;

/// What opens and what closes.
#[component]
fn Effects(effect: Effect) -> impl IntoView {
    if effect.opened.is_empty() && effect.closed.is_empty() {
        return view! { <p>"None opens and none closes."</p> }.into_any();
    }
    view! {
        <Connections title="Opened" connections=effect.opened/>
        <Connections title="Closed" connections=effect.closed/>
    }
    .into_any()
}

#[component]
fn Connections(title: &'static str, connections: Vec<Connection>) -> impl IntoView {
    let count = connections.len();
    (count > 0).then(|| {
        let items = connections
            .into_iter()
            .take(MOST_CONNECTIONS)
            .map(|connection| {
                view! { <li>{end(&connection.from)}" to "{end(&connection.to)}": "{connection.ports}</li> }
            })
            .collect_view();
        let more =
            (count > MOST_CONNECTIONS).then(|| view! { <p class="quiet">"And "{count - MOST_CONNECTIONS}" more."</p> });
        let list = view! { <ul>{items}</ul>{more} };
        let list = if count > MOST_UNFOLDED {
            view! { <details><summary>"Show them"</summary>{list}</details> }.into_any()
        } else {
            list.into_any()
        };
        view! { <section><h3>{format!("{title} ({count})")}</h3>{list}</section> }
    })
}

/// An end of a connection, all addresses in words.
pub(super) fn end(text: &str) -> String {
    match text {
        "0.0.0.0-255.255.255.255" => "any IPv4 address".to_owned(),
        "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" => "any IPv6 address".to_owned(),
        other => other.to_owned(),
    }
}

#[component]
fn Downloads(id: Uuid, commands: Option<String>) -> impl IntoView {
    let commands = commands.map(|commands| {
        view! {
            <details>
                <summary>"Do the same with kubectl"</summary>
                <div id="commands"><Code label="Commands" text=commands/></div>
                <CopyButton target="commands".to_owned() label="Copy commands".to_owned()/>
            </details>
        }
    });
    view! {
        <p class="buttons">
            <CopyButton target="manifest".to_owned() label="Copy YAML".to_owned()/>
            <a class="button button--secondary" href=paths::draft_action(id, "manifest.yaml") download="">
                "Download YAML"
            </a>
            <a class="button button--secondary" href=paths::draft_action(id, "kustomize.zip") download="">
                "Download kustomize folder"
            </a>
        </p>
        {commands}
    }
}
