//! The client over real sockets and a real process: what only the operating system can show.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lakeshift::databricks::auth::{Credentials, resolve};
use lakeshift::databricks::transport::{CONNECT_TIMEOUT, MAX_BODY_BYTES, Network, Trust};
use lakeshift::databricks::{Budget, Client, ClientOptions, HostError, Kind, Outcome, RetryPolicy, StartUpdate};
use lakeshift::domain::Instant;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::credential::CredentialSource;
use lakeshift::domain::ids::{PipelineId, WorkspaceName};
use lakeshift::domain::request::RequestRecord;
use lakeshift::domain::workspace::{Environment, Workspace};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Instant {
        std::time::SystemTime::now().into()
    }
}

type Records = Arc<Mutex<Vec<RequestRecord>>>;

fn client_of(host: &str, network: Network, credentials: Credentials) -> Result<(Client, Records), HostError> {
    let records = Records::default();
    let notebook = Arc::clone(&records);
    let much = NonZeroU32::new(1_000).expect("not 0");
    let client = Client::new(ClientOptions {
        workspace: Workspace {
            name: WorkspaceName::new("dev"),
            environment: Environment::Dev,
            letter: 'D',
            host: host.to_owned(),
        },
        transport: Arc::new(network),
        credentials,
        budget: Budget::new(much, much),
        retry: RetryPolicy {
            attempts: 2,
            min_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(2),
            ..RetryPolicy::default()
        },
        clock: Arc::new(WallClock),
        observer: Arc::new(move |record| notebook.lock().expect("whole").push(record)),
    })?;
    Ok((client, records))
}

fn token() -> Credentials {
    Credentials::token(SecretString::from("dapi-s3cret"))
}

fn client(host: &str) -> (Client, Records) {
    let network = Network::for_host(host, None, CONNECT_TIMEOUT, &BTreeMap::new()).expect("a network");
    client_of(host, network, token()).expect("a host")
}

/// Takes a connection and reads the head of a request.
async fn take(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut head = Vec::new();
    let mut part = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut part).await.expect("readable");
        assert!(read > 0, "the request broke off");
        head.extend_from_slice(&part[..read]);
    }
    (stream, String::from_utf8_lossy(&head).into_owned())
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, host)
}

/// Serves every connection with the same bytes, then closes it.
async fn serve(listener: &TcpListener, bytes: &[u8]) -> ! {
    loop {
        let (mut stream, _) = take(listener).await;
        // The client may leave in the middle: that is what some of the tests are about.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
    }
}

macro_rules! while_serving {
    ($server:expr, $work:expr) => {
        tokio::select! {
            _ = $server => unreachable!("the server never ends"),
            done = $work => done,
        }
    };
}

/// A connection that never comes up: the queue of a listener that takes nothing is full, and what knocks is not answered.
#[tokio::test]
async fn a_connection_that_does_not_come_up_is_given_up_after_the_configured_time() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let listener = socket.listen(1).expect("listens");
    let address = listener.local_addr().expect("an address");
    // Each knocks when it is first asked how it stands; those for whom there is no room wait for minutes.
    let mut knocking: Vec<_> = (0..16).map(|_| Box::pin(TcpStream::connect(address))).collect();
    let mut inside = Vec::new();
    for knock in &mut knocking {
        inside.extend(futures::future::poll_immediate(knock).await);
    }
    let host = format!("http://{address}");
    let network = Network::for_host(&host, None, Duration::from_millis(100), &BTreeMap::new()).expect("a network");
    let (client, _) = client_of(&host, network, token()).expect("a host");
    let asked = tokio::time::timeout(Duration::from_secs(100), client.me());
    let error = asked.await.expect("given up long before the system would").expect_err("nobody answers");
    assert!(matches!(error.kind(), Kind::Connect), "{error}");
    assert_eq!(error.attempts(), 2);
}

#[tokio::test]
async fn an_order_is_refused_by_a_closed_port_without_doubt() {
    let (listener, host) = listener().await;
    drop(listener);
    let (client, _) = client(&host);
    let error = client.start_update(&PipelineId::new("p"), &StartUpdate::default()).await.expect_err("refused");
    assert_eq!((error.kind(), error.outcome()), (&Kind::Connect, Outcome::DidNotHappen), "{error}");
    assert_eq!(error.attempts(), 2, "nothing left, so it was tried again");
}

#[tokio::test]
async fn an_order_whose_connection_is_reset_is_unknown_and_left_once() {
    let (listener, host) = listener().await;
    let (client, records) = client(&host);
    let reset = async {
        loop {
            let (stream, _) = take(&listener).await;
            // A socket that is closed with unread data, or without lingering, sends a reset.
            close_with_reset(&stream);
        }
    };
    let (pipeline, order) = (PipelineId::new("p"), StartUpdate::default());
    let error = while_serving!(reset, client.start_update(&pipeline, &order));
    let error = error.expect_err("lost");
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (&Kind::Interrupted, Outcome::Unknown, 1), "{error}");
    assert_eq!(records.lock().expect("whole").len(), 1);
}

