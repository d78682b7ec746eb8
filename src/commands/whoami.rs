//! `reconcile whoami`: the credentials that a run would use. Like a run, it fetches a temporary
//! key. It never prints a secret.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use super::answer::{answer, table};
use crate::console::messages;
use crate::error::Result;
use crate::exit::Exit;
use crate::provider::credentials::{Access, Environment, find};
use crate::zone;

/// The answer; with `--json` these are its keys.
#[derive(Serialize)]
struct Whoami<'a> {
    source: &'a str,
    /// The last four characters.
    key: String,
    temporary: bool,
    account: Option<String>,
    role: Option<String>,
    #[serde(serialize_with = "as_utc")]
    expires_at: Option<DateTime<Utc>>,
    expires_in_s: Option<i64>,
    warnings: Vec<String>,
}

/// Prints the credentials in use: their source, the last characters of the key, its expiry, and
/// account and role if they are known without a request.
///
/// # Errors
///
/// As a run: exit 2 when no credentials are found or they cannot be used, 3 when their source
/// refuses, 4 when it cannot be reached.
pub async fn whoami(access: &Access, json: bool) -> Result<Exit> {
    let credentials = find(access, &Environment::of_process()).await?;
    let warnings: Vec<String> = credentials.warnings().iter().map(ToString::to_string).collect();
    warnings.iter().for_each(|warning| messages::say(&format!("note: {warning}")));
    let identity = credentials.identity().await?;
    let expires_in_s = identity.expires_at.map(|at| (at - Utc::now()).num_seconds());
    let whoami = Whoami {
        source: credentials.origin(),
        key: identity.key,
        temporary: identity.temporary,
        account: identity.account,
        role: identity.role,
        expires_at: identity.expires_at,
        expires_in_s,
        warnings,
    };
    answer(json, &whoami, || lines(&whoami))?;
    Ok(Exit::Success)
}

#[allow(clippy::ref_option, reason = "serde passes a reference")]
fn as_utc<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).serialize(serializer)
}

fn lines(whoami: &Whoami<'_>) -> Vec<String> {
    let unknown = || "unknown".to_owned();
    let expires = match (whoami.expires_at, whoami.expires_in_s) {
        (Some(at), Some(left)) => {
            let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
            format!("{} (in {})", zone::date_and_time(at), humantime::format_duration(left))
        }
        _ if whoami.temporary => "unknown".to_owned(),
        _ => "never".to_owned(),
    };
    let kind = if whoami.temporary { "temporary, with a security token" } else { "static" };
    table(&[
        ("source", whoami.source.to_owned()),
        ("key", format!("…{} ({kind})", whoami.key)),
        ("account", whoami.account.clone().unwrap_or_else(unknown)),
        ("role", whoami.role.clone().unwrap_or_else(|| "none known".to_owned())),
        ("expires", expires),
    ])
}
