//! Where a bucket is: URL and region of its service, from the environment variables that the
//! services' own tools read.

use reqwest::Url;

use super::url::{ObjectUrl, Service};
use crate::error::{Error, Result};
use crate::http_client::{UrlSetting, is_clear_text};
use crate::shown_url;

/// Reads an environment variable; `None` if it is not set or empty.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Without a slash at its end.
    pub(super) url: Url,
    /// `None` if the service has to be asked for it.
    pub(super) region: Option<String>,
    /// Whether the bucket is a part of the host's name, not of the path.
    pub(super) in_host: bool,
}

impl Endpoint {
    /// The endpoint of the URL's service.
    ///
    /// # Errors
    ///
    /// Exit 2 if a variable is missing or holds no URL, or if requests would leave this machine
    /// unencrypted.
    pub(super) fn find(of: &ObjectUrl, insecure_http: bool, variables: Variables<'_>) -> Result<Self> {
        let endpoint = match of.service {
            Service::S3 => s3(of, variables)?,
            Service::Oss => oss(of, variables)?,
        };
        if is_clear_text(&endpoint.url) && !insecure_http {
            let what = format!(
                "the endpoint {} of {of} is not encrypted: phone numbers would travel in clear text",
                shown_url::shown(&endpoint.url)
            );
            let hint = "use https://, or set insecure-http to allow plain HTTP if the network is safe";
            return Err(Error::usage(what).hint(hint));
        }
        Ok(endpoint)
    }
}

/// The first of these variables that is set.
fn first(variables: Variables<'_>, names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| Some((*name, variables(name)?)))
}

fn s3(of: &ObjectUrl, variables: Variables<'_>) -> Result<Endpoint> {
    let region = first(variables, &["AWS_REGION", "AWS_DEFAULT_REGION"]).map(|(_, region)| region);
    let Some((name, value)) = first(variables, &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) else {
        // A certificate of the service covers no further dots.
        let in_host = !of.bucket.contains('.');
        return Ok(Endpoint { url: amazon(region.as_deref())?, region, in_host });
    };
    let url = parse(name, &value, "https://s3.eu-central-1.amazonaws.com")?;
    // These services take the bucket in no other place.
    let in_host = url.host_str().is_some_and(|host| host.ends_with(".aliyuncs.com"));
    // Other services with this interface accept any region, usually.
    Ok(Endpoint { region: Some(region.unwrap_or_else(|| "us-east-1".into())), url, in_host })
}

/// The URL of Amazon's S3 in a region, or of its central one.
///
/// # Errors
///
/// Exit 2 if the region cannot be a part of a host's name.
pub(super) fn amazon(region: Option<&str>) -> Result<Url> {
    let url = match region {
        None => "https://s3.amazonaws.com".to_owned(),
        Some(region) if region.starts_with("cn-") => format!("https://s3.{region}.amazonaws.com.cn"),
        Some(region) => format!("https://s3.{region}.amazonaws.com"),
    };
    parse("AWS_REGION", &url, "https://s3.eu-central-1.amazonaws.com")
}

fn oss(of: &ObjectUrl, variables: Variables<'_>) -> Result<Endpoint> {
    let region = variables("OSS_REGION").map(|region| region.trim_start_matches("oss-").to_owned());
    let example = "https://oss-cn-hangzhou.aliyuncs.com";
    let url = match (variables("OSS_ENDPOINT"), &region) {
        (Some(value), _) if value.contains("://") => parse("OSS_ENDPOINT", &value, example)?,
        (Some(value), _) => parse("OSS_ENDPOINT", &format!("https://{value}"), example)?,
        (None, Some(region)) => parse("OSS_REGION", &format!("https://oss-{region}.aliyuncs.com"), example)?,
        (None, None) => return Err(no_region(of)),
    };
    let of_host = url.host_str().and_then(region_of_host);
    let region = region.or(of_host).ok_or_else(|| no_region(of))?;
    let in_host = url.domain().is_some_and(|host| host != "localhost");
    Ok(Endpoint { url, region: Some(region), in_host })
}

/// The region in the name of one of the provider's hosts.
fn region_of_host(host: &str) -> Option<String> {
    let name = host.strip_suffix(".aliyuncs.com")?.strip_prefix("oss-")?;
    Some(name.trim_end_matches("-internal").to_owned())
}

fn no_region(of: &ObjectUrl) -> Error {
    Error::usage(format!("the region of {of} is not known"))
        .hint("set OSS_REGION, for example to cn-hangzhou; OSS_ENDPOINT names another host")
}

fn parse(name: &str, value: &str, example: &str) -> Result<Url> {
    UrlSetting { name, value, example }.parse()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn find(url: &str, variables: &[(&str, &str)]) -> Result<(String, Option<String>, bool)> {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let endpoint = Endpoint::find(&ObjectUrl::parse(url).unwrap(), false, &get)?;
        Ok((endpoint.url.to_string(), endpoint.region, endpoint.in_host))
    }

    #[test]
    fn the_variables_of_the_services_tools_name_the_endpoint() {
        let found = |url: &str, in_host: bool, region: &str| {
            let region = Some(region).filter(|region| !region.is_empty());
            (url.to_owned(), region.map(str::to_owned), in_host)
        };
        for (url, variables, wanted) in [
            ("s3://night", &[][..], found("https://s3.amazonaws.com/", true, "")),
            (
                "s3://a.night",
                &[("AWS_REGION", "eu-west-1")],
                found("https://s3.eu-west-1.amazonaws.com/", false, "eu-west-1"),
            ),
            (
                "s3://night",
                &[("AWS_DEFAULT_REGION", "cn-north-1")],
                found("https://s3.cn-north-1.amazonaws.com.cn/", true, "cn-north-1"),
            ),
            (
                "s3://night",
                &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")],
                found("http://127.0.0.1:9000/", false, "us-east-1"),
            ),
            (
                "s3://night",
                &[
                    ("AWS_ENDPOINT_URL_S3", "https://s3.oss-cn-beijing.aliyuncs.com"),
                    ("AWS_ENDPOINT_URL", "x"),
                ],
                found("https://s3.oss-cn-beijing.aliyuncs.com/", true, "us-east-1"),
            ),
            (
                "oss://night",
                &[("OSS_REGION", "oss-cn-hangzhou")],
                found("https://oss-cn-hangzhou.aliyuncs.com/", true, "cn-hangzhou"),
            ),
            (
                "oss://night",
                &[("OSS_ENDPOINT", "oss-cn-beijing-internal.aliyuncs.com")],
                found("https://oss-cn-beijing-internal.aliyuncs.com/", true, "cn-beijing"),
            ),
            (
                "oss://night",
                &[("OSS_ENDPOINT", "http://127.0.0.1:9"), ("OSS_REGION", "cn-x")],
                found("http://127.0.0.1:9/", false, "cn-x"),
            ),
        ] {
            assert_eq!(find(url, variables).unwrap(), wanted, "{url} {variables:?}");
        }
    }

    #[test]
    fn an_endpoint_that_cannot_be_used_is_refused() {
        for (url, variables, what) in [
            ("oss://night", &[][..], "the region of oss://night is not known"),
            ("oss://night", &[("OSS_ENDPOINT", "http://127.0.0.1:9")], "is not known"),
            ("s3://night", &[("AWS_ENDPOINT_URL", "http://192.0.2.1")], "is not encrypted"),
            ("s3://night", &[("AWS_ENDPOINT_URL", "nonsense")], "AWS_ENDPOINT_URL is not a URL"),
        ] {
            let error = find(url, variables).unwrap_err();
            assert!(error.what.contains(what), "{}", error.what);
        }
    }
}
