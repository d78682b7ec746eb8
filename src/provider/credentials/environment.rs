//! The environment in which credentials are searched: variables and the home folder.
//!
//! It is read once: the whole search sees the same values. Tests make their own.

use std::collections::HashMap;
use std::path::PathBuf;

/// The prefixes of the provider's variables, in order of precedence (source: the provider's
/// command-line tool). Only the key itself is also read without a prefix.
pub(super) const PREFIXES: [&str; 4] = ["ALIBABA_CLOUD_", "ALIBABACLOUD_", "ALICLOUD_", ""];

/// Variables and the home folder.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    home: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { variables, home: std::env::home_dir() }
    }

    /// The value of a variable, if it is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The value of the first variable that is set: `ALIBABA_CLOUD_…`, `ALIBABACLOUD_…` or
    /// `ALICLOUD_…`.
    pub(super) fn aliased(&self, name: &str) -> Option<&str> {
        PREFIXES[..3].iter().find_map(|prefix| self.get(&format!("{prefix}{name}")))
    }

    /// True if a variable is `true`, in any case.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A path below the home folder; `None` without a home folder.
    pub(super) fn in_home(&self, path: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }
}

#[cfg(test)]
impl Environment {
    /// An environment with these variables and no home folder.
    pub(super) fn with(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { variables, home: None }
    }
}
