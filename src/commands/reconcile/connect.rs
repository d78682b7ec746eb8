//! The connection of a run: to the provider with the user's key, or to the sandbox with its test
//! key.

use std::sync::Arc;

use super::sandbox;
use crate::cli::{Answers, Settings};
use crate::error::Result;
use crate::provider::credentials::{self, CredentialCache, Environment};
use crate::provider::http::{Connection, HttpProvider};
use crate::recording::Recorder;
use crate::store::Store;

/// Connects to the provider. Returns it with the key that signs the requests; `None` offline.
///
/// # Errors
///
/// Exit 2 when credentials, endpoint or certificates cannot be used; exit 3 when the key's
/// source refuses, exit 4 when it cannot be reached.
pub(super) async fn connect(settings: &Settings) -> Result<Option<(HttpProvider, Arc<CredentialCache>)>> {
    if settings.offline {
        return Ok(None);
    }
    let (endpoint, keys) = match &settings.answers {
        Answers::Provider(endpoint) => {
            (endpoint.clone(), credentials::find(&settings.access, &Environment::of_process()).await?)
        }
        Answers::Sandbox => sandbox::start(settings.rate).await?,
    };
    let connection = Connection {
        endpoint,
        timeout: settings.timeout,
        wire_format: settings.wire_format,
        ca_file: settings.access.ca_file.clone(),
        insecure_http: settings.access.insecure_http,
    };
    let keys = Arc::new(keys);
    Ok(Some((HttpProvider::new(&connection, keys.clone())?, keys)))
}

/// The provider, with its answers recorded if the settings say so.
///
/// # Errors
///
/// Exit 2 or 6 when the recording cannot be opened; exit 6 when the store cannot be read.
pub(super) fn recorded(
    provider: HttpProvider,
    settings: &Settings,
    store: &dyn Store,
) -> Result<HttpProvider> {
    let Some(path) = &settings.record else { return Ok(provider) };
    Ok(provider.recorded(Recorder::open(path, &store.secret()?)?))
}
