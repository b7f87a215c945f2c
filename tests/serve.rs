//! A real server on real sockets: bounds, drain, and what it tells about itself.

mod support {
    pub mod decision;
    pub mod serving;
}

use argocd_auth_webhook::server::{BindError, Bounds};
use argocd_auth_webhook::telemetry::logs;
use argocd_auth_webhook::webhook::{ServeError, Server};
use rustls::ProtocolVersion::{TLSv1_2, TLSv1_3};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::decision;
use support::serving;
use support::serving::client::{self, Client};
use support::serving::{
    PATIENCE, Running, app_proxy, development, eventually, fixed, injector, long_bounds, options, post,
};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

/// For the one bound that a test waits for.
const SHORT: Duration = Duration::from_millis(100);

async fn served(client: &mut Client) {
    client.send(&post(&app_proxy("u"))).await;
    assert_eq!(client.reply().await.status, 200);
}

/// Sends headers byte by byte until the server has enough of it.
async fn dribble(mut client: Client) {
    let mut ticks = interval(Duration::from_millis(2));
    client.send("POST /mutate HTTP/1.1\r\nX: ").await;
    let dribbling = async {
        while client.try_send("x").await.is_ok() {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, dribbling).await.expect("the server reads on");
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_http_1_1_is_chosen() {
    let server = Running::start(long_bounds()).await;
    for (offered, spoken) in [(&TLS12, TLSv1_2), (&TLS13, TLSv1_3)] {
        let config = client::speaking(&server.ca, &[offered], &["h2", "http/1.1"]);
        let mut client = Client::tls(server.address, config).await.unwrap();
        assert_eq!((client.version, client.alpn.as_deref()), (Some(spoken), Some(&b"http/1.1"[..])));
        served(&mut client).await;
    }
}

#[tokio::test]
async fn a_client_that_speaks_http_2_alone_is_refused_in_the_handshake() {
    let server = Running::start(long_bounds()).await;
    let config = client::speaking(&server.ca, rustls::DEFAULT_VERSIONS, &["h2"]);
    assert!(Client::tls(server.address, config).await.is_err());
    server.metric("handshake_failures_total 1").await;
}

#[tokio::test]
async fn a_stalled_handshake_is_cut() {
    let server = Running::start(Bounds { handshake_timeout: SHORT, ..long_bounds() }).await;
    Client::plain(server.address).await.closed().await;
    server.metric("handshake_failures_total 1").await;
    server.metric("open_connections 0").await;
}

#[tokio::test]
async fn an_idle_connection_outlives_dribbling_headers_which_are_cut() {
    let server = Running::start(Bounds { header_timeout: SHORT, ..long_bounds() }).await;
    let mut used = server.connect().await;
    served(&mut used).await;
    dribble(server.connect().await).await;
    // By now it was idle for longer than headers may take.
    served(&mut used).await;
}

#[tokio::test]
async fn a_connection_without_a_first_request_is_cut_after_the_time_of_its_headers() {
    let server = Running::start(Bounds { header_timeout: SHORT, ..long_bounds() }).await;
    server.connect().await.closed().await;
}

#[tokio::test]
async fn headers_that_dribble_after_a_request_are_cut_too() {
    let server = Running::start(Bounds { header_timeout: SHORT, ..long_bounds() }).await;
    let mut client = server.connect().await;
    served(&mut client).await;
    dribble(client).await;
}

#[tokio::test]
async fn an_idle_connection_is_ended_at_last() {
    let server = Running::start(Bounds { idle_timeout: SHORT, ..long_bounds() }).await;
    let mut used = server.connect().await;
    served(&mut used).await;
    used.closed().await;
    server.metric("open_connections 0").await;
}

#[tokio::test]
async fn a_stalled_body_is_told_so_and_cut() {
    let server = Running::start(Bounds { answer_timeout: SHORT, ..long_bounds() }).await;
    let mut client = server.connect().await;
    let request = post(&app_proxy("u"));
    client.send(&request[..request.len() - 1]).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
    client.closed().await;
}

#[tokio::test]
async fn a_client_that_reads_no_answers_is_cut() {
    let server = Running::start(Bounds { answer_timeout: SHORT, ..long_bounds() }).await;
    let mut client = server.connect().await;
    let requests = post(&app_proxy("u")).repeat(100);
    let flooding = async { while client.try_send(&requests).await.is_ok() {} };
    timeout(PATIENCE, flooding).await.expect("the server takes everything");
    served(&mut server.connect().await).await;
}

#[tokio::test]
async fn a_client_learns_that_its_body_is_too_large_while_it_sends() {
    let server = Running::start(Bounds { max_body: 1000, ..long_bounds() }).await;
    let mut client = server.connect().await;
    client.send(&post(&" ".repeat(20 << 20))).await;
    assert_eq!(client.reply().await.status, 413);
    client.closed().await;
}

#[tokio::test]
async fn an_announced_length_over_the_limit_is_not_waited_for() {
    let server = Running::start(Bounds { max_body: 1000, ..long_bounds() }).await;
    let mut client = server.connect().await;
    let request = post(&" ".repeat(1001));
    client.send(&request[..request.len() - 1001]).await;
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test]
async fn chunks_are_counted_as_they_come() {
    let server = Running::start(Bounds { max_body: 1000, ..long_bounds() }).await;
    let mut client = server.connect().await;
    let head =
        "POST /mutate HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("258\r\n{}\r\n", " ".repeat(600));
    client.send(&format!("{head}{chunk}{chunk}")).await;
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test]
async fn rubbish_costs_its_own_connection_only() {
    let server = Running::start(long_bounds()).await;
    for rubbish in
        ["GET / HTTP/1.1\r\nHost: plain\r\n\r\n", "\u{0}\u{ff}rubbish\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}xxxxx"]
    {
        let mut client = Client::plain(server.address).await;
        client.send(rubbish).await;
        // At most an alert comes back, which is no HTTP.
        assert!(timeout(PATIENCE, client.read_reply()).await.expect("still open").is_err());
    }
    server.metric("handshake_failures_total 3").await;
    let mut inside = server.connect().await;
    inside.send("\u{0}\u{1}\r\n\r\n").await;
    assert_eq!(inside.reply().await.status, 400);
    inside.closed().await;
    server.metric("http_responses_total{code=\"400\"} 1").await;
    served(&mut server.connect().await).await;
}

#[tokio::test]
async fn one_more_connection_takes_the_place_of_one_that_idles() {
    let server = Running::start(Bounds { max_connections: 2, ..long_bounds() }).await;
    let mut silent = server.connect().await;
    let mut used = server.connect().await;
    served(&mut used).await;
    // Nothing came by it, though it is younger than the other's last request.
    let mut third = server.connect().await;
    silent.closed().await;
    served(&mut third).await;
    let mut fourth = server.connect().await;
    used.closed().await;
    served(&mut fourth).await;
    server.metric("displaced_connections_total 2").await;
    server.metric("connections_total 4").await;
}

#[tokio::test]
async fn the_place_of_a_request_on_its_way_is_left_until_its_answer() {
    let server = Running::start(Bounds { max_connections: 1, ..long_bounds() }).await;
    let mut busy = server.connect().await;
    let request = post(&app_proxy("u"));
    let (start, rest) = request.split_at(request.len() - 10);
    busy.send(start).await;
    server.metric("reviews_in_flight 1").await;
    let mut second = std::pin::pin!(server.connect());
    let meanwhile = async {
        for _ in 0..5 {
            assert_eq!(server.admin("/livez").await.0, 200);
        }
        busy.send(rest).await;
        busy.reply().await
    };
    tokio::select! {
        _ = &mut second => panic!("over the limit"),
        reply = meanwhile => assert_eq!((reply.status, reply.header("connection")), (200, Some("close"))),
    }
    served(&mut second.await).await;
}

#[tokio::test]
async fn a_refused_client_is_not_kept() {
    let server = Running::start(long_bounds()).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (404, Some("close")));
    client.closed().await;
}

#[tokio::test]
async fn the_admin_listener_gives_one_answer_a_connection() {
    let server = Running::start(long_bounds()).await;
    let mut client = Client::plain(server.admin).await;
    client.send("GET /livez HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    client.closed().await;
    // Its own bound, whatever those of the webhook's listener are.
    Client::plain(server.admin).await.closed().await;
}

#[tokio::test]
async fn headers_over_their_bound_are_refused_and_counted() {
    let server = Running::start(long_bounds()).await;
    let mut client = server.connect().await;
    client.send(&format!("POST /mutate HTTP/1.1\r\nX: {}", "x".repeat(17 << 10))).await;
    assert_eq!(client.reply().await.status, 431);
    server.metric("http_responses_total{code=\"431\"} 1").await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = Running::start(long_bounds()).await;
    let mut client = server.connect().await;
    let uids: Vec<String> = (0..20).map(|number| format!("uid-{number}")).collect();
    client.send(&uids.iter().map(|uid| post(&app_proxy(uid))).collect::<String>()).await;
    for uid in uids {
        let answer: Value = serde_json::from_str(&client.reply().await.body).unwrap();
        assert_eq!(answer["response"]["uid"], uid);
    }
}

#[tokio::test]
async fn draining_fails_readiness_at_once_and_serves_on() {
    let made = development();
    let mut options = options(long_bounds(), fixed(&made));
    options.drain_delay = PATIENCE;
    let server = Running::with(options, &made.ca_pem).await;
    let mut pooled = server.connect().await;
    served(&mut pooled).await;
    let (status, ready) = server.admin("/readyz").await;
    assert_eq!(status, 200);
    assert!(ready.contains("sha256:") && ready.contains("expires 20"), "{ready}");

    server.trigger.drain();
    eventually("draining", async || server.admin("/readyz").await == (503, "not ready: draining\n".to_owned())).await;
    assert_eq!(server.admin("/livez").await.0, 200);
    for mut client in [pooled, server.connect().await] {
        client.send(&post(&app_proxy("late"))).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
        client.closed().await;
    }
    server.trigger.now();
    server.end().await.unwrap();
}

#[tokio::test]
async fn what_is_in_flight_is_finished_before_the_end() {
    let server = Running::start(long_bounds()).await;
    let (mut idle, mut fresh, mut busy) = (server.connect().await, server.connect().await, server.connect().await);
    served(&mut idle).await;
    let request = post(&app_proxy("in-flight"));
    let (start, rest) = request.split_at(request.len() - 10);
    busy.send(start).await;
    server.metric("reviews_in_flight 1").await;

    server.trigger.drain();
    eventually("the socket is closed", async || TcpStream::connect(server.address).await.is_err()).await;
    idle.closed().await;
    fresh.closed().await;
    assert_eq!(server.admin("/readyz").await.0, 503);
    assert!(!server.ended.is_finished());
    busy.send(rest).await;
    let reply = busy.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    drop(busy);
    server.end().await.unwrap();
}

#[tokio::test]
async fn what_never_finishes_does_not_hold_up_the_end() {
    let bounds = Bounds { answer_timeout: SHORT, handshake_timeout: PATIENCE * 10, ..long_bounds() };
    let server = Running::start(bounds).await;
    let mut stalled = Client::plain(server.address).await;
    server.metric("open_connections 1").await;
    server.trigger.drain();
    server.end().await.unwrap();
    stalled.closed().await;
}

#[tokio::test]
async fn a_second_word_ends_at_once() {
    let made = development();
    let mut options = options(long_bounds(), fixed(&made));
    options.drain_delay = PATIENCE * 10;
    let server = Running::with(options, &made.ca_pem).await;
    let mut busy = server.connect().await;
    busy.send("POST /mutate HTTP/1.1\r\n").await;
    server.trigger.drain();
    eventually("draining", async || server.admin("/readyz").await.0 == 503).await;
    server.trigger.now();
    server.end().await.unwrap();
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let server = Running::start(long_bounds()).await;
    let mut options = options(long_bounds(), fixed(&development()));
    options.listen = server.address;
    let Err(error) = Server::bind(options, injector()).await else { panic!("bound twice") };
    assert!(matches!(error, ServeError::Bind(BindError { address, .. }) if address == server.address));
    assert!(error.to_string().contains(&server.address.to_string()));
}

#[tokio::test]
async fn metrics_say_what_happened_in_labels_that_nobody_else_chooses() {
    let server = Running::start(long_bounds()).await;
    let before = server.admin("/metrics").await.1;
    let mut client = server.connect().await;
    served(&mut client).await;
    let odd = serving::review("u", &json!({ "metadata": { "name": "hostile\"} 1", "labels": { "app": "hostile" } } }));
    client.send(&post(&odd.to_string())).await;
    client.reply().await;
    client.send("BREW /hostile HTTP/1.1\r\nHost: hostile\r\n\r\n").await;
    client.reply().await;
    let (status, text) = server.admin("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "reviews_total{service=\"app-proxy\",outcome=\"injected\"} 1",
        "reviews_total{service=\"none\",outcome=\"not_selected\"} 1",
        "reviews_total{service=\"argo-gateway\",outcome=\"conflict_denied\"} 0",
        "review_duration_seconds_count 2",
        "review_duration_seconds_bucket{le=\"0.00005\"}",
        "review_duration_seconds_bucket{le=\"+Inf\"} 2",
        "http_responses_total{code=\"200\"} 2",
        "http_responses_total{code=\"404\"} 1",
        "http_responses_total{code=\"other\"} 0",
        "reviews_in_flight 0",
        "panics_total 0",
        "open_connections ",
        "displaced_connections_total 0",
        "connections_total 1",
        "handshake_failures_total 0",
        "certificate_reloads_total{result=\"loaded\"} 1",
        "certificate_reloads_total{result=\"refused\"} 0",
        "certificate_expiry_timestamp_seconds 1",
        "build_info{version=\"",
        "request_bytes_total ",
        "response_bytes_total ",
    ] {
        let line = format!("argocd_auth_webhook_{line}");
        assert!(text.lines().any(|found| found.starts_with(&line)), "{line} is not in\n{text}");
    }
    assert!(!text.contains("hostile"), "{text}");
    assert_eq!(before.lines().count(), text.lines().count(), "no request makes a series");
    assert!(text.ends_with("# EOF\n"));
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_review_is_one_log_line_without_anything_of_the_pod_but_its_name() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = logs::subscriber(logs::Format::Json, "trace", false, move || writer.clone()).unwrap();
    // For this whole test program: the server's tasks run on threads of their own.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let server = Running::start(long_bounds()).await;
    let mut client = server.connect().await;
    let mut pod = decision::pod("app-proxy", &json!([decision::plain("PASSWORD", "content-of-the-pod")]));
    pod["metadata"]["generateName"] = json!("named\u{9b}\n-");
    client.send(&post(&serving::review("logged-uid", &pod).to_string())).await;
    assert_eq!(client.reply().await.status, 200);
    client.send(&post("{\"kind\":\"content-of-the-kind\\n\"}")).await;
    assert_eq!(client.reply().await.status, 400);

    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("logged-uid")).collect();
    assert_eq!(lines.len(), 1);
    let line: Value = serde_json::from_str(lines[0]).unwrap();
    for (key, value) in [
        ("level", "INFO"),
        ("message", "reviewed"),
        ("uid", "logged-uid"),
        ("namespace", "runtime"),
        ("name", "named\\u{9b}\\n-"),
        ("service", "app-proxy"),
        ("outcome", "injected"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    assert!(line["duration_us"].is_u64(), "{line}");
    assert!(!text.contains("content-of-the-pod"), "{text}");
    assert!(text.contains("refused a request"), "{text}");
}
