-- Answers given to the wizard so far, valid or not: what a person typed is never lost.
create table drafts (
  id uuid primary key default gen_random_uuid(),
  author_id uuid not null references people,
  saved_by uuid not null references people,
  -- Everyone who ever saved it: none of them is a second person.
  contributors uuid[] not null check (saved_by = any (contributors)),
  -- The namespace whose people share it, if whoever saved it may run workloads there; otherwise empty.
  shared_with text not null,
  -- Grows with every save, so that nobody undoes unseen what another person typed.
  version integer not null default 1 check (version > 0),
  form jsonb not null check (jsonb_typeof(form) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index drafts_by_author on drafts (author_id, updated_at desc);
create index drafts_by_namespace on drafts (shared_with, updated_at desc);
grant select, insert, update, delete on drafts to fairway_app;

-- Frozen bytes with the verdicts on exactly those bytes.
create table submissions (
  id uuid primary key default gen_random_uuid(),
  author_id uuid not null references people,
  contributors uuid[] not null check (author_id = any (contributors)),
  -- Drafts are deleted once they are applied, so this refers to nothing.
  draft_id uuid not null,
  draft_version integer not null,
  namespace text not null,
  name text not null,
  manifest text not null,
  digest bytea not null check (digest = sha256(convert_to(manifest, 'UTF8'))),
  report jsonb not null,
  dry_run jsonb not null,
  -- Why a second person must approve it, in words; none where nobody must.
  second_person text[] not null,
  created_at timestamptz not null default now(),
  -- For the foreign key of `submission_reviews`, which must know who submitted what.
  unique (id, author_id, digest)
);
create index submissions_by_author on submissions (author_id, created_at desc);
create index submissions_by_draft on submissions (draft_id, created_at desc);
create index submissions_by_namespace on submissions (namespace, created_at desc);
create trigger submissions_append_only before update or delete or truncate on submissions
  for each statement execute function refuse_rewrite();
grant select, insert on submissions to fairway_app;

-- What a second person said of exactly these bytes. The latest counts.
create table submission_reviews (
  id bigint generated always as identity primary key,
  submission_id uuid not null,
  submitted_by uuid not null,
  digest bytea not null,
  reviewer_id uuid not null references people,
  verdict text not null check (verdict in ('approved', 'refused', 'changes_requested')),
  comment text not null check (verdict = 'approved' or btrim(comment) <> ''),
  request_id text not null,
  decided_at timestamptz not null default now(),
  foreign key (submission_id, submitted_by, digest) references submissions (id, author_id, digest),
  constraint submission_reviews_need_a_second_person check (reviewer_id <> submitted_by)
);
create function refuse_own_review() returns trigger language plpgsql as $$
begin
  if exists (select from submissions s where s.id = new.submission_id and new.reviewer_id = any (s.contributors)) then
    raise exception 'whoever wrote a submission does not review it'
      using errcode = 'check_violation', constraint = 'submission_reviews_need_a_second_person';
  end if;
  -- Whoever was blanked and comes back is somebody new, and could be the second person of what they wrote.
  if exists (
    select from submissions s join people p on p.id = any (s.contributors)
    where s.id = new.submission_id and p.subject = 'blanked ' || p.id
  ) then
    raise exception 'somebody who wrote a submission was blanked'
      using errcode = 'check_violation', constraint = 'submission_reviews_know_who_wrote_it';
  end if;
  return new;
end
$$;
create trigger submission_reviews_by_others before insert on submission_reviews
  for each row execute function refuse_own_review();
create index submission_reviews_by_submission on submission_reviews (submission_id, id);
create trigger submission_reviews_append_only before update or delete or truncate on submission_reviews
  for each statement execute function refuse_rewrite();
grant select, insert on submission_reviews to fairway_app;

create table submission_comments (
  id bigint generated always as identity primary key,
  submission_id uuid not null references submissions,
  author_id uuid not null references people,
  -- Of the manifest, from 1; null for a comment on the whole.
  line integer check (line > 0),
  body text not null check (btrim(body) <> ''),
  written_at timestamptz not null default now()
);
create index submission_comments_by_submission on submission_comments (submission_id, id);
create trigger submission_comments_append_only before update or delete or truncate on submission_comments
  for each statement execute function refuse_rewrite();
grant select, insert on submission_comments to fairway_app;

-- What the cluster said, object by object, each time a submission was applied.
create table apply_results (
  id bigint generated always as identity primary key,
  submission_id uuid not null references submissions,
  intent_id uuid not null references audit_events (id),
  object text not null,
  outcome text not null check (outcome in ('applied', 'refused', 'conflict', 'failed')),
  message text not null,
  -- Fields that others manage, where that was in the way: [{"field", "manager"}].
  conflicts jsonb not null default '[]' check (jsonb_typeof(conflicts) = 'array'),
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
    select from audit_events intent
    join audit_events outcome on outcome.intent_id = intent.id
    where intent.action = 'workload.apply' and intent.detail ->> 'submission' = submission::text and outcome.phase = 'succeeded'
  )
$$;

-- When that was; null where it was not.
create function applied_at(submission uuid) returns timestamptz stable language sql as $$
  select max(outcome.occurred_at) from audit_events intent
  join audit_events outcome on outcome.intent_id = intent.id
  where intent.action = 'workload.apply' and intent.detail ->> 'submission' = submission::text and outcome.phase = 'succeeded'
$$;

-- The intent of the latest apply of a submission; null where nobody set out to.
create function latest_apply(submission uuid) returns uuid stable language sql as $$
  select intent.id from audit_events intent
  where intent.phase = 'intent' and intent.action = 'workload.apply' and intent.detail ->> 'submission' = submission::text
  order by intent.sequence desc limit 1
$$;

create function apply_begun(submission uuid) returns boolean stable language sql as $$
  select latest_apply(submission) is not null
$$;
create index audit_events_by_submission on audit_events ((detail ->> 'submission')) where action = 'workload.apply';

-- Whether the draft of a submission was submitted again.
create function is_replaced(submission uuid) returns boolean stable language sql as $$
  select exists (
    select from submissions later join submissions this on this.id = submission
    where later.draft_id = this.draft_id and later.created_at > this.created_at
  )
$$;
