//! Where a store is: a file of this machine, or a PostgreSQL database.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

/// The schemes of a database's URL.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// Where a store is. `Display` shows it without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Database(DatabaseUrl),
}

/// The URL of a database. It may hold a password, so it is shown only in part.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// True if it begins as the URL of a database.
    pub(super) fn has_known_scheme(&self) -> bool {
        SCHEMES.iter().any(|scheme| self.0.starts_with(scheme))
    }

    /// The whole URL, with its password. It must not be shown.
    pub(super) fn secret_text(&self) -> &str {
        &self.0
    }
}

/// `postgres://host:port/database`
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match shown(&self.0) {
            Some(place) => write!(f, "postgres://{place}"),
            None => f.write_str("(a URL, not shown)"),
        }
    }
}

/// Hosts and database of a URL; `None` if any part of it may belong to a password.
fn shown(url: &str) -> Option<&str> {
    let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-%".contains(c));
    let is_host = |text: &str| {
        let (name, port) = text.rsplit_once(':').filter(|_| !text.ends_with(']')).unwrap_or((text, ""));
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        port.chars().all(|c| c.is_ascii_digit()) && (is_plain(name) || name.parse::<Ipv6Addr>().is_ok())
    };
    let is_whole = !parameters.contains('@') && hosts.split(',').all(is_host) && is_plain(database);
    is_whole.then_some(place)
}

/// True if the text is meant as a database and not as a file: it is a URL, settings such as
/// `host=db password=x`, or has a password before its host.
fn is_meant_as_database(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    let has_user_info = text.split_once('@').is_some_and(|(before, _)| before.contains(':'));
    let is_of_scheme = ["postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme));
    is_of_scheme || has_user_info || text.contains("://") || text.contains("password=")
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StoreLocation {
    /// The location that this text names: a database if it looks like one, otherwise a file. A
    /// mistyped URL is no file: its name would show a password. It is refused when it is used.
    #[must_use]
    pub fn parse(text: &Path) -> Self {
        let url = text.to_str().filter(|text| is_meant_as_database(text));
        url.map_or_else(|| Self::File(text.to_owned()), |url| Self::Database(DatabaseUrl(url.to_owned())))
    }

    /// The file's path; `None` if it is a database.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Database(_) => None,
        }
    }
}

impl From<PathBuf> for StoreLocation {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for StoreLocation {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Database(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_SHOWN: &str = "(a URL, not shown)";

    #[test]
    fn a_location_is_shown_without_user_and_password() {
        for (text, shown) in [
            ("postgres://db.example/night", "postgres://db.example/night"),
            ("postgresql://me:se@cret@db:5433/night?sslmode=disable", "postgres://db:5433/night"),
            ("postgres:///night?host=/run/postgresql&password=x", "postgres:///night"),
            ("postgres://u:p@a,b/night", "postgres://a,b/night"),
            ("postgres://[::1]:5432,b:1/night", "postgres://[::1]:5432,b:1/night"),
            ("postgres://u:p?se@cret/x@db/night", NOT_SHOWN),
            ("postgres://db/night?password=se@cret", NOT_SHOWN),
            ("postgres://u:secret", NOT_SHOWN),
            ("postgres://:secret", NOT_SHOWN),
            ("postgres://u:se/cret", NOT_SHOWN),
            ("postgres:///a;password=secret", NOT_SHOWN),
            ("postgres:///a password=secret", NOT_SHOWN),
            (" postgres://u:secret@h/a", NOT_SHOWN),
            ("postgress://u:secret@h/a", NOT_SHOWN),
            ("postgres:u:secret@h/a", NOT_SHOWN),
            ("postgres//u:secret@h/a", NOT_SHOWN),
            ("host=127.0.0.1 password=secret dbname=a", NOT_SHOWN),
        ] {
            let location = StoreLocation::parse(Path::new(text));
            assert_eq!(location.to_string(), shown);
            assert!(!format!("{location:?}").contains("cret"), "{location:?}");
        }
        assert_eq!(StoreLocation::parse(Path::new("a/postgres.db")).file(), Some(Path::new("a/postgres.db")));
    }
}
