//! Where a store is: a file of this machine, or a PostgreSQL database.

use std::fmt;
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
    /// The whole URL, with its password. It must not be shown.
    pub(super) fn secret_text(&self) -> &str {
        &self.0
    }
}

/// `postgres://host:port/database`
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let (place, parameters) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
        // With a `@` behind it, this `?` may be a part of the password.
        let place = if parameters.contains('@') { "" } else { place };
        write!(f, "postgres://{}", place.rsplit_once('@').map_or(place, |(_, host)| host))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StoreLocation {
    /// The location that this text names: a database if it begins with `postgres://` or
    /// `postgresql://`, otherwise a file.
    #[must_use]
    pub fn parse(text: &Path) -> Self {
        let url = text.to_str().filter(|text| SCHEMES.iter().any(|scheme| text.starts_with(scheme)));
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

    #[test]
    fn a_location_is_shown_without_user_and_password() {
        for (text, shown) in [
            ("postgres://db.example/night", "postgres://db.example/night"),
            ("postgresql://me:se@cret@db:5433/night?sslmode=disable", "postgres://db:5433/night"),
            ("postgres:///night?host=/run/postgresql&password=x", "postgres:///night"),
            ("postgres://u:p@a,b/night", "postgres://a,b/night"),
            ("postgres://u:p?se@cret/x@db/night", "postgres://"),
            ("postgres://db/night?password=se@cret", "postgres://"),
        ] {
            let location = StoreLocation::parse(Path::new(text));
            assert_eq!(location.to_string(), shown);
            assert!(!format!("{location:?}").contains("cret"), "{location:?}");
        }
        assert_eq!(StoreLocation::parse(Path::new("a/postgres.db")).file(), Some(Path::new("a/postgres.db")));
    }
}
