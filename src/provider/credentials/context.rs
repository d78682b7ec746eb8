//! What every step of the search for credentials needs.

use std::path::PathBuf;

use super::environment::Environment;
use super::service::ServiceUrl;
use crate::error::Result;
use crate::http_client::UrlSetting;

/// The variables that name a profile, in order of precedence.
const PROFILE_VARIABLES: [&str; 3] = ["ALIBABACLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE", "ALICLOUD_PROFILE"];

/// The operator's choice of credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The requested profile.
    pub profile: Option<String>,
    /// The requested URL of STS.
    pub sts_endpoint: Option<String>,
    /// PEM file of certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Allows `http://` beyond this machine.
    pub insecure_http: bool,
}

/// The profile that the operator or the environment names.
pub(super) struct RequestedProfile {
    pub(super) name: String,
    /// The variable that names it; `None` if the operator named it.
    pub(super) variable: Option<&'static str>,
}

/// What every step of the search needs.
pub(super) struct Context<'a> {
    pub(super) environment: &'a Environment,
    pub(super) requested: Option<RequestedProfile>,
    pub(super) insecure_http: bool,
    sts_endpoint: Option<String>,
}

impl<'a> Context<'a> {
    /// Combines the operator's choice with the environment.
    ///
    /// # Errors
    ///
    /// Exit 2 when the STS endpoint is not a URL, or would be reached unencrypted.
    pub(super) fn new(access: &Access, environment: &'a Environment) -> Result<Self> {
        let parse = |value: &str| {
            let name = "the STS endpoint";
            let setting = UrlSetting { name, value, example: "https://sts.aliyuncs.com" };
            ServiceUrl::parse(&setting, None).map(|parsed| parsed.url)
        };
        let sts_endpoint = access.sts_endpoint.as_deref().map(parse).transpose()?;
        let in_variable = |variable| {
            let name = environment.get(variable)?.to_owned();
            Some(RequestedProfile { name, variable: Some(variable) })
        };
        let requested = match &access.profile {
            Some(name) => Some(RequestedProfile { name: name.clone(), variable: None }),
            None => PROFILE_VARIABLES.into_iter().find_map(in_variable),
        };
        Ok(Self { environment, requested, insecure_http: access.insecure_http, sts_endpoint })
    }

    /// The URL of STS (Security Token Service): the operator's, else the provider's in this region,
    /// else the provider's central one.
    pub(super) fn sts_endpoint(&self, region: Option<&str>, vpc: bool) -> String {
        if let Some(endpoint) = &self.sts_endpoint {
            return endpoint.clone();
        }
        let vpc = vpc || self.environment.is_on("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED");
        let service = if vpc { "sts-vpc" } else { "sts" };
        match region.or_else(|| self.environment.get("ALIBABA_CLOUD_STS_REGION")) {
            Some(region) => format!("https://{service}.{region}.aliyuncs.com"),
            None => "https://sts.aliyuncs.com".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn endpoint(variables: &[(&str, &str)], region: Option<&str>, vpc: bool) -> String {
        let environment = Environment::with(variables);
        Context::new(&Access::default(), &environment).unwrap().sts_endpoint(region, vpc)
    }

    #[test]
    fn the_profile_s_or_the_environment_s_region_selects_sts() {
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
    fn sts_over_http_must_be_on_this_machine() {
        let endpoint = |url: &str| {
            let access = Access { sts_endpoint: Some(url.into()), insecure_http: true, ..Access::default() };
            Context::new(&access, &Environment::default())
                .map(|context| context.sts_endpoint(None, false))
                .map_err(|e| e.what)
        };
        assert_eq!(endpoint("http://127.0.0.1:9"), Ok("http://127.0.0.1:9/".into()));
        assert!(endpoint("http://sts.aliyuncs.com").unwrap_err().contains("clear text"));
        assert!(endpoint("sts.aliyuncs.com").unwrap_err().contains("STS endpoint"));
    }
}