/// Closes with a reset instead of an ordinary end, where the system lets it be asked for; an ordinary end serves as well.
fn close_with_reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[tokio::test]
async fn a_body_that_is_cut_is_no_answer() {
    let (listener, host) = listener().await;
    let (client, records) = client(&host);
    let cut = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"userName\":\"a\"}";
    let error = while_serving!(serve(&listener, cut), client.me()).expect_err("cut");
    assert_eq!((error.kind(), error.attempts()), (&Kind::Interrupted, 2), "a read is tried again: {error}");
    assert_eq!(records.lock().expect("whole")[0].status, Some(200));
}

#[tokio::test]
async fn a_body_without_end_is_given_up_at_the_bound() {
    let (listener, host) = listener().await;
    let (client, _) = client(&host);
    let endless = async {
        loop {
            let (mut stream, _) = take(&listener).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let mut sent = 0;
            let part = vec![b' '; 1 << 20];
            while stream.write_all(&part).await.is_ok() {
                sent += part.len();
                assert!(sent <= MAX_BODY_BYTES * 2, "the client goes on reading");
            }
        }
    };
    let error = while_serving!(endless, client.me()).expect_err("too large");
    assert_eq!((error.kind(), error.attempts()), (&Kind::TooLarge, 1), "{error}");
}

#[tokio::test]
async fn a_redirection_is_not_followed_and_the_token_stays() {
    let (listener, host) = listener().await;
    let (client, _) = client(&host);
    let elsewhere =
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/steal\r\ncontent-length: 0\r\n\r\n";
    let error = while_serving!(serve(&listener, elsewhere), client.me()).expect_err("redirected");
    assert_eq!(error.kind(), &Kind::Redirected);
    assert!(error.to_string().contains("redirected to http://127.0.0.1:1/steal"), "{error}");
}

#[tokio::test]
async fn an_answer_is_read_over_the_wire_with_all_that_was_sent() {
    let (listener, host) = listener().await;
    let (client, records) = client(&host);
    let serve = async {
        let (mut stream, head) = take(&listener).await;
        let body = r#"{"userName":"ana"}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nx-request-id: r-1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.expect("writes");
        head.to_ascii_lowercase()
    };
    let (me, head) = tokio::join!(client.me(), serve);
    assert_eq!(me.expect("answers").user_name, "ana");
    assert!(head.starts_with("get /api/2.0/preview/scim/v2/me http/1.1"), "{head}");
    for line in ["authorization: bearer dapi-s3cret", "accept: application/json", "user-agent: lakeshift/"] {
        assert!(head.contains(line), "{line} is missing in {head}");
    }
    let records = records.lock().expect("whole").clone();
    assert_eq!((records[0].status, records[0].bytes, records[0].request_id.as_deref()), (Some(200), 18, Some("r-1")));
    assert!(!format!("{records:?}").contains("s3cret"));
}

#[test]
fn plain_http_to_another_machine_is_refused_before_anything_leaves() {
    let network = Network::new(Trust::Nobody, CONNECT_TIMEOUT, &BTreeMap::new()).expect("a network");
    let error = client_of("http://10.1.2.3:8080", network, token()).expect_err("refused");
    assert!(matches!(error, HostError::PlainHttp { .. }), "{error}");
}

#[tokio::test]
async fn https_goes_through_the_proxy_and_loopback_does_not() {
    let (proxy, address) = listener().await;
    let environment = BTreeMap::from([
        ("HTTPS_PROXY".to_owned(), address.clone()),
        ("HTTP_PROXY".to_owned(), address.clone()),
        ("NO_PROXY".to_owned(), "spared.invalid".to_owned()),
    ]);
    let network = || Network::new(Trust::Nobody, CONNECT_TIMEOUT, &environment).expect("a network");
    let (behind, _) = client_of("https://workspace.invalid", network(), token()).expect("a host");
    let (spared, _) = client_of("https://spared.invalid", network(), token()).expect("a host");
    let seen = Mutex::new(Vec::new());
    let refusing = async {
        loop {
            let (mut stream, head) = take(&proxy).await;
            seen.lock().expect("whole").push(head.lines().next().unwrap_or_default().to_owned());
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        }
    };
    let (workspace, host) = listener().await;
    let (local, _) = client_of(&host, network(), token()).expect("a host");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"userName\":\"ana\"}";
    let work = async {
        let refused = behind.me().await.expect_err("the proxy refuses");
        assert_eq!((refused.kind(), refused.outcome()), (&Kind::Connect, Outcome::DidNotHappen), "{refused}");
        assert_eq!(spared.me().await.expect_err("there is no such host").kind(), &Kind::Connect);
        local.me().await.expect("answers directly");
    };
    let both = async {
        tokio::select! {
            () = refusing => unreachable!("the proxy never ends"),
            _ = serve(&workspace, answer) => unreachable!("the server never ends"),
            () = work => {}
        }
    };
    both.await;
    let seen = seen.into_inner().expect("whole");
    assert!(!seen.is_empty() && seen.iter().all(|line| line.starts_with("CONNECT workspace.invalid:443")), "{seen:?}");
}

