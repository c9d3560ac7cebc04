//! Policies that were proposed and nobody has confirmed.

use super::findings::things;
use crate::ui::Yaml;
use crate::workloads::paths;
use leptos::prelude::*;
use review::{Proposal, ProposedOpening, to_yaml};
use uuid::Uuid;

/// A form that adds the chosen ones to the draft.
#[component]
pub fn Proposals(
    /// Of the draft.
    id: Uuid,
    digest: String,
    proposals: Vec<Proposal>,
) -> impl IntoView {
    (!proposals.is_empty()).then(|| {
        let count = proposals.len();
        let items = proposals.into_iter().map(|proposal| view! { <ProposalItem proposal=proposal/> }).collect_view();
        view! {
            <section>
                <h2>"Proposed policies"</h2>
                <p>
                    {format!("{} without a policy that Fairway knows of. ", things(count, "workload"))}
                    "Fairway proposes these policies from the Services, ports, variables and ConfigMaps in your manifests. They \
                     are not part of the draft until you add them. A program may also use hosts that its manifests do \
                     not name, so read what each one lets through."
                </p>
                <form method="post" action=paths::draft_action(id, "add-policies")>
                    <input type="hidden" name="digest" value=digest/>
                    <ul class="findings">{items}</ul>
                    <button class="button button--secondary">"Add selected policies"</button>
                </form>
            </section>
        }
    })
}

#[component]
fn ProposalItem(proposal: Proposal) -> impl IntoView {
    let name = proposal.policy.object().name.clone();
    let box_id = format!("policy-{name}");
    let Proposal { workload, policy, sources, destinations, unknown_hosts } = proposal;
    let unknown = (!unknown_hosts.is_empty()).then(|| {
        view! {
            <p>
                "Not opened, because no known Service has this name: "{unknown_hosts.join(", ")}
                ". Add the addresses if it needs them."
            </p>
        }
    });
    let count = |openings: &[ProposedOpening], word: &str| match openings.len() {
        0 => format!("no {word}"),
        count => things(count, word),
    };
    let summary = format!("{}, DNS and {}", count(&sources, "source"), count(&destinations, "destination"));
    view! {
        <li class="finding">
            <div class="checkbox">
                <input type="checkbox" id=box_id.clone() name="policy" value=name checked=true/>
                <label for=box_id><strong>{format!("{} {}", workload.kind, workload.name)}</strong></label>
            </div>
            {unknown}
            <details>
                <summary>{summary}<span class="visually-hidden">" by the policy of "{workload.name.clone()}</span></summary>
                <Openings title="May be reached by" openings=sources/>
                <Openings title="May also reach (besides DNS)" openings=destinations/>
                <Yaml label=format!("Policy of {}", workload.name) text=to_yaml(&[policy])/>
            </details>
        </li>
    }
}

/// Ways with what speaks for them.
#[component]
fn Openings(title: &'static str, openings: Vec<ProposedOpening>) -> impl IntoView {
    (!openings.is_empty()).then(|| {
        let items = openings.into_iter().map(|one| {
            view! {
                <li>
                    <strong>{one.other_end.clone()}</strong>{format!(" on {}. ", one.ports_in_words())}
                    <span class="quiet">{one.because.clone()}</span>
                </li>
            }
        });
        view! { <p>{title}</p><ul>{items.collect_view()}</ul> }
    })
}
