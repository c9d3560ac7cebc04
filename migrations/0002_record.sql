-- Refuses what append-only tables must never see, whoever asks.
create function refuse_rewrite() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

-- Who acted. The record itself holds only the commitment, so that a person's details can be erased later and the chain
-- still holds.
create table identities (
  commitment bytea primary key check (octet_length(commitment) = 32),
  -- Random, so that nobody finds out by trying whose commitment it is. Null, as the details are, once they were erased.
  salt bytea check (octet_length(salt) = 32),
  -- ["issuer","subject","name","email"], as committed to.
  details text unique,
  issuer text generated always as (details::jsonb ->> 0) stored,
  subject text generated always as (details::jsonb ->> 1) stored,
  name text generated always as (details::jsonb ->> 2) stored,
  email text generated always as (details::jsonb ->> 3) stored,
  check ((salt is null) = (details is null)),
  check (commitment = sha256(salt || convert_to(details, 'UTF8')))
);
create index identities_by_subject on identities (issuer, subject);
create function refuse_all_but_erasure() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.commitment = old.commitment and new.salt is null and new.details is null then
    return new;
  end if;
  raise exception 'identities are append-only, but for erasure' using errcode = 'insufficient_privilege';
end
$$;
create trigger identities_erased_only before update or delete on identities
  for each row execute function refuse_all_but_erasure();
create trigger identities_not_truncated before truncate on identities
  for each statement execute function refuse_rewrite();
grant select, insert on identities to fairway_app;

-- Written with seconds, microseconds and Z always, so it depends on no setting.
create function recorded_time(text) returns timestamptz immutable strict language sql as
  $$ select $1::timestamptz $$;

create table audit_events (
  -- Gapless: the chain's order.
  sequence bigint primary key check (sequence > 0),
  -- Exactly what is hashed: a JSON object. Every column below is read from it.
  entry text not null check ((entry::jsonb ->> 'sequence')::bigint = sequence),
  previous_hash bytea not null unique check (octet_length(previous_hash) = 32),
  hash bytea not null unique check (hash = sha256(previous_hash || convert_to(entry, 'UTF8'))),
  id uuid not null unique generated always as ((entry::jsonb ->> 'id')::uuid) stored,
  -- What an outcome is the outcome of.
  intent_id uuid unique generated always as ((entry::jsonb ->> 'intent_id')::uuid) stored references audit_events (id),
  phase text not null generated always as (entry::jsonb ->> 'phase') stored
    check (phase in ('intent', 'succeeded', 'refused', 'failed', 'unknown')),
  actor bytea not null generated always as (decode(entry::jsonb ->> 'actor', 'hex')) stored references identities,
  action text not null generated always as (entry::jsonb ->> 'action') stored check (action ~ '^[a-z_]+\.[a-z_]+$'),
  -- What it is about; the scope is a namespace, a team or an environment.
  object_kind text not null generated always as (entry::jsonb -> 'object' ->> 'kind') stored,
  object_id uuid generated always as ((entry::jsonb -> 'object' ->> 'id')::uuid) stored,
  object_scope text generated always as (coalesce(
    entry::jsonb -> 'object' ->> 'namespace', entry::jsonb -> 'object' ->> 'team', entry::jsonb -> 'object' ->> 'environment')) stored,
  object_name text generated always as (entry::jsonb -> 'object' ->> 'name') stored,
  detail jsonb not null generated always as (entry::jsonb -> 'detail') stored check (jsonb_typeof(detail) = 'object'),
  -- {"code", "message"}: why it was not made.
  failure jsonb generated always as (nullif(entry::jsonb -> 'failure', 'null')) stored
    check ((failure is not null) <= (phase in ('refused', 'failed', 'unknown'))),
  request_id text not null generated always as (entry::jsonb ->> 'request_id') stored,
  occurred_at timestamptz not null generated always as (recorded_time(entry::jsonb ->> 'occurred_at')) stored,
  check (phase <> 'intent' or intent_id is null)
);
create index audit_events_by_actor on audit_events (actor, sequence);
create index audit_events_by_action on audit_events (action, sequence);
create index audit_events_by_object on audit_events (object_id, sequence) where object_id is not null;
create index audit_events_by_scope on audit_events (object_scope, sequence);
create index audit_events_by_name on audit_events (object_name, sequence);
create index audit_events_by_request on audit_events (request_id);
create index audit_events_by_time on audit_events (occurred_at, sequence);
create trigger audit_events_append_only before update or delete or truncate on audit_events
  for each statement execute function refuse_rewrite();
grant select, insert on audit_events to fairway_app;

-- Where the chain ends: a row that is taken from its end is missed. Kept by the trigger, never by the portal.
create table audit_end (
  only_row boolean primary key default true check (only_row),
  sequence bigint not null,
  hash bytea not null,
  occurred_at timestamptz not null
);
insert into audit_end (sequence, hash, occurred_at) values (0, decode(repeat('00', 32), 'hex'), 'epoch');
create function advance_audit_end() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update audit_end set sequence = new.sequence, hash = new.hash, occurred_at = new.occurred_at
  where sequence = new.sequence - 1 and hash = new.previous_hash and occurred_at <= new.occurred_at;
  if not found then
    raise exception 'this is not the next row of the record' using errcode = 'check_violation';
  end if;
  return null;
end
$$;
-- Whoever could make a trigger of it on a table of their own would move the end.
revoke execute on function advance_audit_end() from public;
create trigger audit_events_in_order after insert on audit_events
  for each row execute function advance_audit_end();
grant select on audit_end to fairway_app;
