create table preview_features (
  slug text primary key check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  name text not null,
  purpose text not null,
  documentation_url text,
  created_at timestamptz not null default now()
);
grant select, insert, update on preview_features to fairway_app;

-- Immutable once published; a new text is a new version.
create table risk_statements (
  id uuid primary key default gen_random_uuid(),
  feature_slug text not null references preview_features,
  version integer not null check (version > 0),
  body text not null,
  -- Each is confirmed on its own.
  points text[] not null check (cardinality(points) > 0),
  -- Digest of exactly what the person reads: the body, then each point on a line of its own.
  digest bytea not null check (
    digest = sha256(convert_to(body || E'\n' || array_to_string(points, E'\n'), 'UTF8'))
  ),
  published_at timestamptz not null default now(),
  unique (feature_slug, version)
);
create trigger risk_statements_append_only before update or delete or truncate on risk_statements
  for each statement execute function refuse_rewrite();
grant select, insert on risk_statements to fairway_app;

-- The acceptance of a risk, as evidence: everything is copied, nothing is looked up later.
create table acceptances (
  id uuid primary key default gen_random_uuid(),
  statement_id uuid not null references risk_statements,
  person_id uuid not null references people,
  person_issuer text not null,
  person_subject text not null,
  person_name text not null,
  person_email text not null,
  person_groups text[] not null,
  namespace text not null,
  statement_body text not null,
  confirmed_points text[] not null,
  statement_digest bytea not null check (
    statement_digest = sha256(convert_to(statement_body || E'\n' || array_to_string(confirmed_points, E'\n'), 'UTF8'))
  ),
  justification text not null,
  request_id text not null,
  accepted_at timestamptz not null default now(),
  -- For the foreign key of `decisions`, which must know who accepted.
  unique (id, person_id)
);
create index acceptances_by_person on acceptances (person_id, accepted_at desc);
create trigger acceptances_append_only before update or delete or truncate on acceptances
  for each statement execute function refuse_rewrite();
grant select, insert on acceptances to fairway_app;

create table decisions (
  -- At most one decision on an acceptance.
  acceptance_id uuid primary key,
  accepted_by uuid not null,
  decided_by uuid not null references people,
  verdict text not null check (verdict in ('approved', 'refused')),
  comment text not null check (verdict = 'approved' or btrim(comment) <> ''),
  request_id text not null,
  decided_at timestamptz not null default now(),
  foreign key (acceptance_id, accepted_by) references acceptances (id, person_id),
  constraint decisions_need_a_second_person check (decided_by <> accepted_by)
);
create trigger decisions_append_only before update or delete or truncate on decisions
  for each statement execute function refuse_rewrite();
grant select, insert on decisions to fairway_app;
