//! The way to the API server, as kubectl finds it: kubeconfigs, contexts, logins and proxies.

use argocd_auth_webhook::webhook::development_certificate;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

/// A name that no resolver knows: only a proxy gets there.
const SERVER: &str = "api.example.test";

/// An API server that has nothing, and says how it was asked.
struct ApiServer {
    address: SocketAddr,
    ca: String,
}

impl ApiServer {
    /// Answers every request with this status and reason.
    async fn start(code: u16, reason: &'static str) -> Self {
        let made = development_certificate(&[SERVER.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        Self::serving(code, reason, &made.cert_pem, &made.key_pem, made.ca_pem).await
    }

    /// The same with this certificate and key; `ca` is what its kubeconfig names.
    async fn serving(code: u16, reason: &'static str, certificate: &str, key: &str, ca: String) -> Self {
        let certificates = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(certificates, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let mut stream = BufReader::new(stream);
                    loop {
                        let mut line = String::new();
                        while line.is_empty() || !line.trim().is_empty() {
                            line.clear();
                            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                                return;
                            }
                        }
                        let body = format!(
                            r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"as the test says","reason":"{reason}","code":{code}}}"#
                        );
                        let head = format!(
                            "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                            body.len()
                        );
                        if stream.get_mut().write_all((head + &body).as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, ca: STANDARD.encode(ca) }
    }

    fn kubeconfig(&self, server: &str, cluster: &str, user: &str) -> String {
        let ca = &self.ca;
        format!(
            "{{apiVersion: v1, kind: Config, current-context: mine, \
             contexts: [{{name: mine, context: {{cluster: c, user: u, namespace: of-the-context}}}}], \
             clusters: [{{name: c, cluster: {{server: \"{server}\", certificate-authority-data: {ca}{cluster}}}}}], \
             users: [{{name: u, user: {user}}}]}}"
        )
    }
}

/// A forward proxy, by HTTP's CONNECT or by SOCKS 5, that leads all there is to one address.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(to: SocketAddr, socks: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    let target = if socks { by_socks(&mut stream).await } else { by_connect(&mut stream).await };
                    noted.lock().unwrap().push(target);
                    let mut there = TcpStream::connect(to).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut there).await;
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn by_connect(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let login =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("proxy-authorization: ").map(str::to_owned));
    login.map_or(target.clone(), |_| format!("{target} with a login"))
}

async fn by_socks(stream: &mut TcpStream) -> String {
    let mut hello = [0; 2];
    stream.read_exact(&mut hello).await.unwrap();
    let mut methods = vec![0; hello[1].into()];
    stream.read_exact(&mut methods).await.unwrap();
    stream.write_all(&[5, 0]).await.unwrap();
    let mut request = [0; 5];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request[3], 3, "the proxy resolves the name");
    let mut name = vec![0; request[4].into()];
    stream.read_exact(&mut name).await.unwrap();
    let port = stream.read_u16().await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    format!("{}:{port}", String::from_utf8(name).unwrap())
}

/// Runs `status` and returns its exit code and what it said.
async fn status(arguments: &[&str], environment: &[(&str, &str)], home: &Path) -> (i32, String) {
    run(&[&["status"], arguments].concat(), environment, home).await
}

