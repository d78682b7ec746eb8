//! How to reach the database: its URL, and libpq's variables for what the URL does not say.
//!
//! With TLS the server's certificate and its name are always verified. So `require` is the same as
//! `verify-full`. `prefer` sends no clear text to another machine: it is `require` there.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use postgres::Config;
use postgres::config::{Host, SslMode};

use super::password_file::{self, PasswordFile};
use crate::error::{Error, Result};
use crate::store::location::DatabaseUrl;

/// Time limit for one address of a host, unless the URL or `PGCONNECT_TIMEOUT` says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Folders in which the server of this machine may have its socket.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The value of an environment variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a connection needs.
#[derive(Clone)]
pub(super) struct Settings {
    /// Everything but the rules of TLS.
    pub(super) config: Config,
    /// True if the connection must be encrypted.
    pub(super) tls: bool,
    /// The certificates of authorities to trust; `None`: the system's.
    pub(super) root_cert: Option<PathBuf>,
    /// The URL without user and password, for messages.
    pub(super) shown: String,
    /// A password file that was ignored because others may read it.
    pub(super) ignored_file: Option<PathBuf>,
}

/// Shows no password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Settings {
    /// Reads the URL and the environment of this process.
    ///
    /// # Errors
    ///
    /// As [`Settings::read`].
    pub(super) fn of_process(url: &DatabaseUrl) -> Result<Self> {
        Self::read(url, &|name| std::env::var(name).ok())
    }

    /// Reads the URL and the environment.
    ///
    /// # Errors
    ///
    /// Exit 2 if the URL or a variable cannot be read.
    fn read(url: &DatabaseUrl, environment: Environment<'_>) -> Result<Self> {
        let shown = url.to_string();
        let (plain_url, own) = OwnParameters::split(url.secret_text());
        let config = Some(url).filter(|url| url.has_known_scheme()).and_then(|_| plain_url.parse().ok());
        let mut config: Config = config.ok_or_else(|| unreadable(&shown))?;
        // A password behind the database's name would be shown as a part of it.
        if config.get_dbname().is_some_and(|name| name.contains([';', '=', ' '])) || has_zero_byte(&config) {
            return Err(unreadable(&shown));
        }
        fill_from(&mut config, environment)?;
        let word = own.ssl_mode.or_else(|| environment("PGSSLMODE"));
        let tls = needs_tls(word.as_deref(), &config)?;
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        let root_cert = own.root_cert.or_else(|| environment("PGSSLROOTCERT")).map(PathBuf::from);
        let root_cert = root_cert.filter(|path| path != Path::new("system"));
        let mut settings = Self { config, tls, root_cert, shown, ignored_file: None };
        settings.find_password(own.password_file, environment)?;
        Ok(settings)
    }

    /// The time within which one of the hosts must have answered: its connection limit bounds only
    /// the network's part.
    pub(super) fn answer_within(&self) -> Duration {
        let hosts = self.config.get_hosts().len().max(self.config.get_hostaddrs().len()).max(1);
        let limit = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        limit.saturating_mul(u32::try_from(3 * hosts).unwrap_or(u32::MAX))
    }

    /// Looks for a password in the environment, then in the password file.
    fn find_password(&mut self, file: Option<String>, environment: Environment<'_>) -> Result<()> {
        if self.config.get_password().is_some() {
            return Ok(());
        }
        if let Some(password) = environment("PGPASSWORD") {
            self.config.password(password);
            return Ok(());
        }
        let in_home = || environment("HOME").map(|home| format!("{home}/.pgpass"));
        let file = file.or_else(|| environment("PGPASSFILE")).or_else(in_home);
        let Some(file) = file.map(PathBuf::from) else { return Ok(()) };
        match password_file::read(&file)? {
            PasswordFile::Missing => {}
            PasswordFile::Exposed => self.ignored_file = Some(file),
            PasswordFile::Content(content) => {
                if let Some(password) = password_file::find(&content, &self.config) {
                    self.config.password(password);
                }
            }
        }
        Ok(())
    }
}

/// The parameters of a URL that the client library does not know, as libpq spells them.
#[derive(Default)]
struct OwnParameters {
    ssl_mode: Option<String>,
    root_cert: Option<String>,
    password_file: Option<String>,
}

