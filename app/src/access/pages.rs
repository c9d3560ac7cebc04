//! `/access`: who you are, what you reach, and why.

use super::service::load_access;
use super::{Access, Binding, NamespaceAccess, Subject, role_in_words};
use crate::actor::Profile;
use crate::ports::GroupsClaim;
use crate::ui::{Empty, Fact, MayBeOld, Notice, Page, Section, Table, Tone, page};
use leptos::prelude::*;

#[component]
pub fn AccessPage() -> impl IntoView {
    page(Section::Access, |request| async move {
        let actor = request.actor()?;
        let access = load_access(&request.state, actor)?;
        let policy = &request.state.policy;
        let role = match (actor.administrator(), actor.record_reader()) {
            (Ok(_), _) => Some("administrator: approves, keeps the catalogue, reads the record"),
            (_, Ok(_)) => Some("auditor: reads the record, changes nothing"),
            _ => None,
        };
        let nothing = role.is_none() && access.namespaces.is_empty() && access.everywhere.is_empty();
        let body = view! {
            <h1>"Your access"</h1>
            <MayBeOld unavailable=request.state.cluster_is_unavailable().await/>
            <NoGroups claim=actor.groups_claim support=policy.platform.support.clone()/>
            <ProfileFacts profile=actor.profile.clone() role=role/>
            {if nothing {
                view! {
                    <Newcomer
                        platform=policy.platform.name.clone()
                        support=policy.platform.support.clone()
                        email=actor.profile.email.clone()
                    />
                }.into_any()
            } else {
                view! { <AccessTables access=access whose=Whose::Own/> }.into_any()
            }}
        };
        Ok(Page::new("Your access", body))
    })
}

/// Says that nobody need look for a group of theirs, as the provider tells none.
#[component]
fn NoGroups(claim: GroupsClaim, support: String) -> impl IntoView {
    let words = match claim {
        GroupsClaim::Sent => return ().into_any(),
        GroupsClaim::Missing => {
            "The identity provider did not say which groups you are in: either you are in none, or it is not set up to send \
             them to Fairway."
        }
        GroupsClaim::TooMany => {
            "You are in more groups than the identity provider sends, so it sent none, and what your groups would give you \
             is missing here. It can be set up to send only the groups that are assigned to this application."
        }
    };
    view! { <Notice tone=Tone::Warn><p>{words}" If you are missing access, tell "{support}"."</p></Notice> }.into_any()
}

#[component]
fn ProfileFacts(profile: Profile, role: Option<&'static str>) -> impl IntoView {
    let groups = if profile.groups.is_empty() {
        view! { <span>"none"</span> }.into_any()
    } else {
        let items = profile.groups.into_iter().map(|group| view! { <li><code>{group}</code></li> }).collect_view();
        view! { <ul class="inline-list">{items}</ul> }.into_any()
    };
    view! {
        <dl class="facts">
            <Fact term="Name">{profile.name}</Fact>
            <Fact term="E-mail">{profile.email}</Fact>
            <Fact term="Groups">{groups}</Fact>
            {role.map(|role| view! { <Fact term="In Fairway">{role}</Fact> })}
            <Fact term="Signed in"><a href="/sessions">"Where, and since when"</a></Fact>
        </dl>
    }
}

#[component]
fn Newcomer(platform: String, support: String, email: String) -> impl IntoView {
    view! {
        <Empty title="You have no access yet">
            <p>
                "Access to " {platform} " comes from groups at your identity provider, and none of yours is bound to \
                    a namespace."
            </p>
            <p>
                "Ask the person who keeps your team's groups to add " <strong>{email}</strong>
                " to the team's group. If you do not know who that is, ask " {support} "."
            </p>
            <p>"Once you have been added, sign out and in again: nothing else is needed."</p>
            <p><a href="/faq/give-access">"How access is given"</a></p>
        </Empty>
    }
}

/// Whose access is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// That of whoever looks.
    Own,
    /// Somebody else's: whoever looks need not reach what they reach.
    Others,
}

/// What somebody may do, and why.
#[component]
pub fn AccessTables(
    access: Access,
    /// Whose it is.
    whose: Whose,
) -> impl IntoView {
    view! {
        <Namespaces namespaces=access.namespaces whose=whose/> <Everywhere bindings=access.everywhere whose=whose/>
    }
}

#[component]
fn Namespaces(namespaces: Vec<NamespaceAccess>, whose: Whose) -> impl IntoView {
    if namespaces.is_empty() {
        let none = match whose {
            Whose::Own => "No RoleBinding in a namespace names you or one of your groups.",
            Whose::Others => "No RoleBinding in a namespace names them or one of these groups.",
        };
        return view! { <h2>"Namespaces"</h2><p>{none}</p> }.into_any();
    }
    let rows = namespaces
        .into_iter()
        .flat_map(|access| access.bindings.into_iter().map(move |binding| (access.namespace.clone(), binding)))
        .map(|(namespace, binding)| {
            let name = match whose {
                Whose::Own => view! { <a href=format!("/namespaces/{namespace}")>{namespace.clone()}</a> }.into_any(),
                Whose::Others => namespace.into_any(),
            };
            view! { <tr><th scope="row">{name}</th><BindingCells binding=binding whose=whose/></tr> }
        })
        .collect_view();
    let label = match whose {
        Whose::Own => "Namespaces you can reach",
        Whose::Others => "Namespaces they can reach",
    };
    view! {
        <h2>"Namespaces"</h2>
        <Table label=label columns=&["Namespace", "Role", "Given by", "Through"]>{rows}</Table>
    }
    .into_any()
}

#[component]
fn Everywhere(bindings: Vec<Binding>, whose: Whose) -> impl IntoView {
    (!bindings.is_empty()).then(|| {
        let rows = bindings
            .into_iter()
            .map(|binding| view! { <tr><BindingCells binding=binding whose=whose/></tr> })
            .collect_view();
        view! {
            <h2>"In the whole cluster"</h2>
            <Table label="Access in the whole cluster" columns=&["Role", "Given by", "Through"]>{rows}</Table>
        }
    })
}

#[component]
fn BindingCells(binding: Binding, whose: Whose) -> impl IntoView {
    let kind = binding.kind();
    let words = role_in_words(&binding.role).map(|words| view! { <span class="quiet">{format!(" {words}")}</span> });
    let through = match (binding.subject, whose) {
        (Subject::Group(group), Whose::Own) => view! { "your group " <code>{group}</code> }.into_any(),
        (Subject::Group(group), Whose::Others) => view! { "the group " <code>{group}</code> }.into_any(),
        (Subject::User(_), Whose::Own) => view! { "you by name" }.into_any(),
        (Subject::User(_), Whose::Others) => view! { "by name" }.into_any(),
    };
    let feature = binding.preview_feature.map(|slug| {
        let address = format!("/preview-features/{slug}");
        view! { <span class="quiet">", from the preview feature "<a href=address>{slug}</a></span> }
    });
    view! {
        <td data-label="Role"><strong>{binding.role}</strong>{words}</td>
        <td data-label="Given by">{kind}" "<code>{binding.name}</code>{feature}</td>
        <td data-label="Through">{through}</td>
    }
}