/// Runs a command and returns its exit code and what it said.
async fn run(arguments: &[&str], environment: &[(&str, &str)], home: &Path) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"));
    for name in
        ["KUBECONFIG", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"]
    {
        command.env_remove(name);
    }
    command.env_remove("KUBERNETES_SERVICE_HOST").env("HOME", home).env("NO_COLOR", "1");
    command.args(arguments).envs(environment.iter().copied());
    let output = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), format!("{}{}", text(output.stdout), text(output.stderr)))
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn proxies_are_used_as_kubectl_uses_them() {
    let server = ApiServer::start(404, "NotFound").await;
    let (http, socks) = (Proxy::start(server.address, false).await, Proxy::start(server.address, true).await);
    let folder = tempfile::tempdir().unwrap();
    let plain = write(&folder, "plain", &server.kubeconfig(&format!("https://{SERVER}:6443"), "", "{token: t}"));
    let by_http = format!("http://{}", http.address);
    let with_login = format!("http://me:word@{}", http.address);
    let by_socks = format!("socks5://{}", socks.address);
    let target = format!("{SERVER}:6443");

    let (code, said) = status(&["--kubeconfig", &plain], &[("HTTPS_PROXY", &by_http)], folder.path()).await;
    assert!(said.contains("there is no ConfigMap of-the-context/argocd-auth-webhook-status"), "{said}");
    assert_eq!(code, 1, "{said}");
    assert!(http.asked().contains(&target));
    for names in [SERVER, ".example.test", "example.test,10.0.0.0/8", "*"] {
        let environment = [("https_proxy", by_http.as_str()), ("NO_PROXY", names)];
        let (code, said) = status(&["--kubeconfig", &plain], &environment, folder.path()).await;
        assert!(said.contains("no answer from the API server") && said.contains("context mine"), "{names}: {said}");
        assert_eq!((code, http.asked()), (1, Vec::new()), "{names}");
    }
    let environment = [("HTTPS_PROXY", with_login.as_str()), ("NO_PROXY", "other.test, 10.0.0.0/8,")];
    let (_, said) = status(&["--kubeconfig", &plain], &environment, folder.path()).await;
    assert!(said.contains("there is no ConfigMap") && !said.contains("word"), "{said}");
    assert!(http.asked().contains(&format!("{target} with a login")));

    // The kubeconfig's own holds for its cluster, whatever the environment says.
    for (url, proxy) in [(&by_http, &http), (&by_socks, &socks)] {
        let text =
            server.kubeconfig(&format!("https://{SERVER}:6443"), &format!(", proxy-url: \"{url}\""), "{token: t}");
        let own = write(&folder, "own", &text);
        let (_, said) = status(&["--kubeconfig", &own], &[("NO_PROXY", "*")], folder.path()).await;
        assert!(said.contains("there is no ConfigMap"), "{said}");
        assert!(proxy.asked().contains(&target), "{url}");
    }
    // This machine is reached without one.
    let here = server.kubeconfig(&format!("https://{}", server.address), "", "{token: t}");
    let here = write(&folder, "here", &here);
    let (_, said) = status(&["--kubeconfig", &here], &[("HTTPS_PROXY", &by_http)], folder.path()).await;
    assert!(said.contains("there is no ConfigMap"), "{said}");
    assert_eq!(http.asked(), Vec::<String>::new());
    let (code, said) = status(&["--kubeconfig", &plain], &[("HTTPS_PROXY", "ftp://me:word@x")], folder.path()).await;
    assert!(code == 2 && said.contains("HTTPS_PROXY is no URL of a proxy") && !said.contains("word"), "{said}");
}