impl OwnParameters {
    /// Takes them from a URL. Returns the URL of the other parameters.
    fn split(url: &str) -> (String, Self) {
        let mut own = Self::default();
        let Some((start, parameters)) = url.rsplit_once('?') else { return (url.to_owned(), own) };
        let mut others = Vec::new();
        for parameter in parameters.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = || Some(percent_decode_str(value).decode_utf8_lossy().into_owned());
            match name {
                "sslmode" => own.ssl_mode = value(),
                "sslrootcert" => own.root_cert = value(),
                "passfile" => own.password_file = value(),
                _ => others.push(parameter),
            }
        }
        let others = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        (start.to_owned() + &others, own)
    }
}

/// True if a setting has a zero byte, which the server's protocol cannot carry.
fn has_zero_byte(config: &Config) -> bool {
    let texts = [config.get_user(), config.get_dbname(), config.get_options(), config.get_application_name()];
    let password = config.get_password().unwrap_or_default();
    texts.into_iter().flatten().map(str::as_bytes).chain([password]).any(|text| text.contains(&0))
}

/// Fills what the URL does not say.
fn fill_from(config: &mut Config, environment: Environment<'_>) -> Result<()> {
    let variable = |name: &'static str| environment(name).filter(|value| !value.is_empty());
    let number = |name: &'static str| variable(name).map(|value| parse_number(name, &value)).transpose();
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        for host in variable("PGHOST").unwrap_or_else(default_host).split(',') {
            config.host(host);
        }
        if let (Some(port), []) = (number("PGPORT")?, config.get_ports()) {
            config.port(u16::try_from(port).map_err(|_| not_a_number("PGPORT"))?);
        }
    }
    if config.get_user().is_none() {
        let user = variable("PGUSER").or_else(|| variable("USER")).or_else(|| variable("LOGNAME"));
        config.user(&user.ok_or_else(|| {
            Error::usage("the store's URL names no user")
                .hint("name one, as in postgres://user@host/database")
        })?);
    }
    if config.get_dbname().is_none()
        && let Some(name) = variable("PGDATABASE").or_else(|| config.get_user().map(str::to_owned))
    {
        config.dbname(&name);
    }
    if config.get_connect_timeout().is_none() {
        let seconds = number("PGCONNECT_TIMEOUT")?.filter(|seconds| *seconds > 0);
        config
            .connect_timeout(seconds.map_or(CONNECT_TIMEOUT, |seconds| Duration::from_secs(seconds.into())));
    }
    Ok(())
}

/// The folder of this machine's server; `localhost` if there is none.
fn default_host() -> String {
    let folder = SOCKET_FOLDERS.into_iter().find(|folder| Path::new(folder).join(".s.PGSQL.5432").exists());
    folder.unwrap_or("localhost").to_owned()
}

/// Whether the connection must be encrypted.
///
/// # Errors
///
/// Exit 2 if the mode is unknown, or the server's name cannot be verified.
fn needs_tls(word: Option<&str>, config: &Config) -> Result<bool> {
    let hosts = config.get_hosts();
    let is_socket = !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_)));
    let is_elsewhere =
        !hosts.iter().all(is_this_machine) || !config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    let needs_tls = match word.unwrap_or("prefer") {
        "disable" => false,
        "prefer" => is_elsewhere,
        "require" | "verify-full" => true,
        _ => {
            return Err(Error::usage("the store's sslmode is unknown").hint(
                "set sslmode in the store's URL, or PGSSLMODE, to disable, prefer, require or verify-full",
            ));
        }
    };
    Ok(needs_tls && !is_socket)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

fn parse_number(name: &str, value: &str) -> Result<u32> {
    value.trim().parse().map_err(|_| not_a_number(name))
}

fn not_a_number(name: &str) -> Error {
    Error::usage(format!("the environment variable {name} is not a valid number"))
        .hint(format!("correct or unset {name}"))
}

