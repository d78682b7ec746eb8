//! Resolves host names with the system's resolver, each on a thread of its own.
//!
//! reqwest's own resolver panics if the system refuses a thread, and a lookup that hangs delays the
//! end of the process. This one does neither.

use std::net::ToSocketAddrs as _;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

use crate::threads;

/// The system's resolver.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, addresses) = oneshot::channel();
        let host = name.as_str().to_owned();
        // The port of the URL replaces port 0.
        let look_up = move || drop(sender.send((host.as_str(), 0).to_socket_addrs()));
        let started = threads::start("resolver", look_up);
        Box::pin(async move {
            started.map_err(|e| format!("cannot start another thread to look up {}: {e}", name.as_str()))?;
            let addresses: Addrs = Box::new(addresses.await??);
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_has_its_addresses_and_an_unknown_one_an_error() {
        let resolve = |name: &str| {
            let resolving = SystemResolver.resolve(name.parse().unwrap());
            threads::event_loop().unwrap().block_on(resolving).map(Iterator::count)
        };
        assert!(resolve("localhost").unwrap() > 0);
        assert!(resolve("no such host.invalid").is_err());
    }
}
