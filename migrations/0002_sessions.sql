-- Tuning sessions. A session grows with each attempt and may be resumed on another day, and who stores may neither read nor
-- change rows: so each state of a session that is sent is a row, and the one with the most attempts is the session.

create table tollgate.sessions (
    id uuid not null,
    attempts integer not null,
    ending text not null check (ending in ('open', 'interrupted', 'failed', 'complete')),
    format integer not null,
    name text not null,
    started timestamptz not null,
    app text,
    configurations text[] not null,
    headline text[] not null,
    tags jsonb not null,
    git_commit text,
    host text not null,
    tollgate text not null,
    record json not null,
    stored timestamptz not null default now(),
    primary key (id, attempts, ending)
);
comment on table tollgate.sessions is 'Tuning sessions: what was tried, what was measured, and what follows. One row for each state of a session that was sent.';
comment on column tollgate.sessions.id is 'UUID version 7, made by the prober. All states of a session share it.';
comment on column tollgate.sessions.attempts is 'The attempts made. The state with the most of them is the newest.';
comment on column tollgate.sessions.ending is 'complete, failed, interrupted or open; record says why. All but complete can be resumed.';
comment on column tollgate.sessions.format is 'The version of the format of record.';
comment on column tollgate.sessions.name is 'The name in its plan file.';
comment on column tollgate.sessions.started is 'When it started, by the prober''s clock.';
comment on column tollgate.sessions.app is 'The Fly app; null if no machine was managed.';
comment on column tollgate.sessions.configurations is 'The names of the configurations, in the order of the plan.';
comment on column tollgate.sessions.headline is 'What follows from the attempts, in one to three sentences.';
comment on column tollgate.sessions.tags is 'What the session was tagged with: environment, deploy and any other, key to value.';
comment on column tollgate.sessions.git_commit is 'The commit that was probed, where it is known.';
comment on column tollgate.sessions.host is 'The name of the prober''s machine.';
comment on column tollgate.sessions.tollgate is 'The version of tollgate.';
comment on column tollgate.sessions.record is 'The SessionRecord, whole and to the letter as in session.json.';
comment on column tollgate.sessions.stored is 'When this state came into this database.';
create index sessions_by_start on tollgate.sessions (started);
