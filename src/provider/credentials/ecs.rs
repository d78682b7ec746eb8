//! The role of the machine itself: ECS metadata service, version 2 (a token first), and version 1 where that is not
//! switched off.
//!
//! A machine that is no ECS instance has nothing at that address: the time-out is short, and no proxy is asked.

use std::time::Duration;

use super::environment::Environment;
use super::source::{Failure, Given, Temporary};
use super::web::{Ask, Web};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::provider::wire::Received;

const ENDPOINT: &str = "http://100.100.100.200";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
const TIMEOUT: Duration = Duration::from_secs(1);
/// Six hours, as the provider's own tools ask for.
const TOKEN_LIFE_S: &str = "21600";

/// The role of the machine.
#[derive(Debug, Clone)]
pub(super) struct EcsRole {
    endpoint: String,
    /// Without one, the service says which.
    name: Option<String>,
    version_1: bool,
}

impl EcsRole {
    /// As the variables say; a role that a profile names comes first.
    ///
    /// # Errors
    ///
    /// It is switched off; says by what.
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

    /// The same with its role's name, if the machine has a role; else why not.
    pub(super) async fn probe(self, web: &Web) -> Result<Result<Self, String>> {
        match self.role_name(web).await {
            Ok((name, _)) => Ok(Ok(Self { name: Some(name), ..self })),
            Err(Failure::Away(why)) => Ok(Err(why)),
            Err(Failure::Refused(error)) if error.exit == Exit::Fatal => Ok(Err(error.what)),
            Err(Failure::Refused(error)) => Err(error),
        }
    }

    pub(super) async fn give(&self, web: &Web) -> Result<Given, Failure> {
        let (name, token) = self.role_name(web).await?;
        let received = self.get(web, &format!("{ROLES}{name}"), token.as_deref()).await?;
        if received.status != 200 {
            return Err(refused(&format!(
                "the metadata service answers HTTP {} for the role `{name}`",
                received.status
            )));
        }
        let read =
            serde_json::from_slice::<Temporary>(&received.body).map_err(|_| "it cannot be read".to_owned());
        let given = read.and_then(|answer| answer.given(received.date));
        given.map_err(|why| {
            refused(&format!("the metadata service's answer for the role `{name}` cannot be used: {why}"))
        })
    }

    /// The role's name, and the token of version 2 where there is one.
    async fn role_name(&self, web: &Web) -> Result<(String, Option<String>), Failure> {
        let token = self.token(web).await?;
        if let Some(name) = &self.name {
            return Ok((name.clone(), token));
        }
        let received = self.get(web, ROLES, token.as_deref()).await?;
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

    /// `None` where the service has no version 2 and version 1 will do.
    async fn token(&self, web: &Web) -> Result<Option<String>, Failure> {
        let life = [("x-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_LIFE_S)];
        let url = format!("{}/latest/api/token", self.endpoint);
        let received = web.send(&url, Ask::Put(&life), TIMEOUT, true).await?;
        let token = String::from_utf8_lossy(&received.body).trim().to_owned();
        match received.status {
            200 if !token.is_empty() => Ok(Some(token)),
            _ if self.version_1 => Ok(None),
            status => Err(refused(&format!(
                "the metadata service gives no token (HTTP {status}), and version 1 is switched off by \
                 ALIBABA_CLOUD_IMDSV1_DISABLED"
            ))),
        }
    }

    async fn get(&self, web: &Web, path: &str, token: Option<&str>) -> Result<Received, Failure> {
        let url = format!("{}{path}", self.endpoint);
        let headers: Vec<_> = token.map(|token| ("x-aliyun-ecs-metadata-token", token)).into_iter().collect();
        web.send(&url, Ask::Get(&headers), TIMEOUT, true).await
    }
}

fn refused(what: &str) -> Failure {
    let error = Error::new(Exit::Fatal, what);
    Failure::Refused(
        error.hint("attach a RAM role to this machine in the provider's console, and check its name"),
    )
}
