//! Whether the portal knows a database that it should not work on.

use crate::parts::portal_role;
use server::database_check::{DatabaseProblem, check_database};
use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

#[sqlx::test(migrations = "../migrations")]
async fn a_role_that_may_do_too_much_or_too_little_is_found(options: PgPoolOptions, connect: PgConnectOptions) {
    check_database(&portal_role(options.clone(), connect.clone()).await).await.unwrap();
    let owner = options.clone().connect_with(connect).await.unwrap();
    assert!(matches!(check_database(&owner).await, Err(DatabaseProblem::TooManyRights)));
    let mut connection = owner.acquire().await.unwrap();
    connection.execute("grant delete on notices to fairway_app").await.unwrap();
    let portal = portal_role(options.clone(), (*owner.connect_options()).clone()).await;
    assert!(matches!(check_database(&portal).await, Err(DatabaseProblem::TooManyRights)));
    connection.execute("revoke delete on notices from fairway_app").await.unwrap();
    connection.execute("revoke insert on sessions from fairway_app").await.unwrap();
    assert!(matches!(check_database(&portal).await, Err(DatabaseProblem::TooFewRights)));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_database_that_lacks_a_migration_or_has_another_is_found(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let portal = portal_role(options, connect).await;
    let lacks = async || match check_database(&portal).await {
        Err(DatabaseProblem::NotMigrated { version }) => Some(version),
        _ => None,
    };
    assert_eq!(lacks().await, None);
    owner.execute("update _sqlx_migrations set checksum = 'other' where version = 3").await.unwrap();
    assert_eq!(lacks().await, Some(3));
    owner.execute("delete from _sqlx_migrations where version = 2").await.unwrap();
    assert_eq!(lacks().await, Some(2));
}
