-- Roles, rights and policies. Carried out by every `tollgate db migrate`, after the migrations that are missing, so that what
-- was changed by hand is put right. What `tollgate db expose` grants is left alone.

-- The roles belong to the whole server; another database of it may have made them already.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['tollgate_writer', 'tollgate_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
    end loop;
exception when duplicate_object or unique_violation then null; -- made by another at the same time
end $$;

revoke all on schema tollgate from public;
revoke all on all tables in schema tollgate from public;
grant usage on schema tollgate to tollgate_writer, tollgate_reader;
grant select on tollgate.store, tollgate.migrations to tollgate_writer;
grant insert on
    tollgate.runs, tollgate.scenarios, tollgate.requests, tollgate.totals, tollgate.total_histograms,
    tollgate.intervals, tollgate.interval_histograms, tollgate.failures, tollgate.verdicts,
    tollgate.sessions
    to tollgate_writer;
-- Which prober sends a message is settled by changing a row that was read before.
grant select, insert, update on tollgate.alerts to tollgate_writer;
-- The probers of a shared run read what the others wrote. One that gives up before the start frees its place.
grant select, insert, update on tollgate.rendezvous to tollgate_writer;
grant select, insert, update, delete on tollgate.rendezvous_shards to tollgate_writer;
-- Rollups are kept for the next site by users that have the reader's role too: only they can compute them.
grant insert, update on tollgate.rollups to tollgate_writer;
grant select on all tables in schema tollgate to tollgate_reader;

-- A policy each: what a role may do with the rows of a table that it has a right to.
do $$
declare
    relation text;
begin
    for relation in select tablename from pg_tables where schemaname = 'tollgate' loop
        execute format('alter table tollgate.%I enable row level security', relation);
        execute format('drop policy if exists reader_reads on tollgate.%I', relation);
        execute format('create policy reader_reads on tollgate.%I for select to tollgate_reader using (true)', relation);
        execute format('drop policy if exists writer_reads on tollgate.%I', relation);
        execute format('drop policy if exists writer_adds on tollgate.%I', relation);
        execute format('drop policy if exists writer_changes on tollgate.%I', relation);
        if relation in ('store', 'migrations') then
            execute format('create policy writer_reads on tollgate.%I for select to tollgate_writer using (true)', relation);
        elsif relation in ('alerts', 'rollups', 'rendezvous', 'rendezvous_shards') then
            execute format('create policy writer_changes on tollgate.%I for all to tollgate_writer using (true) with check (true)', relation);
        else
            execute format('create policy writer_adds on tollgate.%I for insert to tollgate_writer with check (true)', relation);
        end if;
    end loop;
end $$;
