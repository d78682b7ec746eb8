//! The sandbox inside this process, in place of the provider.

use crate::cli::Account;
use crate::error::Result;
use crate::provider::credentials::{CredentialCache, Credentials};
use crate::sandbox::{self, Options, Sandbox, TEST_ACCOUNT};

/// Starts the simulated provider inside this process. It enforces the cap of each account. Returns
/// its URL and a key for each account, in their order.
///
/// # Errors
///
/// Exit 2 when it cannot listen on a local port.
pub(super) async fn start(accounts: &[Account]) -> Result<(String, Vec<CredentialCache>)> {
    let (id, secret) = TEST_ACCOUNT;
    let id_of = |at: usize| if accounts.len() == 1 { id.to_owned() } else { format!("{id}{}", at + 1) };
    let known =
        |(at, account): (usize, &Account)| sandbox::Account::new(&id_of(at), secret).with_cap(account.rate);
    let known = accounts.iter().enumerate().map(known).collect();
    let server = Sandbox::bind(Options { accounts: known, ..Options::default() }).await?;
    let url = server.url();
    tokio::spawn(server.serve());
    let key = |at| {
        let key = Credentials::new(id_of(at), secret.into(), None);
        CredentialCache::of_static_key(key, "the sandbox")
    };
    Ok((url, (0..accounts.len()).map(key).collect()))
}
