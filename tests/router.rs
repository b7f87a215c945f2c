//! What the router answers, to reviews and to everything else.

mod support {
    pub mod decision;
    pub mod serving;
}

use argocd_auth_webhook::core::Outcome;
use argocd_auth_webhook::server::Bounds;
use argocd_auth_webhook::telemetry::metrics::Metrics;
use argocd_auth_webhook::webhook::{panics, router};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use support::decision;
use support::serving::{app_proxy, injector, review};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::ServiceExt;

fn webhook(bounds: Bounds) -> (Router, Arc<Metrics>) {
    let injector = injector();
    let metrics = Arc::new(Metrics::new(injector.services().map(|service| service.name.as_str())));
    (router(injector, Arc::clone(&metrics), bounds), metrics)
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn ask(router: &Router, request: Request<Body>) -> Answered {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answered { status: parts.status, headers: parts.headers, body: String::from_utf8(body).unwrap() }
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/mutate").header("content-type", "application/json").body(body.into()).unwrap()
}

async fn answer(review: &str) -> Value {
    let (router, _) = webhook(Bounds::default());
    let answered = ask(&router, post(review.to_owned())).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    assert_eq!(answered.headers["content-type"], "application/json");
    serde_json::from_str(&answered.body).unwrap()
}

/// Checks what the API server checks, and gives back the object as the patch leaves it.
fn admitted(review: &Value, answer: &Value) -> Option<Value> {
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!(response["uid"], review["request"]["uid"]);
    assert_eq!(response["allowed"], true);
    let outcome = response["auditAnnotations"]["outcome"].as_str().unwrap();
    assert!(Outcome::ALL.iter().any(|known| known.as_str() == outcome), "{outcome}");
    assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
    let patch = STANDARD.decode(response.get("patch")?.as_str().unwrap()).unwrap();
    assert_eq!(response["patchType"], "JSONPatch");
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut object = review["request"]["object"].clone();
    json_patch::patch(&mut object, &patch).unwrap();
    Some(object)
}

#[tokio::test]
async fn every_recorded_review_gets_an_answer_that_the_api_server_accepts() {
    let mut seen = 0;
    for entry in std::fs::read_dir("tests/reviews").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        seen += 1;
        println!("{}", path.display());
        let mut review: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        if let Some(object) = admitted(&review, &answer(&review.to_string()).await) {
            review["request"]["object"] = object;
            let again = answer(&review.to_string()).await;
            assert_eq!(admitted(&review, &again), None, "a second pass must change nothing");
        }
    }
    assert!(seen >= 4);
}

#[tokio::test]
async fn what_was_recorded_ends_as_it_should() {
    for (name, outcome) in [
        ("app-proxy-create", "injected"),
        ("app-proxy-update", "not_a_pod_creation"),
        ("deployment-create", "not_a_pod_creation"),
        ("pod-delete", "not_a_pod_creation"),
    ] {
        let review = std::fs::read_to_string(format!("tests/reviews/{name}.json")).unwrap();
        let answer = answer(&review).await;
        assert_eq!(answer["response"]["auditAnnotations"]["outcome"], outcome, "{name}");
    }
}

#[tokio::test]
async fn a_pod_gets_its_credential() {
    let text = app_proxy("u-1");
    let review: Value = serde_json::from_str(&text).unwrap();
    let object = admitted(&review, &answer(&text).await).unwrap();
    let reference = json!({ "secretKeyRef": { "name": "credential", "key": "token" } });
    assert_eq!(object["spec"]["containers"][0]["env"][0]["name"], "ARGO_CD_TOKEN");
    assert_eq!(object["spec"]["containers"][0]["env"][0]["valueFrom"], reference);
}

#[tokio::test]
async fn odd_objects_are_let_through_untouched() {
    let mut reviews: Vec<Value> = [json!(null), json!([]), json!("text"), json!(7), json!({}), json!({ "spec": [] })]
        .iter()
        .map(|object| review("odd", object))
        .collect();
    let mut without_kind = review("odd", &decision::pod("app-proxy", &json!([])));
    without_kind["request"].as_object_mut().unwrap().remove("kind");
    reviews.push(without_kind);
    for review in reviews {
        assert_eq!(admitted(&review, &answer(&review.to_string()).await), None, "{review}");
    }
}

