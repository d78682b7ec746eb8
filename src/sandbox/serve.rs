//! The simulated provider as a server of its own, until it is stopped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;

use crate::console::messages;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::sandbox::{Account, Calls, Faults, Options, Sandbox, Scenario, parse_accounts};
use crate::signals::Signals;
use reconcile_core::rate::Rate;

/// How the server is set up, as its user says it.
#[derive(Debug, Clone)]
pub struct Alone {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// File of the accounts; without it `testid` with `testsecret` is accepted.
    pub accounts: Option<PathBuf>,
    /// What one key may ask.
    pub cap: Rate,
    /// A list of faults, or a scenario file.
    pub faults: Option<String>,
    /// A ledger, or a recording.
    pub calls: Option<PathBuf>,
    /// How the ledger's columns are named.
    pub map: Vec<(String, String)>,
    /// Which share of 2^64 of the ledger's calls get a discrepancy.
    pub plant: u64,
    /// What chance begins with.
    pub seed: u64,
    /// The least and the most that an answer takes.
    pub latency: (Duration, Duration),
}

/// Serves on a port of 127.0.0.1 until SIGINT or SIGTERM. Says where, whom it accepts and what it knows.
///
/// # Errors
///
/// Exit 2 when the port cannot be taken or a file cannot be used.
pub async fn serve_alone(alone: Alone) -> Result<Exit> {
    let defaults = Options::default();
    let (accounts, accepted) = match &alone.accounts {
        Some(path) => {
            let accounts = read_accounts(path)?;
            let accepted = format!("the {} accounts of {}", accounts.len(), path.display());
            (accounts, accepted)
        }
        None => (defaults.accounts, "testid with testsecret".to_owned()),
    };
    let calls = alone.calls.as_deref();
    let calls = calls.map(|path| Calls::read(path, &alone.map, alone.seed, alone.plant)).transpose()?;
    let known = calls.as_ref().map(Calls::summary);
    let options = Options {
        port: alone.port,
        accounts,
        cap_requests: alone.cap.requests.get(),
        cap_window: alone.cap.window,
        scenario: alone.faults.as_deref().map(scenario).transpose()?.unwrap_or_default(),
        calls,
        seed: alone.seed,
        latency: alone.latency,
        ..defaults
    };
    let sandbox = Sandbox::bind(options).await?;
    let mut signals = Signals::new()?;
    let (url, cap) = (sandbox.url(), alone.cap);
    messages::say(&format!(
        "sandbox: listening on {url}, accepts {accepted}, allows {cap} for each key; Ctrl-C stops it"
    ));
    if let Some(known) = known {
        messages::say(&format!("sandbox: knows {known}; {url}/_sandbox/planted lists what was planted"));
    }
    tokio::select! {
        () = sandbox.serve() => {}
        _ = signals.next() => {}
    }
    Ok(Exit::Success)
}

/// A path that ends in `.toml` is a scenario's, anything else a list.
fn scenario(text: &str) -> Result<Scenario> {
    let wrong = |why: String| {
        let hint = "write faults such as 503=2%,cut=0.5%, or name a scenario file that ends in .toml; \
                    `reconcile sandbox --help` lists the faults";
        Error::usage(format!("--faults {text}: {why}")).hint(hint)
    };
    if !Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        return Faults::parse(text).map(Scenario::from).map_err(wrong);
    }
    let file = std::fs::read_to_string(text).map_err(|e| wrong(e.to_string()))?;
    Scenario::parse(&file).map_err(wrong)
}

fn read_accounts(path: &Path) -> Result<Vec<Account>> {
    let wrong = |why: String| {
        Error::usage(format!("--accounts {}: {why}", path.display()))
            .hint("write one `access-key-id = \"secret\"` a line")
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    parse_accounts(&text, Utc::now()).map_err(wrong)
}
