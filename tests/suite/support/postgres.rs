//! A PostgreSQL server for tests, and a database in it for each test. Unit tests use this file too.
//!
//! All test processes of a user share one server, whose files are in the folder for temporary
//! files. Each process holds a shared lock while it lives. A watcher stops the server once nobody
//! holds it. PostgreSQL refuses to run as root; then its own user runs it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::print_stderr)]

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, NoTls};

/// The password of the role `postgres` over TCP.
pub const PASSWORD: &str = "a5ecret of the server";

/// Stops the server as soon as nobody holds the lock on the file `users`.
const WATCHER: &str = r#"
  exec 9<>"$1/users"
  while sleep 5; do
    if flock -n -x 9; then
      $3 "$2/pg_ctl" -D "$1/data" -m immediate -w stop
      exit
    fi
  done"#;

/// A running server.
struct Server {
    folder: PathBuf,
    port: u16,
    /// Holds a shared lock while this process lives.
    _users: File,
}

/// The folder of the server's programs; `None` if they are not installed.
pub fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    // Debian keeps each version in a folder of its own.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    on_path.chain(versions.into_iter().rev()).find(|folder| {
        ["initdb", "pg_ctl", "pg_basebackup", "psql"].iter().all(|program| folder.join(program).is_file())
    })
}

/// The number of this user; 0 for root.
fn user_id() -> String {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

fn is_root() -> bool {
    user_id() == "0"
}

/// The words before a command that make the server's user run it.
fn as_server_user() -> Vec<&'static str> {
    if is_root() { vec!["runuser", "-u", "postgres", "--"] } else { Vec::new() }
}

/// Runs one of the server's programs as its user. Returns whether it succeeded.
pub fn run(program: &Path, arguments: &[&str]) -> bool {
    let mut words = as_server_user();
    words.push(program.to_str().unwrap());
    words.extend(arguments);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
    // A server that inherits an output would keep its reader waiting.
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// Gives a file or folder to the server's user.
pub fn give_to_server_user(path: &Path) {
    if is_root() {
        assert!(Command::new("chown").arg("postgres:").arg(path).status().unwrap().success());
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

impl Server {
    /// The server of this user, started if it does not run. `None` if PostgreSQL is not installed.
    fn get() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        SERVER.get_or_init(|| programs().map(|programs| Self::start(&programs))).as_ref()
    }

    fn start(programs: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("reconcile-postgres-{}", user_id()));
        std::fs::create_dir_all(&folder).unwrap();
        give_to_server_user(&folder);
        let starting = open(&folder.join("starting"));
        starting.lock().unwrap();
        let users = open(&folder.join("users"));
        users.lock_shared().unwrap();
        let data = folder.join("data");
        let port = std::fs::read_to_string(folder.join("port")).ok().and_then(|port| port.parse().ok());
        let runs = port.is_some_and(|port| with_client(&folder, port, "postgres", |_| Ok(())).is_ok());
        let port = if runs { port.unwrap() } else { Self::start_new(programs, &folder, &data) };
        Self { folder, port, _users: users }
    }

    fn start_new(programs: &Path, folder: &Path, data: &Path) -> u16 {
        let (at, in_folder) = (data.to_str().unwrap(), folder.to_str().unwrap());
        if !data.join("finished").exists() {
            let _ = std::fs::remove_dir_all(data);
            let new = ["-D", at, "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"];
            let access = ["--auth-local=trust", "--auth-host=scram-sha-256"];
            assert!(run(&programs.join("initdb"), &[&new[..], &access].concat()), "initdb failed");
            copy_certificate(data);
            std::fs::write(data.join("finished"), "").unwrap();
        }
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let options = format!(
            "-p {port} -k {in_folder} -c listen_addresses=127.0.0.1 -c max_connections=500 -c fsync=off -c ssl=on \
             -c full_page_writes=off -c shared_buffers=64MB"
        );
        let log = folder.join("log");
        let start = ["-D", at, "-l", log.to_str().unwrap(), "-o", &options, "-w", "start"];
        // A process that was killed while it started the server left it without a watcher.
        run(&programs.join("pg_ctl"), &["-D", at, "-m", "immediate", "-w", "stop"]);
        assert!(run(&programs.join("pg_ctl"), &start), "the server does not start: see {}", log.display());
        let sql = format!("ALTER ROLE postgres PASSWORD '{PASSWORD}'");
        with_client(folder, port, "postgres", move |client| client.batch_execute(&sql)).unwrap();
        let mut watcher = Command::new("setsid");
        watcher.args(["--fork", "sh", "-c", WATCHER, "watcher", in_folder, programs.to_str().unwrap()]);
        watcher.arg(as_server_user().join(" ")).current_dir("/");
        watcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        std::fs::write(folder.join("port"), port.to_string()).unwrap();
        port
    }
}

/// The certificate of tests: it is for `localhost`.
fn copy_certificate(data: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    for name in ["server.pem", "server.key"] {
        let to = data.join(name.replace("pem", "crt"));
        std::fs::copy(from.join(name), &to).unwrap();
        assert!(Command::new("chmod").arg("600").arg(&to).status().unwrap().success());
        give_to_server_user(&to);
    }
}

/// Works with a client on a thread of its own: it panics inside an event loop, where many tests
/// are.
fn with_client<T: Send + 'static>(
    folder: &Path,
    port: u16,
    database: &str,
    work: impl FnOnce(&mut Client) -> Result<T, postgres::Error> + Send + 'static,
) -> Result<T, postgres::Error> {
    let mut config = postgres::Config::new();
    config.host_path(folder).port(port).user("postgres").dbname(database);
    std::thread::spawn(move || work(&mut config.connect(NoTls)?)).join().unwrap()
}

/// A new database. Dropping the value drops it.
pub struct Database {
    server: &'static Server,
    pub name: String,
}

impl Database {
    /// Creates a database; `None`, and a printed word, if PostgreSQL is not installed.
    pub fn create() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Some(server) = Server::get() else {
            assert!(std::env::var_os("CI").is_none(), "in CI no test may be skipped: PostgreSQL is missing");
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let this = Self { server, name };
        this.drop_it();
        this.execute_in("postgres", &format!("CREATE DATABASE {}", this.name));
        Some(this)
    }

    /// Its URL over the server's socket.
    pub fn url(&self) -> String {
        let folder = self.server.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{}", self.server.port, self.name)
    }

    /// Its URL over TCP, for a role with its password.
    pub fn tcp_url(&self, role: &str) -> String {
        format!("postgres://{role}@localhost:{}/{}", self.server.port, self.name)
    }

    /// Where the server listens.
    pub fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.server.port).into()
    }

    /// Executes statements as the superuser.
    pub fn execute(&self, sql: &str) {
        self.execute_in(&self.name, sql);
    }

    /// The first column of a query's first row, as text.
    pub fn value(&self, sql: &str) -> String {
        let sql = sql.to_owned();
        let work = move |client: &mut Client| client.simple_query(&sql);
        let rows = with_client(&self.server.folder, self.server.port, &self.name, work).unwrap();
        let first = rows.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        first.unwrap_or_default()
    }

    fn execute_in(&self, database: &str, sql: &str) {
        let sql = sql.to_owned();
        let work = move |client: &mut Client| client.batch_execute(&sql);
        with_client(&self.server.folder, self.server.port, database, work).unwrap();
    }

    fn drop_it(&self) {
        self.execute_in("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.drop_it();
        }
    }
}
