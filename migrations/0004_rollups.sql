-- What a site of latency history shows of one day, kept so that the next site need not read each run again. Every row can be
-- computed from the other tables: deleting rows loses nothing.

create table tollgate.rollups (
    series text not null,
    day date not null,
    format integer not null,
    runs uuid[] not null,
    payload bytea not null,
    made timestamptz not null default now(),
    primary key (series, day)
);
alter table tollgate.rollups alter column payload set storage external;
comment on table tollgate.rollups is 'The runs of one scenario and environment on one day, with their histograms added. A row counts only while exactly its runs do.';
comment on column tollgate.rollups.series is 'JSON: the time zone of the day, the scenario, its environment, what it was imported from, and the tags that its runs were selected by.';
comment on column tollgate.rollups.day is 'The day in that time zone.';
comment on column tollgate.rollups.format is 'The version of the format of payload.';
comment on column tollgate.rollups.runs is 'The runs, in the order of their starts.';
comment on column tollgate.rollups.payload is 'Figures of each run, and the added histograms of the day and of its hours: JSON, deflated with zlib.';
comment on column tollgate.rollups.made is 'When it was computed.';
