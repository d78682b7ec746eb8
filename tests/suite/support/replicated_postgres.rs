//! Two PostgreSQL servers: a primary, and a standby that every commit waits for.

use std::net::TcpListener;
use std::path::PathBuf;

use tempfile::TempDir;

use super::postgres::{give_to_server_user, programs, run};

/// The two servers. They stop when the value is dropped.
pub struct Replicated {
    folder: TempDir,
    programs: PathBuf,
    ports: [u16; 2],
}

/// The folders of the servers.
const NAMES: [&str; 2] = ["primary", "standby"];

impl Replicated {
    /// Starts both; `None` if PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = TempDir::new().unwrap();
        give_to_server_user(folder.path());
        let free_port = || TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let this = Self { folder, programs, ports: [free_port(), free_port()] };
        let data = this.data(0);
        this.succeeds(
            "initdb",
            &["-D", &data, "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-A", "trust"],
        );
        this.start_server(0, "-c synchronous_standby_names='*'");
        let (standby, from) = (this.data(1), format!("host=127.0.0.1 port={} user=postgres", this.ports[0]));
        // Until the standby is there, no commit may wait for it.
        this.succeeds("pg_basebackup", &["-D", &standby, "-d", &from, "-R", "-X", "stream", "-c", "fast"]);
        this.start_server(1, "");
        this.succeeds("psql", &["-d", &format!("{from} dbname=postgres"), "-c", "CREATE DATABASE night"]);
        Some(this)
    }

    /// The URL of the database on whichever server takes writes.
    pub fn url(&self) -> String {
        let [primary, standby] = self.ports;
        format!("postgres://postgres@127.0.0.1:{primary},127.0.0.1:{standby}/night?sslmode=disable")
    }

    /// Ends the primary without a checkpoint, as a power failure does.
    pub fn kill_primary(&self) {
        self.stop_server(0);
    }

    /// Makes the standby the primary.
    pub fn promote_standby(&self) {
        self.succeeds("pg_ctl", &["-D", &self.data(1), "-w", "promote"]);
    }

    fn data(&self, server: usize) -> String {
        self.folder.path().join(NAMES[server]).to_str().unwrap().to_owned()
    }

    fn start_server(&self, server: usize, more: &str) {
        let (data, log) = (self.data(server), self.folder.path().join(format!("{}.log", NAMES[server])));
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=50 -c shared_buffers=16MB {more}",
            self.ports[server],
            self.folder.path().display()
        );
        self.succeeds("pg_ctl", &["-D", &data, "-l", log.to_str().unwrap(), "-o", &options, "-w", "start"]);
    }

    fn stop_server(&self, server: usize) {
        run(&self.programs.join("pg_ctl"), &["-D", &self.data(server), "-m", "immediate", "-w", "stop"]);
    }

    #[track_caller]
    fn succeeds(&self, program: &str, arguments: &[&str]) {
        assert!(run(&self.programs.join(program), arguments), "{program} failed: {arguments:?}");
    }
}

impl Drop for Replicated {
    fn drop(&mut self) {
        (0..NAMES.len()).for_each(|server| self.stop_server(server));
    }
}
