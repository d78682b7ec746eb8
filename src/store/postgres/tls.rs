//! TLS by rustls: the server's certificate and its name are always verified.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result};

/// A TLS client that trusts the authorities in this file, or those of the system.
///
/// # Errors
///
/// Exit 2 if there are no certificates to trust.
pub(super) fn client(root_cert: Option<&Path>) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug("TLS cannot be set up").because(e))?;
    let roots = match root_cert {
        Some(path) => roots_of_file(path)?,
        None => roots_of_system()?,
    };
    Ok(MakeRustlsConnect::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

fn roots_of_file(path: &Path) -> Result<RootCertStore> {
    let wrong = |why: &str| {
        Error::usage(format!("the certificate file {} {why}", path.display())).hint(
            "set PGSSLROOTCERT, or sslrootcert in the store's URL, to a PEM file with the authority's certificate",
        )
    };
    let pem = std::fs::read(path).map_err(|e| wrong("cannot be read").because(e))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let unreadable = "holds a certificate that cannot be read";
        let certificate = certificate.map_err(|e| wrong(unreadable).because(e.to_string()))?;
        roots.add(certificate).map_err(|e| wrong(unreadable).because(e))?;
    }
    if roots.is_empty() { Err(wrong("holds no certificate")) } else { Ok(roots) }
}

fn roots_of_system() -> Result<RootCertStore> {
    let system = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        return Err(Error::usage("this machine has no certificates of authorities to trust").hint(
            "install the system's certificates (package ca-certificates), or set PGSSLROOTCERT to a file of certificates",
        ));
    }
    Ok(roots)
}
