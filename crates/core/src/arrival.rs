//! When a request without a reply can still arrive at the provider.

use std::time::Duration;

/// How long the place of a request without a reply rests before it starts to cool.
///
/// Such a request may wait in a gateway and arrive after its failure. Nobody can bound that wait;
/// one whole timeout is the bound that this program promises.
#[must_use]
pub fn rest_after_no_reply(timeout: Duration) -> Duration {
    timeout
}
