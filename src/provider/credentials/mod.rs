//! Where the access key comes from, and how it is renewed. The search follows the provider's own
//! tools.
//!
//! [`find`] searches the provider's default chain and uses the first source that is set up. A
//! source that is set up wrongly is an error and is never skipped: the next one may belong to
//! another account. [`CredentialCache`] holds the key, and renews a temporary one before it
//! expires. Secrets leave this folder only for signing: no error, message or `Debug` output
//! contains one.

mod cache;
mod chain;
mod config_json;
mod context;
mod ecs;
mod environment;
mod environment_key;
mod external;
mod files;
mod identity;
mod ini;
mod issued;
mod lookup;
mod mode;
mod profile;
mod profile_source;
mod service;
mod source;
mod sts;
mod uri;

pub use super::key::Credentials;
pub use cache::CredentialCache;
pub use chain::{files_of, find};
pub use context::Access;
pub use environment::Environment;
pub use files::readers_warning;
pub use identity::Identity;