#[tokio::test]
async fn a_proxy_gets_whole_requests_for_a_server_in_plain_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap() > 0 {}
            noted.lock().unwrap().push(head);
            let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","reason":"Unauthorized","code":401}"#;
            let answer = format!(
                "HTTP/1.1 401 X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "{{apiVersion: v1, kind: Config, current-context: mine, contexts: [{{name: mine, context: {{cluster: c, user: u, \
         namespace: n}}}}], clusters: [{{name: c, cluster: {{server: \"http://{SERVER}:8080\", proxy-url: \
         \"http://me:secret-word@{proxy}\"}}}}], users: [{{name: u, user: {{token: t}}}}]}}"
    );
    let file = write(&folder, "plain", &config);
    let (code, said) = status(&["--kubeconfig", &file], &[], folder.path()).await;
    assert!(code == 1 && said.contains("no valid login (401)"), "{said}");
    assert!(!said.contains("secret-word"), "{said}");
    let login = format!("proxy-authorization: Basic {}", STANDARD.encode("me:secret-word")).to_lowercase();
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty());
    for head in asked.iter() {
        assert!(head.starts_with(&format!("GET http://{SERVER}:8080/api")), "{head}");
        assert!(head.to_lowercase().contains(&login), "{head}");
    }
}

#[tokio::test]
async fn kubeconfigs_are_merged_and_contexts_chosen_as_kubectl_does() {
    let server = ApiServer::start(404, "NotFound").await;
    let folder = tempfile::tempdir().unwrap();
    let good = server.kubeconfig(&format!("https://{}", server.address), "", "{token: t}");
    let good = write(&folder, "good", &good);
    let context = "{apiVersion: v1, kind: Config, contexts: [{name: other, context: {cluster: c, user: u, namespace: elsewhere}}]}";
    let context = write(&folder, "context", context);
    let missing = folder.path().join("missing").to_str().unwrap().to_owned();
    let listed = format!("{missing}:{context}:{good}");

    let (code, said) = status(&[], &[("KUBECONFIG", &listed)], folder.path()).await;
    assert!(code == 1 && said.contains("no ConfigMap of-the-context/"), "{said}");
    let (code, said) = status(&["--context", "other"], &[("KUBECONFIG", &listed)], folder.path()).await;
    assert!(code == 1 && said.contains("no ConfigMap elsewhere/"), "{said}");
    let (_, said) = status(&["--context", "other", "-n", "mine"], &[("KUBECONFIG", &listed)], folder.path()).await;
    assert!(said.contains("no ConfigMap mine/"), "{said}");

    let (code, said) = status(&["--context", "nobody"], &[("KUBECONFIG", &listed)], folder.path()).await;
    assert!(code == 2 && said.contains("no context \"nobody\" (it has: other, mine)"), "{code} {said}");
    let (code, said) = status(&["--kubeconfig", &missing], &[], folder.path()).await;
    assert!(code == 2 && said.contains("there is no kubeconfig"), "{code} {said}");
    let (code, said) = status(&[], &[("KUBECONFIG", &missing)], folder.path()).await;
    assert!(code == 1 && said.contains("name one with --kubeconfig"), "{code} {said}");
    let (code, said) = status(&[], &[("KUBECONFIG", &context)], folder.path()).await;
    assert!(code == 1 && said.contains("no current context (it has: other); choose one with --context"), "{said}");
    let broken = write(&folder, "broken", "users: [{name: u, user: {token: s3cret-word}}\n");
    let (code, said) = status(&["--kubeconfig", &broken], &[], folder.path()).await;
    assert!(code == 2 && said.contains("broken") && !said.contains("s3cret"), "{code} {said}");
}

#[tokio::test]
async fn what_comes_back_is_told_apart_and_names_server_and_context() {
    let folder = tempfile::tempdir().unwrap();
    for (code, reason, expected) in [
        (401, "Unauthorized", "no valid login (401): as the test says; log in again"),
        (403, "Forbidden", "not allowed: as the test says"),
        (503, "ServiceUnavailable", "the API server can't do it now: status 503"),
    ] {
        let server = ApiServer::start(code, reason).await;
        let address = format!("https://{}", server.address);
        let file = write(&folder, reason, &server.kubeconfig(&address, "", "{token: t}"));
        let (exit, said) = status(&["--kubeconfig", &file], &[], folder.path()).await;
        assert!(said.contains(expected), "{said}");
        assert!(said.contains(&format!("asked: {address}, context mine")), "{said}");
        assert_eq!(exit, 1, "{said}");
    }
}

#[tokio::test]
async fn a_certificate_that_the_kubeconfig_names_itself_is_believed_ca_or_not_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let (key, another) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    for is_ca in [rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained), rcgen::IsCa::NoCa] {
        let mut made = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        made.is_ca = is_ca;
        let (mine, other) = (made.self_signed(&key).unwrap().pem(), made.self_signed(&another).unwrap().pem());
        let server = ApiServer::serving(404, "NotFound", &mine, &key.serialize_pem(), mine.clone()).await;
        let address = format!("https://{}", server.address);
        let file = write(&folder, "pinned", &server.kubeconfig(&address, "", "{token: t}"));
        let (code, said) = status(&["--kubeconfig", &file], &[], folder.path()).await;
        assert!(code == 1 && said.contains("there is no ConfigMap"), "{said}");
        let server = ApiServer { ca: STANDARD.encode(other), ..server };
        let file = write(&folder, "other", &server.kubeconfig(&address, "", "{token: t}"));
        let (code, said) = status(&["--kubeconfig", &file], &[], folder.path()).await;
        assert!(code == 1 && said.contains("no answer from the API server"), "{said}");
    }
}

#[tokio::test]
async fn a_login_command_that_fails_is_named_with_its_own_words() {
    let server = ApiServer::start(404, "NotFound").await;
    let folder = tempfile::tempdir().unwrap();
    let user = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never, \
                args: [-c, \"echo the session is over >&2; exit 3\"]}}";
    let file = server.kubeconfig(&format!("https://{}", server.address), "", user);
    let file = write(&folder, "exec", &file);
    let (code, said) = status(&["--kubeconfig", &file], &[], folder.path()).await;
    assert!(code != 0 && said.contains("the session is over"), "{said}");
    assert!(said.contains("the kubeconfig's command \"sh\": exit status: 3"), "{said}");
    assert!(!said.contains("Output {") && !said.contains("echo"), "{said}");
    // One that isn't there: the kubeconfig says where to get it.
    let missing = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login, interactiveMode: Never, \
                   installHint: \"get it at example.test\\e[2J\"}}";
    let other = write(&folder, "missing", &server.kubeconfig(&format!("https://{}", server.address), "", missing));
    let (code, said) = status(&["--kubeconfig", &other], &[], folder.path()).await;
    assert!(code == 1 && said.contains("it can't be started") && said.contains("; get it at example.test"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    // Nothing is taken for the settings that couldn't be asked for.
    for command in [&["account", "verify"][..], &["token", "verify"]] {
        let (code, said) = run(command, &[("KUBECONFIG", &file)], folder.path()).await;
        assert!(code == 1 && said.contains("the session is over"), "{said}");
        assert!(!said.contains("argo-cd-server") && !said.contains("default"), "{said}");
    }
}

#[tokio::test]
async fn a_server_without_a_scheme_is_reached_as_kubectl_does() {
    let server = ApiServer::start(404, "NotFound").await;
    let folder = tempfile::tempdir().unwrap();
    let plain = write(&folder, "plain", &server.kubeconfig(&server.address.to_string(), "", "{token: t}"));
    let (code, said) = status(&["--kubeconfig", &plain], &[], folder.path()).await;
    assert!(code == 1 && said.contains("there is no ConfigMap"), "{said}");
}

#[tokio::test]
async fn what_a_login_command_printed_is_never_shown_and_its_failure_is_no_wrong_usage() {
    let server = ApiServer::start(404, "NotFound").await;
    let folder = tempfile::tempdir().unwrap();
    let cut = r#"echo '{\"kind\": \"ExecCredential\", \"status\": {\"token\": \"SUPERSECRET\"'"#;
    for (script, words) in [
        (cut, "what it printed is no ExecCredential"),
        ("echo SUPERSECRET", "what it printed is no ExecCredential"),
        ("echo SUPERSECRET; echo why >&2; exit 3", "exit status: 3: why"),
    ] {
        let user = format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [-c, \"{script}\"]}}}}"
        );
        let config = server.kubeconfig(&format!("https://{}", server.address), "", &user);
        let config = write(&folder, "config", &config);
        for (arguments, environment) in
            [(vec!["--kubeconfig", config.as_str()], vec![]), (vec![], vec![("KUBECONFIG", config.as_str())])]
        {
            let (code, said) = status(&arguments, &environment, folder.path()).await;
            assert_eq!(code, 1, "{said}");
            assert!(said.contains(words) && said.contains("context mine") && said.contains("127.0.0.1"), "{said}");
            assert!(!said.contains("SUPERSECRET"), "{said}");
        }
    }
}
