//! The role of this machine, from the metadata service of ECS, the provider's cloud servers.
//! Version 2 of the service needs a token. Otherwise version 1 is used, unless it is switched off.
//!
//! Outside ECS nothing answers at the service's address. So the time limit is short, and no proxy
//! is used.

use std::time::Duration;

use super::environment::Environment;
use super::issued::{IssuedKey, KeyError, TemporaryKey};
use super::service::{Method, ServiceClient, ServiceRequest};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::wire::Received;

const ENDPOINT: &str = "http://100.100.100.200";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
const TIMEOUT: Duration = Duration::from_secs(1);
/// Lifetime of the service's token: six hours, as the provider's own tools request.
const TOKEN_LIFETIME_S: &str = "21600";

/// The role of this machine.
#[derive(Debug, Clone)]
pub(super) struct EcsRole {
    endpoint: String,
    /// The role's name; `None` until the service gives it.
    name: Option<String>,
    /// True if version 1 of the service may be used.
    version_1: bool,
}

impl EcsRole {
    /// The role with this name, else the one in an environment variable, else the one that the
    /// service names.
    ///
    /// # Errors
    ///
    /// A text that names the variable that switches the service off.
    pub(super) fn new(environment: &Environment, name: Option<&str>) -> Result<Self, String> {
        let switch = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
        if environment.is_on(switch) {
            return Err(format!("switched off by {switch}"));
        }
        let endpoint = environment.get("ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT").unwrap_or(ENDPOINT);
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            name: name.or_else(|| environment.get("ALIBABA_CLOUD_ECS_METADATA")).map(str::to_owned),
            version_1: !environment.is_on("ALIBABA_CLOUD_IMDSV1_DISABLED"),
        })
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The role with its name. The inner error says why this machine has no role.
    ///
    /// # Errors
    ///
    /// Exit 2 when the service's URL or the CA file cannot be used.
    pub(super) async fn probe(self, services: &ServiceClient) -> Result<Result<Self, String>> {
        match self.name_and_token(services).await {
            Ok((name, _)) => Ok(Ok(Self { name: Some(name), ..self })),
            Err(KeyError::Unavailable(why)) => Ok(Err(why)),
            Err(KeyError::Refused(error)) if error.exit == Exit::Fatal => Ok(Err(error.what)),
            Err(KeyError::Refused(error)) => Err(error),
        }
    }

    /// Gets a key for the role.
    pub(super) async fn issue(&self, services: &ServiceClient) -> Result<IssuedKey, KeyError> {
        let (name, token) = self.name_and_token(services).await?;
        let received = self.get(services, &format!("{ROLES}{name}"), token.as_deref()).await?;
        if received.status != 200 {
            let status = received.status;
            return Err(refused(&format!(
                "the metadata service answers HTTP {status} for the role `{name}`"
            )));
        }
        let key = serde_json::from_slice::<TemporaryKey>(&received.body)
            .map_err(|_| "it is not JSON".to_owned())
            .and_then(|key| key.into_issued(received.date));
        key.map_err(|why| {
            refused(&format!("the metadata service's answer for the role `{name}` cannot be used: {why}"))
        })
    }

    /// The role's name, and the token of version 2 of the service.
    async fn name_and_token(&self, services: &ServiceClient) -> Result<(String, Option<String>), KeyError> {
        let token = self.token(services).await?;
        if let Some(name) = &self.name {
            return Ok((name.clone(), token));
        }
        let received = self.get(services, ROLES, token.as_deref()).await?;
        let name =
            String::from_utf8_lossy(&received.body).lines().next().unwrap_or_default().trim().to_owned();
        match received.status {
            200 if !name.is_empty() => Ok((name, token)),
            200 | 404 => Err(refused("no RAM role is attached to this machine")),
            status => {
                Err(refused(&format!("the metadata service answers HTTP {status} when asked for the role")))
            }
        }
    }

    /// A token of version 2; `None` to use version 1.
    async fn token(&self, services: &ServiceClient) -> Result<Option<String>, KeyError> {
        let lifetime = [("x-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_LIFETIME_S)];
        let received = self.send(services, "/latest/api/token", Method::Put(&lifetime)).await?;
        let token = String::from_utf8_lossy(&received.body).trim().to_owned();
        match received.status {
            200 if !token.is_empty() => Ok(Some(token)),
            _ if self.version_1 => Ok(None),
            status => Err(refused(&format!(
                "the metadata service issues no token (HTTP {status}), and ALIBABA_CLOUD_IMDSV1_DISABLED \
                 switches version 1 off"
            ))),
        }
    }

    async fn get(
        &self,
        services: &ServiceClient,
        path: &str,
        token: Option<&str>,
    ) -> Result<Received, KeyError> {
        let headers: Vec<_> = token.map(|token| ("x-aliyun-ecs-metadata-token", token)).into_iter().collect();
        self.send(services, path, Method::Get(&headers)).await
    }

    async fn send(
        &self,
        services: &ServiceClient,
        path: &str,
        method: Method<'_>,
    ) -> Result<Received, KeyError> {
        let url = &format!("{}{path}", self.endpoint);
        services.send(ServiceRequest { url, method, timeout: TIMEOUT, no_proxy: true }).await
    }
}

fn refused(what: &str) -> KeyError {
    let hint = "attach a RAM role to this machine in the provider's console, and check its name";
    KeyError::Refused(Error::new(Exit::Fatal, what).hint(hint))
}
