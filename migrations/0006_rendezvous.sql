-- Where the probers of a shared run meet: they register, agree on a start, and hear of a common end.

create table tollgate.rendezvous (
    name text primary key,
    shards integer not null check (shards > 0),
    plan text not null,
    tollgate text not null,
    created timestamptz not null default clock_timestamp(),
    waits_until timestamptz not null,
    lasts_ms bigint not null,
    starts timestamptz,
    stop jsonb,
    merger uuid,
    claimed timestamptz,
    merged uuid
);
comment on table tollgate.rendezvous is 'The runs that several probers share, and what the probers agreed on.';
comment on column tollgate.rendezvous.name is 'The name that the probers were given.';
comment on column tollgate.rendezvous.shards is 'The number of shards.';
comment on column tollgate.rendezvous.plan is 'The digest of the plan, which all probers must have.';
comment on column tollgate.rendezvous.tollgate is 'The version of tollgate, which all probers must have.';
comment on column tollgate.rendezvous.created is 'When the first prober registered.';
comment on column tollgate.rendezvous.waits_until is 'When the run starts without the probers that are missing then.';
comment on column tollgate.rendezvous.lasts_ms is 'The planned length of the measured stage.';
comment on column tollgate.rendezvous.starts is 'When all probers begin to measure; null until it is agreed.';
comment on column tollgate.rendezvous.stop is 'How the whole run ended before its planned end.';
comment on column tollgate.rendezvous.merger is 'Who merges the runs of the shards.';
comment on column tollgate.rendezvous.claimed is 'When that was last claimed.';
comment on column tollgate.rendezvous.merged is 'The merged run.';

create table tollgate.rendezvous_shards (
    rendezvous text not null references tollgate.rendezvous,
    shard integer not null check (shard > 0),
    token uuid not null,
    host text not null,
    joined timestamptz not null default clock_timestamp(),
    seen timestamptz not null default clock_timestamp(),
    lead_ms bigint not null,
    run uuid,
    ended timestamptz,
    measured boolean not null default false,
    primary key (rendezvous, shard),
    unique (rendezvous, token)
);
comment on table tollgate.rendezvous_shards is 'The probers that registered for a shared run.';
comment on column tollgate.rendezvous_shards.rendezvous is 'The name of the rendezvous.';
comment on column tollgate.rendezvous_shards.shard is 'The shard''s number, counted from 1.';
comment on column tollgate.rendezvous_shards.token is 'Which process holds the shard.';
comment on column tollgate.rendezvous_shards.host is 'The name of its machine.';
comment on column tollgate.rendezvous_shards.joined is 'When it registered.';
comment on column tollgate.rendezvous_shards.seen is 'When it last asked for news.';
comment on column tollgate.rendezvous_shards.lead_ms is 'The time that it needs from the agreement to the start.';
comment on column tollgate.rendezvous_shards.run is 'Its run; null until it sends something.';
comment on column tollgate.rendezvous_shards.ended is 'When it ended.';
comment on column tollgate.rendezvous_shards.measured is 'Whether it measured its part and stored it.';
