//! The sandbox inside this process, in place of the provider.

use crate::error::Result;
use crate::provider::credentials::{CredentialCache, Credentials};
use crate::sandbox::{Options, Sandbox, TEST_ACCOUNT};
use reconcile_core::rate::Rate;

/// Starts the simulated provider inside this process. It enforces the run's own cap. Returns its
/// URL and a key that it accepts.
///
/// # Errors
///
/// Exit 2 when it cannot listen on a local port.
pub(super) async fn start(cap: Rate) -> Result<(String, CredentialCache)> {
    let options = Options { cap_requests: cap.requests.get(), cap_window: cap.window, ..Options::default() };
    let (id, secret) = TEST_ACCOUNT;
    let server = Sandbox::bind(options).await?;
    let url = server.url();
    tokio::spawn(server.serve());
    Ok((url, CredentialCache::of_static_key(Credentials::new(id.into(), secret.into(), None), "the sandbox")))
}
