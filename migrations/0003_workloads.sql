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
  -- What lists show of the form, so that they need not read it: what it is called, where it goes, and its next step.
  name text not null,
  namespace text not null,
  next_step text not null,
  -- Nothing but the namespace was chosen yet.
  is_untouched boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index drafts_by_author on drafts (author_id, updated_at desc);
create index drafts_by_namespace on drafts (shared_with, updated_at desc);
grant select, insert, update, delete on drafts to fairway_app;

-- Frozen bytes with the verdicts on exactly those bytes.
create table submissions (
  id uuid primary key,
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
create index submissions_for_second_persons on submissions (namespace, created_at desc) where cardinality(second_person) > 0;
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
create function refuse_own_review() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  if exists (
    select from submissions s, unnest(s.contributors) author
    where s.id = new.submission_id and is_same_person(new.reviewer_id, author)
  ) then
    raise exception 'whoever wrote a submission does not review it'
      using errcode = 'check_violation', constraint = 'submission_reviews_need_a_second_person';
  end if;
  -- Whoever was erased and comes back is somebody new, and could be the second person of what they wrote.
  if exists (
    select from submissions s join people p on p.id = any (s.contributors)
    where s.id = new.submission_id and p.subject = 'erased ' || p.id
  ) then
    raise exception 'somebody who wrote a submission was erased'
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

-- Each time somebody set out to apply a submission. The id is that of the intent in the record, and the outcome is stored
-- together with its row there.
create table submission_applies (
  id uuid primary key references audit_events (id),
  submission_id uuid not null references submissions,
  began_at timestamptz not null default now(),
  -- Null while it is under way, and for ever where Fairway was interrupted.
  outcome text check (outcome in ('succeeded', 'refused', 'failed', 'unknown')),
  ended_at timestamptz,
  check ((outcome is null) = (ended_at is null))
);
create index submission_applies_by_submission on submission_applies (submission_id, began_at desc);
create index submission_applies_that_succeeded on submission_applies (submission_id, ended_at) where outcome = 'succeeded';
create function refuse_all_but_outcome() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.outcome is null and new.outcome is not null
    and (new.id, new.submission_id, new.began_at) = (old.id, old.submission_id, old.began_at) then
    return new;
  end if;
  raise exception 'submission_applies are append-only, but for their outcome' using errcode = 'insufficient_privilege';
end
$$;
create trigger submission_applies_end_once before update or delete on submission_applies
  for each row execute function refuse_all_but_outcome();
create trigger submission_applies_not_truncated before truncate on submission_applies
  for each statement execute function refuse_rewrite();
grant select, insert, update (outcome, ended_at) on submission_applies to fairway_app;

-- What the cluster said, object by object.
create table apply_results (
  id bigint generated always as identity primary key,
  apply_id uuid not null references submission_applies,
  object text not null,
  outcome text not null check (outcome in ('applied', 'refused', 'conflict', 'failed')),
  message text not null,
  -- Fields that others manage, where that was in the way: [{"field", "manager"}].
  conflicts jsonb not null default '[]' check (jsonb_typeof(conflicts) = 'array'),
  resource_version text,
  recorded_at timestamptz not null default now(),
  check ((outcome = 'applied') = (resource_version is not null)),
  unique (apply_id, object)
);
create trigger apply_results_append_only before update or delete or truncate on apply_results
  for each statement execute function refuse_rewrite();
grant select, insert on apply_results to fairway_app;

-- How far each submission has come.
create view submission_progress as
select s.id,
  cardinality(s.second_person) > 0 as needs_second_person,
  exists (select from submissions later where later.draft_id = s.draft_id and later.created_at > s.created_at) as is_replaced,
  (select r.verdict from submission_reviews r where r.submission_id = s.id order by r.id desc limit 1) as verdict,
  latest.id as latest_apply,
  coalesce((select array_agg(r.outcome order by r.id) from apply_results r where r.apply_id = latest.id), '{}') as objects,
  (select max(a.ended_at) from submission_applies a where a.submission_id = s.id and a.outcome = 'succeeded') as applied_at
from submissions s
left join lateral (
  select a.id from submission_applies a where a.submission_id = s.id order by a.began_at desc limit 1
) latest on true;
grant select on submission_progress to fairway_app;
