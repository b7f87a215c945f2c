//! What hostile clients send. Each goes on until it is dropped.

use super::process::Target;
use crate::support::serving::client::Client;
use crate::support::serving::{app_proxy, post};
use futures_util::future::join_all;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::sleep;

pub type Attack = Pin<Box<dyn Future<Output = ()> + Send>>;
pub type Shape = (&'static str, fn(Target) -> Attack);

/// More than there are places.
const MANY: u8 = 250;
const SOME: u8 = 60;
const HEAD: &str = "POST /mutate HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\n";
const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));

/// The numbered one of many addresses.
fn another(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 2, number))
}

async fn tls(target: &Target, from: IpAddr) -> io::Result<Client> {
    Client::tls_from(from, target.webhook, target.tls.clone()).await
}

/// So many clients at once, each for ever.
fn crowd<F: Future<Output = io::Result<()>> + Send + 'static>(
    count: u8,
    one: impl Fn(u8) -> F + Send + 'static,
) -> Attack {
    Box::pin(async move {
        join_all((0..count).map(|number| {
            let connection = one(number);
            async move {
                let _ = connection.await;
            }
        }))
        .await;
        pending::<()>().await;
    })
}

/// Opens, sends, and stays without reading.
fn sends(target: Target, count: u8, text: String) -> Attack {
    let text: std::sync::Arc<str> = text.into();
    crowd(count, move |_| {
        let (target, text) = (target.clone(), text.clone());
        async move {
            let mut client = tls(&target, ATTACKER).await?;
            client.try_send(&text).await?;
            pending().await
        }
    })
}

/// Does so again and again, as soon as it is answered or cut.
fn repeats(target: Target, count: u8, text: String) -> Attack {
    let text: std::sync::Arc<str> = text.into();
    crowd(count, move |_| {
        let (target, text) = (target.clone(), text.clone());
        async move {
            loop {
                if let Ok(mut client) = tls(&target, ATTACKER).await
                    && client.try_send(&text).await.is_ok()
                {
                    let _ = client.read_reply().await;
                }
                // So that the test's own work leaves something of the processor.
                sleep(Duration::from_millis(5)).await;
            }
        }
    })
}

fn announced(length: usize, sent: usize) -> String {
    format!("{HEAD}Content-Length: {length}\r\n\r\n{}", " ".repeat(sent))
}

fn pod(spec: &str) -> String {
    let head = "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":\"1\",";
    let kind = "\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},\"operation\":\"CREATE\",";
    format!("{head}{kind}\"object\":{spec}}}}}")
}

fn silent_tcp(target: Target) -> Attack {
    crowd(MANY, move |_| {
        let target = target.clone();
        async move {
            let _kept = Client::plain_from(ATTACKER, target.webhook).await?;
            pending().await
        }
    })
}

fn handshake_begun(target: Target) -> Attack {
    crowd(MANY, move |_| {
        let target = target.clone();
        async move {
            let mut client = Client::plain_from(ATTACKER, target.webhook).await?;
            client.try_send("\u{16}\u{3}\u{1}\u{3f}\u{0}\u{1}").await?;
            pending().await
        }
    })
}

fn rubbish(target: Target) -> Attack {
    crowd(SOME, move |_| {
        let target = target.clone();
        async move {
            loop {
                let mut client = Client::plain_from(ATTACKER, target.webhook).await?;
                let _ = client.try_send(&"\u{1}rubbish".repeat(1000)).await;
                sleep(Duration::from_millis(5)).await;
            }
        }
    })
}

fn addresses(target: Target) -> Attack {
    crowd(MANY, move |number| {
        let target = target.clone();
        async move {
            let _kept = tls(&target, another(number)).await?;
            pending().await
        }
    })
}

fn dribbled_head(target: Target) -> Attack {
    crowd(MANY, move |_| {
        let target = target.clone();
        async move {
            loop {
                let mut client = tls(&target, ATTACKER).await?;
                let mut sent = client.try_send("POST /mutate HTTP/1.1\r\nX: ").await;
                while sent.is_ok() {
                    sleep(Duration::from_millis(100)).await;
                    sent = client.try_send("x").await;
                }
            }
        }
    })
}

fn dribbled_body(target: Target) -> Attack {
    crowd(MANY, move |_| {
        let target = target.clone();
        async move {
            loop {
                let mut client = tls(&target, ATTACKER).await?;
                let mut sent = client.try_send(&announced(30_000, 20_000)).await;
                while sent.is_ok() {
                    sleep(Duration::from_millis(200)).await;
                    sent = client.try_send(" ").await;
                }
            }
        }
    })
}

