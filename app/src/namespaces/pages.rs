//! `/namespaces`, `/namespaces/new`, `/namespaces/{name}`.

use super::service::{
    NamespaceForm, ReachableNamespace, children_of, deploy_right, load_namespace, load_namespaces, load_origins,
};
use super::{Namespace, Origins};
use crate::access::{Binding, Subject};
use crate::error::AppError;
use crate::form::Rejected;
use crate::preview::{GrantedFeature, load_granted_in};
use crate::ui::{
    Badge, Breadcrumb, Code, Empty, ErrorSummary, Fact, Field, MayBeOld, Notice, Page, Section, Select, Submit, Table,
    Time, Tone, page, page_with,
};
use axum::http::{HeaderName, HeaderValue};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

/// How often the list looks again for a namespace that was asked for: a minute in all.
const MOST_LOOKS: u32 = 20;

#[component]
pub fn NamespacesPage() -> impl IntoView {
    page_with(Section::Namespaces, expect_context::<ResponseOptions>(), |request, response| async move {
        let namespaces = load_namespaces(&request.state, request.actor()?)?;
        let pending = request
            .query("pending")
            .filter(|name| !namespaces.iter().any(|reachable| &reachable.namespace.name == name));
        let looked: u32 = request.query("looked").and_then(|count| count.parse().ok()).unwrap_or_default();
        let notice = pending.map(|name| {
            if looked >= MOST_LOOKS {
                let support = request.state.policy.platform.support.clone();
                return view! {
                    <Notice tone=Tone::Warn>
                        <p>
                            "Namespace " <strong>{name}</strong> " is still not there. Something holds it up; ask "
                            {support} "."
                        </p>
                    </Notice>
                };
            }
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("pending", &name)
                .append_pair("looked", &(looked + 1).to_string())
                .finish();
            if let Ok(again) = HeaderValue::from_str(&format!("3; url=/namespaces?{query}")) {
                response.insert_header(HeaderName::from_static("refresh"), again);
            }
            view! {
                <Notice tone=Tone::Info>
                    <p>
                        "Namespace " <strong>{name}</strong>
                        " is being prepared. This page looks again every three seconds."
                    </p>
                </Notice>
            }
        });
        let body = view! {
            <div class="page-head">
                <h1>"Namespaces"</h1><a class="button" href="/namespaces/new">"Create namespace"</a>
            </div>
            <MayBeOld unavailable=request.state.cluster_is_unavailable().await/>
            {notice}
            <List namespaces=namespaces/>
        };
        Ok(Page::new("Namespaces", body))
    })
}

