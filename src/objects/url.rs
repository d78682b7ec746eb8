//! `s3://BUCKET/KEY` and `oss://BUCKET/KEY`.

use std::fmt;
use std::path::Path;

/// Longest key in bytes, for both services.
const MAX_KEY_BYTES: usize = 1_024;

/// A service that stores objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon S3, or a service with its interface.
    S3,
    /// OSS of Alibaba Cloud, by its own interface.
    Oss,
}

impl Service {
    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Oss => "oss",
        }
    }
}

/// An object, or the prefix of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectUrl {
    /// The service.
    pub service: Service,
    /// The bucket.
    pub bucket: String,
    /// Without slashes at its ends; empty for the whole bucket.
    pub key: String,
}

impl ObjectUrl {
    /// Whether a path is meant as such a URL.
    #[must_use]
    pub fn is_meant(path: &Path) -> bool {
        path.to_str().is_some_and(|text| split(text).is_some())
    }

    /// Parses a URL. A slash at the end makes no difference.
    ///
    /// # Errors
    ///
    /// What is wrong. The text may hold a secret, so it is not quoted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (service, rest) = split(text).ok_or("needs s3://BUCKET/KEY or oss://BUCKET/KEY")?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') {
            return Err(
                "contains a user name or password; remove it, and set the key in the environment".into()
            );
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_name) {
            return Err(
                "has no valid bucket; a bucket has 3 to 63 lower-case letters, digits, - and .".into()
            );
        }
        let key = key.strip_suffix('/').unwrap_or(key);
        check_key(key)?;
        Ok(Self { service, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The object with this name below the prefix.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        Self { key, ..self.clone() }
    }
}

/// The service and the rest of the text, if it begins as a URL does.
fn split(text: &str) -> Option<(Service, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let services = [Service::S3, Service::Oss];
    let service = services.into_iter().find(|service| scheme.eq_ignore_ascii_case(service.scheme()))?;
    Some((service, rest))
}

/// Refuses keys that programs read in different ways.
fn check_key(key: &str) -> Result<(), String> {
    if key.len() > MAX_KEY_BYTES {
        return Err(format!("has a key of more than {MAX_KEY_BYTES} bytes"));
    }
    if key.contains(char::is_control) {
        return Err("has a control character in its key".into());
    }
    if !key.is_empty() && key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("has an empty part, . or .. in its key".into());
    }
    Ok(())
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.service.scheme(), self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, "/{}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_is_a_bucket_and_a_key() {
        for (text, shown) in [
            ("s3://night", "s3://night"),
            ("S3://night/", "s3://night"),
            ("oss://night.eu-1/a b/calls.csv", "oss://night.eu-1/a b/calls.csv"),
            ("s3://night/通话/x?y#z", "s3://night/通话/x?y#z"),
        ] {
            assert!(ObjectUrl::is_meant(Path::new(text)));
            assert_eq!(ObjectUrl::parse(text).unwrap().to_string(), shown);
        }
        let root = ObjectUrl::parse("s3://night").unwrap();
        assert_eq!(root.join("a").join("b").to_string(), "s3://night/a/b");
    }

    #[test]
    fn a_wrong_url_is_refused_without_its_text() {
        for text in [
            "s3://",
            "s3:///key",
            "s3://AB/key",
            "s3://AKIA:s3cret@night/key",
            "s3://Night/key",
            "oss://night//key",
            "oss://night/a/../s3cret",
            "oss://night/a\ns3cret",
            "https://night/key",
        ] {
            let error = ObjectUrl::parse(text).unwrap_err();
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
        assert!(ObjectUrl::parse(&format!("s3://night/{}", "k".repeat(1_025))).is_err());
        for path in ["calls.csv", "-", "s3/night", "file://x", "gs://night/x"] {
            assert!(!ObjectUrl::is_meant(Path::new(path)), "{path}");
        }
    }
}
