//! Errors of the database: what failed, and what the user can do.
//!
//! Of a server's error only its message is shown. Its details may quote stored values.

use std::error::Error as StdError;
use std::io;

use postgres::error::SqlState;

use super::settings::Settings;
use crate::error::{Error, Result};
use crate::exit::Exit;

/// Why work in the database failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused it, or the connection is lost.
    Server(postgres::Error),
    /// Another process has taken over this session. Nothing was written.
    TakenOver,
    /// The server did not answer in time.
    Silent,
    /// The thread of the connection has stopped.
    Stopped,
    /// A temporary file cannot be read.
    Temporary(io::Error),
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// A result of work in the database.
pub(super) type Done<T> = std::result::Result<T, Failure>;

/// Turns a failure into an error that says what to do. `verb` completes "cannot … the store".
pub(super) fn failed(store: &str, verb: &str, failure: &Failure) -> Error {
    match failure {
        Failure::Server(error) => refused(store, verb, error),
        Failure::TakenOver => {
            Error::output(format!("another process has taken over this run in the store {store}"))
                .hint("let it end; then run the same command again: nothing stored is asked twice")
        }
        Failure::Silent => Error::output(format!("the store {store} does not answer"))
            .hint(
                "check that the database runs, and its synchronous standby if it has one; then run the same command \
                 again: it resumes; nothing stored is lost",
            )
            .of_store_away(),
        Failure::Temporary(error) => Error::output(format!("cannot {verb} the store {store}: a temporary file is lost"))
            .hint("free space in the folder that TMPDIR names, then run the same command again; nothing stored is lost")
            .because(error.to_string()),
        Failure::Stopped => Error::bug(format!("cannot {verb} the store {store}: its thread has stopped")),
    }
}

fn refused(store: &str, verb: &str, error: &postgres::Error) -> Error {
    let what = format!("cannot {verb} the store {store}");
    let Some(code) = error.code() else {
        return Error::output(format!("the connection to the store {store} is lost"))
            .hint("when the database answers again, run the same command: it resumes; nothing stored is lost")
            .because(reason(error))
            .of_store_away();
    };
    let hint = match *code {
        SqlState::INSUFFICIENT_PRIVILEGE => PRIVILEGES.to_owned(),
        SqlState::READ_ONLY_SQL_TRANSACTION => STANDBY.to_owned(),
        SqlState::DISK_FULL => {
            "free space on the database's disk, then run the same command again; nothing stored is \
                                lost"
                .to_owned()
        }
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => {
            "another program has changed the store's tables: restore a backup".to_owned()
        }
        _ => "see the database's log, then run the same command again; nothing stored is lost".to_owned(),
    };
    let failed = Error::output(what).hint(hint).because(reason(error));
    if comes_back(code) { failed.of_store_away() } else { failed }
}

/// True if a server with this error may take the work later: it stops, starts, or became a standby.
fn comes_back(code: &SqlState) -> bool {
    let codes = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    codes.contains(code)
}

/// The hint for a role without the privileges that it needs.
const PRIVILEGES: &str = "let the owner of the store grant them: GRANT USAGE ON SCHEMA reconcile TO role; GRANT SELECT, \
                          INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA reconcile TO role; a new store also needs \
                          GRANT CREATE ON DATABASE";
/// The hint for a server that takes no writes.
const STANDBY: &str = "name the database's primary in the store's URL, not a standby; after a failover, run the same \
                       command again";

