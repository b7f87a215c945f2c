//! The client of Argo CD's API against servers that answer as a real one can't be made to.

mod ways;

use argocd_auth_webhook::argocd::verify::{KeyVerdict, Refusal, ask, claims, judge};
use argocd_auth_webhook::argocd::{ArgoCdError, Base, Cause, Limits, Proxies, RedirectKind, Server, Target};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{any, body_json, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const PASSWORD: &str = "correct-horse-battery";

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn limits() -> Limits {
    let long = Duration::from_secs(10);
    Limits { connect: long, read: long, write: long, login: long }
}

fn target(url: &str) -> Target {
    Target { proxies: Proxies::none(), limits: limits(), ..Target::new(Base::parse(url).unwrap()) }
}

fn server(url: &str) -> Server {
    Server::new(target(url)).unwrap()
}

/// An Argo CD that answers everything like this.
async fn always(response: ResponseTemplate) -> (MockServer, Server) {
    let mock = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&mock).await;
    let server = server(&mock.uri());
    (mock, server)
}

fn json_error(status: u16, code: u32, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": message, "code": code, "message": message}))
}

/// A key that no server has made.
fn jwt(account: &str, id: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"iss": "argocd", "sub": format!("{account}:apiKey"), "jti": id, "iat": now, "nbf": now});
    [json!({"alg": "HS256"}).to_string(), claims.to_string(), "signature".to_owned()]
        .map(|p| BASE64.encode(p))
        .join(".")
}

/// Serves one connection after the other with this.
async fn raw<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads a request without body, then writes this and closes.
async fn answer(mut stream: TcpStream, text: &'static str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn cause<T: std::fmt::Debug>(result: Result<T, ArgoCdError>) -> Cause {
    result.unwrap_err().cause
}

#[tokio::test]
async fn a_login_sends_what_argo_cd_expects_and_gives_the_session() {
    let mock = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/argo/api/v1/session"))
        .and(header("content-type", "application/json"))
        .and(body_json(json!({"username": "admin", "password": PASSWORD})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"token": "the-session"})))
        .expect(1)
        .mount(&mock)
        .await;
    let server = server(&format!("{}/argo/", mock.uri()));
    let session = server.login("admin", &secret(PASSWORD)).await.unwrap();
    assert_eq!(session.expose_secret(), "the-session");
    let request: Request = mock.received_requests().await.unwrap().remove(0);
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn deleting_sends_the_content_type_and_the_token_and_404_is_no_failure() {
    let mock = MockServer::start().await;
    Mock::given(method("DELETE"))
        .and(path("/api/v1/account/admin/token/a%2Fb"))
        .and(header("content-type", "application/json"))
        .and(header("authorization", "Bearer the-session"))
        .respond_with(json_error(404, 5, "token with id 'a/b' does not exist"))
        .expect(1)
        .mount(&mock)
        .await;
    assert_eq!(server(&mock.uri()).delete_token(&secret("the-session"), "admin", "a/b").await, Ok(false));
}

#[tokio::test]
async fn an_account_is_read_with_zero_fields_left_out_and_numbers_in_strings() {
    let body = json!({"name": "admin", "capabilities": ["login", "apiKey"],
        "tokens": [{"id": "one", "issuedAt": 5}, {"id": "two", "issuedAt": "6", "expiresAt": "7"}, {}]});
    let (_mock, server) = always(ResponseTemplate::new(200).set_body_json(body)).await;
    let account = server.account(&secret("t"), "admin").await.unwrap();
    assert!(!account.enabled && account.may_have_api_keys() && account.may_log_in());
    let (one, two) = (account.token("one").unwrap(), account.token("two").unwrap());
    assert_eq!((one.issued_at, one.expires_at, two.issued_at, two.expires_at), (Some(5), None, Some(6), Some(7)));
    assert_eq!(cause(server.account(&secret("t"), "bob").await), Cause::Unreadable("it is about another account"));
}

