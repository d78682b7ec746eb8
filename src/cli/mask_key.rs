//! How phone numbers are masked, and the key file of `--mask-phones token`.

use std::path::Path;

use super::job_options::Masking;
use crate::error::{Error, Result};
use crate::output::{MaskPhones, TokenKey};
use crate::provider::credentials;

const MAKE_A_KEY: &str = "make a key with `openssl rand -base64 32 > mask.key` and `chmod 600 mask.key`, and keep it: \
                          only the same key gives the same tokens";

/// The masking of phone numbers.
pub(super) struct MaskSettings {
    pub(super) mask: MaskPhones,
    /// A warning about the key file.
    pub(super) note: Option<String>,
}

impl MaskSettings {
    /// Reads the key file if there is one.
    ///
    /// # Errors
    ///
    /// Exit 2 when the options contradict each other or the key cannot be used.
    pub(super) fn new(how: Masking, key_file: Option<&Path>) -> Result<Self> {
        let without_key = |mask| Ok(Self { mask, note: None });
        match (how, key_file) {
            (Masking::None, None) => without_key(MaskPhones::None),
            (Masking::Partial, None) => without_key(MaskPhones::Partial),
            (Masking::Token, Some(path)) => Ok(Self {
                mask: MaskPhones::Token(token_key(path)?),
                note: credentials::readers_warning("the mask key", path),
            }),
            (Masking::Token, None) => {
                Err(Error::usage("--mask-phones token needs --mask-key-file").hint(MAKE_A_KEY))
            }
            (Masking::None | Masking::Partial, Some(_)) => {
                Err(Error::usage("--mask-key-file is only for --mask-phones token")
                    .hint("add --mask-phones token, or leave --mask-key-file out"))
            }
        }
    }
}

fn token_key(path: &Path) -> Result<TokenKey> {
    let bytes = std::fs::read(path).map_err(|e| {
        Error::usage(format!("--mask-key-file {} cannot be read", path.display())).hint(MAKE_A_KEY).because(e)
    })?;
    // An editor ends a file with a line break; the key is the same with and without it.
    let key = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    TokenKey::new(key.strip_suffix(b"\r").unwrap_or(key)).ok_or_else(|| {
        let least = TokenKey::BYTES_AT_LEAST;
        Error::usage(format!("--mask-key-file {} has fewer than {least} bytes", path.display()))
            .hint(MAKE_A_KEY)
    })
}
