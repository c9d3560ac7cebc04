//! SQL of lists of opt-ins: one query for each question, over the view `opt_in_summaries`, without a document.

use super::acceptances::renewal;
use crate::preview::lifecycle::{LaterVersion, Lifecycle};
use crate::preview::opt_in::Status;
use crate::preview::statement::{Effect, Scope, ScopeKind, Stage};
use crate::preview::summary::{Cursor, OptInPage, OptInSummary, Viewer};
use jiff_sqlx::ToSqlx;
use record::{Digest, EndReason, StatusKind};
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// How many a page shows of what somebody may see, below the features that they came for.
const VISIBLE: i64 = 25;

/// How many a page shows to those who work through them.
const QUEUE: i64 = 50;

struct SummaryRow {
    id: Uuid,
    person_id: Uuid,
    feature_slug: String,
    feature_name: String,
    stage: Stage,
    retires_at: Option<jiff_sqlx::Timestamp>,
    statement_version: i32,
    scope_kind: ScopeKind,
    scope_name: String,
    accepted_at: jiff_sqlx::Timestamp,
    person_name: Option<String>,
    status: StatusKind,
    steps: i32,
    end_reason: Option<EndReason>,
    comment: String,
    approved_at: Option<jiff_sqlx::Timestamp>,
    validity_months: i16,
    is_manual: bool,
    problem: String,
    drift: String,
    is_replaced: bool,
    has_later_version: bool,
}

/// Selects the columns of a [`SummaryRow`], with the conditions of one question.
macro_rules! summaries {
    ($conditions:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            SummaryRow,
            r#"select u.id as "id!", u.person_id as "person_id!", u.feature_slug as "feature_slug!",
                 u.feature_name as "feature_name!", u.stage as "stage!: Stage",
                 u.retires_at as "retires_at: jiff_sqlx::Timestamp", u.statement_version as "statement_version!",
                 u.scope_kind as "scope_kind!: ScopeKind", u.scope_name as "scope_name!",
                 u.accepted_at as "accepted_at!: jiff_sqlx::Timestamp", u.person_name,
                 u.status as "status!: StatusKind",
                 u.steps as "steps!", u.end_reason as "end_reason: EndReason", u.comment as "comment!",
                 u.approved_at as "approved_at: jiff_sqlx::Timestamp", u.validity_months as "validity_months!",
                 u.is_manual as "is_manual!", u.problem as "problem!", u.drift as "drift!",
                 u.is_replaced as "is_replaced!", u.has_later_version as "has_later_version!"
               from opt_in_summaries u "# + $conditions,
            $($argument),*
        )
    };
}

/// What somebody may see, of one feature or of all; those that wait first, then the latest.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_visible(
    connection: &mut PgConnection,
    viewer: &Viewer,
    feature: Option<&str>,
    after: Option<Cursor>,
) -> sqlx::Result<OptInPage> {
    let (kinds, names) = viewer.scope_columns();
    let rows = summaries!(
        "join (
           select a.id, o.status = 'waiting' as is_waiting, a.accepted_at
           from acceptances a join opt_ins o on o.acceptance_id = a.id
           where (a.person_id = $1 or (a.scope_kind, a.scope_name) in (select * from unnest($2::text[], $3::text[]))
               or a.namespaces ?| $4)
             and ($5::text is null or a.feature_slug = $5)
             and ($6::boolean is null or (o.status = 'waiting') < $6
               or ((o.status = 'waiting') = $6 and (a.accepted_at, a.id) < ($7, $8)))
           order by is_waiting desc, a.accepted_at desc, a.id desc limit $9
         ) shown on shown.id = u.id
         order by shown.is_waiting desc, shown.accepted_at desc, shown.id desc",
        viewer.person,
        &kinds as &[&str],
        &names as &[&str],
        &viewer.namespaces,
        feature,
        after.map(|cursor| cursor.is_waiting),
        after.map(|cursor| cursor.accepted_at.to_sqlx()) as _,
        after.map(|cursor| cursor.id),
        VISIBLE,
    )
    .fetch_all(&mut *connection)
    .await?;
    page(connection, rows, VISIBLE).await
}

/// Of what somebody may see, what is granted and people were told that it ends; of one feature or of all.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_ending(
    connection: &mut PgConnection,
    viewer: &Viewer,
    feature: Option<&str>,
) -> sqlx::Result<Vec<OptInSummary>> {
    let (kinds, names) = viewer.scope_columns();
    let rows = summaries!(
        "where (u.person_id = $1 or (u.scope_kind, u.scope_name) in (select * from unnest($2::text[], $3::text[]))
             or u.namespaces ?| $4)
           and ($5::text is null or u.feature_slug = $5)
           and u.status in ('approved', 'effective')
           and exists (select from notices n where n.acceptance_id = u.id)
         order by u.accepted_at desc",
        viewer.person,
        &kinds as &[&str],
        &names as &[&str],
        &viewer.namespaces,
        feature,
    )
    .fetch_all(&mut *connection)
    .await?;
    with_lifecycles(connection, rows).await
}