#[tokio::test]
async fn a_proxy_that_is_none_is_no_obstacle_on_loopback() {
    let environment = BTreeMap::from([("HTTPS_PROXY".to_owned(), "http://[broken".to_owned())]);
    let network = |host: &str| Network::for_host(host, None, CONNECT_TIMEOUT, &environment);
    assert!(network("https://workspace.invalid").expect_err("refused").to_string().contains("HTTPS_PROXY"));
    let (workspace, host) = listener().await;
    let (local, _) = client_of(&host, network(&host).expect("a network"), token()).expect("a host");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"userName\":\"ana\"}";
    tokio::select! {
        _ = serve(&workspace, answer) => unreachable!("the server never ends"),
        answered = local.me() => drop(answered.expect("answers directly")),
    }
}

/// Writes a stand-in for the vendor's program that counts its calls and does what `body` says.
#[cfg(unix)]
fn program(folder: &Path, body: &str) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let counter = folder.join("calls");
    let script = format!("#!/bin/sh\necho \"$@\" >> '{}'\n{body}\n", counter.display());
    // Written by another process: a file that this one has open for writing could be inherited by the child of another
    // test, and then could not be executed ("text file busy").
    let mut writer = Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
        .arg(folder.join("databricks"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    writer.stdin.take().expect("its input").write_all(script.as_bytes()).expect("writes");
    assert!(writer.wait().expect("ends").success());
}

#[cfg(unix)]
fn calls(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(unix)]
fn login(folder: &Path, host: &str, source: &CredentialSource) -> Credentials {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let environment = BTreeMap::from([("PATH".to_owned(), path), ("MARK".to_owned(), "kept".to_owned())]);
    resolve(source, host, &environment, Some(folder)).expect("resolves")
}

#[cfg(unix)]
#[tokio::test]
async fn the_cli_is_run_once_and_its_token_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    program(
        folder.path(),
        r#"printf '{\n  "access_token": "cli-%s-s3cret",\n  "token_type": "Bearer",\n  "expiry": "2099-01-02T03:04:05.123456789+02:00"\n}\n' "$MARK""#,
    );
    let (listener, host) = listener().await;
    let network = Network::for_host(&host, None, CONNECT_TIMEOUT, &BTreeMap::new()).expect("a network");
    let credentials = login(folder.path(), &host, &CredentialSource::DatabricksCli);
    let (client, _) = client_of(&host, network, credentials).expect("a host");
    let heads = Mutex::new(Vec::new());
    let serve = async {
        loop {
            let (mut stream, head) = take(&listener).await;
            heads.lock().expect("whole").push(head);
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 16\r\n\r\n{\"userName\":\"a\"}";
            stream.write_all(answer).await.expect("writes");
        }
    };
    let work = async {
        for _ in 0..3 {
            client.me().await.expect("answers");
        }
    };
    while_serving!(serve, work);
    assert_eq!(calls(folder.path()), [format!("auth token --host {host}")]);
    let heads = heads.into_inner().expect("whole");
    assert!(heads.iter().all(|head| head.contains("Bearer cli-kept-s3cret")), "{heads:?}");
    assert!(heads[0].contains("auth/databricks-cli"), "{}", heads[0]);
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_login_that_has_ended_says_how_to_sign_in() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(".databrickscfg"), "[work]\nauth_type = databricks-cli\n").expect("writes");
    program(folder.path(), "echo 'Error: a new access token could not be retrieved' >&2; exit 1");
    let host = "https://workspace.invalid";
    let network = Network::new(Trust::Nobody, CONNECT_TIMEOUT, &BTreeMap::new()).expect("a network");
    let credentials = login(folder.path(), host, &CredentialSource::Profile("work".into()));
    let (client, records) = client_of(host, network, credentials).expect("a host");
    let error = client.me().await.expect_err("no token");
    assert!(error.to_string().contains("a new access token could not be retrieved"), "{error}");
    assert_eq!((error.brief().as_str(), error.outcome()), ("sign in again", Outcome::DidNotHappen));
    assert!(error.hint().expect("a hint").contains("databricks auth login"));
    assert_eq!(calls(folder.path()), ["auth token --profile work"]);
    assert!(records.lock().expect("whole").is_empty(), "nothing left without a token");
}