#[tokio::test]
async fn each_status_is_a_cause_of_its_own() {
    let mut lines = Vec::new();
    for (status, code) in [(400, 3), (401, 16), (403, 7), (404, 5), (409, 10), (429, 8), (500, 13), (503, 14), (418, 2)]
    {
        let (_mock, server) = always(json_error(status, code, "what it says")).await;
        let error = server.create_token(&secret("t"), "admin", "new", None).await.unwrap_err();
        lines.push(format!(
            "{}: {}{}",
            error.cause.kind(),
            error.cause,
            if error.cause.may_have_been_done() { " (perhaps done)" } else { "" }
        ));
    }
    for said in [
        "failed to update account with new token: account 'admin' does not have apiKey capability",
        "failed to update account with new token: account already has token with id 'new'",
    ] {
        let (_mock, server) = always(json_error(500, 2, said)).await;
        let error = server.create_token(&secret("t"), "admin", "new", None).await.unwrap_err();
        lines.push(format!("{}: {}", error.cause.kind(), error.cause));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn a_401_that_is_not_argo_cds_own_is_no_word_of_argo_cd() {
    let page = ResponseTemplate::new(401).set_body_raw("<html>please log in</html>", "text/html");
    for response in
        [page, ResponseTemplate::new(401).set_body_json(json!({"reason": "no"})), ResponseTemplate::new(404)]
    {
        let (_mock, server) = always(response).await;
        let found = cause(server.userinfo(&secret("t")).await);
        assert!(matches!(found, Cause::NotArgoCd { .. }), "{found:?}");
    }
}

#[tokio::test]
async fn a_page_with_200_is_not_believed() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>Argo CD</html>", "text/html; charset=utf-8");
    let (mock, server) = always(page).await;
    let error = server.userinfo(&secret("t")).await.unwrap_err();
    let said = error.to_string().replace(&mock.uri(), "URL");
    insta::assert_snapshot!(said, @"asking Argo CD who a token belongs to (GET URL/api/v1/session/userinfo): the answer (200, text/html; charset=utf-8) isn't Argo CD's, which speaks JSON; to do: look whether the address and the root path are those of Argo CD, and what stands before it");
    assert!(matches!(cause(server.login("admin", &secret(PASSWORD)).await), Cause::NotArgoCd { status: 200, .. }));
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be_are_unreadable() {
    let json = |text: &str| ResponseTemplate::new(200).set_body_raw(text.to_owned(), "application/json");
    for text in ["", "{", "[]", "null", "{\"loggedIn\": \"perhaps\"}", "{\"token\": \"\"}", "{\"token\": 7}"] {
        let (_mock, server) = always(json(text)).await;
        let found = if text.contains("token") {
            cause(server.login("admin", &secret(PASSWORD)).await)
        } else {
            cause(server.userinfo(&secret("t")).await)
        };
        assert!(matches!(found, Cause::Unreadable(_)), "{text}: {found:?}");
    }
    let (_mock, server) = always(json(&format!("{{\"a\":\"{}\"}}", "a".repeat(9 << 20)))).await;
    assert_eq!(cause(server.userinfo(&secret("t")).await), Cause::Unreadable("it is too long"));
}

#[tokio::test]
async fn a_truncated_body_is_never_taken_for_an_answer() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}";
    let chunked = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n";
    for text in [cut, chunked] {
        let address = raw(move |stream| answer(stream, text)).await;
        let found = cause(server(&format!("http://{address}")).userinfo(&secret("t")).await);
        assert_eq!(found, Cause::Unreadable("it ends early"), "{text}");
    }
    let address = raw(|stream| answer(stream, "HTTP/1.1 200 OK\r\ncontent-ty")).await;
    assert!(matches!(cause(server(&format!("http://{address}")).version().await), Cause::Broken(_)));
    let address = raw(|stream| answer(stream, "\x15\x03\x01\x00\x02\x02\x16")).await;
    assert!(matches!(cause(server(&format!("http://{address}")).version().await), Cause::Unreadable(_)));
}

#[tokio::test]
async fn too_many_requests_says_how_long_to_wait_where_the_server_does() {
    let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_hours(1));
    for (value, least, most) in
        [(None, 0, 0), (Some("17".to_owned()), 17, 17), (Some(later), 3590, 3600), (Some("soon".to_owned()), 0, 0)]
    {
        let known = value.as_deref().is_some_and(|value| value != "soon");
        let mut response = ResponseTemplate::new(429).set_body_string("slow down");
        if let Some(value) = value {
            response = response.insert_header("retry-after", value.as_str());
        }
        let (_mock, server) = always(response).await;
        let Cause::TooManyRequests { retry_after } = cause(server.login("admin", &secret(PASSWORD)).await) else {
            panic!()
        };
        assert_eq!(retry_after.is_some(), known);
        assert!((least..=most).contains(&retry_after.unwrap_or_default().as_secs()));
    }
}

#[tokio::test]
async fn a_redirect_is_told_apart_and_never_followed() {
    let mock = MockServer::start().await;
    let port = mock.address().port();
    let to = |to: &str| to.replace("PORT", &port.to_string());
    for (location, kind) in [
        ("https://127.0.0.1:PORT/api/version", RedirectKind::Tls),
        ("/argo/api/version", RedirectKind::Path),
        ("http://127.0.0.1:PORT/argo/api/version", RedirectKind::Path),
        ("https://login.example.com/auth?ticket=s3cr3t", RedirectKind::Host),
    ] {
        mock.reset().await;
        let redirect = ResponseTemplate::new(307).insert_header("location", to(location).as_str());
        Mock::given(any()).respond_with(redirect).expect(1).mount(&mock).await;
        let found = cause(server(&mock.uri()).userinfo(&secret("t")).await);
        let Cause::Redirect { to: there, kind: found } = found else { panic!("{found:?}") };
        assert_eq!(found, kind, "{location}");
        assert!(!there.contains("s3cr3t"));
        assert_eq!(mock.received_requests().await.unwrap().len(), 1, "not followed");
    }
}