/// The reason is not shown: it may quote a password.
fn unreadable(shown: &str) -> Error {
    Error::usage(format!("the URL of the store cannot be read: {shown}")).hint(
        "write it as postgres://user@host:5432/database?sslmode=require; in user and password, write special \
         characters as %40 for @; better, put the password in PGPASSWORD or in the file that PGPASSFILE names",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::store::StoreLocation;

    fn read(url: &str, variables: &[(&str, &str)]) -> Result<Settings> {
        let StoreLocation::Database(url) = StoreLocation::parse(Path::new(url)) else { panic!("{url}") };
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Settings::read(&url, &|name| value(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_url_says_it_before_the_environment() {
        let all = [("PGHOST", "other"), ("PGPORT", "6"), ("PGUSER", "you"), ("PGDATABASE", "day")];
        let config = read("postgres://me@db:5433/night", &all).unwrap().config;
        assert_eq!(config.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!((config.get_ports(), config.get_user()), (&[5433][..], Some("me")));
        assert_eq!(config.get_dbname(), Some("night"));
        let config = read("postgres://", &all).unwrap().config;
        assert_eq!(config.get_hosts(), [Host::Tcp("other".into())]);
        assert_eq!((config.get_ports(), config.get_user()), (&[6][..], Some("you")));
        assert_eq!(config.get_dbname(), Some("day"));
    }

    #[test]
    fn no_clear_text_leaves_this_machine_unasked() {
        for (url, mode, tls) in [
            ("postgres://me@db/n", "", true),
            ("postgres://me@db/n", "prefer", true),
            ("postgres://me@db/n", "disable", false),
            ("postgres://me@localhost/n", "", false),
            ("postgres://me@127.0.0.1/n", "", false),
            ("postgres://me@127.0.0.1/n", "require", true),
            ("postgres://me@127.0.0.1,db/n", "", true),
            ("postgres://me@localhost/n?hostaddr=192.0.2.1", "", true),
            ("postgres://me@localhost/n?sslmode=verify-full", "disable", true),
            ("postgres://me@%2Frun%2Fpostgresql/n", "require", false),
        ] {
            let variables: &[_] = if mode.is_empty() { &[] } else { &[("PGSSLMODE", mode)] };
            assert_eq!(read(url, variables).unwrap().tls, tls, "{url} {mode}");
        }
        for url in
            ["postgres://me@db/n", "postgres://me@%2Frun%2Fpostgresql/n", "postgres:///n?host=/tmp&user=me"]
        {
            let separator = if url.contains('?') { '&' } else { '?' };
            let refused = read(&format!("{url}{separator}sslmode=allow"), &[]).unwrap_err();
            assert!(refused.what.contains("sslmode"), "{url}");
            assert!(read(url, &[("PGSSLMODE", "bogus")]).is_err(), "{url}");
        }
    }

    #[test]
    fn a_zero_byte_is_wrong_usage() {
        for url in [
            "postgres://db/n?user=a%00x",
            "postgres://a%00x@db/n",
            "postgres://me@db/n%00x",
            "postgres://me:p%00x@db/n",
            "postgres://me@db/n?options=a%00x",
            "postgres://me@db/n?application_name=a%00x",
        ] {
            let refused = read(url, &[]).unwrap_err();
            assert_eq!(refused.exit, crate::exit::Exit::Usage, "{url}");
            assert!(refused.what.contains("cannot be read"), "{url}: {refused}");
        }
    }

    #[test]
    fn a_password_file_that_others_may_read_is_ignored() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pass");
        std::fs::write(&file, "db:*:*:me:from file\n").unwrap();
        let path = file.to_str().unwrap();
        let password = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let settings = read("postgres://me@db/n", &[("PGPASSFILE", path)]).unwrap();
            (settings.config.get_password().map(<[u8]>::to_vec), settings.ignored_file.is_some())
        };
        assert_eq!(password(0o644), (None, true));
        assert_eq!(password(0o600), (Some(b"from file".to_vec()), false));
        let both = [("PGPASSFILE", path), ("PGPASSWORD", "from variable")];
        let config = read("postgres://me@db/n", &both).unwrap().config;
        assert_eq!(config.get_password(), Some(&b"from variable"[..]));
    }

    #[test]
    fn no_error_and_no_debug_text_shows_the_password() {
        for url in [
            "postgres://me:pa55word@db/n",
            "postgres://me:pa?55word@db:x/n",
            "postgres://me:pa55word@db/n?port=x",
            "postgres://me@db/n?password=pa55word&pa55word=x",
            "postgres://me:pa@55word@db/n",
            "postgres://me:pa55word/x@db/n?sslmode=pa55word",
        ] {
            let text = match read(url, &[]) {
                Ok(settings) => format!("{settings:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!text.contains("55word") && !text.contains("pa?"), "{url}: {text}");
        }
    }
}
