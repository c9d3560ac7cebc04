create table preview_features (
  slug text primary key check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  name text not null check (btrim(name) <> ''),
  purpose text not null,
  -- Who answers for it: a team, an address.
  owner text not null,
  documentation_url text,
  stage text not null check (stage in ('preview', 'general', 'retired')),
  -- When what a retired feature gave is taken back, after notices; null for at once.
  retires_at timestamptz check (retires_at is null or stage = 'retired'),
  created_at timestamptz not null default now()
);
grant select, insert, update on preview_features to fairway_app;

-- Immutable once published; a new text is a new version.
create table risk_statements (
  feature_slug text not null references preview_features,
  version integer not null check (version > 0),
  -- The terms as JSON, exactly as people read and accept them.
  document text not null
    check (document::jsonb ->> 'feature' = feature_slug and (document::jsonb ->> 'version')::integer = version),
  digest bytea not null check (digest = sha256(convert_to(document, 'UTF8'))),
  published_at timestamptz not null default now(),
  -- What lists need of it, so that they need not read the document.
  validity_months smallint not null generated always as ((document::jsonb ->> 'validity_months')::smallint) stored,
  approvals smallint not null generated always as ((document::jsonb ->> 'approvals')::smallint) stored,
  effect jsonb not null generated always as (document::jsonb -> 'effect') stored,
  -- An administrator enables it; nothing is made in the cluster.
  is_manual boolean not null generated always as (document::jsonb ->> 'effect' is not distinct from 'manual') stored,
  -- Within how many days it is accepted again; null where what was accepted before goes on.
  renewal_days integer generated always as ((document::jsonb -> 'renewal' ->> 'within_days')::integer) stored,
  primary key (feature_slug, version),
  unique (feature_slug, version, digest)
);
create trigger risk_statements_append_only before update or delete or truncate on risk_statements
  for each statement execute function refuse_rewrite();
grant select, insert on risk_statements to fairway_app;

-- The acceptance of a risk, as evidence: everything stands in the document, and every column is read from it.
create table acceptances (
  id uuid primary key check ((document::jsonb ->> 'id')::uuid = id),
  person_id uuid not null references people,
  document text not null,
  digest bytea not null unique check (digest = sha256(convert_to(document, 'UTF8'))),
  feature_slug text not null generated always as (document::jsonb ->> 'feature') stored,
  statement_version integer not null generated always as ((document::jsonb ->> 'statement_version')::integer) stored,
  statement_digest bytea not null
    generated always as (decode(document::jsonb ->> 'statement_digest', 'hex')) stored,
  -- Who accepted, as the record commits to them.
  identity bytea not null generated always as (decode(document::jsonb ->> 'person', 'hex')) stored references identities,
  scope_kind text not null generated always as (document::jsonb -> 'scope' ->> 'kind') stored
    check (scope_kind in ('team', 'namespace', 'environment')),
  scope_name text not null generated always as (document::jsonb -> 'scope' ->> 'name') stored,
  accepted_at timestamptz not null generated always as (recorded_time(document::jsonb ->> 'accepted_at')) stored,
  namespaces jsonb not null generated always as (document::jsonb -> 'namespaces') stored
    check (jsonb_typeof(namespaces) = 'array'),
  groups jsonb not null generated always as (document::jsonb -> 'groups') stored,
  foreign key (feature_slug, statement_version, statement_digest)
    references risk_statements (feature_slug, version, digest),
  -- For the foreign key of `opt_in_steps`, which must know who accepted.
  unique (id, person_id)
);
create index acceptances_by_person on acceptances (person_id, accepted_at desc);
create index acceptances_by_time on acceptances (accepted_at, id);
create index acceptances_by_namespace on acceptances using gin (namespaces);
create index acceptances_by_scope on acceptances (feature_slug, scope_kind, scope_name, accepted_at desc);
create trigger acceptances_append_only before update or delete or truncate on acceptances
  for each statement execute function refuse_rewrite();
grant select, insert on acceptances to fairway_app;

