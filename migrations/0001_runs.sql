-- Runs, each written whole in one transaction by the prober that made it.

create table tollgate.store (
    identity uuid primary key default gen_random_uuid(),
    made timestamptz not null default now()
);
comment on table tollgate.store is 'One row: which store this is, whatever URL leads to it.';
comment on column tollgate.store.identity is 'Told in run folders whose run is stored here.';
comment on column tollgate.store.made is 'When the schema was made.';
create unique index store_is_one on tollgate.store ((true));
insert into tollgate.store default values;

create table tollgate.runs (
    id uuid primary key,
    format integer not null,
    started timestamptz not null,
    elapsed_us bigint not null,
    measured_from_us bigint not null,
    ending text not null,
    decision text not null check (decision in ('pass', 'fail', 'inconclusive')),
    rule text not null,
    confidence double precision not null,
    tags jsonb not null,
    environment text generated always as (tags ->> 'environment') stored,
    deploy text generated always as (tags ->> 'deploy') stored,
    git_commit text,
    parts uuid[] not null,
    host text not null,
    tollgate text not null,
    command text[] not null,
    record json not null,
    stored timestamptz not null default now(),
    pruned timestamptz
);
comment on table tollgate.runs is 'One execution of one or more scenarios at the same time.';
comment on column tollgate.runs.id is 'UUID version 7, made by the prober, so that a run is stored once however often it is sent.';
comment on column tollgate.runs.format is 'The version of the format of record.';
comment on column tollgate.runs.started is 'When it started, by the prober''s clock.';
comment on column tollgate.runs.elapsed_us is 'How long it took, warm-up and draining included; microseconds.';
comment on column tollgate.runs.measured_from_us is 'When the measured phase began, counted from started; microseconds.';
comment on column tollgate.runs.ending is 'complete, interrupted, target_down, recovered or imported; record says why.';
comment on column tollgate.runs.decision is 'The verdict: pass, fail or inconclusive.';
comment on column tollgate.runs.rule is 'The rule by which statements about the target were decided.';
comment on column tollgate.runs.confidence is 'One minus the error rate of each side of the test.';
comment on column tollgate.runs.tags is 'What the run was tagged with: environment, deploy and whatever else, key to value.';
comment on column tollgate.runs.environment is 'The tag of this name.';
comment on column tollgate.runs.deploy is 'The tag of this name.';
comment on column tollgate.runs.git_commit is 'The commit that was probed, where it is known.';
comment on column tollgate.runs.parts is 'The runs of other machines that it was merged from; empty for a run that was carried out as it is.';
comment on column tollgate.runs.host is 'The name of the prober''s machine.';
comment on column tollgate.runs.tollgate is 'The version of tollgate.';
comment on column tollgate.runs.command is 'The command as typed, secrets replaced.';
comment on column tollgate.runs.record is 'The RunRecord, whole and to the letter as in run.json but for white space; the other tables hold its parts for queries.';
comment on column tollgate.runs.stored is 'When it came into this database.';
comment on column tollgate.runs.pruned is 'When its seconds were dropped; null while they are here.';
create index runs_by_start on tollgate.runs (started);
create index runs_by_environment on tollgate.runs (environment, started);
create index runs_by_tag on tollgate.runs using gin (tags jsonb_path_ops);

create table tollgate.scenarios (
    run_id uuid not null references tollgate.runs on delete cascade,
    position integer not null,
    name text not null,
    source text not null,
    base_url text not null,
    load text not null,
    warmup text not null,
    caveats text[] not null,
    decision text not null check (decision in ('pass', 'fail', 'inconclusive')),
    planned bigint,
    released bigint not null,
    unreleased bigint not null,
    abandoned bigint not null,
    connections_opened bigint not null,
    connections_failed bigint not null,
    protocols text[] not null,
    primary key (run_id, position)
);
comment on table tollgate.scenarios is 'The scenarios of a run, as planned and as carried out.';
comment on column tollgate.scenarios.run_id is 'The run.';
comment on column tollgate.scenarios.position is 'Its place in the command, from 0.';
comment on column tollgate.scenarios.name is 'The scenario''s name.';
comment on column tollgate.scenarios.source is 'The file it was read from.';
comment on column tollgate.scenarios.base_url is 'The target, without user information and query.';
comment on column tollgate.scenarios.load is 'The load in one line.';
comment on column tollgate.scenarios.warmup is 'The warm-up in one line.';
comment on column tollgate.scenarios.caveats is 'What a reader of its figures must know.';
comment on column tollgate.scenarios.decision is 'The verdict on the scenario.';
comment on column tollgate.scenarios.planned is 'Arrivals that the schedule holds; null in the closed model.';
comment on column tollgate.scenarios.released is 'Arrivals that the prober let go out.';
comment on column tollgate.scenarios.unreleased is 'Arrivals that were due and that the prober did not release.';
comment on column tollgate.scenarios.abandoned is 'Arrivals cut off by the end of the run.';
comment on column tollgate.scenarios.connections_opened is 'Connections that were opened.';
comment on column tollgate.scenarios.connections_failed is 'Attempts to open one that failed.';
comment on column tollgate.scenarios.protocols is 'What was spoken: HTTP/1.1, HTTP/2 over TLS 1.3.';
create index scenarios_by_name on tollgate.scenarios (name);

