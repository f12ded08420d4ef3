//! TLS with a company's own certificate authority: the CA bundle of a workspace is honored, and needed.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, Method};
use lakeshift::databricks::transport::{CONNECT_TIMEOUT, Fault, Network, Outgoing, Transport, Trust};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use url::Url;

fn pem(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn server() -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_slice(&pem("server.pem")).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(&pem("server-key.pem")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocols")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a server");
    Arc::new(config)
}

/// Serves `connections` connections, whether or not the client goes through with them.
fn serve(listener: TcpListener, connections: usize) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for _ in 0..connections {
            let (socket, _) = listener.accept().expect("a connection");
            let mut stream = StreamOwned::new(ServerConnection::new(server()).expect("a connection"), socket);
            let mut part = [0; 4096];
            // A client that does not trust us leaves here.
            if stream.read(&mut part).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}");
            }
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}

async fn ask(url: &Url, trust: Trust) -> Result<u16, Fault> {
    let network = Network::new(trust, CONNECT_TIMEOUT, &BTreeMap::new()).expect("a network");
    let request =
        Outgoing { method: Method::GET, url: url.clone(), headers: HeaderMap::new(), body: None, permit: None };
    network.exchange(request).await.map(|answer| answer.status.as_u16()).map_err(|broken| broken.fault)
}

#[tokio::test]
async fn a_companys_own_authority_is_trusted_by_its_bundle_and_only_then() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = Url::parse(&format!("https://{}/", listener.local_addr().expect("an address"))).expect("an address");
    let server = serve(listener, 3);
    assert_eq!(ask(&url, Trust::Nobody).await, Err(Fault::Connect), "nothing left: the handshake failed");
    assert_eq!(ask(&url, Trust::SystemAnd(pem("ca.pem"))).await, Ok(200));
    let several = [pem("server.pem"), pem("ca.pem")].concat();
    assert_eq!(ask(&url, Trust::SystemAnd(several)).await, Ok(200), "a bundle holds several certificates");
    server.join().expect("served all");
}
