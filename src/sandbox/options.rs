//! The options of a sandbox.

use std::time::Duration;

use chrono::TimeDelta;

use super::calls::Calls;
use super::gateway::{Account, TEST_ACCOUNT};
use super::scenario::Scenario;

/// How a sandbox is set up. It has no `Debug`, because it holds secrets.
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The accepted keys.
    pub accounts: Vec<Account>,
    /// The most requests that one key may send in any window.
    pub cap_requests: u32,
    /// The length of that window.
    pub cap_window: Duration,
    /// How far the provider's clock is ahead of this machine's clock.
    pub clock_ahead: TimeDelta,
    /// The faults and scripts.
    pub scenario: Scenario,
    /// The only known calls. `None` means the sample data, with generated records for other calls.
    pub calls: Option<Calls>,
    /// The seed of all chance.
    pub seed: u64,
    /// The shortest and the longest time that a reply takes.
    pub latency: (Duration, Duration),
}

impl Default for Options {
    fn default() -> Self {
        let (id, secret) = TEST_ACCOUNT;
        Self {
            port: 0,
            accounts: vec![Account::new(id, secret)],
            cap_requests: 100,
            cap_window: Duration::from_secs(60),
            clock_ahead: TimeDelta::zero(),
            scenario: Scenario::default(),
            calls: None,
            seed: 0,
            latency: (Duration::ZERO, Duration::ZERO),
        }
    }
}