/// Of what somebody may see, what waits for a decision on one of these features.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_waiting(
    connection: &mut PgConnection,
    viewer: &Viewer,
    features: &[String],
) -> sqlx::Result<Vec<OptInSummary>> {
    let (kinds, names) = viewer.scope_columns();
    let rows = summaries!(
        "where (u.person_id = $1 or (u.scope_kind, u.scope_name) in (select * from unnest($2::text[], $3::text[]))
             or u.namespaces ?| $4)
           and u.feature_slug = any($5) and u.status = 'waiting'
         order by u.accepted_at desc",
        viewer.person,
        &kinds as &[&str],
        &names as &[&str],
        &viewer.namespaces,
        features,
    )
    .fetch_all(&mut *connection)
    .await?;
    with_lifecycles(connection, rows).await
}

/// Opt-ins of one status or of any, and of one feature or of all; those that wait first, then the latest.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_by_status(
    connection: &mut PgConnection,
    status: Option<StatusKind>,
    feature: Option<&str>,
    after: Option<Cursor>,
) -> sqlx::Result<OptInPage> {
    let rows = summaries!(
        "where ($1::text is null or u.status = $1) and ($2::text is null or u.feature_slug = $2)
           and ($3::boolean is null or (u.status = 'waiting') < $3
             or ((u.status = 'waiting') = $3 and (u.accepted_at, u.id) < ($4, $5)))
         order by (u.status = 'waiting') desc, u.accepted_at desc, u.id desc limit $6",
        status.map(StatusKind::as_str),
        feature,
        after.map(|cursor| cursor.is_waiting),
        after.map(|cursor| cursor.accepted_at.to_sqlx()) as _,
        after.map(|cursor| cursor.id),
        QUEUE,
    )
    .fetch_all(&mut *connection)
    .await?;
    page(connection, rows, QUEUE).await
}

/// What somebody has to decide, do by hand, or see to, of one feature or of all; those that wait for a decision first,
/// and of these those that wait the longest.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_needing_action(
    connection: &mut PgConnection,
    feature: Option<&str>,
    after: Option<Cursor>,
) -> sqlx::Result<OptInPage> {
    let rows = summaries!(
        "where u.status in ('waiting', 'approved', 'effective', 'ending') and u.needs_action
           and ($1::text is null or u.feature_slug = $1)
           and ($2::boolean is null or (u.status = 'waiting') < $2
             or ((u.status = 'waiting') = $2 and (u.accepted_at, u.id) > ($3, $4)))
         order by (u.status = 'waiting') desc, u.accepted_at, u.id limit $5",
        feature,
        after.map(|cursor| cursor.is_waiting),
        after.map(|cursor| cursor.accepted_at.to_sqlx()) as _,
        after.map(|cursor| cursor.id),
        QUEUE,
    )
    .fetch_all(&mut *connection)
    .await?;
    page(connection, rows, QUEUE).await
}

/// What is open or granted for a scope of a feature, under one version of its statement.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_current_for(
    connection: &mut PgConnection,
    feature: &str,
    scope: &Scope,
    statement: &Digest,
) -> sqlx::Result<Vec<OptInSummary>> {
    let rows = summaries!(
        "where u.feature_slug = $1 and u.scope_kind = $2 and u.scope_name = $3 and u.statement_digest = $4
           and u.status in ('waiting', 'approved', 'effective')
         order by u.accepted_at desc",
        feature,
        scope.kind.as_str(),
        scope.name,
        statement.as_bytes(),
    )
    .fetch_all(&mut *connection)
    .await?;
    with_lifecycles(connection, rows).await
}

/// Whether somebody may see an acceptance.
///
/// # Errors
/// When the database is unavailable.
pub async fn is_visible(database: impl PgExecutor<'_>, id: Uuid, viewer: &Viewer) -> sqlx::Result<bool> {
    let (kinds, names) = viewer.scope_columns();
    let row = sqlx::query!(
        r#"select exists (select from acceptances a where a.id = $1 and (a.person_id = $2
             or (a.scope_kind, a.scope_name) in (select * from unnest($3::text[], $4::text[]))
             or a.namespaces ?| $5)) as "is_visible!""#,
        id,
        viewer.person,
        &kinds as &[&str],
        &names as &[&str],
        &viewer.namespaces,
    )
    .fetch_one(database)
    .await?;
    Ok(row.is_visible)
}

/// How many opt-ins somebody has to decide, do by hand, or see to.
///
/// # Errors
/// When the database is unavailable.
pub async fn count_needing_action(database: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    let row = sqlx::query!(
        r#"select count(*) as "count!" from opt_in_summaries
           where status in ('waiting', 'approved', 'effective', 'ending') and needs_action"#
    )
    .fetch_one(database)
    .await?;
    Ok(row.count)
}

