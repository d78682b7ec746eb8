//! Under which name the store counts the requests of an account.

use std::sync::Arc;

use crate::cli::{Account, Settings};
use crate::error::{Error, Result};
use crate::provider::credentials::CredentialCache;
use crate::store::AccountCap;

/// The cap of each account, under its name in the store.
///
/// A file belongs to one account, unless accounts are named. A database may be used by several, so
/// there an account without a name is named after its key. `keys` is `None` offline.
///
/// # Errors
///
/// Exit 2 if a temporary key would have to name an account.
pub(super) fn account_caps(
    settings: &Settings,
    keys: Option<&[Arc<CredentialCache>]>,
) -> Result<Vec<AccountCap>> {
    let is_database = settings.store.file().is_none();
    let cap = |(at, account): (usize, &Account)| {
        let key = keys.and_then(|keys| keys.get(at)).filter(|_| is_database && account.name.is_none());
        let name = key.map(|key| named_after(key)).transpose()?;
        Ok(AccountCap { account: account.name.clone().or(name), rate: account.rate })
    };
    settings.accounts.list.iter().enumerate().map(cap).collect()
}

fn named_after(key: &CredentialCache) -> Result<String> {
    key.account_name().ok_or_else(|| {
        Error::usage(format!("the account has no name, and the key from {} is temporary", key.origin())).hint(
            "set account to the account's name: all runs that share its cap must use the same name, and a temporary key \
             is another one each time",
        )
    })
}
