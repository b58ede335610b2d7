-- Two people at the database, made by its administrator; twice is harmless:
--   temoin          owns the database temoin and nothing else
--   temoin_grafana  reads the views of the schema grafana, which `temoin migrate` makes, and nothing else
-- Run by the image on an empty volume, or by hand: psql --username postgres --file postgresql-roles.sql
\set ON_ERROR_STOP on
\set temoin_password `cat "${TEMOIN_DATABASE_PASSWORD_FILE:-/run/secrets/database_password}"`
\set grafana_password `cat "${GRAFANA_DATABASE_PASSWORD_FILE:-/run/secrets/grafana_database_password}"`

SELECT 'CREATE ROLE temoin' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'temoin') \gexec
SELECT 'CREATE ROLE temoin_grafana' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'temoin_grafana') \gexec
ALTER ROLE temoin LOGIN PASSWORD :'temoin_password';
ALTER ROLE temoin_grafana LOGIN CONNECTION LIMIT 10 PASSWORD :'grafana_password';
ALTER ROLE temoin_grafana SET default_transaction_read_only = on;
ALTER ROLE temoin_grafana SET statement_timeout = '30s';

SELECT 'CREATE DATABASE temoin OWNER temoin' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'temoin') \gexec
REVOKE ALL ON DATABASE temoin FROM PUBLIC;
GRANT CONNECT ON DATABASE temoin TO temoin_grafana;

\connect temoin
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO temoin;
CREATE SCHEMA IF NOT EXISTS grafana AUTHORIZATION temoin;
GRANT USAGE ON SCHEMA grafana TO temoin_grafana;
GRANT SELECT ON ALL TABLES IN SCHEMA grafana TO temoin_grafana;
ALTER DEFAULT PRIVILEGES FOR ROLE temoin IN SCHEMA grafana GRANT SELECT ON TABLES TO temoin_grafana;