create table tollgate.requests (
    run_id uuid not null references tollgate.runs on delete cascade,
    position integer not null,
    scenario integer not null,
    name text not null,
    line text not null,
    hop_of text,
    primary key (run_id, position),
    foreign key (run_id, scenario) references tollgate.scenarios (run_id, position) on delete cascade
);
comment on table tollgate.requests is 'The requests of a run''s scenarios.';
comment on column tollgate.requests.run_id is 'The run.';
comment on column tollgate.requests.position is 'Its place among all requests of the run, from 0.';
comment on column tollgate.requests.scenario is 'The position of its scenario.';
comment on column tollgate.requests.name is 'The request''s name.';
comment on column tollgate.requests.line is 'Method and path; variables stand as written.';
comment on column tollgate.requests.hop_of is 'For one hop of a followed redirect, the name of the request it belongs to.';

create table tollgate.totals (
    run_id uuid not null,
    request integer not null,
    stage text not null,
    exchanges bigint not null,
    ok bigint not null,
    failed bigint not null,
    fresh bigint not null,
    body_bytes bigint not null,
    primary key (run_id, request, stage),
    foreign key (run_id, request) references tollgate.requests (run_id, position) on delete cascade
);
comment on table tollgate.totals is 'Counts of a request over a whole stage of a run.';
comment on column tollgate.totals.run_id is 'The run.';
comment on column tollgate.totals.request is 'The position of the request.';
comment on column tollgate.totals.stage is 'cold, warmup or measured; the last alone is judged.';
comment on column tollgate.totals.exchanges is 'Exchanges that came to an end.';
comment on column tollgate.totals.ok is 'Of these, the ones that met every expectation.';
comment on column tollgate.totals.failed is 'Of these, the ones that failed or were dropped.';
comment on column tollgate.totals.fresh is 'Exchanges for which a connection was opened.';
comment on column tollgate.totals.body_bytes is 'Body bytes received.';

create table tollgate.total_histograms (
    run_id uuid not null,
    request integer not null,
    stage text not null,
    dimension text not null,
    count bigint not null,
    clipped bigint not null,
    min_us bigint,
    p50_us bigint,
    p95_us bigint,
    p99_us bigint,
    max_us bigint,
    hdr bytea not null,
    primary key (run_id, request, stage, dimension),
    foreign key (run_id, request) references tollgate.requests (run_id, position) on delete cascade
);
comment on table tollgate.total_histograms is 'Durations of a request over a whole stage, one histogram a dimension. Those of latency, service, first_byte and body are of the ok exchanges. Quantiles of several runs come from added histograms, never from averages of quantiles.';
comment on column tollgate.total_histograms.run_id is 'The run.';
comment on column tollgate.total_histograms.request is 'The position of the request.';
comment on column tollgate.total_histograms.stage is 'cold, warmup or measured.';
comment on column tollgate.total_histograms.dimension is 'latency, lag, wait, setup, service and so on; server-timing:METRIC for the target''s own account.';
comment on column tollgate.total_histograms.count is 'Values counted.';
comment on column tollgate.total_histograms.clipped is 'Values above one hour, counted as one hour.';
comment on column tollgate.total_histograms.min_us is 'The shortest; microseconds.';
comment on column tollgate.total_histograms.p50_us is 'The median; microseconds.';
comment on column tollgate.total_histograms.p95_us is 'The 95th percentile; microseconds.';
comment on column tollgate.total_histograms.p99_us is 'The 99th percentile; microseconds.';
comment on column tollgate.total_histograms.max_us is 'The longest; microseconds.';
comment on column tollgate.total_histograms.hdr is 'HdrHistogram''s V2 deflate encoding; values are microseconds.';

create table tollgate.intervals (
    run_id uuid not null,
    position integer not null,
    request integer not null,
    stage text not null,
    start_us bigint not null,
    exchanges bigint not null,
    ok bigint not null,
    failed bigint not null,
    tally json not null,
    primary key (run_id, position),
    foreign key (run_id, request) references tollgate.requests (run_id, position) on delete cascade
);
comment on table tollgate.intervals is 'Counts of the exchanges that were due in one second of a run.';
comment on column tollgate.intervals.run_id is 'The run.';
comment on column tollgate.intervals.position is 'Its place in the order in which seconds were settled, from 0.';
comment on column tollgate.intervals.request is 'The position of the request.';
comment on column tollgate.intervals.stage is 'cold, warmup or measured.';
comment on column tollgate.intervals.start_us is 'Where the second starts, counted from the start of the run; microseconds.';
comment on column tollgate.intervals.exchanges is 'Exchanges that came to an end.';
comment on column tollgate.intervals.ok is 'Of these, the ones that met every expectation.';
comment on column tollgate.intervals.failed is 'Of these, the ones that failed or were dropped.';
comment on column tollgate.intervals.tally is 'All counts, with failures by kind and exceedances of each ceiling, as in intervals.jsonl.';