/// On the admin listener.
fn admin(target: Target, text: &'static str, again: bool) -> Attack {
    crowd(MANY, move |_| {
        let target = target.clone();
        async move {
            loop {
                let mut client = Client::plain_from(ATTACKER, target.admin).await?;
                let _ = client.try_send(text).await;
                if !again {
                    pending::<()>().await;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    })
}

fn long_labels() -> String {
    let label = "\\n".repeat(500 << 10);
    let labels: Vec<String> = (0..7).map(|number| format!("\"{number}\":\"{label}\"")).collect();
    pod(&format!("{{\"metadata\":{{\"labels\":{{{}}}}}}}", labels.join(",")))
}

fn items() -> String {
    let source = format!("{{\"secret\":{{\"name\":\"x\",\"items\":[{}]}}}}", vec!["{}"; 4096].join(","));
    pod(&format!("{{\"spec\":{{\"volumes\":[{{\"projected\":{{\"sources\":[{}]}}}}]}}}}", vec![source; 600].join(",")))
}

fn variables() -> String {
    let container = format!("{{\"name\":\"c\",\"env\":[{}]}}", vec!["{\"name\":\"ARGO_CD_URL\"}"; 4000].join(","));
    pod(&format!("{{\"spec\":{{\"containers\":[{}]}}}}", vec![container; 80].join(",")))
}

/// A small review with a large answer.
fn many_containers() -> String {
    let container = vec!["{\"name\":\"cap-app-proxy\"}"; 1000].join(",");
    pod(&format!(
        "{{\"metadata\":{{\"labels\":{{\"app\":\"cap-app-proxy\"}}}},\"spec\":{{\"containers\":[{container}]}}}}"
    ))
}

fn long_uid() -> String {
    app_proxy(&"u".repeat(7_900_000))
}

fn chunked(length: usize) -> String {
    format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}", length + 1, " ".repeat(length))
}

/// Each alone is a case; the mixes are made of them.
pub const SHAPES: &[Shape] = &[
    ("TCP without TLS", silent_tcp),
    ("handshakes that are never finished", handshake_begun),
    ("rubbish instead of TLS", rubbish),
    ("silence after TLS", |t| sends(t, MANY, String::new())),
    ("silence from 250 addresses", addresses),
    ("idle after a 404", |t| sends(t, MANY, "GET / HTTP/1.1\r\nHost: w\r\n\r\n".to_owned())),
    ("idle after a review", |t| sends(t, MANY, post(&app_proxy("idle")))),
    ("dribbled headers", dribbled_head),
    ("63 KB of headers, unfinished", |t| repeats(t, SOME, format!("{HEAD}X: {}", "x".repeat(63_000)))),
    ("15 KB of headers, unfinished", |t| sends(t, MANY, format!("{HEAD}X: {}", "x".repeat(15_000)))),
    ("8 x 8 MiB less one byte", |t| sends(t, 8, announced(8 << 20, (8 << 20) - 1))),
    ("5 x 8 MiB in chunks, unfinished", |t| sends(t, 5, chunked((8 << 20) - 10))),
    ("8 MiB announced and not sent", |t| sends(t, MANY, announced(8 << 20, 10))),
    ("255 KiB less one byte", |t| sends(t, MANY, announced(255 << 10, (255 << 10) - 1))),
    ("dribbled bodies", dribbled_body),
    ("lists in lists, 8 MB", |t| repeats(t, 2, post(&items()))),
    ("variables in containers, 8 MB", |t| repeats(t, 2, post(&variables()))),
    ("labels of escapes, 7 MB", |t| repeats(t, 2, post(&long_labels()))),
    ("a uid of 8 MB, unread", |t| sends(t, 14, post(&long_uid()))),
    ("large answers, unread", |t| sends(t, SOME, post(&many_containers()).repeat(8))),
    ("depth of 100,000", |t| repeats(t, 4, post(&"[".repeat(100_000)))),
    ("reviews without end", |t| sends(t, 4, post(&app_proxy("flood")).repeat(2000))),
    ("404 again and again", |t| repeats(t, SOME, "GET / HTTP/1.1\r\nHost: w\r\n\r\n".to_owned())),
    ("admin: idle after /livez", |t| admin(t, "GET /livez HTTP/1.1\r\nHost: w\r\n\r\n", false)),
    ("admin: silence", |t| admin(t, "", false)),
    ("admin: /metrics again and again, unread", |t| admin(t, "GET /metrics HTTP/1.1\r\nHost: w\r\n\r\n", true)),
    ("admin: half a head", |t| admin(t, "GET /livez HT", true)),
];
