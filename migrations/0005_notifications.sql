-- How far people have been told of an opt-in by e-mail. No evidence: that stands in the record. No addresses: those are
-- looked up when a mail is sent, so that whoever is blanked gets none.
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

-- What is news is looked for every few seconds, among everything there ever was.
create index acceptances_by_time on acceptances (accepted_at);
create index opt_in_steps_by_time on opt_in_steps (taken_at);
create index notices_by_time on notices (given_at);