create table tollgate.interval_histograms (
    run_id uuid not null,
    interval integer not null,
    dimension text not null,
    count bigint not null,
    p50_us bigint,
    p95_us bigint,
    p99_us bigint,
    max_us bigint,
    hdr bytea not null,
    primary key (run_id, interval, dimension),
    foreign key (run_id, interval) references tollgate.intervals (run_id, position) on delete cascade
);
comment on table tollgate.interval_histograms is 'Durations of the exchanges that were due in one second, one histogram a dimension.';
comment on column tollgate.interval_histograms.run_id is 'The run.';
comment on column tollgate.interval_histograms.interval is 'The position of the second.';
comment on column tollgate.interval_histograms.dimension is 'latency, lag, wait, setup, service and so on; server-timing:METRIC for the target''s own account.';
comment on column tollgate.interval_histograms.count is 'Values counted.';
comment on column tollgate.interval_histograms.p50_us is 'The median; microseconds.';
comment on column tollgate.interval_histograms.p95_us is 'The 95th percentile; microseconds.';
comment on column tollgate.interval_histograms.p99_us is 'The 99th percentile; microseconds.';
comment on column tollgate.interval_histograms.max_us is 'The longest; microseconds.';
comment on column tollgate.interval_histograms.hdr is 'HdrHistogram''s V2 deflate encoding; values are microseconds.';

create table tollgate.failures (
    run_id uuid not null,
    request integer not null,
    stage text not null,
    position integer not null,
    failure text not null,
    phase text,
    expected text not null,
    seen text not null,
    count bigint not null,
    primary key (run_id, request, stage, position),
    foreign key (run_id, request) references tollgate.requests (run_id, position) on delete cascade
);
comment on table tollgate.failures is 'Expectations that were broken and other failures, one row a kind.';
comment on column tollgate.failures.run_id is 'The run.';
comment on column tollgate.failures.request is 'The position of the request.';
comment on column tollgate.failures.stage is 'cold, warmup or measured.';
comment on column tollgate.failures.position is 'Its place, the most frequent first, from 0.';
comment on column tollgate.failures.failure is 'The kind of failure: status, redirected, unexpected, refused, timed_out and so on.';
comment on column tollgate.failures.phase is 'The phase it happened in, where it has one.';
comment on column tollgate.failures.expected is 'The expectation it broke; empty where none was reached.';
comment on column tollgate.failures.seen is 'What was seen instead; never a secret, never a body.';
comment on column tollgate.failures.count is 'How many exchanges failed in just this way.';

create table tollgate.verdicts (
    run_id uuid not null,
    position integer not null,
    scenario integer not null,
    request text,
    budget text,
    decision text not null check (decision in ('pass', 'fail', 'inconclusive')),
    judged bigint,
    exceeded bigint,
    allowed double precision,
    actual_us bigint,
    what text not null,
    next text not null,
    primary key (run_id, position),
    foreign key (run_id, scenario) references tollgate.scenarios (run_id, position) on delete cascade
);
comment on table tollgate.verdicts is 'What was decided and why: a row a budget, and a row for whatever else speaks against a scenario.';
comment on column tollgate.verdicts.run_id is 'The run.';
comment on column tollgate.verdicts.position is 'Its place, from 0.';
comment on column tollgate.verdicts.scenario is 'The position of the scenario.';
comment on column tollgate.verdicts.request is 'The request that was judged; null for a reason that concerns the scenario.';
comment on column tollgate.verdicts.budget is 'The budget as written; null for a reason that concerns the scenario.';
comment on column tollgate.verdicts.decision is 'The decision on the budget; that on the scenario where there is no budget.';
comment on column tollgate.verdicts.judged is 'Exchanges judged.';
comment on column tollgate.verdicts.exceeded is 'Of these, the ones over the budget''s limit.';
comment on column tollgate.verdicts.allowed is 'The share that may exceed; null where not one may.';
comment on column tollgate.verdicts.actual_us is 'The quantile or maximum seen, failures ranked above everything; null where it falls among the failures, and for a budget on a count; microseconds.';
comment on column tollgate.verdicts.what is 'What is the case.';
comment on column tollgate.verdicts.next is 'What to do next; empty where nothing needs doing.';

comment on schema tollgate is 'Runs of tollgate: a synthetic load prober that holds deploys to their latency budgets.';
