//! The password file, as libpq reads it: `host:port:database:user:password`, one a line.

use std::io::ErrorKind;
use std::path::Path;

use postgres::Config;
use postgres::config::Host;

use crate::error::{Error, Result};

/// What is at the path of a password file.
pub(super) enum PasswordFile {
    /// There is no file.
    Missing,
    /// Other users may read it, so it is ignored, as libpq does.
    Exposed,
    /// Its text.
    Content(String),
}

/// Reads a password file.
///
/// # Errors
///
/// Exit 2 if there is a file that cannot be read.
pub(super) fn read(path: &Path) -> Result<PasswordFile> {
    let cannot_read = |e: std::io::Error| {
        Error::usage(format!("cannot read the password file {}", path.display()))
            .hint("check its permissions, or set PGPASSFILE to another file")
            .because(e)
    };
    match std::fs::metadata(path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(PasswordFile::Missing);
        }
        Err(e) => return Err(cannot_read(e)),
        // `/dev/null` says that there is none.
        Ok(file) if !file.is_file() => return Ok(PasswordFile::Missing),
        Ok(file) if is_exposed(&file) => return Ok(PasswordFile::Exposed),
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(PasswordFile::Content).map_err(cannot_read)
}

#[cfg(unix)]
fn is_exposed(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_file: &std::fs::Metadata) -> bool {
    false
}

/// The password of the first line that matches host, port, database and user.
pub(super) fn find(content: &str, config: &Config) -> Option<String> {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        // A socket in the usual folder is `localhost` there.
        Some(Host::Unix(folder)) if folder.ends_with("run/postgresql") || folder == Path::new("/tmp") => {
            "localhost".into()
        }
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => config.get_hostaddrs().first()?.to_string(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let wanted = [&*host, &*port, config.get_dbname()?, config.get_user()?];
    content.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, names) = fields.get(..5)?.split_last()?;
        let matches = names.iter().zip(wanted).all(|(name, wanted)| name == "*" || name == wanted);
        matches.then(|| password.clone())
    })
}

/// The fields of a line. A backslash makes the next character plain.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' => fields.push(std::mem::take(&mut field)),
            '\\' => field.extend(characters.next()),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(content: &str, url: &str) -> Option<String> {
        find(content, &url.parse().unwrap())
    }

    #[test]
    fn the_first_matching_line_gives_the_password() {
        let content =
            "# db:*:*:*:comment\ndb:5433:night:me:wrong port\ndb:*:night:me:a\\:b\\\\c\n*:*:*:*:any";
        assert_eq!(found(content, "postgres://me@db/night").as_deref(), Some("a:b\\c"));
        assert_eq!(found(content, "postgres://me@db:5433/night").as_deref(), Some("wrong port"));
        assert_eq!(found(content, "postgres://you@db/night").as_deref(), Some("any"));
        assert_eq!(found("db:*:night:you:x\nbroken", "postgres://me@db/night"), None);
        assert_eq!(
            found("localhost:*:*:*:x", "postgres://me@%2Fvar%2Frun%2Fpostgresql/night").as_deref(),
            Some("x")
        );
    }
}
