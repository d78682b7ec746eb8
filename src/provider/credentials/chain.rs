//! The order in which sources are looked at: the provider's default chain.
//!
//! Environment, OIDC, the command-line tool's file, the SDKs' files, the machine's metadata service, the credentials
//! URI. A profile that is asked for by name stands in one of the files, and nothing else will do.

use std::path::PathBuf;

use super::ecs::EcsRole;
use super::environment::{self, Environment};
use super::source::{Found, Looked, Source};
use super::sts::{OidcRole, Role};
use super::uri::Uri;
use super::web::Web;
use super::{config_json, ini};
use crate::error::{Error, Result};
use crate::provider::credentials::cache::CredentialCache;

/// What the command line says of credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--sts-endpoint`.
    pub sts_endpoint: Option<String>,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// `http://` is allowed beyond loopback.
    pub insecure_http: bool,
}

/// The profile that is asked for.
pub(super) struct Wanted {
    pub(super) name: String,
    /// By which option or variable.
    by: &'static str,
}

/// What every place is looked at with.
pub(super) struct Context<'a> {
    pub(super) environment: &'a Environment,
    pub(super) wanted: Option<Wanted>,
    pub(super) insecure_http: bool,
    sts_endpoint: Option<String>,
}

impl<'a> Context<'a> {
    fn new(access: &Access, environment: &'a Environment) -> Result<Self> {
        let sts_endpoint = access.sts_endpoint.as_deref();
        let sts_endpoint =
            sts_endpoint.map(|url| Web::url("--sts-endpoint", url, None)).transpose()?.map(|(url, _)| url);
        let wanted = |name: &str, by| Wanted { name: name.to_owned(), by };
        let wanted = access.profile.as_deref().map(|name| wanted(name, "--profile"));
        let wanted = wanted.or_else(|| {
            let names = ["ALIBABACLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE", "ALICLOUD_PROFILE"];
            let set = |by| Some(Wanted { name: environment.get(by)?.to_owned(), by });
            names.into_iter().find_map(set)
        });
        Ok(Self { environment, wanted, insecure_http: access.insecure_http, sts_endpoint })
    }

    /// Where roles are assumed: the one that is given, else the provider's in this region, else its central one.
    pub(super) fn sts_endpoint(&self, region: Option<&str>, vpc: bool) -> String {
        if let Some(given) = &self.sts_endpoint {
            return given.clone();
        }
        let service = if vpc || self.environment.is_on("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED") {
            "sts-vpc"
        } else {
            "sts"
        };
        match region.or_else(|| self.environment.get("ALIBABA_CLOUD_STS_REGION")) {
            Some(region) => format!("https://{service}.{region}.aliyuncs.com"),
            None => "https://sts.aliyuncs.com".to_owned(),
        }
    }
}

