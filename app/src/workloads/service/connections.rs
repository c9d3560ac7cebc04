//! Who may talk to whom in a namespace.

use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::load_namespace;
use crate::policy::Policy;
use crate::ports::NamespaceSnapshot;
use crate::state::AppState;
use crate::workloads::known::{Known, RunningWorkload};
use crate::workloads::submission::Submission;
use review::{Connection, Context, Manifest, Picture, Workload, World, connections, decode, groups, picture};
use std::collections::HashMap;

/// The workloads of a namespace, and what may pass between them and addresses outside.
#[derive(Debug, Clone)]
pub struct NamespaceConnections {
    /// As connections write them, `namespace/name[Kind]`; those that were looked for.
    pub workloads: Vec<String>,
    /// The same, those together that every policy treats alike.
    pub groups: Vec<Vec<String>>,
    /// What passes from one group to another, or inside one; between any two of their members it is the same.
    pub between_groups: Vec<(usize, usize, String)>,
    /// Those that begin or end at one of them, the first few thousand.
    pub connections: Vec<Connection>,
    pub all_connections: usize,
    /// Of the chosen workload.
    pub picture: Option<Picture>,
    /// What the cluster did not show.
    pub unread: Vec<String>,
}

/// The most connections handed on.
const MOST_CONNECTIONS: usize = 5_000;

/// Loads the connections of the workloads whose name holds `search`, and the picture of the one `chosen`.
///
/// # Errors
/// [`AppError::NotFound`] where the person does not reach the namespace; otherwise when the cluster is unavailable.
pub async fn load_connections(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
    search: &str,
    chosen: &str,
) -> Result<NamespaceConnections, AppError> {
    load_namespace(state, actor, namespace)?;
    let around = state.cluster.objects_in(&actor.kube, namespace).await?;
    let (namespace, search, chosen) = (namespace.to_owned(), search.to_lowercase(), chosen.to_owned());
    let policy = state.policy.clone();
    let find = move || {
        let known = known_in(&policy, &namespace, &around);
        let mut found = among(&around.objects, &search);
        found.picture = drawn(&around.objects, &chosen, &known);
        NamespaceConnections { unread: around.unread, ..found }
    };
    state.compute.run(find).await
}

/// What is known of one namespace. Where some of it is hidden, a picture names nobody by what may not be theirs alone.
fn known_in(policy: &Policy, namespace: &str, around: &NamespaceSnapshot) -> Known {
    let running = around.objects.iter().filter_map(RunningWorkload::of);
    Known::new(namespace.to_owned(), running, policy.places.clone(), None).with_all_workloads(around.every_workload)
}

/// The picture of what a submission would change, as far as the person may list what is there now.
pub async fn draw_submission(state: &AppState, actor: &Actor, submission: &Submission) -> Option<Picture> {
    // Without what is there now, the picture still shows what is asked for.
    let around = state.cluster.objects_in(&actor.kube, &submission.namespace).await.unwrap_or_default();
    let (policy, manifest) = (state.policy.clone(), submission.manifest.clone());
    let (namespace, name) = (submission.namespace.clone(), submission.name.clone());
    let draw = move || {
        let manifests = decode("submission", &manifest).ok()?;
        drawn_with(&manifests, &name, known_in(&policy, &namespace, &around), around)
    };
    state.compute.run(draw).await.ok().flatten()
}

fn drawn_with(manifests: &[Manifest], name: &str, known: Known, around: NamespaceSnapshot) -> Option<Picture> {
    let names = known.names();
    let context = Context { existing: around.objects, every_workload: around.every_workload, ..Context::default() };
    // A policy alone has the name of the workload that it is for.
    let mut running = context.existing.iter().filter_map(Workload::of);
    let runs = running.find(|workload| workload.manifest.object().name == name);
    let workload = manifests.iter().find_map(Workload::of).or(runs)?;
    let drawn = picture(&workload, &context.existing, context.afterwards(manifests));
    Some(drawn.named(|words| names.get(words).cloned()))
}

fn among(objects: &[Manifest], search: &str) -> NamespaceConnections {
    let world = World::new(objects);
    let all: Vec<String> = world.endpoints().iter().map(ToString::to_string).collect();
    let workloads: Vec<String> = all.into_iter().filter(|name| name.to_lowercase().contains(search)).collect();
    let is_wanted = |name: &String| workloads.binary_search(name).is_ok();
    let wanted_groups = groups(&world).into_iter().map(|group| group.into_iter().filter(is_wanted).collect::<Vec<_>>());
    let groups: Vec<Vec<String>> = wanted_groups.filter(|group| !group.is_empty()).collect();
    let wanted = |connection: &Connection| is_wanted(&connection.from) || is_wanted(&connection.to);
    let mut connections: Vec<Connection> = connections(&world).into_iter().filter(wanted).collect();
    let all_connections = connections.len();
    let between_groups = between(&groups, &connections);
    connections.truncate(MOST_CONNECTIONS);
    NamespaceConnections {
        workloads,
        groups,
        between_groups,
        connections,
        all_connections,
        picture: None,
        unread: Vec::new(),
    }
}

/// One member stands for its group; inside a group, its first two.
fn between(groups: &[Vec<String>], connections: &[Connection]) -> Vec<(usize, usize, String)> {
    let ports: HashMap<(&str, &str), &str> = connections
        .iter()
        .map(|connection| ((connection.from.as_str(), connection.to.as_str()), connection.ports.as_str()))
        .collect();
    let pairs = (0..groups.len()).flat_map(|from| (0..groups.len()).map(move |to| (from, to)));
    pairs
        .filter_map(|(from, to)| {
            let sender = groups[from].first()?;
            let receiver = if from == to { groups[to].get(1)? } else { groups[to].first()? };
            let ports = ports.get(&(sender.as_str(), receiver.as_str()))?;
            Some((from, to, (*ports).to_owned()))
        })
        .collect()
}

fn drawn(objects: &[Manifest], chosen: &str, known: &Known) -> Option<Picture> {
    let workload = objects.iter().filter_map(Workload::of).find(|workload| workload.to_string() == chosen)?;
    let names = known.names();
    Some(picture(&workload, objects, objects.iter()).named(|words| names.get(words).cloned()))
}
