//! The simulated provider as a server of its own, until it is stopped.

use std::path::Path;

use super::{Options, Sandbox, parse_accounts};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::messages;
use crate::signals::Signals;

/// Serves on a port of 127.0.0.1 (0 takes a free one) until SIGINT or SIGTERM. Without a file of accounts it
/// accepts `testid` with `testsecret`, and says so.
///
/// # Errors
///
/// Exit 2 when the port cannot be taken or the file cannot be used.
pub async fn serve_alone(port: u16, accounts: Option<&Path>) -> Result<Exit> {
    let mut options = Options { port, ..Options::default() };
    let accepted = match accounts {
        Some(path) => {
            options.accounts = read_accounts(path)?;
            format!("the {} accounts of {}", options.accounts.len(), path.display())
        }
        None => "testid with testsecret".to_owned(),
    };
    let cap = options.cap_requests;
    let sandbox = Sandbox::bind(options).await?;
    let mut signals = Signals::new()?;
    messages::say(&format!(
        "sandbox: listening on {}, accepts {accepted}, allows {cap} requests a minute; Ctrl-C stops it",
        sandbox.url()
    ));
    tokio::select! {
        () = sandbox.serve() => {}
        _ = signals.next() => {}
    }
    Ok(Exit::Success)
}

fn read_accounts(path: &Path) -> Result<Vec<(String, String)>> {
    let wrong = |why: String| {
        Error::usage(format!("--accounts {}: {why}", path.display()))
            .hint("write one `access-key-id = \"secret\"` a line")
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    parse_accounts(&text).map_err(wrong)
}
