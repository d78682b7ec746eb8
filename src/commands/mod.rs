//! The commands: the job itself, and commands about ledger, store and credentials. These print
//! their answer to standard output.

mod answer;
mod copy_store;
mod diff;
mod erase;
mod explain;
mod export;
mod ledger_input;
mod manual;
mod plan;
pub mod reconcile;
mod resolutions;
mod verify_cap;
mod whoami;

pub use copy_store::copy_store;
pub use diff::diff;
pub use erase::{forget, purge};
pub use explain::explain;
pub use export::export;
pub use manual::{completions, man};
pub use plan::plan;
pub use resolutions::resolutions;
pub use verify_cap::verify_cap;
pub use whoami::whoami;