#[tokio::test]
async fn what_can_not_be_answered_is_a_400_that_says_why() {
    let (router, metrics) = webhook(Bounds::default());
    for (body, reason) in [
        ("", "not JSON"),
        ("{\"kind\":", "not JSON"),
        ("[]", "kind is missing"),
        ("{\"apiVersion\":\"v1\",\"kind\":\"Po\\nd\"}", "kind is \"Po\\nd\""),
        ("{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{}}", "no request.uid"),
    ] {
        let answered = ask(&router, post(body)).await;
        assert_eq!(answered.status, 400, "{body}");
        assert!(answered.body.contains(reason), "{body}: {}", answered.body);
        assert_eq!(answered.body.matches('\n').count(), 1, "one line: {}", answered.body);
        assert_eq!(answered.headers["content-type"], "text/plain; charset=utf-8");
    }
    assert!(metrics.text().unwrap().contains("http_responses_total{code=\"400\"} 5"));
}

#[tokio::test]
async fn there_is_one_path_one_method_and_one_type() {
    let (router, _) = webhook(Bounds::default());
    let elsewhere = ask(&router, Request::post("/mutate/").body(Body::empty()).unwrap()).await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.body.contains("/mutate")), (404, true));
    for method in ["GET", "HEAD", "PUT", "DELETE", "ODD"] {
        let request = Request::builder().method(method).uri("/mutate").body(Body::empty()).unwrap();
        let answered = ask(&router, request).await;
        assert_eq!((answered.status.as_u16(), answered.headers["allow"].to_str().unwrap()), (405, "POST"));
    }
    let typed = |content_type: &str| {
        Request::post("/mutate").header("content-type", content_type).body(app_proxy("u").into()).unwrap()
    };
    for good in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x"] {
        assert_eq!(ask(&router, typed(good)).await.status, 200, "{good}");
    }
    for bad in ["text/plain", "application/jsonp", "", ";application/json", "application/vnd.kubernetes.protobuf"] {
        assert_eq!(ask(&router, typed(bad)).await.status, 415, "{bad}");
    }
    let untyped = ask(&router, Request::post("/mutate").body(Body::empty()).unwrap()).await;
    assert_eq!(untyped.status, 415);
    assert!(untyped.body.contains("the content type is missing"), "{}", untyped.body);
}

/// A body that is fed as the test goes on. Its length is not announced, as with chunks.
struct Fed(UnboundedReceiver<Bytes>);

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|fed| fed.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn fed() -> (UnboundedSender<Bytes>, Body) {
    let (feed, received) = unbounded_channel();
    (feed, Body::new(Fed(received)))
}

/// As text that can't be a review but is JSON, so that only its size is the matter.
fn spaces(length: usize) -> Bytes {
    Bytes::from(vec![b' '; length])
}

#[tokio::test]
async fn a_review_in_pieces_is_put_together() {
    let (router, _) = webhook(Bounds::default());
    let (feed, body) = fed();
    for byte in app_proxy("in-pieces").bytes() {
        feed.send(Bytes::from(vec![byte])).unwrap();
    }
    drop(feed);
    let answered = ask(&router, post(body)).await;
    assert_eq!(answered.status, 200);
    assert!(answered.body.contains("in-pieces"));
}

