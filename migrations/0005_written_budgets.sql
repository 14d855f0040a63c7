-- A budget relative to a baseline has another limit in each run. What the runs have in common is the budget as it was written.

alter table tollgate.verdicts add column written text;
comment on column tollgate.verdicts.written is 'The budget as the scenario has it, such as p95 < baseline + 10%, if earlier runs gave its limit; null if budget is the one written.';
comment on column tollgate.verdicts.budget is 'The budget that was judged, with its limit; null for a reason that concerns the scenario.';

-- Only records that mention a baseline are taken apart: reading every record as JSON would take long. PostgreSQL refuses to take
-- a document apart that has the character zero anywhere, for example in an answer that was seen; no name that matters here has it.
update tollgate.verdicts v set written = found.written
from (
    select s.run_id, s.position as scenario, q ->> 'name' as request, b ->> 'written' as written, b -> 'learned' ->> 'budget' as budget
    from (select id, replace(record::text, '\u0000', '\ufffd')::json as record from tollgate.runs where record::text like '%"baselines"%') r
    cross join json_array_elements(r.record -> 'plan') p
    cross join json_array_elements(p -> 'requests') q
    cross join json_array_elements(q -> 'baselines') b
    join tollgate.scenarios s on s.run_id = r.id and s.name = p ->> 'name'
) found
where v.run_id = found.run_id and v.scenario = found.scenario and v.request = found.request and v.budget = found.budget;
