//! TLS in front of the scripted provider, and a proxy in front of that. The certificates are for
//! `localhost` and `provider.test`, are valid until 2126, and come from an authority whose key is
//! deleted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// A file in the folder of certificates.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// Forwards connections to a port. Stops when the value is dropped.
pub struct Front {
    pub port: u16,
    /// The requests that a proxy received to connect.
    asked: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Front {
    /// Decrypts TLS.
    pub fn tls(behind: u16) -> Self {
        let chain = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::start(move |client, _| {
            let acceptor = acceptor.clone();
            async move {
                let mut client = acceptor.accept(client).await?;
                let mut server = TcpStream::connect(("127.0.0.1", behind)).await?;
                copy_bidirectional(&mut client, &mut server).await.map(drop)
            }
        })
    }

    /// A proxy that connects every client to this port, for every requested host.
    pub fn proxy(behind: u16) -> Self {
        Self::start(move |client, asked| async move {
            let mut client = BufReader::new(client);
            let mut line = String::new();
            client.read_line(&mut line).await?;
            asked.lock().unwrap().push(line.trim_end().trim_end_matches(" HTTP/1.1").to_owned());
            while line.trim_end() != "" {
                line.clear();
                client.read_line(&mut line).await?;
            }
            client.get_mut().write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            let mut server = TcpStream::connect(("127.0.0.1", behind)).await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        })
    }

    /// A proxy that wants a password.
    pub fn refusing_proxy() -> Self {
        Self::start(move |client, asked| async move {
            let mut client = BufReader::new(client);
            let mut line = String::new();
            client.read_line(&mut line).await?;
            asked.lock().unwrap().push(line.trim_end().to_owned());
            while line.trim_end() != "" {
                line.clear();
                client.read_line(&mut line).await?;
            }
            let refused = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
            client.get_mut().write_all(refused.as_bytes()).await
        })
    }

    fn start<F, W>(serve: F) -> Self
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> W + Send + 'static,
        W: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let for_all = asked.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // An error here means that a client left or refused the certificate.
                tokio::spawn(serve(client, for_all.clone()));
            }
        });
        Self { port, asked, _runtime: runtime }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