/// The error for a database that cannot be reached, or refuses the connection.
pub(super) fn cannot_connect(settings: &Settings, error: &postgres::Error) -> Error {
    let store = &settings.shown;
    if let Some(code) = error.code() {
        return refused_connection(settings, code, error);
    }
    let cause = reason(error);
    let causes = || std::iter::successors(error.source(), |error| inner(*error));
    let is_standby = causes().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::PermissionDenied)
    }) && cause.contains("does not allow writes");
    if is_standby {
        return Error::output(format!("the store {store} is read-only")).hint(STANDBY).of_store_away();
    }
    let is_untrusted =
        causes().any(|cause| matches!(cause.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))));
    if is_untrusted {
        return Error::usage(format!("the certificate of the store {store} is not trusted"))
            .hint(
                "set PGSSLROOTCERT to the file of its authority's certificate, and name the host as the certificate \
                 does; the certificate is verified in every sslmode with TLS",
            )
            .because(cause);
    }
    if cause.contains("does not support TLS") {
        return Error::usage(format!("the store {store} offers no TLS")).hint(
            "turn it on at the server; or set sslmode=disable in the store's URL, or PGSSLMODE, to send everything in \
             clear text",
        );
    }
    if cause.contains("password missing") {
        return no_password(settings);
    }
    Error::output(format!("cannot connect to the store {store}"))
        .hint("check that the database runs, and its host and port; then run the same command again")
        .because(cause)
        .of_store_away()
}

fn refused_connection(settings: &Settings, code: &SqlState, error: &postgres::Error) -> Error {
    let store = &settings.shown;
    let user = settings.config.get_user().unwrap_or_default();
    let database = settings.config.get_dbname().unwrap_or_default();
    let what = format!("the store {store} refuses the connection");
    let wrong = |hint: String| Error::usage(what.clone()).hint(hint).because(reason(error));
    match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            if settings.config.get_password().is_none() && settings.ignored_file.is_some() {
                return no_password(settings);
            }
            if reason(error).contains("no encryption") {
                return wrong("the server takes only TLS: set sslmode=require in the store's URL, or PGSSLMODE".into());
            }
            wrong(format!(
                "check the role {user} and its password (PGPASSWORD, or the file that PGPASSFILE names), and the \
                 server's pg_hba.conf"
            ))
        }
        SqlState::INVALID_CATALOG_NAME => wrong(format!(
            "create it: CREATE DATABASE \"{database}\" ENCODING 'UTF8' TEMPLATE template0; or name another database"
        )),
        SqlState::INSUFFICIENT_PRIVILEGE => wrong(format!(
            "let the owner of the database run: GRANT CONNECT ON DATABASE \"{database}\" TO \"{user}\""
        )),
        SqlState::TOO_MANY_CONNECTIONS => Error::output(what)
            .hint("close other connections, or raise the server's max_connections; then run the same command again")
            .because(reason(error)),
        _ => Error::output(what)
            .hint("see the database's log, then run the same command again")
            .because(reason(error)),
    }
}

fn no_password(settings: &Settings) -> Error {
    let user = settings.config.get_user().unwrap_or_default();
    let hint = match &settings.ignored_file {
        Some(file) => format!(
            "the password file {file} was ignored because other users may read it: run chmod 600 {file}",
            file = file.display()
        ),
        None => "put it in PGPASSWORD, or in the file that PGPASSFILE names".to_owned(),
    };
    Error::usage(format!("the store {} asks for the password of the role {user}", settings.shown)).hint(hint)
}

/// The error's innermost message. Details of the server are left out.
pub(super) fn reason(error: &postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return server.message().to_owned();
    }
    let mut innermost: &dyn StdError = error;
    while let Some(cause) = inner(innermost) {
        innermost = cause;
    }
    innermost.to_string()
}

/// The cause of an error. An I/O error hides the error that it wraps.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Results of work in the database.
pub(super) trait InStore<T> {
    /// Turns the failure into an error that says what to do, as [`failed`] does.
    fn in_store(self, store: &str, verb: &str) -> Result<T>;
}

impl<T> InStore<T> for Done<T> {
    fn in_store(self, store: &str, verb: &str) -> Result<T> {
        self.map_err(|failure| failed(store, verb, &failure))
    }
}

/// The error for a store whose content is wrong (exit 6).
pub(super) fn damaged(store: &str, why: &str) -> Error {
    Error::output(format!("the store {store} is damaged: {why}"))
        .hint("restore a backup of the database; nothing was changed")
}

/// The error for a store in which a run works that must end first (exit 5).
pub(super) fn busy(store: &str, holder: &str) -> Error {
    Error::new(Exit::Busy, format!("a run works in the store {store}: {holder}"))
        .hint("wait until it ends, or stop it; then run the same command again")
}
