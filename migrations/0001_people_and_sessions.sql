-- The role the running portal has. It owns nothing: what it may do is granted table by table.
-- The user in DATABASE_URL is made a member of it; migrations run as the owner.
do $$
begin
  create role fairway_app nologin;
exception
  when duplicate_object or unique_violation then null;
end
$$;

grant usage on schema public to fairway_app;
-- So that the portal can tell whether the database is what it was written for.
do $$
begin
  if to_regclass('_sqlx_migrations') is not null then
    grant select on _sqlx_migrations to fairway_app;
  end if;
end
$$;

create table people (
  id uuid primary key default gen_random_uuid(),
  issuer text not null,
  subject text not null,
  name text not null,
  email text not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  -- Who this is to the cluster, since they last signed in; null once an operator has released it. Of two who had the same,
  -- one would act as the other.
  cluster_user text constraint people_have_a_cluster_user_of_their_own unique,
  -- The only identity there is: names and addresses change hands (OpenID Connect Core 1.0, 5.7).
  unique (issuer, subject)
);
grant select, insert, update on people to fairway_app;

-- Whether two accounts are one person's, as far as anybody can tell. Whoever was erased has no address.
create function is_same_person(one uuid, other uuid) returns boolean language sql stable set search_path = public, pg_temp as $$
  select one = other or exists (
    select from people a, people b
    where a.id = one and b.id = other and a.email <> '' and lower(a.email) = lower(b.email)
  )
$$;

create table sessions (
  -- SHA-256 of the cookie's value: who reads this table cannot take over a session.
  id_hash bytea primary key check (octet_length(id_hash) = 32),
  -- What it is called on pages. Derived from the cookie's value as well, and leads back to it no more than the hash does.
  id uuid not null unique,
  -- Null until sign-in is complete.
  person_id uuid references people on delete cascade,
  -- Sealed with a key derived from the cookie's value, which is stored nowhere.
  sealed_data bytea not null,
  -- What the provider calls its own session (sid), for when it ends there.
  provider_session text,
  -- Where it was begun, so that people know their sessions apart. Null until sign-in is complete.
  browser text,
  address text,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  -- When one request last set out to read the groups again: refresh tokens may be used only once, so
  -- only one request at a time may try.
  refresh_started_at timestamptz,
  -- Since when they could not be read, while the provider does not answer.
  refresh_failing_since timestamptz
);
create index sessions_by_person on sessions (person_id);
create index sessions_by_use on sessions (last_used_at);
grant select, insert, update, delete on sessions to fairway_app;

-- Sign-ins that failed, by day and reason: a row for each reason, whoever tries and however often.
create table sign_in_failures (
  day date not null,
  code text not null,
  count bigint not null check (count > 0),
  primary key (day, code)
);
grant select, insert, update, delete on sign_in_failures to fairway_app;
