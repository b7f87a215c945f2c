//! The status against a scripted API server.

use super::*;
use crate::cluster::Cause;
use crate::cluster::scripted::{ApiServer, NAMESPACE};
use crate::controller::scripted::context;

const PATH: &str = "/api/v1/namespaces/codefresh/configmaps/rel-status";

#[tokio::test(start_paused = true)]
async fn each_part_writes_its_own_key_and_says_nothing_twice() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    publish(&context, "one", &json!({ "a": 1 })).await.unwrap();
    publish(&context, "two", &json!({ "b": 2 })).await.unwrap();
    let map = server.get(PATH);
    assert_eq!(map["data"], json!({ "one.json": "{\"a\":1}", "two.json": "{\"b\":2}" }));
    assert_eq!(map["metadata"]["labels"]["app.kubernetes.io/instance"], "rel");
    assert_eq!(map["metadata"]["namespace"], NAMESPACE);
    server.calls();
    publish(&context, "one", &json!({ "a": 1 })).await.unwrap();
    assert!(server.writes().is_empty());
    publish(&context, "one", &json!({ "a": 2 })).await.unwrap();
    assert_eq!(server.get(PATH)["data"]["two.json"], "{\"b\":2}");
    server.remove(PATH);
    publish(&context, "one", &json!({ "a": 2 })).await.unwrap();
    assert_eq!(server.get(PATH)["data"]["one.json"], "{\"a\":2}", "made again");
}

#[tokio::test(start_paused = true)]
async fn it_belongs_to_the_service_account_where_that_is_known() {
    let server = ApiServer::default();
    let (mut context, _lease) = context(&server, "");
    std::sync::Arc::make_mut(&mut context.options).service_account = Some("rel".to_owned());
    publish(&context, "one", &json!(1)).await.unwrap();
    assert!(server.get(PATH)["metadata"].get("ownerReferences").is_none(), "made all the same");
    server.remove(PATH);
    server.put("/api/v1/namespaces/codefresh/serviceaccounts/rel", json!({ "metadata": { "uid": "u" } }));
    publish(&context, "one", &json!(1)).await.unwrap();
    assert_eq!(server.get(PATH)["metadata"]["ownerReferences"][0]["uid"], "u");
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_nothing_is_written() {
    let server = ApiServer::default();
    let (context, lease) = context(&server, "");
    lease.lose();
    assert_eq!(publish(&context, "one", &json!(1)).await.unwrap_err().cause, Cause::NotLeading);
    server.put(PATH, json!({ "data": {} }));
    assert_eq!(publish(&context, "one", &json!(1)).await.unwrap_err().cause, Cause::NotLeading);
    assert!(server.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_config_map_of_this_name_is_left_alone() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    server.put(PATH, json!({ "data": { "theirs": "1" } }));
    let error = publish(&context, "one", &json!(1)).await.unwrap_err();
    assert_eq!(error.cause, Cause::NotOurs);
    assert!(error.to_string().contains("ConfigMap codefresh/rel-status") && server.writes().is_empty(), "{error}");
}
