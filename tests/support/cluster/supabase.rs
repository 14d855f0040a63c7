//! Roles and a database like those of hosted Supabase.

use super::Cluster;

/// From `initial-schema.sql`, `demote-postgres.sql` and `set_authenticator_timeout.sql` of
/// <https://github.com/supabase/postgres> (`migrations/db`). Supabase's role `postgres`, which is
/// not a superuser, is `postgres_like` here.
const ROLES: &str = "
    create role anon nologin noinherit;
    create role authenticated nologin noinherit;
    create role service_role nologin noinherit bypassrls;
    create role authenticator login noinherit password 'authenticator';
    create role postgres_like login createrole createdb replication bypassrls password 'postgres_like';
    grant anon, authenticated, service_role to authenticator, postgres_like;
    alter role anon set statement_timeout = '3s';
    alter role authenticated set statement_timeout = '8s';
    alter role authenticator set statement_timeout = '8s';
    create database supabase_like owner postgres_like;";

/// Objects that any role creates in `public` are open to the roles of the web API.
const PUBLIC: &str = "
    grant usage on schema public to anon, authenticated, service_role;
    alter default privileges for role postgres_like in schema public
        grant all on tables to anon, authenticated, service_role;
    alter default privileges for role postgres_like in schema public
        grant all on functions to anon, authenticated, service_role;
    alter default privileges for role postgres_like in schema public
        grant all on sequences to anon, authenticated, service_role;";

/// The URLs of the database that [`Cluster::like_supabase`] creates.
#[derive(Debug)]
pub(crate) struct Supabase {
    /// The database's name.
    pub(crate) database: &'static str,
    /// As the owner, who is not a superuser but may create roles and databases and bypasses row
    /// level security.
    pub(crate) owner: String,
    /// As the web API (`PostgREST`), which may `set role` to `anon`, `authenticated` and
    /// `service_role`.
    pub(crate) authenticator: String,
}

impl Cluster {
    /// Creates Supabase's roles, and the database `supabase_like`, which `postgres_like` owns.
    /// Passwords are the roles' names.
    pub(crate) fn like_supabase(&self) -> Supabase {
        let database = "supabase_like";
        self.sql("postgres", ROLES);
        self.sql(database, PUBLIC);
        let address = |role| self.url_as(role, role, database);
        Supabase {
            database,
            owner: address("postgres_like"),
            authenticator: address("authenticator"),
        }
    }
}
