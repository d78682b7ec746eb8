//! A profile of either kind of file: its values and its mode.
//!
//! The names of the values are the command-line tool's. The reader of the SDKs' files translates
//! their names.

use std::collections::BTreeMap;

use super::mode::Mode;
use crate::error::{Error, Result};

/// The format of the file that holds a profile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    /// The command-line tool's.
    Json,
    /// The SDKs'.
    Ini,
}

/// A profile. It holds secrets, so it has no `Debug`.
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) format: FileFormat,
    pub(super) values: BTreeMap<String, String>,
}

impl Profile {
    /// A value, if it is set and not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The profile's mode. A profile of the command-line tool may omit it; then its values decide.
    ///
    /// # Errors
    ///
    /// Exit 2 when the mode is unknown or missing.
    pub(super) fn mode(&self) -> Result<Mode> {
        match (self.get("mode"), self.format) {
            (Some(name), _) => {
                let unknown = || self.unusable(&format!("there is no mode `{name}`"), USABLE_MODES);
                Mode::named(name).ok_or_else(unknown)
            }
            (None, FileFormat::Json) => Ok(self.mode_by_values()),
            (None, FileFormat::Ini) => {
                let to_do = "add a type to its section, such as `type = access_key`";
                Err(self.unusable("it has no `type`", to_do))
            }
        }
    }

    fn mode_by_values(&self) -> Mode {
        let has = |key: &str| self.get(key).is_some();
        if has("access_key_id") && has("access_key_secret") {
            return if has("sts_token") {
                Mode::StsToken
            } else if has("ram_role_arn") {
                Mode::RamRoleArn
            } else {
                Mode::Ak
            };
        }
        let by_value = [
            ("private_key", Mode::RsaKeyPair),
            ("ram_role_name", Mode::EcsRamRole),
            ("process_command", Mode::External),
            ("oidc_token_file", Mode::Oidc),
        ];
        by_value.into_iter().find(|(key, _)| has(key)).map_or(Mode::Ak, |(_, mode)| mode)
    }

    /// The error for a profile that cannot be used.
    pub(super) fn unusable(&self, why: &str, to_do: &str) -> Error {
        Error::usage(format!("the profile `{}` of {} cannot be used: {why}", self.name, self.file))
            .hint(to_do)
    }
}

/// The hint for a mode that this program cannot use.
pub(super) const USABLE_MODES: &str = "use a profile of the mode AK, StsToken, RamRoleArn, ChainableRamRoleArn, \
                                       EcsRamRole, OIDC, External or CredentialsURI";
