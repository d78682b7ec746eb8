//! Opens a connection: finds the host, proves its certificate, and sets what protects the store.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use postgres::config::{Host, TargetSessionAttrs};
use postgres::{Client, Config, NoTls};

use super::errors::{cannot_connect, reason};
use super::settings::Settings;
use super::tls;
use crate::error::{Error, Result};
use crate::threads;

/// The oldest server that this program works with, as `server_version_num` writes it.
const OLDEST_SERVER: i32 = 130_000;

/// A connection is lost after this time without an acknowledgement. So a cut network is noticed.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// What every connection sets.
///
/// A commit must be on the server's disk. A process that is frozen inside a transaction must not
/// hold its locks. One plan serves every batch: it searches by index, also if the table was empty
/// when the plan was made.
const SESSION: &str = "
  SET search_path = reconcile, pg_temp;
  SET client_min_messages = warning;
  SET lock_timeout = '30s';
  SET idle_in_transaction_session_timeout = '10s';
  SET jit = off;
  SET plan_cache_mode = force_generic_plan;
  SET enable_seqscan = off;
  SET enable_hashjoin = off;
  SET enable_mergejoin = off;
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Connects to the database. Blocks: only a connection's own thread may call it.
///
/// # Errors
///
/// Exit 2 if the database cannot be used as it is configured; exit 6 if it cannot be reached.
pub(super) fn connect(settings: &Settings) -> Result<Client> {
    // Without free file descriptors the client library panics. This returns an error instead.
    threads::event_loop()?;
    let mut config = with_addresses(settings)?;
    config
        .application_name("reconcile")
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .tcp_user_timeout(UNACKNOWLEDGED)
        .keepalives(true)
        .keepalives_idle(UNACKNOWLEDGED / 2)
        .keepalives_interval(UNACKNOWLEDGED / 5)
        .keepalives_retries(3);
    let connected = if settings.tls {
        config.connect(tls::client(settings.root_cert.as_deref())?)
    } else {
        config.connect(NoTls)
    };
    let mut client = connected.map_err(|e| cannot_connect(settings, &e))?;
    check_server(&mut client, &settings.shown)?;
    client.batch_execute(SESSION).map_err(|e| cannot_connect(settings, &e))?;
    Ok(client)
}

/// The settings with the addresses of their hosts. The client library would start a thread to look
/// them up.
fn with_addresses(settings: &Settings) -> Result<Config> {
    let config = &settings.config;
    let hosts = config.get_hosts();
    if !config.get_hostaddrs().is_empty() || hosts.iter().any(|host| matches!(host, Host::Unix(_))) {
        return Ok(config.clone());
    }
    let mut found = Vec::new();
    let mut reason = None;
    for (no, host) in hosts.iter().enumerate() {
        let Host::Tcp(name) = host else { continue };
        let port = config.get_ports().get(no).or(config.get_ports().first()).copied().unwrap_or(5432);
        match (name.as_str(), port).to_socket_addrs() {
            Ok(addresses) => found.extend(addresses.map(|address| (name, address))),
            Err(e) => reason = Some(e),
        }
    }
    if let (true, Some(reason)) = (found.is_empty(), reason) {
        return Err(Error::output(format!("cannot find the host of the store {}", settings.shown))
            .hint("check the host's name and DNS; then run the same command again")
            .because(reason));
    }
    Ok(config_with(config, &found))
}

/// The same configuration with these hosts and addresses.
fn config_with(config: &Config, found: &[(&String, SocketAddr)]) -> Config {
    let mut with = Config::new();
    if let Some(user) = config.get_user() {
        with.user(user);
    }
    if let Some(password) = config.get_password() {
        with.password(password);
    }
    if let Some(name) = config.get_dbname() {
        with.dbname(name);
    }
    if let Some(options) = config.get_options() {
        with.options(options);
    }
    if let Some(limit) = config.get_connect_timeout() {
        with.connect_timeout(*limit);
    }
    with.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    for (name, address) in found {
        with.host(name).hostaddr(address.ip()).port(address.port());
    }
    with
}

/// Refuses servers that cannot hold a store.
fn check_server(client: &mut Client, store: &str) -> Result<()> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                      current_setting('server_encoding')";
    let row = client.query_one(sql, &[]).map_err(|e| {
        Error::output(format!("cannot read the store {store}"))
            .hint("see the database's log, then run the same command again")
            .because(reason(&e))
    })?;
    let (version, name, encoding): (i32, &str, &str) = (row.get(0), row.get(1), row.get(2));
    check_version(version, name, store)?;
    if encoding != "UTF8" {
        return Err(Error::usage(format!("the database of the store {store} has the encoding {encoding}"))
            .hint(
                "create a database for the store: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0",
            ));
    }
    Ok(())
}

fn check_version(version: i32, name: &str, store: &str) -> Result<()> {
    if version >= OLDEST_SERVER {
        return Ok(());
    }
    Err(Error::usage(format!("the server of the store {store} is PostgreSQL {name}"))
        .hint(format!("use PostgreSQL {} or newer", OLDEST_SERVER / 10_000)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_old_server_is_refused_by_name() {
        assert!(check_version(130_000, "13.0", "x").is_ok());
        let refusal = check_version(120_022, "12.22", "postgres://h/d").unwrap_err();
        assert_eq!(refusal.what, "the server of the store postgres://h/d is PostgreSQL 12.22");
        assert!(refusal.hint.unwrap().contains("13 or newer"));
    }
}
