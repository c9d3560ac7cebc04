-- Whether somebody has to see to an opt-in: decide, do by hand what was decided, or mend what Fairway could not.
create function needs_somebody(acceptance uuid) returns boolean stable language sql as $$
  select case standing_of(a.id)
    when 'waiting' then true
    when 'approved' then s.document::jsonb ->> 'effect' = 'by_hand' or coalesce(e.problem <> '', false)
    when 'ending' then s.document::jsonb ->> 'effect' = 'by_hand' or coalesce(e.problem <> '', false)
    when 'effective' then coalesce(e.drift <> '', false)
    else false
  end
  from acceptances a
  join risk_statements s on s.feature_slug = a.feature_slug and s.version = a.statement_version
  left join effects e on e.acceptance_id = a.id
  where a.id = acceptance
$$;

-- What is over stays over, and there is more of it from year to year: looked up in an index, not by its last step.
create index opt_in_steps_of_what_is_over on opt_in_steps (acceptance_id) where standing in ('refused', 'withdrawn', 'ended');
