//! The connection of a run: to the provider with the user's keys, or to the sandbox with its test
//! keys.

use std::sync::Arc;

use super::sandbox;
use crate::cli::{Account, Answers, Settings};
use crate::error::{Error, Result};
use crate::provider::credentials::{self, Access, CredentialCache, Environment};
use crate::provider::http::{Connection, HttpProvider};
use crate::recording::Recorder;
use crate::shown::shown;
use crate::store::Store;

/// The provider, and the key that signs the requests of one account.
pub(super) type Connected = (HttpProvider, Arc<CredentialCache>);

/// Connects to the provider, for each account with its own key. Returns `None` offline.
///
/// # Errors
///
/// Exit 2 when credentials, endpoint or certificates cannot be used; exit 3 when the key's
/// source refuses, exit 4 when it cannot be reached.
pub(super) async fn connect(settings: &Settings) -> Result<Option<Vec<Connected>>> {
    if settings.offline {
        return Ok(None);
    }
    let accounts = &settings.accounts.list;
    let (endpoint, keys) = match &settings.answers {
        Answers::Provider(endpoint) => (endpoint.clone(), find_keys(settings).await?),
        Answers::Sandbox => sandbox::start(accounts).await?,
    };
    let connection = Connection {
        endpoint,
        timeout: settings.timeout,
        wire_format: settings.wire_format,
        ca_file: settings.access.ca_file.clone(),
        insecure_http: settings.access.insecure_http,
    };
    let mut connected: Vec<Connected> = Vec::new();
    for keys in keys.into_iter().map(Arc::new) {
        let provider = match connected.first() {
            Some((provider, _)) => provider.with_keys(keys.clone()),
            None => HttpProvider::new(&connection, keys.clone())?,
        };
        connected.push((provider, keys));
    }
    Ok(Some(connected))
}

/// The key of each account.
async fn find_keys(settings: &Settings) -> Result<Vec<CredentialCache>> {
    let (environment, mut keys) = (Environment::of_process(), Vec::new());
    for account in &settings.accounts.list {
        let profile = account.profile.clone().or_else(|| settings.access.profile.clone());
        let access = Access { profile, ..settings.access.clone() };
        let found = credentials::find(&access, &environment).await;
        keys.push(found.map_err(|error| named(error, account, settings))?);
    }
    Ok(keys)
}

/// The error with the account that it concerns, if there are several.
fn named(error: Error, account: &Account, settings: &Settings) -> Error {
    match &account.name {
        Some(name) if settings.accounts.file.is_some() => {
            Error { what: format!("the account `{}`: {}", shown(name), error.what), ..error }
        }
        _ => error,
    }
}

/// The providers, with their answers recorded if the settings say so.
///
/// # Errors
///
/// Exit 2 or 6 when the recording cannot be opened; exit 6 when the store cannot be read.
pub(super) fn recorded(
    providers: Vec<HttpProvider>,
    settings: &Settings,
    store: &dyn Store,
) -> Result<Vec<HttpProvider>> {
    let Some(path) = &settings.record else { return Ok(providers) };
    let recorder = Arc::new(Recorder::open(path, &store.secret()?)?);
    Ok(providers.into_iter().map(|provider| provider.recorded(recorder.clone())).collect())
}