-- What became of it, step by step. Two who act at once want the same number, and one of them is told.
create table opt_in_steps (
  acceptance_id uuid not null,
  number integer not null check (number > 0),
  accepted_by uuid not null,
  step text not null check (step in ('approved', 'refused', 'withdrawn', 'effective', 'ending', 'ended')),
  -- Null where Fairway took it by itself.
  person_id uuid references people,
  -- The same person, as the record commits to them.
  identity bytea references identities,
  check ((identity is null) = (person_id is null)),
  -- Why it ends.
  reason text check (reason in ('expired', 'revoked', 'retired', 'not_renewed', 'replaced')),
  comment text not null check (step <> 'refused' or btrim(comment) <> ''),
  -- How the opt-in stands after it.
  status text not null
    check (status in ('waiting', 'refused', 'withdrawn', 'approved', 'effective', 'ending', 'ended')),
  request_id text not null,
  taken_at timestamptz not null default now(),
  primary key (acceptance_id, number),
  foreign key (acceptance_id, accepted_by) references acceptances (id, person_id),
  check ((reason is not null) = (step in ('ending', 'ended'))),
  constraint decisions_need_a_second_person
    check (step not in ('approved', 'refused') or (person_id is not null and person_id <> accepted_by))
);
create unique index opt_in_steps_approved_once on opt_in_steps (acceptance_id, person_id) where step = 'approved';
create trigger opt_in_steps_append_only before update or delete or truncate on opt_in_steps
  for each statement execute function refuse_rewrite();

-- The rules of the portal once more, where no defect of the portal can go around them.
create function refuse_unfounded_step() returns trigger language plpgsql set search_path = public, pg_temp as $$
declare
  before text;
  approvals integer;
  needed integer;
begin
  select status into before from opt_in_steps where acceptance_id = new.acceptance_id order by number desc limit 1;
  if new.number <> 1 + (select count(*) from opt_in_steps where acceptance_id = new.acceptance_id) then
    -- As for two who want the same number: somebody else was faster.
    raise exception 'this is not the next step' using errcode = 'unique_violation';
  end if;
  select count(*) into approvals from opt_in_steps where acceptance_id = new.acceptance_id and step = 'approved';
  select s.approvals into needed
    from acceptances a join risk_statements s on s.feature_slug = a.feature_slug and s.version = a.statement_version
    where a.id = new.acceptance_id;
  if new.step in ('approved', 'refused', 'withdrawn') and coalesce(before, 'waiting') <> 'waiting' then
    raise exception 'nothing waits for a decision' using errcode = 'check_violation';
  end if;
  if new.step in ('approved', 'refused') and (
    is_same_person(new.person_id, new.accepted_by)
    or new.step = 'approved' and exists (
      select from opt_in_steps s
      where s.acceptance_id = new.acceptance_id and s.step = 'approved' and is_same_person(new.person_id, s.person_id)
    )
  ) then
    raise exception 'a decision is made by somebody else'
      using errcode = 'check_violation', constraint = 'decisions_need_a_second_person';
  end if;
  if new.status = 'approved' and (new.step <> 'approved' or approvals + 1 < needed) then
    raise exception 'not enough approvals' using errcode = 'check_violation';
  end if;
  if new.status = 'effective' and (new.step <> 'effective' or before is distinct from 'approved') then
    raise exception 'only what was approved becomes effective' using errcode = 'check_violation';
  end if;
  return new;
end
$$;
create trigger opt_in_steps_in_order before insert on opt_in_steps
  for each row execute function refuse_unfounded_step();
grant select, insert on opt_in_steps to fairway_app;

create index opt_in_steps_by_time on opt_in_steps (taken_at);

-- How each opt-in stands: what its steps have made of it. Kept by triggers, never by the portal.
create table opt_ins (
  acceptance_id uuid primary key references acceptances,
  status text not null default 'waiting'
    check (status in ('waiting', 'refused', 'withdrawn', 'approved', 'effective', 'ending', 'ended')),
  -- How many steps were taken.
  steps integer not null default 0,
  end_reason text,
  -- What was said with the last step.
  comment text not null default '',
  approved_at timestamptz,
  changed_at timestamptz not null
);
-- What is over stays over, and there is more of it from year to year.
create index opt_ins_that_are_open on opt_ins (status) where status not in ('refused', 'withdrawn', 'ended');
create index opt_ins_by_status on opt_ins (status);
grant select on opt_ins to fairway_app;
create function begin_opt_in() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into opt_ins (acceptance_id, changed_at) values (new.id, new.accepted_at);
  return null;
