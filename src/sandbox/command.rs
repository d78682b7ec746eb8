//! `reconcile sandbox`: serves the simulated provider until SIGINT or SIGTERM.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;

use super::bill::BillOut;
use super::calls::Calls;
use super::chance::Share;
use super::faults::Faults;
use super::gateway::{Account, parse_accounts};
use super::options::Options;
use super::receipts;
use super::scenario::Scenario;
use super::server::Sandbox;
use crate::console::messages;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::signals::Signals;
use reconcile_core::rate::Rate;

/// The options of `reconcile sandbox`.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The accounts file. Without it the sandbox accepts `testid` with `testsecret`.
    pub accounts: Option<PathBuf>,
    /// The cap of each key.
    pub cap: Rate,
    /// A list of faults, or the path of a scenario file.
    pub faults: Option<String>,
    /// A ledger or a recording. Its calls are the only known ones.
    pub calls: Option<PathBuf>,
    /// The ledger's columns: pairs of field and header.
    pub map: Vec<(String, String)>,
    /// The share of the ledger's calls that gets a planted discrepancy.
    pub plant: Share,
    /// The bill to write for the known calls.
    pub bill: Option<BillOut>,
    /// The file for the receipts of all known calls.
    pub receipts_out: Option<PathBuf>,
    /// The seed of all chance.
    pub seed: u64,
    /// The shortest and the longest time that a reply takes.
    pub latency: (Duration, Duration),
}

/// Serves on a port of 127.0.0.1 until SIGINT or SIGTERM. Reports the URL, the accepted accounts
/// and the known calls.
///
/// # Errors
///
/// Exit 2 if the port cannot be opened or a file cannot be used.
pub async fn serve(options: ServeOptions) -> Result<Exit> {
    let defaults = Options::default();
    let (accounts, accepted) = match &options.accounts {
        Some(path) => (read_accounts(path)?, format!("the accounts of {}", path.display())),
        None => (defaults.accounts, "testid with testsecret".to_owned()),
    };
    let read = |path| Calls::read(path, &options.map, options.seed, options.plant);
    let calls = options.calls.as_deref().map(read).transpose()?;
    let known = calls.as_ref().map(Calls::summary);
    if let Some(bill) = &options.bill {
        bill.write(calls.as_ref(), options.seed)?;
    }
    let scenario = options.faults.as_deref().map(read_scenario).transpose()?.unwrap_or_default();
    let written = options.receipts_out.as_deref();
    let written = written
        .map(|path| receipts::write(path, calls.as_ref(), options.seed, &scenario.faults))
        .transpose()?;
    let cap = options.cap;
    let sandbox = Sandbox::bind(Options {
        port: options.port,
        accounts,
        cap_requests: cap.requests.get(),
        cap_window: cap.window,
        scenario,
        calls,
        seed: options.seed,
        latency: options.latency,
        ..defaults
    })
    .await?;
    let mut signals = Signals::new()?;
    let url = sandbox.url();
    messages::say(&format!(
        "sandbox: listening on {url}, accepts {accepted}, allows {cap} for each key; Ctrl-C stops it"
    ));
    if let Some(known) = known {
        messages::say(&format!("sandbox: knows only the calls of {known}"));
    }
    if let Some(written) = written {
        messages::say(&format!("sandbox: {written}"));
    }
    tokio::select! {
        () = sandbox.serve() => {}
        _ = signals.next() => {}
    }
    Ok(Exit::Success)
}

/// Reads a scenario file if the text ends in `.toml`, else a list of faults.
fn read_scenario(text: &str) -> Result<Scenario> {
    let wrong = |what: String| {
        Error::usage(what)
            .hint("`reconcile help sandbox` lists all faults and their values; a scenario file ends in .toml")
    };
    if !Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        let faults = Faults::parse(text);
        return faults.map(Scenario::from).map_err(|why| wrong(format!("the list of faults: {why}")));
    }
    let unreadable = |e| wrong(format!("the scenario file {text} cannot be read")).because(e);
    let file = std::fs::read_to_string(text).map_err(unreadable)?;
    Scenario::parse(&file).map_err(|why| wrong(format!("the scenario file {text}: {why}")))
}

fn read_accounts(path: &Path) -> Result<Vec<Account>> {
    let file = path.display();
    let unreadable = |e| {
        Error::usage(format!("the accounts file {file} cannot be read"))
            .hint("check the path and its permissions")
            .because(e)
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse_accounts(&text, Utc::now()).map_err(|why| Error::usage(format!("the accounts file {file}: {why}")))
}