#[component]
fn List(namespaces: Vec<ReachableNamespace>) -> impl IntoView {
    if namespaces.is_empty() {
        return view! {
            <Empty title="No namespaces yet">
                <p>
                    "No RoleBinding names you or one of your groups. "<a href="/access">"See your access"</a>
                    " for whom to ask."
                </p>
            </Empty>
        }
        .into_any();
    }
    let rows = namespaces
        .into_iter()
        .map(|ReachableNamespace { namespace, bindings }| {
            view! {
                <tr>
                    <th scope="row"><a href=format!("/namespaces/{}", namespace.name)>{namespace.name.clone()}</a></th>
                    <td data-label="Your role">{roles(&bindings)}</td>
                    <td data-label="Created"><Created namespace=namespace.clone()/></td>
                    <td data-label="Status"><State namespace=namespace/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table label="Namespaces" columns=&["Name", "Your role", "Created", "Status"]>{rows}</Table>
    }
    .into_any()
}

fn roles(bindings: &[Binding]) -> String {
    let mut roles: Vec<&str> = bindings.iter().map(|binding| binding.role.as_str()).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.join(", ")
}

#[component]
fn Created(namespace: Namespace) -> impl IntoView {
    namespace.created_at.and_then(|at| at.parse().ok()).map(|at| view! { <Time at=at/> })
}

#[component]
fn State(namespace: Namespace) -> impl IntoView {
    if namespace.terminating {
        view! { <Badge tone=Tone::Warn text="Being deleted"/> }
    } else {
        view! { <Badge tone=Tone::Good text="Active"/> }
    }
}

#[component]
pub fn NamespacePage() -> impl IntoView {
    page(Section::Namespaces, |request| async move {
        let actor = request.actor()?;
        let name = request.param("name");
        let ReachableNamespace { namespace, bindings } = load_namespace(&request.state, actor, &name)?;
        let enabled = load_granted_in(&request.state, actor, &name).await?;
        let may_deploy = request.state.cluster.allows(&actor.kube, &deploy_right(name.clone())).await;
        let usable = matches!(may_deploy, Ok(true));
        let created = (usable && request.query("created").is_some()).then(|| {
            let name = name.clone();
            view! { <Notice tone=Tone::Good><p>"Namespace " <strong>{name}</strong> " is ready to use."</p></Notice> }
        });
        let action = match may_deploy {
            Ok(true) => {
                let path = format!("/workloads/new?namespace={name}");
                view! { <a class="button" href=path>"Add workload"</a> }.into_any()
            }
            Ok(false) => view! { <p class="quiet">"Your role here lets you look, not run workloads."</p> }.into_any(),
            Err(error) => view! {
                <Notice tone=Tone::Warn>
                    <p>
                        {AppError::from(error).to_string()}" What you see here was true when the cluster last answered."
                    </p>
                </Notice>
            }
            .into_any(),
        };
        let labels = namespace
            .labels
            .iter()
            .map(|(key, value)| view! { <li><code>{format!("{key}={value}")}</code></li> })
            .collect_view();
        let state = view! { <State namespace=namespace.clone()/> };
        let pod_security = namespace
            .pod_security()
            .map_or_else(|| "no level is set here".to_owned(), |level| format!("{level} is enforced"));
        let deleting = match namespace.subnamespace_of.clone() {
            Some(parent) => {
                let below = children_of(&request.state, actor, &name)?;
                Some(view! { <Deleting name=name.clone() parent=parent below=below/> })
            }
            None => None,
        };
        let parent = namespace.parent().map(str::to_owned).map(|parent| {
            let path = format!("/namespaces/{parent}");
            view! { <Fact term="Parent"><a href=path>{parent}</a></Fact> }
        });
        let created_at = view! { <Created namespace=namespace/> };
        let title = name.clone();
        let connections = format!("/namespaces/{name}/connections");
        let body = view! {
            <Breadcrumb links=vec![("/namespaces".to_owned(), "Namespaces".to_owned())]/>
            {created}
            <div class="page-head"><h1>{title}</h1>{action}</div>
            <dl class="facts">
                <Fact term="Status">{state}</Fact>
                <Fact term="Created">{created_at}</Fact>
                {parent}
                <Fact term="Pod Security">{pod_security}</Fact>
                <Fact term="Labels"><ul class="inline-list">{labels}</ul></Fact>
            </dl>
            <p><a href=connections>"Who may talk to whom here"</a></p>
            <h2>"Why you can be here"</h2>
            <ul>{bindings.into_iter().map(|binding| view! { <Why binding=binding/> }).collect_view()}</ul>
            <Enabled features=enabled/>
            {deleting}
        };
        Ok(Page::new(name, body))
    })
}

/// How a namespace of a hierarchy is deleted: HNC refuses `kubectl delete namespace`, and a branch as a whole.
#[component]
fn Deleting(name: String, parent: String, below: Vec<String>) -> impl IntoView {
    let command = format!("kubectl delete subnamespaceanchor {name} --namespace={parent}");
    let first = (!below.is_empty()).then(|| {
        let names = below.join(", ");
        view! {
            <p>
                "Delete the namespaces below it first: "<strong>{names}</strong>
                ". Or ask an administrator to allow cascading deletion here, which deletes all of them at once."
            </p>
        }
    });
    view! {
        <h2>"Delete this namespace"</h2>
        <p>
            "Delete its anchor in "{parent}". Everything in the namespace is deleted with it. "
            <code>"kubectl delete namespace"</code>" is refused."
        </p>
        {first}
        <Code label="Command that deletes the namespace" text=command/>
    }
}

#[component]
fn Why(binding: Binding) -> impl IntoView {
    let through = match &binding.subject {
        Subject::Group(group) => format!("your group {group}"),
        Subject::User(user) => format!("your name {user}"),
    };
    let feature = binding.preview_feature.map(|slug| {
        let address = format!("/preview-features/{slug}");
        view! { " It is there because of the preview feature "<a href=address>{slug}</a>"." }
    });
    view! {
        <li>
            "RoleBinding " <code>{binding.name}</code> " gives " {through} " the role " <strong>{binding.role}</strong>
            "."{feature}
        </li>
    }
}

/// What opt-ins give here, and to whom.
#[component]
fn Enabled(features: Vec<GrantedFeature>) -> impl IntoView {
    (!features.is_empty()).then(|| {
        let rows = features
            .into_iter()
            .map(|feature| {
                view! {
                    <tr>
                        <th scope="row"><a href=format!("/preview-features/{}", feature.slug)>{feature.name}</a></th>
                        <td data-label="Opted in for">{feature.scope.to_string()}</td>
                        <td data-label="What it does">{feature.gives}</td>
                        <td data-label="Status">{feature.status_words}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2>"Preview features here"</h2>
            <p>
                "Somebody who may act for it accepted their risks. What you may see of that stands on the page of the \
                 feature."
            </p>
            <Table label="Preview features here" columns=&["Feature", "Opted in for", "What it does", "Status"]>
                {rows}
            </Table>
        }
    })
}

#[component]
pub fn NewNamespacePage() -> impl IntoView {
    page_with(Section::Namespaces, Rejected::<NamespaceForm>::on_this_page(), |request, rejected| async move {
        let actor = request.actor()?;
        let origins = load_origins(&request.state, actor).await?;
        let failed = rejected.is_some();
        let support = request.state.policy.platform.support.clone();
        let body = view! {
            <Breadcrumb links=vec![("/namespaces".to_owned(), "Namespaces".to_owned())]/>
            {if origins.choices().is_empty() {
                view! { <NotAllowed support=support/> }.into_any()
            } else {
                view! { <NamespaceFields origins=origins rejected=rejected/> }.into_any()
            }}
        };
        Ok(Page::new("Create namespace", body).with_errors(failed))
    })
}

#[component]
fn NotAllowed(support: String) -> impl IntoView {
    view! {
        <h1>"Create namespace"</h1>
        <Empty title="You cannot create a namespace yet">
            <p>
                "A new namespace belongs to a team: either below a namespace in which your group has the role admin, \
                 or owned by a group that may own one. None of your groups can."
            </p>
            <p><a href="/access">"See what your groups give you"</a>", or ask " {support} "."</p>
        </Empty>
    }
}

#[component]
fn NamespaceFields(origins: Origins, rejected: Option<Rejected<NamespaceForm>>) -> impl IntoView {
    let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
    let hint = match origins {
        Origins::Parents(_) => {
            "The new namespace gets copies of the parent's roles and network policies. Labels, such as the Pod \
             Security level, are not copied: administrators set them for the whole hierarchy."
        }
        Origins::OwnerGroups(_) => "Members of the group become administrators of the new namespace.",
    };
    let options = origins.choices().iter().map(|choice| (choice.clone(), choice.clone())).collect();
    view! {
        <ErrorSummary errors=errors.clone()/>
        <h1>"Create namespace"</h1>
        <form method="post" action="/namespaces/new" class="form">
            <Select
                name="origin"
                label=origins.label()
                hint=hint
                value=form.origin
                options=options
                errors=errors.clone()
            />
            <Field
                name="name"
                label="Name"
                hint="Lower-case letters, digits and '-'. Names are shared by all teams, so begin with your team's."
                value=form.name
                errors=errors
            />
            <Submit label="Create namespace"/>
        </form>
    }
}