end
$$;
create trigger acceptances_begin_an_opt_in after insert on acceptances for each row execute function begin_opt_in();
create function advance_opt_in() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update opt_ins set status = new.status, steps = new.number, end_reason = new.reason, comment = new.comment,
    approved_at = case when new.status = 'approved' then new.taken_at else approved_at end, changed_at = new.taken_at
  where acceptance_id = new.acceptance_id;
  if not found then
    raise exception 'there is no such opt-in' using errcode = 'check_violation';
  end if;
  return null;
end
$$;
-- Whoever could make triggers of them on a table of their own would give any opt-in any status.
revoke execute on function begin_opt_in(), advance_opt_in() from public;
create trigger opt_in_steps_advance_an_opt_in after insert on opt_in_steps for each row execute function advance_opt_in();

-- That people were told that an opt-in ends.
create table notices (
  acceptance_id uuid not null references acceptances,
  days integer not null,
  ends_at timestamptz not null,
  given_at timestamptz not null default now(),
  -- An end that moves is told of anew.
  primary key (acceptance_id, ends_at, days)
);
create index notices_by_time on notices (given_at);
create trigger notices_append_only before update or delete or truncate on notices
  for each statement execute function refuse_rewrite();
grant select, insert on notices to fairway_app;

-- How it goes with making, looking at and taking back what an opt-in gives. No evidence: the steps are that.
create table effects (
  acceptance_id uuid primary key references acceptances,
  -- Failed in a row.
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  -- What was in the way last, in words; empty where nothing was.
  problem text not null default '',
  -- How the cluster differs from what was given; empty where it does not.
  drift text not null default '',
  checked_at timestamptz
);
grant select, insert, update on effects to fairway_app;
-- How far people have been told of an opt-in by e-mail. No evidence: that stands in the record. No addresses: those are
-- looked up when a mail is sent, so that whoever was erased gets none.
create table notifications (
  acceptance_id uuid not null references acceptances,
  -- What people are told of: `accepted`, `step-2`, `notice-7-1795564800000000`.
  occasion text not null,
  -- Whom: `administrators`, `person`, `team/shop`.
  recipient text not null,
  -- Failed in a row.
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  -- What was in the way last, in words; empty where nothing was.
  problem text not null default '',
  sent_at timestamptz,
  primary key (acceptance_id, occasion, recipient)
);
grant select, insert, update on notifications to fairway_app;

-- What lists show of each opt-in, without a document. What is open needs action where somebody has to decide, to do by
-- hand what was decided, or to see to what Fairway could not do.
create view opt_in_summaries as
select a.id, a.person_id, a.feature_slug, f.name as feature_name, f.stage, f.retires_at, a.statement_version,
  a.statement_digest, a.scope_kind, a.scope_name, a.namespaces, a.groups, a.accepted_at, i.name as person_name,
  o.status, o.steps, o.end_reason, o.comment, o.approved_at, s.validity_months, s.effect, s.is_manual,
  coalesce(e.problem, '') as problem, coalesce(e.drift, '') as drift,
  -- A later acceptance for the same scope is granted.
  exists (
    select from acceptances later join opt_ins l on l.acceptance_id = later.id
    where later.feature_slug = a.feature_slug and later.scope_kind = a.scope_kind and later.scope_name = a.scope_name
      and later.accepted_at > a.accepted_at and l.status in ('approved', 'effective')
  ) as is_replaced,
  -- There is a later version of the accepted statement.
  exists (
    select from risk_statements later where later.feature_slug = a.feature_slug and later.version > a.statement_version
  ) as has_later_version,
  case o.status
    when 'waiting' then true
    when 'approved' then s.is_manual or coalesce(e.problem <> '', false)
    when 'ending' then s.is_manual or coalesce(e.problem <> '', false)
    when 'effective' then coalesce(e.drift <> '', false)
    else false
  end as needs_action
from acceptances a
join opt_ins o on o.acceptance_id = a.id
join preview_features f on f.slug = a.feature_slug
join risk_statements s on s.feature_slug = a.feature_slug and s.version = a.statement_version
join identities i on i.commitment = a.identity
left join effects e on e.acceptance_id = a.id;
grant select on opt_in_summaries to fairway_app;