#[tokio::test]
async fn a_slow_answer_ends_at_the_limit() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30)).set_body_json(json!({}));
    let mock = MockServer::start().await;
    Mock::given(any()).respond_with(slow).mount(&mock).await;
    let short = Duration::from_millis(200);
    let limits = Limits { read: short, write: short, login: short, ..limits() };
    let server = Server::new(Target { limits, ..target(&mock.uri()) }).unwrap();
    assert_eq!(cause(server.userinfo(&secret("t")).await), Cause::TimedOut(short));
    let created = cause(server.create_token(&secret("t"), "admin", "id", None).await);
    assert_eq!(created, Cause::TimedOut(short));
    assert!(created.may_have_been_done());
    // A body that never ends counts too.
    let endless = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let address = raw(move |mut stream| async move {
        let _ = stream.write_all(endless.as_bytes()).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let server = Server::new(Target { limits, ..target(&format!("http://{address}")) }).unwrap();
    assert_eq!(cause(server.userinfo(&secret("t")).await), Cause::TimedOut(short));
}

#[tokio::test]
async fn nobody_there_is_told_from_an_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = server(&format!("http://{closed}")).version().await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unreachable(_)) && error.to_string().contains("refused"), "{error}");
    let error = server("http://no-such-host.invalid").version().await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unreachable(_)), "{error}");
    assert!(!error.cause.may_have_been_done());
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_one_that_never_was() {
    let address = raw(|stream| answer(stream, "")).await;
    let error = server(&format!("http://{address}")).version().await.unwrap_err();
    assert!(matches!(error.cause, Cause::Broken(_)) && error.cause.may_have_been_done(), "{error:?}");
}

#[tokio::test]
async fn calls_stay_on_one_connection_and_a_closed_one_is_replaced() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    let address = raw(move |mut stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            // Three answers, and the connection is closed.
            for _ in 0..3 {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => return,
                    }
                }
                let text = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n{\"Version\": \"v3\"}";
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let server = server(&format!("http://{address}"));
    for _ in 0..3 {
        assert_eq!(server.version().await, Ok("v3".to_owned()));
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
    // Whether the client already knows that it is closed is up to the machine: both must do.
    let fourth = server.version().await;
    assert!(fourth.is_ok() || matches!(fourth.as_ref().unwrap_err().cause, Cause::Broken(_)), "{fourth:?}");
    assert_eq!(server.version().await, Ok("v3".to_owned()));
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_is_sent_as_a_secret_is_in_no_error() {
    let key = jwt("admin", "id-1");
    for said in
        [format!("the password {PASSWORD} is wrong"), format!("bad token {key}"), "got eyJhbGciOi.x.y".to_owned()]
    {
        let (_mock, server) = always(json_error(401, 16, &said)).await;
        let by_password = server.login("admin", &secret(PASSWORD)).await.unwrap_err();
        let by_key = server.userinfo(&secret(&key)).await.unwrap_err();
        for text in [format!("{by_password} {by_password:?}"), format!("{by_key} {by_key:?} {server:?}")] {
            assert!(!text.contains(PASSWORD) || said.contains(PASSWORD) && text.contains("userinfo"), "{text}");
            assert!(!text.contains(&key) && !text.contains("eyJ"), "{text}");
        }
    }
    let error = server("http://127.0.0.1:9").userinfo(&secret("a\nb")).await.unwrap_err();
    assert!(matches!(&error.cause, Cause::Setup(why) if why.contains("header")), "{error}");
}

/// A server that has lost an update: it has answered 200 to the creation and knows nothing of it.
#[tokio::test]
async fn a_lost_update_shows_at_the_first_look() {
    let key = jwt("admin", "id-1");
    let mock = MockServer::start().await;
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    Mock::given(method("POST")).respond_with(json(json!({"token": key}))).mount(&mock).await;
    Mock::given(path("/api/v1/session/userinfo")).respond_with(json(json!({}))).mount(&mock).await;
    let server = server(&mock.uri());
    let made = server.create_token(&secret("session"), "admin", "id-1", None).await.unwrap();
    let answers = ask(&server, &made, "admin").await;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    assert_eq!(judge(&claims(&made), now, &answers), KeyVerdict::Refused(Refusal::NotTaken(None)));
}