#[tokio::test]
async fn a_legal_review_beyond_two_megabytes_is_answered() {
    let mut pod = decision::pod("app-proxy", &json!([]));
    pod["metadata"]["annotations"] = json!({ "large": "x".repeat(3 << 20) });
    let review = review("large", &pod);
    assert!(admitted(&review, &answer(&review.to_string()).await).is_some());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes() {
    let (router, _) = webhook(Bounds { max_body: 1000, ..Bounds::default() });
    assert_eq!(ask(&router, post(spaces(1000))).await.status, 400, "as large as allowed, and no review");
    let announced = ask(&router, post(spaces(1001))).await;
    assert_eq!(announced.status, 413);
    assert!(announced.body.contains("1000 bytes"), "{}", announced.body);

    let (feed, body) = fed();
    for _ in 0..3 {
        feed.send(spaces(400)).unwrap();
    }
    // Not ended: it must not be waited for.
    let answered = ask(&router, post(body)).await;
    assert_eq!((answered.status.as_u16(), answered.headers["connection"].to_str().unwrap()), (413, "close"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_408() {
    let (router, metrics) = webhook(Bounds::default());
    let (feed, body) = fed();
    feed.send(spaces(10)).unwrap();
    let answered = ask(&router, post(body)).await;
    assert_eq!(answered.status, 408);
    assert!(answered.body.contains("10s"), "{}", answered.body);
    assert!(metrics.text().unwrap().contains("reviews_in_flight 0"));
}

#[tokio::test]
async fn bodies_share_a_bounded_memory_and_give_it_back() {
    let (router, _) = webhook(Bounds { max_body_memory: 2 << 20, ..Bounds::default() });
    let (feed, body) = fed();
    feed.send(spaces(500 << 10)).unwrap();
    {
        // Polled once, it has taken what has come.
        let mut first = pin!(ask(&router, post(body)));
        tokio::select! {
            biased;
            _ = &mut first => panic!("answered before its end"),
            () = std::future::ready(()) => {}
        }
        let second = ask(&router, post(spaces(600 << 10))).await;
        assert_eq!((second.status.as_u16(), second.headers["retry-after"].to_str().unwrap()), (503, "1"));
        for small in [1, 200 << 10] {
            assert_eq!(ask(&router, post(spaces(small))).await.status, 400, "there is room for a smaller one");
        }
    }
    assert_eq!(ask(&router, post(spaces(1 << 20))).await.status, 400, "the first has gone and left its room");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_gives_its_memory_up() {
    let (router, _) = webhook(Bounds { max_body_memory: 2 << 20, ..Bounds::default() });
    let (feed, body) = fed();
    feed.send(spaces(500 << 10)).unwrap();
    let stalled = async {
        let answered = ask(&router, post(body)).await;
        assert_eq!(answered.status, 503);
    };
    let other = async {
        tokio::time::sleep(std::time::Duration::from_millis(501)).await;
        assert_eq!(ask(&router, post(spaces(600 << 10))).await.status, 400);
    };
    tokio::join!(stalled, other);
}

#[tokio::test]
async fn an_answer_takes_of_the_budget_until_it_is_dropped() {
    let (router, _) = webhook(Bounds { max_body_memory: 132 << 10, ..Bounds::default() });
    let (_, container) = decision::service("app-proxy");
    let mut pod = decision::pod("app-proxy", &json!([]));
    pod["spec"]["containers"] = vec![json!({ "name": container }); 500].into();
    let body = review("many", &pod).to_string();
    let first = router.clone().oneshot(post(body.clone())).await.unwrap();
    let length = first.headers()["content-length"].to_str().unwrap().parse::<usize>().unwrap();
    assert!(length > 64 << 10, "{length}");
    assert_eq!(ask(&router, post(body.clone())).await.status, 503);
    drop(first);
    assert_eq!(ask(&router, post(body)).await.status, 200);
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let (_, metrics) = webhook(Bounds::default());
    let panics = get(async || -> StatusCode { panic!("with a secret in it") });
    let router = Router::new().route("/panic", panics).route("/ok", get(async || "ok"));
    let router = panics::contain(router, Arc::clone(&metrics));
    let answered = ask(&router, Request::get("/panic").body(Body::empty()).unwrap()).await;
    assert_eq!(answered.status, 500);
    assert!(!answered.body.contains("secret"), "{}", answered.body);
    assert_eq!(ask(&router, Request::get("/ok").body(Body::empty()).unwrap()).await.status, 200);
    let text = metrics.text().unwrap();
    assert!(text.contains("panics_total 1") && text.contains("http_responses_total{code=\"500\"} 1"), "{text}");
}
