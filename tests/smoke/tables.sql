-- What the app, Chatwoot and pg_cron have in a Supabase database, as far as the smoke scenarios look at it.
create table public.observability_logs (
  id bigserial primary key, level text, message text, metadata jsonb, request_id text, user_agent text,
  created_at timestamptz not null default now()
);
alter table public.observability_logs enable row level security;
create policy service on public.observability_logs to service_role using (true);

create table public.decision_sync_event_logs (
  id bigserial primary key, decision_id text, status text, duration_ms numeric, error_code text, attempt int, scope text,
  "timestamp" timestamptz not null default now()
);
alter table public.decision_sync_event_logs enable row level security;
create policy service on public.decision_sync_event_logs to service_role using (true);

create view public.decision_sync_events with (security_invoker = true) as
select decision_id as "decisionId", status, duration_ms as "durationMs", error_code as "errorCode", attempt, "timestamp", scope
from public.decision_sync_event_logs;

create table public.notification_settings (id bigserial primary key, account_id int);
alter table public.notification_settings enable row level security;
create policy service on public.notification_settings to service_role using (true);
create table public.notification_subscriptions (id bigserial primary key, user_id int);
alter table public.notification_subscriptions enable row level security;
create policy service on public.notification_subscriptions to service_role using (true);

grant usage on schema public to anon, authenticated, service_role;
grant all on all tables in schema public to anon, authenticated, service_role;

create schema cron;
create table cron.job (jobid bigint primary key, schedule text, command text, active boolean);
create table cron.job_run_details (runid bigserial, jobid bigint, status text, start_time timestamptz, end_time timestamptz);
insert into cron.job values (1, '0 3 * * *', 'select public.purge_dashboard_data()', true);
insert into cron.job_run_details (jobid, status, start_time) values
  (1, 'failed', now() - interval '30 hours'), (1, 'succeeded', now() - interval '6 hours');

create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text primary key, name text);
insert into supabase_migrations.schema_migrations values ('20251009000000', 'first'), ('20251010000000', 'second');
