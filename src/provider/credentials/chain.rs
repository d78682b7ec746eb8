//! Searches for credentials in the order of the provider's default chain.
//!
//! The order is: environment, OIDC, the command-line tool's file, the SDKs' files, the machine's
//! metadata service, the credentials URI. A profile requested by name is searched only in the
//! files.

use std::path::PathBuf;

use super::cache::CredentialCache;
use super::context::{Access, Context, RequestedProfile};
use super::ecs::EcsRole;
use super::environment::Environment;
use super::lookup::{FoundSource, LookupResult};
use super::service::ServiceClient;
use super::source::Source;
use super::sts::{OidcRole, Role};
use super::uri::CredentialsUri;
use super::{config_json, environment_key, ini};
use crate::error::{Error, Result};
use crate::provider::key::Credentials;

/// Looks for a source of keys in one location.
type Look = fn(&Context<'_>) -> Result<LookupResult>;

/// The locations on this machine that hold a key without profiles.
const WITHOUT_PROFILES: [(&str, Look); 2] = [
    ("environment", |context| environment_key::look(context.environment)),
    ("OIDC", |context| Ok(oidc(context))),
];
/// The files that hold profiles.
const FILES: [(&str, Look); 2] =
    [("profile of aliyun", config_json::look), ("profile of the SDKs", ini::look)];

/// Finds the source of keys. Sends no request, except to the machine's metadata service if no
/// earlier source is set up.
///
/// # Errors
///
/// Exit 2 when no source is set up (the error says what each lacks), or when the first one that is
/// set up cannot be used.
pub async fn find(access: &Access, environment: &Environment) -> Result<CredentialCache> {
    let context = Context::new(access, environment)?;
    let services = ServiceClient::new(access.ca_file.clone());
    let found = Search { context: &context, missing: Vec::new() }.run(access, &services).await?;
    if let Some(what) = found.source.static_key().and_then(Credentials::quotation_marks) {
        let hint = format!(
            "the key is from {}; a file of variables for docker keeps quotation marks as they are",
            found.origin
        );
        return Err(Error::usage(what).hint(hint));
    }
    Ok(CredentialCache::new(found, services))
}

/// The files in which [`find`] looks for keys and tokens. Not all of them need exist.
#[must_use]
pub fn files_of(environment: &Environment) -> Vec<PathBuf> {
    let token = environment.aliased("OIDC_TOKEN_FILE").map(PathBuf::from);
    let profiles = ini::paths(environment);
    config_json::path(environment).into_iter().chain(profiles).chain(token).collect()
}

/// A search in progress.
struct Search<'a> {
    context: &'a Context<'a>,
    /// What each searched location lacks, one line each.
    missing: Vec<String>,
}

impl Search<'_> {
    async fn run(mut self, access: &Access, services: &ServiceClient) -> Result<FoundSource> {
        let context = self.context;
        let skip_keys = access.profile.is_some();
        for (location, look) in WITHOUT_PROFILES.iter().filter(|_| !skip_keys).chain(&FILES) {
            if let Some(found) = self.note(location, look(context)?) {
                return Ok(found);
            }
        }
        if let Some(requested) = &context.requested {
            return Err(self.no_such_profile(requested));
        }
        if let Some(found) = self.note("metadata of ECS", ecs(context, services).await?) {
            return Ok(found);
        }
        self.note("credentials URI", uri(context)?).ok_or_else(|| self.nothing_found())
    }

    /// Returns the source, or notes what the location lacks.
    fn note(&mut self, location: &str, result: LookupResult) -> Option<FoundSource> {
        match result {
            LookupResult::Found(found) => Some(found),
            LookupResult::Missing(why) => {
                self.missing.push(format!("{location}: {why}"));
                None
            }
        }
    }

    /// The places searched and what they lack, on one line.
    fn numbered(&self) -> String {
        let numbered = self.missing.iter().zip(1..).map(|(missing, no)| format!("({no}) {missing}"));
        numbered.collect::<Vec<_>>().join(" ")
    }

    fn no_such_profile(&self, requested: &RequestedProfile) -> Error {
        let RequestedProfile { name, variable } = requested;
        let variable = variable.map(|variable| format!(" ({variable})")).unwrap_or_default();
        let missing = self.numbered();
        Error::usage(format!("the profile `{name}`{variable} was not found: {missing}"))
            .hint(format!("set it up with `aliyun configure --profile {name}`, or choose another profile"))
    }

    fn nothing_found(&self) -> Error {
        let missing = self.numbered();
        Error::usage(format!("no credentials were found; they were searched in this order: {missing}")).hint(
            "set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or set up a profile with \
             `aliyun configure`; to try the job without credentials, add --sandbox",
        )
    }
}

/// A role that the token of another identity provider assumes, from environment variables.
fn oidc(context: &Context<'_>) -> LookupResult {
    let environment = context.environment;
    let [arn, provider_arn, token_file] = ["ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE"]
        .map(|name| environment.aliased(name).ok_or(name));
    let (Ok(arn), Ok(provider_arn), Ok(token_file)) = (arn, provider_arn, token_file) else {
        let missing: Vec<String> = [arn, provider_arn, token_file]
            .iter()
            .filter_map(|value| value.err().map(|name| format!("ALIBABA_CLOUD_{name}")))
            .collect();
        let is = if missing.len() == 1 { "is" } else { "are" };
        return LookupResult::Missing(format!("{} {is} not set", missing.join(", ")));
    };
    let role = Role {
        endpoint: context.sts_endpoint(None, false),
        arn: arn.to_owned(),
        session: environment.aliased("ROLE_SESSION_NAME").unwrap_or(Role::SESSION).to_owned(),
        duration_s: Role::DURATION_S,
        policy: None,
        external_id: None,
    };
    let (provider_arn, token_file) = (provider_arn.to_owned(), token_file.into());
    let source = Source::Oidc(OidcRole { role, provider_arn, token_file });
    LookupResult::found(source, "OIDC by environment variables".into())
}

/// The role of this machine, if it has one.
async fn ecs(context: &Context<'_>, services: &ServiceClient) -> Result<LookupResult> {
    let role = match EcsRole::new(context.environment, None) {
        Ok(role) => role,
        Err(why) => return Ok(LookupResult::Missing(why)),
    };
    Ok(match role.probe(services).await? {
        Ok(role) => {
            let name = role.name().unwrap_or_default();
            let origin = format!("the role `{name}` of this machine, by the metadata service");
            LookupResult::found(Source::Ecs(role), origin)
        }
        Err(why) => LookupResult::Missing(why),
    })
}

fn uri(context: &Context<'_>) -> Result<LookupResult> {
    let variable = "ALIBABA_CLOUD_CREDENTIALS_URI";
    let Some(value) = context.environment.get(variable) else {
        return Ok(LookupResult::Missing(format!("{variable} is not set")));
    };
    let uri = CredentialsUri::parse(value, context.insecure_http)?;
    let origin = format!("the credentials URI at {} ({variable})", uri.origin());
    Ok(LookupResult::found(Source::Uri(uri), origin))
}
