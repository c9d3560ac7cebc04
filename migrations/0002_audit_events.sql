-- Refuses what append-only tables must never see, whoever asks.
create function refuse_rewrite() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

create table audit_events (
  -- Gapless: the chain's order.
  sequence bigint primary key check (sequence > 0),
  id uuid not null unique,
  -- What an outcome is the outcome of.
  intent_id uuid unique references audit_events (id),
  phase text not null check (phase in ('intent', 'succeeded', 'refused', 'failed', 'unknown')),
  actor_issuer text not null,
  actor_subject text not null,
  actor_name text not null,
  actor_email text not null,
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  object text not null,
  detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object'),
  request_id text not null,
  occurred_at timestamptz not null,
  previous_hash bytea not null unique check (octet_length(previous_hash) = 32),
  hash bytea not null unique check (octet_length(hash) = 32),
  check (phase <> 'intent' or intent_id is null)
);
create trigger audit_events_append_only before update or delete or truncate on audit_events
  for each statement execute function refuse_rewrite();
grant select, insert on audit_events to fairway_app;
