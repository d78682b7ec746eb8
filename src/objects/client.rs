//! The library's client of a bucket, with this program's HTTP client and the usual keys.

use std::path::Path;
use std::time::Duration;

use opendal::Operator;
use opendal::layers::HttpClientLayer;
use opendal::raw::HttpClient;
use opendal::services::{Oss, S3};
use reqwest::{Client, Url};

use super::endpoint::{Endpoint, amazon};
use super::error::Failure;
use super::oss_signer::OssSigner;
use super::transport::Transport;
use super::url::{ObjectUrl, Service};
use crate::caught::caught;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::http_client::{ClientOptions, build_without_unpacking};
use crate::provider::credentials::{self, Access, Environment};
use crate::provider::lost_request;

/// Time limit of one request, from connect to last byte: 8 MiB at 70 kB/s.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Time limit of a request to the metadata service, which answers at once or not at all.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// The client of the URL's bucket. Its keys are those of the service's own tools.
///
/// # Errors
///
/// Exit 2 if endpoint, certificates or keys cannot be used.
pub(super) async fn connect(of: &ObjectUrl, access: &Access) -> Result<Operator> {
    let variables = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let mut endpoint = Endpoint::find(of, access.insecure_http, &variables)?;
    let ca_file = access.ca_file.as_deref();
    let client = http_client(&endpoint.url, ca_file, false)?;
    let metadata = http_client(&endpoint.url, ca_file, true)?;
    if endpoint.region.is_none() {
        let region = region_of_bucket(&client, &endpoint.url, of).await?;
        endpoint = Endpoint { url: amazon(Some(&region))?, region: Some(region), ..endpoint };
    }
    let signer = match of.service {
        Service::S3 => None,
        Service::Oss => {
            let keys = credentials::find(access, &Environment::of_process()).await?;
            Some(OssSigner::new(&of.bucket, endpoint.region.as_deref().unwrap_or_default(), keys))
        }
    };
    let transport = HttpClient::with(Transport { client, metadata, signer });
    // The library first makes a client of its own, which panics without the system's certificates.
    match caught(|| operator(of, &endpoint)) {
        Some(Ok(operator)) => Ok(operator.layer(HttpClientLayer::new(transport))),
        Some(Err(error)) => Err(Failure::of(&error).to_error("cannot use", of, Exit::Usage)),
        None => Err(Error::usage(format!("cannot use {of}: this system has no certificates of authorities"))
            .hint("install them (package ca-certificates), or set SSL_CERT_FILE to a file of certificates")),
    }
}

fn operator(of: &ObjectUrl, endpoint: &Endpoint) -> opendal::Result<Operator> {
    let url = endpoint.url.as_str().trim_end_matches('/');
    match of.service {
        Service::S3 => {
            let region = endpoint.region.as_deref().unwrap_or_default();
            let service = S3::default().bucket(&of.bucket).endpoint(url).region(region);
            let service = if endpoint.in_host { service.enable_virtual_host_style() } else { service };
            Ok(Operator::new(service)?.finish())
        }
        Service::Oss => {
            let style = if endpoint.in_host { "virtual" } else { "path" };
            let service = Oss::default().bucket(&of.bucket).endpoint(url).addressing_style(style);
            Ok(Operator::new(service.skip_signature())?.finish())
        }
    }
}

fn http_client(url: &Url, ca_file: Option<&Path>, for_metadata: bool) -> Result<Client> {
    let timeout = if for_metadata { METADATA_TIMEOUT } else { TIMEOUT };
    build_without_unpacking(url, ClientOptions { timeout, ca_file, no_proxy: for_metadata })
}

/// The region of a bucket at Amazon. The service names it to everybody.
async fn region_of_bucket(client: &Client, endpoint: &Url, of: &ObjectUrl) -> Result<String> {
    let doing = "cannot find out the region of";
    let mut url = endpoint.clone();
    url.set_path(&of.bucket);
    let response = client.head(url).send().await.map_err(|error| {
        let lost = lost_request(&error.without_url());
        Failure::NoResponse(lost.message).to_error(doing, of, Exit::Usage)
    })?;
    let region = response.headers().get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    region.map(str::to_owned).ok_or_else(|| {
        let (status, code) = (response.status().as_u16(), "NoSuchBucket".to_owned());
        Failure::Refused { status, code, message: String::new() }.to_error(doing, of, Exit::Usage)
    })
}
