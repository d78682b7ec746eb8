//! Several accounts in one ledger: the real binary against the simulated provider, which counts the
//! requests of each key.

mod refused;
mod runs;
mod wrong_usage;

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::sandbox::Server;
use crate::support::{Bench, id, keys};

/// A ledger with its accounts, and the sandbox that knows their keys.
struct Company {
    bench: Bench,
    server: Server,
}

/// The name of the i-th account. Its key has this name, too.
fn name(i: usize) -> String {
    format!("team-{i:02}")
}

/// A row of the ledger.
fn row(text: &mut String, call: usize, account: usize) {
    writeln!(text, "{},voice-notification,2024-05-26 10:00:00,{},{call}", id(call), name(account)).unwrap();
}

const HEADER: &str = "call_id,product,called_at,account,ticket\n";

/// `calls` rows of each account, in turn.
fn in_turn(accounts: usize, calls: usize) -> String {
    let mut text = HEADER.to_owned();
    (0..accounts * calls).for_each(|at| row(&mut text, at, at % accounts));
    text
}

/// `calls` rows of each account, one account after the other.
fn grouped(accounts: usize, calls: usize) -> String {
    let mut text = HEADER.to_owned();
    (0..accounts * calls).for_each(|at| row(&mut text, at, at / calls));
    text
}

/// The accounts file: each with a profile of its name and this further line.
fn accounts_file(accounts: usize, line: &str) -> String {
    let table = |i| format!("[{0}]\nprofile = \"{0}\"\n{line}\n", name(i));
    (0..accounts).map(table).collect()
}

impl Company {
    /// The sandbox allows each key `cap`. The accounts file has `line` in each table.
    fn new(ledger: &str, accounts: usize, cap: &str, line: &str) -> Self {
        Self::with_keys(ledger, accounts, cap, line, |_| "")
    }

    /// The same, with `more` in the sandbox's table of each key.
    fn with_keys(
        ledger: &str,
        accounts: usize,
        cap: &str,
        line: &str,
        more: impl Fn(usize) -> &'static str,
    ) -> Self {
        let bench = Bench::new(ledger);
        let key = |i: usize| {
            let name = name(i);
            format!("{name} = {{ secret = \"{}\"{} }}\n", keys::secret_of(&name), more(i))
        };
        bench.write("keys.toml", &(0..accounts).map(key).collect::<String>());
        bench.write("accounts.toml", &accounts_file(accounts, line));
        let profiles: Vec<Value> = (0..accounts).map(|i| keys::ak(&name(i), &name(i))).collect();
        keys::config_json(&bench, &json!({ "current": name(0), "profiles": profiles }));
        let keys = bench.path("keys.toml");
        let server = Server::start(&["--accounts", keys.to_str().unwrap(), "--cap", cap]);
        Self { bench, server }
    }

    /// The command of a run under all accounts.
    fn command(&self, options: &[&str]) -> Command {
        self.command_at(&self.server.url(), options)
    }

    /// The same, with another provider.
    fn command_at(&self, url: &str, options: &[&str]) -> Command {
        let usual = ["--accounts", "accounts.toml", "--endpoint", url];
        keys::command(&self.bench, &[&usual, options].concat(), &[])
    }

    #[track_caller]
    fn run(&self, options: &[&str]) -> crate::support::Run {
        let run = self.bench.start_command(self.command(options)).wait();
        assert!(!run.stderr.contains(keys::SECRET_WORD), "a secret is in:\n{}", run.stderr);
        run
    }

    /// Asserts at the receiver that no key was over its cap and none was throttled.
    #[track_caller]
    fn assert_caps(&self, cap: u64) {
        let stats = self.server.page("stats");
        for (key, most) in stats["most_by_account"].as_object().unwrap() {
            assert!(most.as_u64().unwrap() <= cap, "{key}: {most} of {cap}");
        }
        assert_eq!(stats["verdicts"].get("throttled"), None, "{stats:#}");
    }

    /// The accounts in the summary.
    fn accounts(&self) -> Vec<Value> {
        self.bench.summary().0["accounts"].as_array().cloned().unwrap_or_default()
    }
}

/// A number of an account in the summary.
#[track_caller]
fn number(account: &Value, key: &str) -> u64 {
    account[key].as_u64().unwrap_or_else(|| panic!("no {key} in {account:#}"))
}
