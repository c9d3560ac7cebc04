//! Publishing, accepting and deciding on a real Postgres, with the rights of the portal's role.

use crate::parts::{actor, identity, portal_role, profile};
use app::actor::{Actor, RoleGroups};
use app::audit::details_of;
use app::audit::store_in_tests::commit_to;
use app::error::AppError;
use app::preview::Description;
use app::preview::acceptance::{Acceptance, AcceptanceDocument};
use app::preview::errors::PreviewError;
use app::preview::opt_in::{EndReason, Status, Step};
use app::preview::statement::{Effect, Renewal, RiskStatement, Scope, ScopeKind, Stage};
use app::preview::store_in_tests::{
    NewStep, describe_feature, find_feature, insert_acceptance, list_by_status, list_current_for, list_needing_action,
    list_visible, load_acceptances, load_readable, publish, take_step,
};
use app::preview::summary::{OptInPage, Viewer};
use jiff::{Timestamp, Unit};
use record::StatusKind;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use uuid::Uuid;

fn terms(version: i32) -> RiskStatement {
    RiskStatement {
        feature: "snippets".into(),
        name: "Snippets".into(),
        version,
        body: format!("Risky, {version}."),
        points: vec!["We accept downtime.".into(), "We keep up.".into()],
        scopes: vec![ScopeKind::Namespace],
        validity_months: 12,
        approvals: 1,
        effect: Effect::Manual,
        renewal: Renewal::NotNeeded,
        changes: "Words".into(),
    }
}

fn description(stage: Stage) -> Description {
    Description {
        slug: "snippets".into(),
        name: "Snippets".into(),
        purpose: "Rewrites".into(),
        owner: "platform".into(),
        documentation_url: None,
        stage,
        retires_at: (stage == Stage::Retired).then_some(Timestamp::UNIX_EPOCH),
    }
}

async fn describe(database: &PgPool, new: Stage, before: Option<Stage>) -> Result<(), AppError> {
    let mut connection = database.acquire().await.unwrap();
    describe_feature(&mut connection, &description(new), before.map(description).as_ref()).await
}

