//! The sources of keys.

use chrono::Utc;
use futures::future::BoxFuture;

use super::ecs::EcsRole;
use super::external::ExternalProgram;
use super::issued::{IssuedKey, KeyError};
use super::service::ServiceClient;
use super::sts::{OidcRole, Role};
use super::uri::CredentialsUri;
use crate::provider::key::Credentials;

/// Where keys come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A static key; it is never renewed.
    Static(Credentials),
    /// STS issues a key for a role, which the key of another source assumes.
    Role { from: Box<Self>, role: Role },
    /// STS issues a key for a role, which a token of another identity provider assumes.
    Oidc(OidcRole),
    /// The machine's metadata service issues a key for the machine's role.
    Ecs(EcsRole),
    /// A URL returns a key.
    Uri(CredentialsUri),
    /// Another program prints a key.
    External(ExternalProgram),
}

impl Source {
    /// Gets a key from the source.
    pub(super) fn issue<'a>(
        &'a self,
        services: &'a ServiceClient,
    ) -> BoxFuture<'a, Result<IssuedKey, KeyError>> {
        Box::pin(async move {
            match self {
                Self::Static(key) => {
                    let lifetime = key.expires_at.map(|at| (at - Utc::now()).to_std().unwrap_or_default());
                    Ok(IssuedKey { key: key.clone(), lifetime })
                }
                Self::Role { from, role } => role.assume(services, &from.issue(services).await?.key).await,
                Self::Oidc(role) => role.assume(services).await,
                Self::Ecs(role) => role.issue(services).await,
                Self::Uri(uri) => uri.issue(services).await,
                Self::External(program) => program.issue().await,
            }
        })
    }

    /// The static key that it uses, if any.
    pub(super) fn static_key(&self) -> Option<&Credentials> {
        match self {
            Self::Static(key) => Some(key),
            Self::Role { from, .. } => from.static_key(),
            Self::Oidc(_) | Self::Ecs(_) | Self::Uri(_) | Self::External(_) => None,
        }
    }

    /// True if the source may issue another key later.
    pub(super) fn is_renewable(&self) -> bool {
        !matches!(self, Self::Static(_))
    }

    /// The ARN or the name of the role that the key acts as.
    pub(super) fn role(&self) -> Option<&str> {
        match self {
            Self::Role { role, .. } | Self::Oidc(OidcRole { role, .. }) => Some(&role.arn),
            Self::Ecs(role) => role.name(),
            Self::Static(_) | Self::Uri(_) | Self::External(_) => None,
        }
    }
}
