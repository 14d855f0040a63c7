-- What is known for the alerts of each scenario and environment. A prober replaces a row only if its version is still the one
-- that it read, so that two probers do not both send a message.

create table tollgate.alerts (
    scenario text not null,
    environment text not null,
    version bigint not null,
    state jsonb not null,
    changed timestamptz not null default now(),
    primary key (scenario, environment)
);
comment on table tollgate.alerts is 'The state of the alerts of each scenario in each environment.';
comment on column tollgate.alerts.scenario is 'The scenario''s name.';
comment on column tollgate.alerts.environment is 'The tag environment of its runs; empty if they have none.';
comment on column tollgate.alerts.version is 'How often the state was changed.';
comment on column tollgate.alerts.state is 'The newest runs that failed or passed, whether the last message said that runs fail, and who is sending one.';
comment on column tollgate.alerts.changed is 'When it was changed.';

comment on column tollgate.sessions.headline is 'What follows from the attempts, in one to four sentences.';