async fn published(database: &PgPool, terms: &RiskStatement) -> Result<(), AppError> {
    let mut transaction = database.begin().await.unwrap();
    publish(&mut transaction, terms).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

async fn feature(database: &PgPool, terms: RiskStatement) {
    describe(database, Stage::Preview, None).await.unwrap();
    published(database, &terms).await.unwrap();
}

async fn record(database: &PgPool, by: &Actor, read: &RiskStatement) -> AcceptanceDocument {
    let person = commit_to(&mut database.acquire().await.unwrap(), &details_of(&by.profile)).await.unwrap();
    AcceptanceDocument {
        id: Uuid::now_v7(),
        feature: read.feature.clone(),
        statement_version: read.version,
        statement_digest: read.digest(),
        points: read.points.clone(),
        scope: Scope { kind: ScopeKind::Namespace, name: "shop".into() },
        namespaces: vec!["shop".into()],
        namespace_uids: [("shop".into(), "1".into())].into(),
        groups: vec!["team-shop".into()],
        person,
        person_groups: by.profile.groups.clone(),
        justification: "because".into(),
        request_id: by.request_id.clone(),
        accepted_at: Timestamp::now().round(Unit::Microsecond).unwrap(),
    }
}

async fn accept(database: &PgPool, by: &Actor, read: &RiskStatement) -> Result<Acceptance, AppError> {
    let accepted = record(database, by, read).await;
    let mut transaction = database.begin().await.unwrap();
    insert_acceptance(&mut transaction, by, &accepted).await?;
    transaction.commit().await.unwrap();
    find_acceptance(database, accepted.id).await
}

async fn find_acceptance(database: &PgPool, id: Uuid) -> Result<Acceptance, AppError> {
    app::preview::store_in_tests::find_acceptance(&mut database.acquire().await.unwrap(), id).await
}

/// Somebody by their id.
async fn known(database: &PgPool, id: Uuid) -> Actor {
    let (subject,): (String,) =
        sqlx::query_as("select subject from people where id = $1").bind(id).fetch_one(database).await.unwrap();
    Actor::new(id, profile(&subject, &[]), identity(&subject, &[]), &RoleGroups::default(), "request".into())
}

async fn step(database: &PgPool, acceptance: &Acceptance, step: Step) -> Result<Status, AppError> {
    let person_id = match step {
        Step::Approve { by } | Step::Refuse { by } | Step::Withdraw { by } => Some(by),
        _ => None,
    };
    let comment = if matches!(step, Step::Refuse { .. }) { "no" } else { "" };
    let number = find_acceptance(database, acceptance.accepted.id).await.unwrap().steps.len() + 1;
    let by = match person_id {
        Some(id) => Some(known(database, id).await),
        None => None,
    };
    let id = acceptance.accepted.id;
    let new = NewStep { acceptance: id, number, step, by: by.as_ref(), comment, request_id: "request" };
    let mut transaction = database.begin().await.unwrap();
    let status = take_step(&mut transaction, new).await?;
    transaction.commit().await.unwrap();
    Ok(status)
}

fn approve(by: &Actor) -> Step {
    Step::Approve { by: by.person_id }
}

fn message(result: Result<Status, AppError>) -> String {
    result.unwrap_err().to_string()
}

#[sqlx::test(migrations = "../migrations")]
async fn an_opt_in_lives_from_acceptance_to_its_end(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let (dana, ada) = (actor(&portal, "dana", &["team-shop"]).await, actor(&portal, "ada", &["platform-admins"]).await);
    let acceptance = accept(&portal, &dana, &terms(1)).await.unwrap();
    assert_eq!(
        (acceptance.status().kind(), acceptance.person()),
        (StatusKind::Waiting, ("DANA".into(), "dana@example.com".into()))
    );
    assert_eq!(acceptance.digest, acceptance.accepted.digest());
    for (taken, status) in [
        (approve(&ada), "approved"),
        (Step::TakeEffect, "effective"),
        (Step::End(EndReason::Expired), "ending"),
        (Step::RemoveEffect, "ended"),
    ] {
        assert_eq!(step(&portal, &acceptance, taken).await.unwrap().kind().as_str(), status);
    }
    let ended = find_acceptance(&portal, acceptance.accepted.id).await.unwrap();
    assert_eq!(ended.status(), &Status::Ended(EndReason::Expired));
    let words: Vec<_> = ended.steps.iter().map(|taken| (taken.in_words(), taken.person.clone())).collect();
    assert_eq!(words[0], ("Approved".to_owned(), Some("ADA".to_owned())));
    assert_eq!(words[2], ("Ended: expired".to_owned(), None));
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_decides_on_what_they_accepted_themselves(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let ada = actor(&portal, "ada", &["platform-admins"]).await;
    let acceptance = accept(&portal, &ada, &terms(1)).await.unwrap();
    assert!(message(step(&portal, &acceptance, approve(&ada)).await).contains("accepted this yourself"));
    // Nor past the portal's own rules: the database knows who accepted.
    let insert = |accepted_by: Uuid, status: &'static str| {
        let (portal, id, ada) = (portal.clone(), acceptance.accepted.id, ada.person_id);
        async move {
            sqlx::query(
                "insert into opt_in_steps (acceptance_id, number, accepted_by, step, person_id, comment, \
                status, request_id) values ($1, 1, $2, 'approved', $3, '', $4, '')",
            )
            .bind(id)
            .bind(accepted_by)
            .bind(ada)
            .bind(status)
            .execute(&portal)
            .await
        }
    };
    let grace = actor(&portal, "grace", &["platform-admins"]).await;
    assert!(insert(ada.person_id, "approved").await.is_err());
    assert!(insert(grace.person_id, "approved").await.is_err());
    assert_eq!(find_acceptance(&portal, acceptance.accepted.id).await.unwrap().status().kind(), StatusKind::Waiting);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_database_itself_lets_nothing_become_effective_without_enough_approvals(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, RiskStatement { approvals: 2, ..terms(1) }).await;
    let dana = actor(&portal, "dana", &["team-shop"]).await;
    let (ada, grace) = (actor(&portal, "ada", &[]).await, actor(&portal, "grace", &[]).await);
    let acceptance = accept(&portal, &dana, &RiskStatement { approvals: 2, ..terms(1) }).await.unwrap();
    let insert = |number: i32, step: &'static str, person: Option<Uuid>, status: &'static str| {
        let (portal, id, dana) = (portal.clone(), acceptance.accepted.id, dana.person_id);
        async move {
            sqlx::query(
                "insert into opt_in_steps (acceptance_id, number, accepted_by, step, person_id, comment, \
                status, request_id) values ($1, $2, $3, $4, $5, '', $6, '')",
            )
            .bind(id)
            .bind(number)
            .bind(dana)
            .bind(step)
            .bind(person)
            .bind(status)
            .execute(&portal)
            .await
        }
    };
    assert!(insert(1, "effective", None, "effective").await.is_err());
    assert!(insert(1, "approved", Some(ada.person_id), "approved").await.is_err());
    assert!(insert(2, "approved", Some(ada.person_id), "waiting").await.is_err());
    assert_eq!(step(&portal, &acceptance, approve(&ada)).await.unwrap().kind(), StatusKind::Waiting);
    assert!(message(step(&portal, &acceptance, approve(&ada)).await).contains("a second administrator decides next"));
    assert!(insert(2, "approved", Some(ada.person_id), "waiting").await.is_err());
    assert!(insert(2, "effective", None, "effective").await.is_err());
    assert_eq!(step(&portal, &acceptance, approve(&grace)).await.unwrap(), Status::Approved);
    assert_eq!(step(&portal, &acceptance, Step::TakeEffect).await.unwrap(), Status::Effective);
    // Nor is a decision taken on what is decided, or another table asked than the one there is.
    let once_more = insert(4, "approved", Some(actor(&portal, "gus", &[]).await.person_id), "approved").await;
    assert!(once_more.is_err());
    let waiting = accept(&portal, &dana, &RiskStatement { approvals: 2, ..terms(1) }).await.unwrap().accepted.id;
    let mut connection = portal.acquire().await.unwrap();
    connection
        .execute(
            "create temporary table opt_in_steps as select gen_random_uuid() as acceptance_id, 1 as number, \
            ''::text as step, ''::text as status",
        )
        .await
        .unwrap();
    sqlx::query("update opt_in_steps set acceptance_id = $1, number = 0, status = 'approved'")
        .bind(waiting)
        .execute(&mut *connection)
        .await
        .unwrap();
    let forged = sqlx::query(
        "insert into public.opt_in_steps (acceptance_id, number, accepted_by, step, comment, \
        status, request_id) values ($1, 2, $2, 'effective', '', 'effective', '')",
    )
    .bind(waiting)
    .bind(dana.person_id)
    .execute(&mut *connection)
    .await;
    assert!(forged.is_err());
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_administrators_who_decide_at_once_one_is_told_that_it_was_decided(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let dana = actor(&portal, "dana", &["team-shop"]).await;
    let (ada, grace) = (actor(&portal, "ada", &[]).await, actor(&portal, "grace", &[]).await);
    for _ in 0..5 {
        let acceptance = accept(&portal, &dana, &terms(1)).await.unwrap();
        let refuse = Step::Refuse { by: grace.person_id };
        let (first, second) =
            tokio::join!(step(&portal, &acceptance, approve(&ada)), step(&portal, &acceptance, refuse));
        let told: Vec<String> =
            [first, second].into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("This was changed in the meantime"), "{told:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_revoked_while_it_is_being_made_does_not_become_effective(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let (dana, ada) = (actor(&portal, "dana", &[]).await, actor(&portal, "ada", &[]).await);
    for _ in 0..5 {
        let acceptance = accept(&portal, &dana, &terms(1)).await.unwrap();
        step(&portal, &acceptance, approve(&ada)).await.unwrap();
        let (revoked, made) = tokio::join!(
            step(&portal, &acceptance, Step::End(EndReason::Revoked)),
            step(&portal, &acceptance, Step::TakeEffect),
        );
        // Revoking may come first or second, or be told to look again; taking effect after it never works.
        let now = find_acceptance(&portal, acceptance.accepted.id).await.unwrap();
        match (revoked.is_ok(), made.is_ok()) {
            (true, _) => assert_eq!(now.status(), &Status::Ending(EndReason::Revoked)),
            (false, true) => {
                assert_eq!(
                    step(&portal, &now, Step::End(EndReason::Revoked)).await.unwrap().kind(),
                    StatusKind::Ending
                );
            }
            (false, false) => panic!("neither was taken"),
        }
        assert!(step(&portal, &acceptance, Step::TakeEffect).await.is_err());
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_statement_that_was_replaced_is_not_accepted_even_at_the_same_moment(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let dana = actor(&portal, "dana", &[]).await;
    // Publishing holds the feature; accepting waits for it, and then finds the new statement.
    let mut publishing = portal.begin().await.unwrap();
    publish(&mut publishing, &terms(2)).await.unwrap();
    let accepting = tokio::spawn({
        let (portal, dana) = (portal.clone(), dana.clone());
        async move { accept(&portal, &dana, &terms(1)).await.map(drop) }
    });
    loop {
        let (waiting,): (i64,) =
            sqlx::query_as("select count(*) from pg_locks where not granted").fetch_one(&portal).await.unwrap();
        if waiting > 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    publishing.commit().await.unwrap();
    let told = accepting.await.unwrap().unwrap_err();
    assert!(told.to_string().contains("was changed while you read it"), "{told}");
    assert!(accept(&portal, &dana, &terms(2)).await.is_ok());
    describe(&portal, Stage::Retired, Some(Stage::Preview)).await.unwrap();
    assert!(accept(&portal, &dana, &terms(2)).await.is_err());
}

#[sqlx::test(migrations = "../migrations")]
async fn an_acceptance_of_an_outdated_statement_is_neither_approved_nor_made_effective(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let (dana, ada) = (actor(&portal, "dana", &[]).await, actor(&portal, "ada", &[]).await);
    let waiting = accept(&portal, &dana, &terms(1)).await.unwrap();
    let approved = accept(&portal, &dana, &terms(1)).await.unwrap();
    step(&portal, &approved, approve(&ada)).await.unwrap();
    published(&portal, &terms(2)).await.unwrap();
    // The second version lets them go on, the third does not.
    assert!(find_acceptance(&portal, waiting.accepted.id).await.unwrap().lifecycle.is_in_force());
    published(&portal, &RiskStatement { renewal: Renewal::WithinDays(14), ..terms(3) }).await.unwrap();
    assert!(message(step(&portal, &waiting, approve(&ada)).await).contains("has to be accepted"));
    assert!(message(step(&portal, &approved, Step::TakeEffect).await).contains("has to be accepted"));
    let (ends_at, end) = find_acceptance(&portal, approved.accepted.id).await.unwrap().lifecycle.ends_at().unwrap();
    assert_eq!(end, EndReason::NotRenewed);
    assert!(ends_at > Timestamp::now());
}

#[sqlx::test(migrations = "../migrations")]
async fn versions_follow_each_other_and_of_two_who_publish_at_once_one_is_told(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    assert!(published(&portal, &terms(3)).await.is_err());
    let other = RiskStatement { body: "Other".into(), ..terms(2) };
    let (second, again) = (terms(2), other);
    let (first, second) = tokio::join!(published(&portal, &second), published(&portal, &again));
    let told: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].to_string().contains("has published a version"), "{told:?}");
    assert_eq!(find_feature(&portal, "snippets").await.unwrap().current.terms.version, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_acceptance_keeps_the_words_that_were_read_and_the_database_refuses_others(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let dana = actor(&portal, "dana", &[]).await;
    let before = accept(&portal, &dana, &terms(1)).await.unwrap();
    published(&portal, &terms(2)).await.unwrap();
    let after = find_acceptance(&portal, before.accepted.id).await.unwrap();
    assert_eq!((after.terms.body.as_str(), after.digest), ("Risky, 1.", before.digest));
    let other = AcceptanceDocument { id: Uuid::now_v7(), points: vec!["Other".into()], ..before.accepted.clone() };
    let forged = sqlx::query("insert into acceptances (id, person_id, document, digest) values ($1, $2, $3, $4)")
        .bind(other.id)
        .bind(dana.person_id)
        .bind(other.document())
        .bind(before.digest)
        .execute(&portal)
        .await;
    assert!(forged.is_err());
    let unknown = AcceptanceDocument { statement_digest: before.digest, ..other };
    let forged = sqlx::query("insert into acceptances (id, person_id, document, digest) values ($1, $2, $3, $4)")
        .bind(unknown.id)
        .bind(dana.person_id)
        .bind(unknown.document())
        .bind(unknown.digest())
        .execute(&portal)
        .await;
    assert!(forged.is_err());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_feature_is_changed_only_by_whoever_saw_it_as_it_is(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    describe(&portal, Stage::Preview, None).await.unwrap();
    describe(&portal, Stage::Preview, None).await.unwrap();
    published(&portal, &terms(1)).await.unwrap();
    let added_twice = describe(&portal, Stage::General, None).await;
    assert_eq!(added_twice, Err(PreviewError::FeatureChanged.into()));
    describe(&portal, Stage::Retired, Some(Stage::Preview)).await.unwrap();
    let unseen = describe(&portal, Stage::General, Some(Stage::Preview)).await;
    assert_eq!(unseen, Err(PreviewError::FeatureChanged.into()));
    assert_eq!(find_feature(&portal, "snippets").await.unwrap().description.stage, Stage::Retired);
}

#[sqlx::test(migrations = "../migrations")]
async fn opt_ins_are_found_by_person_feature_scope_and_status_and_those_that_wait_come_first(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    feature(&portal, terms(1)).await;
    let (dana, pia, ada) =
        (actor(&portal, "dana", &[]).await, actor(&portal, "pia", &[]).await, actor(&portal, "ada", &[]).await);
    let waiting = accept(&portal, &dana, &terms(1)).await.unwrap().accepted.id;
    let refused = accept(&portal, &dana, &terms(1)).await.unwrap();
    step(&portal, &refused, Step::Refuse { by: ada.person_id }).await.unwrap();
    let other = accept(&portal, &pia, &terms(1)).await.unwrap().accepted.id;
    let refused = refused.accepted.id;
    let mut connection = portal.acquire().await.unwrap();
    let scope = |name: &str| Scope { kind: ScopeKind::Namespace, name: name.into() };
    let dana_with = |scopes: &[&str], namespaces: &[&str]| Viewer {
        person: dana.person_id,
        scopes: scopes.iter().map(|name| scope(name)).collect(),
        namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
    };
    for (viewer, found) in [
        (dana_with(&[], &[]), vec![waiting, refused]),
        (dana_with(&["pay"], &[]), vec![waiting, refused]),
        (dana_with(&["shop"], &[]), vec![other, waiting, refused]),
        (dana_with(&[], &["pay"]), vec![waiting, refused]),
        (dana_with(&[], &["pay", "shop"]), vec![other, waiting, refused]),
    ] {
        assert_eq!(ids(&list_visible(&mut connection, &viewer, None, None).await.unwrap()), found, "{viewer:?}");
        let elsewhere = list_visible(&mut connection, &viewer, Some("other"), None).await.unwrap();
        assert_eq!(ids(&elsewhere), Vec::<Uuid>::new());
    }
    for (status, found) in [
        (None, vec![other, waiting, refused]),
        (Some(StatusKind::Refused), vec![refused]),
        (Some(StatusKind::Effective), vec![]),
    ] {
        assert_eq!(ids(&list_by_status(&mut connection, status, None, None).await.unwrap()), found, "{status:?}");
    }
    let needing = list_needing_action(&mut connection, Some("snippets"), None).await.unwrap();
    assert_eq!(ids(&needing), [waiting, other], "those that wait the longest come first");
    for (name, found) in [("shop", 2), ("pay", 0)] {
        let current = list_current_for(&mut connection, "snippets", &scope(name), &terms(1).digest()).await.unwrap();
        assert_eq!(current.len(), found, "{name}");
    }
}

fn ids(page: &OptInPage) -> Vec<Uuid> {
    page.summaries.iter().map(|summary| summary.id).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn steps_written_by_a_hand_in_the_database_are_not_believed(owner: PgPool) {
    feature(&owner, terms(1)).await;
    let (dana, ada) = (actor(&owner, "dana", &[]).await, actor(&owner, "ada", &[]).await);
    let acceptance = accept(&owner, &dana, &terms(1)).await.unwrap();
    step(&owner, &acceptance, approve(&ada)).await.unwrap();
    owner
        .execute(
            "alter table opt_in_steps disable trigger all; alter table opt_in_steps drop constraint \
        decisions_need_a_second_person; update opt_in_steps set person_id = accepted_by",
        )
        .await
        .unwrap();
    assert_eq!(find_acceptance(&owner, acceptance.accepted.id).await.unwrap_err(), AppError::Internal);
    let untouched = accept(&owner, &dana, &terms(1)).await.unwrap();
    let both = [acceptance.accepted.id, untouched.accepted.id];
    let mut connection = owner.acquire().await.unwrap();
    let readable = load_readable(&mut connection, &both).await.unwrap();
    let ids: Vec<Uuid> = readable.iter().map(|acceptance| acceptance.accepted.id).collect();
    assert_eq!(ids, [untouched.accepted.id], "one that cannot be read hides no other");
    assert!(load_acceptances(&mut connection, &both).await.unwrap()[0].1.is_err());
}