/// Looks at one place.
type Look = fn(&Context<'_>) -> Result<Looked>;

/// The places that can be looked at without asking anybody, up to those that only a whole chain comes to.
const PLACES: [(&str, Look); 4] = [
    ("environment", |context| environment::look(context.environment)),
    ("OIDC", |context| Ok(oidc(context))),
    ("profile of aliyun", config_json::look),
    ("profile of the SDKs", ini::look),
];
/// The first of them that has profiles.
const PROFILES: usize = 2;

/// Finds the source of keys. Asks nobody but the machine's metadata service, and that only when no place before it is
/// set up.
///
/// # Errors
///
/// Exit 2 when no source is set up (and what each lacks), or the first that is set up cannot be used.
pub async fn find(access: &Access, environment: &Environment) -> Result<CredentialCache> {
    let context = Context::new(access, environment)?;
    let web = Web::new(access.ca_file.clone());
    let mut lacks = Vec::new();
    let found = match local(&context, access.profile.is_some(), &mut lacks)? {
        Some(found) => found,
        None => elsewhere(&context, &web, &mut lacks).await?,
    };
    Ok(CredentialCache::new(found, web))
}

/// What is set up in a place of this machine's own.
fn local(context: &Context<'_>, profiles_only: bool, lacks: &mut Vec<String>) -> Result<Option<Found>> {
    let places = if profiles_only { &PLACES[PROFILES..] } else { &PLACES[..] };
    for (place, look) in places {
        if let Some(found) = noted(place, look(context)?, lacks) {
            return Ok(Some(found));
        }
    }
    let Some(Wanted { name, by }) = &context.wanted else { return Ok(None) };
    let what = format!("the profile `{name}` ({by}) is nowhere to be found:\n{}", lacks.join("\n"));
    Err(Error::usage(what)
        .hint(format!("set it up with `aliyun configure --profile {name}`, or name another")))
}

/// Who else gives keys, without being named.
async fn elsewhere(context: &Context<'_>, web: &Web, lacks: &mut Vec<String>) -> Result<Found> {
    if let Some(found) = noted("metadata of ECS", ecs(context, web).await?, lacks) {
        return Ok(found);
    }
    noted("credentials URI", uri(context)?, lacks).ok_or_else(|| nothing(lacks))
}

/// What is found; what lacks is noted.
fn noted(place: &str, looked: Looked, lacks: &mut Vec<String>) -> Option<Found> {
    match looked {
        Looked::Found(found) => Some(found),
        Looked::Lacks(why) => {
            lacks.push(format!("  {place}: {why}"));
            None
        }
    }
}

fn nothing(lacks: &[String]) -> Error {
    Error::usage(format!("no credentials are found; looked at, in this order:\n{}", lacks.join("\n"))).hint(
        "set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or set up a profile with \
         `aliyun configure`, or try the job with --sandbox, which needs none",
    )
}

/// A role for the token of another identity provider, all in variables.
fn oidc(context: &Context<'_>) -> Looked {
    let environment = context.environment;
    let [arn, provider_arn, token_file] = ["ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE"]
        .map(|name| environment.aliased(name).ok_or(name));
    let (Ok(arn), Ok(provider_arn), Ok(token_file)) = (arn, provider_arn, token_file) else {
        let missing: Vec<String> = [arn, provider_arn, token_file]
            .iter()
            .filter_map(|value| value.err().map(|name| format!("ALIBABA_CLOUD_{name}")))
            .collect();
        let is = if missing.len() == 1 { "is" } else { "are" };
        return Looked::Lacks(format!("{} {is} not set", missing.join(", ")));
    };
    let session = environment.aliased("ROLE_SESSION_NAME").unwrap_or(Role::SESSION).to_owned();
    let role = Role {
        endpoint: context.sts_endpoint(None, false),
        arn: arn.to_owned(),
        session,
        duration_s: Role::DURATION_S,
        policy: None,
        external_id: None,
    };
    let source =
        Source::Oidc(OidcRole { role, provider_arn: provider_arn.to_owned(), token_file: token_file.into() });
    Looked::Found(Found::new(source, "OIDC by environment variables".into()))
}

/// The role of the machine, if there is one.
async fn ecs(context: &Context<'_>, web: &Web) -> Result<Looked> {
    let role = match EcsRole::new(context.environment, None) {
        Ok(role) => role,
        Err(why) => return Ok(Looked::Lacks(why)),
    };
    Ok(match role.probe(web).await? {
        Ok(role) => {
            let name = role.name().unwrap_or_default();
            let origin = format!("the role `{name}` of this machine, by the metadata service");
            Looked::Found(Found::new(Source::Ecs(role), origin))
        }
        Err(why) => Looked::Lacks(why),
    })
}

fn uri(context: &Context<'_>) -> Result<Looked> {
    let name = "ALIBABA_CLOUD_CREDENTIALS_URI";
    let Some(text) = context.environment.get(name) else {
        return Ok(Looked::Lacks(format!("{name} is not set")));
    };
    let uri = Uri::parse(text, context)?;
    let origin = format!("the credentials URI at {} ({name})", uri.place());
    Ok(Looked::Found(Found::new(Source::Uri(uri), origin)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn endpoint(variables: &[(&str, &str)], region: Option<&str>, vpc: bool) -> String {
        let environment = Environment::made(variables, None);
        Context::new(&Access::default(), &environment).unwrap().sts_endpoint(region, vpc)
    }

    #[test]
    fn sts_is_asked_in_the_region_that_profile_or_environment_name() {
        let region = ("ALIBABA_CLOUD_STS_REGION", "cn-beijing");
        assert_eq!(endpoint(&[], None, true), "https://sts.aliyuncs.com");
        assert_eq!(endpoint(&[region], None, false), "https://sts.cn-beijing.aliyuncs.com");
        assert_eq!(
            endpoint(&[region], Some("cn-shanghai"), true),
            "https://sts-vpc.cn-shanghai.aliyuncs.com"
        );
        let vpc = ("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "True");
        assert_eq!(endpoint(&[region, vpc], None, false), "https://sts-vpc.cn-beijing.aliyuncs.com");
    }

    #[test]
    fn sts_is_asked_over_http_on_this_machine_only() {
        let context = |url: &str| {
            let access = Access { sts_endpoint: Some(url.into()), insecure_http: true, ..Access::default() };
            Context::new(&access, &Environment::default())
                .map(|context| context.sts_endpoint(None, false))
                .map_err(|e| e.what)
        };
        assert_eq!(context("http://127.0.0.1:9"), Ok("http://127.0.0.1:9/".into()));
        assert!(context("http://sts.aliyuncs.com").unwrap_err().contains("clear text"));
        assert!(context("sts.aliyuncs.com").unwrap_err().contains("--sts-endpoint"));
    }
}
