-- Answers given to the wizard so far, valid or not: what a person typed is never lost.
create table drafts (
  id uuid primary key default gen_random_uuid(),
  author_id uuid not null references people,
  form jsonb not null check (jsonb_typeof(form) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index drafts_by_author on drafts (author_id, updated_at desc);
grant select, insert, update, delete on drafts to fairway_app;

-- Frozen bytes with the verdicts on exactly those bytes.
create table submissions (
  id uuid primary key default gen_random_uuid(),
  author_id uuid not null references people,
  -- Drafts are deleted once they are applied, so this refers to nothing.
  draft_id uuid not null,
  namespace text not null,
  name text not null,
  manifest text not null,
  digest bytea not null check (digest = sha256(convert_to(manifest, 'UTF8'))),
  report jsonb not null,
  dry_run jsonb not null,
  created_at timestamptz not null default now()
);
create index submissions_by_author on submissions (author_id, created_at desc);
create index submissions_by_draft on submissions (draft_id);
create trigger submissions_append_only before update or delete or truncate on submissions
  for each statement execute function refuse_rewrite();
grant select, insert on submissions to fairway_app;

-- What the cluster said, object by object, each time a submission was applied.
create table apply_results (
  id bigint generated always as identity primary key,
  submission_id uuid not null references submissions,
  intent_id uuid not null references audit_events (id),
  object text not null,
  outcome text not null check (outcome in ('applied', 'refused', 'conflict', 'failed')),
  message text not null,
  resource_version text,
  recorded_at timestamptz not null default now(),
  check ((outcome = 'applied') = (resource_version is not null)),
  unique (intent_id, object)
);
create index apply_results_by_submission on apply_results (submission_id, id);
create trigger apply_results_append_only before update or delete or truncate on apply_results
  for each statement execute function refuse_rewrite();
grant select, insert on apply_results to fairway_app;

-- Whether the record holds that a submission was applied as a whole.
create function apply_succeeded(submission uuid) returns boolean stable language sql as $$
  select exists (
    select from apply_results result
    join audit_events outcome on outcome.intent_id = result.intent_id
    where result.submission_id = submission and outcome.phase = 'succeeded'
  )
$$;