/// How many opt-ins of a feature are open or granted.
///
/// # Errors
/// When the database is unavailable.
pub async fn count_current(database: impl PgExecutor<'_>, feature: &str) -> sqlx::Result<i64> {
    let row = sqlx::query!(
        r#"select count(*) as "count!" from acceptances a join opt_ins o on o.acceptance_id = a.id
           where a.feature_slug = $1 and o.status in ('waiting', 'approved', 'effective')"#,
        feature,
    )
    .fetch_one(database)
    .await?;
    Ok(row.count)
}

/// What gives something in a namespace, or whose gift is still being made or taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedIn {
    pub feature: String,
    pub feature_name: String,
    pub scope: Scope,
    pub effect: Effect,
    pub groups: Vec<String>,
    pub status: StatusKind,
    pub end_reason: Option<EndReason>,
}

/// What opt-ins give in a namespace, the latest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_granted_in(database: impl PgExecutor<'_>, namespace: &str) -> sqlx::Result<Vec<GrantedIn>> {
    let rows = sqlx::query!(
        r#"select feature_slug as "feature_slug!", feature_name as "feature_name!",
           scope_kind as "scope_kind!: ScopeKind",
             scope_name as "scope_name!", effect as "effect!: Json<Effect>", groups as "groups!: Json<Vec<String>>",
             status as "status!: StatusKind", end_reason as "end_reason: EndReason"
           from opt_in_summaries
           where namespaces ? $1 and status in ('approved', 'effective', 'ending')
           order by accepted_at desc"#,
        namespace,
    )
    .fetch_all(database)
    .await?;
    let granted = rows.into_iter().map(|row| GrantedIn {
        feature: row.feature_slug,
        feature_name: row.feature_name,
        scope: Scope { kind: row.scope_kind, name: row.scope_name },
        effect: row.effect.0,
        groups: row.groups.0,
        status: row.status,
        end_reason: row.end_reason,
    });
    Ok(granted.collect())
}

async fn page(connection: &mut PgConnection, rows: Vec<SummaryRow>, most: i64) -> sqlx::Result<OptInPage> {
    let is_full = i64::try_from(rows.len()) == Ok(most);
    let summaries = with_lifecycles(connection, rows).await?;
    let next = summaries.last().filter(|_| is_full).map(OptInSummary::cursor);
    Ok(OptInPage { summaries, next })
}

/// When each ends depends on the versions of its statement that came later: mostly none, and otherwise few, which are
/// looked up together.
async fn with_lifecycles(connection: &mut PgConnection, rows: Vec<SummaryRow>) -> sqlx::Result<Vec<OptInSummary>> {
    let outdated = rows.iter().filter(|row| row.has_later_version);
    let features: BTreeSet<&str> = outdated.map(|row| row.feature_slug.as_str()).collect();
    let versions = match features.is_empty() {
        true => HashMap::new(),
        false => list_renewals(connection, &features.into_iter().collect::<Vec<_>>()).await?,
    };
    let summary = |row: SummaryRow| {
        let versions = versions.get(&row.feature_slug).map(Vec::as_slice).unwrap_or_default();
        let later = versions.iter().filter(|(version, _)| *version > row.statement_version);
        let lifecycle = Lifecycle {
            status: row.status,
            stage: row.stage,
            retires_at: row.retires_at.map(|at| at.to_jiff()),
            approved_at: row.approved_at.map(|at| at.to_jiff()),
            validity_months: u16::try_from(row.validity_months).unwrap_or_default(),
            later: later.map(|(_, later)| *later).collect(),
            is_replaced: row.is_replaced,
            noticed: Vec::new(),
        };
        OptInSummary {
            id: row.id,
            person_id: row.person_id,
            feature: row.feature_slug,
            feature_name: row.feature_name,
            scope: Scope { kind: row.scope_kind, name: row.scope_name },
            person_name: row.person_name,
            accepted_at: row.accepted_at.to_jiff(),
            status: row.status,
            status_words: Status::words(row.status, usize::try_from(row.steps).unwrap_or_default(), row.end_reason),
            comment: row.comment,
            is_manual: row.is_manual,
            problem: row.problem,
            drift: row.drift,
            lifecycle,
        }
    };
    Ok(rows.into_iter().map(summary).collect())
}

/// What each version of the statements of some features means for those who accepted an earlier one.
async fn list_renewals(
    connection: &mut PgConnection,
    features: &[&str],
) -> sqlx::Result<HashMap<String, Vec<(i32, LaterVersion)>>> {
    let rows = sqlx::query!(
        r#"select feature_slug, version, renewal_days, published_at as "published_at: jiff_sqlx::Timestamp"
           from risk_statements where feature_slug = any($1)"#,
        features as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<String, Vec<(i32, LaterVersion)>> = HashMap::new();
    for row in rows {
        let later = LaterVersion { renewal: renewal(row.renewal_days), published_at: row.published_at.to_jiff() };
        found.entry(row.feature_slug).or_default().push((row.version, later));
    }
    Ok(found)
}
