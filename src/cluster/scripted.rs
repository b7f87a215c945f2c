//! A scripted API server for tests. It keeps objects in memory, with versions, uids and preconditions like
//! the real one; records every request; and shows each to a test's script before carrying it out.
//!
//! Watches never send anything. Server-side apply merges without tracking field ownership.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// The namespace that all tests use.
pub const NAMESPACE: &str = "codefresh";

/// The uid of [`NAMESPACE`].
pub const NAMESPACE_UID: &str = "89abcdef-0123-4123-8123-0123456789ab";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub content_type: String,
    pub body: Value,
}

impl Call {
    /// Whether it has this method, and a path with this end.
    pub fn is(&self, method: &str, end: &str) -> bool {
        self.method == method && self.path.ends_with(end)
    }
}

/// How a script answers a call.
pub enum Answer {
    /// With this status and message; the call isn't carried out.
    Status(u16, &'static str),
    /// The call is carried out, and the connection breaks before the answer.
    Lost,
    /// The call isn't carried out, and the connection breaks.
    Broken,
    /// The call is carried out, and there is never an answer.
    Silent,
    /// The call isn't carried out, and there is never an answer.
    Never,
}

/// Sees each call as it arrives. It may change objects, as another client would just before the call, and
/// answer in the server's place.
type Script = Box<dyn FnMut(&Call, &mut Objects) -> Option<Answer> + Send>;

/// The objects, keyed by their paths.
#[derive(Default)]
pub struct Objects {
    by_path: BTreeMap<String, Value>,
    version: u64,
}

/// The path of a Secret in [`NAMESPACE`].
pub fn secret(name: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/secrets/{name}")
}

impl Objects {
    /// Stores an object as it is, with a new version. Its uid stays unless `object` has one.
    pub fn put(&mut self, path: &str, mut object: Value) {
        self.version += 1;
        let metadata = &mut object["metadata"];
        let before = self.by_path.get(path).map(|before| before["metadata"]["uid"].clone());
        if metadata.get("uid").is_none() {
            metadata["uid"] = before.unwrap_or_else(|| format!("uid-{}", self.version).into());
        }
        metadata["name"] = path.rsplit('/').next().unwrap().into();
        if path.contains("/namespaces/") {
            metadata["namespace"] = NAMESPACE.into();
        }
        metadata["resourceVersion"] = self.version.to_string().into();
        self.by_path.insert(path.to_owned(), object);
    }

    /// Changes an object by a merge patch.
    pub fn merge(&mut self, path: &str, change: &Value) {
        let mut object = self.by_path[path].clone();
        json_patch::merge(&mut object, change);
        self.put(path, object);
    }

    pub fn get(&self, path: &str) -> Option<&Value> {
        self.by_path.get(path)
    }

    pub fn remove(&mut self, path: &str) -> Option<Value> {
        self.by_path.remove(path)
    }

    fn carry_out(&mut self, call: &Call) -> (u16, Value) {
        let path = call.path.as_str();
        match call.method.as_str() {
            "GET" if is_collection(path) => {
                let within = format!("{path}/");
                let named = call.query.split('&').find_map(|part| part.strip_prefix("fieldSelector=metadata.name%3D"));
                let items: Vec<_> = self
                    .by_path
                    .iter()
                    .filter(|(known, _)| known.strip_prefix(&within).is_some_and(|name| !name.contains('/')))
                    .filter(|(known, _)| named.is_none_or(|named| known.ends_with(&format!("/{named}"))))
                    .map(|(_, object)| object.clone())
                    .collect();
                (200, json!({ "metadata": { "resourceVersion": self.version.to_string() }, "items": items }))
            }
            "GET" => self.by_path.get(path).map_or_else(|| failure(404, "not found"), |found| (200, found.clone())),
            "PATCH" => self.patch(call),
            "POST" if path.ends_with("/eviction") => {
                let of = path.trim_end_matches("/eviction");
                if Some(call.body["metadata"]["name"].as_str().unwrap_or_default()) != of.rsplit('/').next() {
                    return failure(400, "name in URL does not match name in Eviction object");
                }
                self.take_away(of, &call.body["deleteOptions"])
            }
            "POST" => {
                let name = call.body["metadata"]["name"].as_str().unwrap_or("unnamed").to_owned();
                let path = format!("{path}/{name}");
                if self.by_path.contains_key(&path) {
                    return failure(409, "it exists");
                }
                self.put(&path, call.body.clone());
                (201, self.by_path[&path].clone())
            }
            "DELETE" => self.take_away(path, &call.body),
            _ => failure(405, "no such method"),
        }
    }

    fn patch(&mut self, call: &Call) -> (u16, Value) {
        let applied = call.content_type == "application/apply-patch+yaml";
        let found = self.by_path.get(&call.path).cloned();
        let expected = call.body["metadata"].get("resourceVersion").cloned();
        let before = match (found, &expected) {
            (Some(found), Some(version)) if found["metadata"]["resourceVersion"] != *version => {
                return failure(409, "the object has been modified");
            }
            (Some(found), _) => found,
            (None, None) if applied => json!({}),
            (None, Some(_)) if applied => return failure(409, "there is none"),
            (None, _) => return failure(404, "not found"),
        };
        let mut after = before.clone();
        let patch = if applied { merged_entries(&before, call.body.clone()) } else { call.body.clone() };
        json_patch::merge(&mut after, &patch);
        // As in a real server, a change without effect makes no new version.
        if after != before {
            self.put(&call.path, after);
        }
        (200, self.by_path[&call.path].clone())
    }

    /// Deletes an object if the preconditions hold. Other options are ignored, as by an API server that
    /// doesn't know them.
    fn take_away(&mut self, path: &str, options: &Value) -> (u16, Value) {
        let Some(found) = self.by_path.get(path) else { return failure(404, "not found") };
        let wanted = options.pointer("/preconditions/uid");
        if wanted.is_some_and(|uid| *uid != found["metadata"]["uid"]) {
            return failure(409, "the uid in the precondition is not the object's");
        }
        self.by_path.remove(path);
        (200, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" }))
    }
}

/// Entries of `webhooks` are merged by name, and those not mentioned stay.
fn merged_entries(before: &Value, mut body: Value) -> Value {
    if let (Some(entries), Some(applied)) = (before["webhooks"].as_array(), body["webhooks"].as_array()) {
        let mut entries = entries.clone();
        for change in applied {
            if let Some(entry) = entries.iter_mut().find(|entry| entry["name"] == change["name"]) {
                json_patch::merge(entry, change);
            } else {
                entries.push(change.clone());
            }
        }
        body["webhooks"] = entries.into();
    }
    body
}

/// Whether a path is that of a collection instead of an object.
fn is_collection(path: &str) -> bool {
    let rest = path
        .strip_prefix("/api/")
        .or_else(|| path.strip_prefix("/apis/").and_then(|r| r.split_once('/')).map(|(_, r)| r));
    let parts: Vec<&str> = rest.unwrap_or(path).split('/').skip(1).collect();
    matches!(parts.as_slice(), [_] | ["namespaces", _, _])
}

fn failure(code: u16, message: &str) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "Unknown",
    };
    let status = json!({
        "reason": reason,
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code,
    });
    (code, status)
}

/// The server; clones share its state.
#[derive(Clone, Default)]
pub struct ApiServer(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    objects: Objects,
    calls: Vec<Call>,
    script: Option<Script>,
}

impl ApiServer {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// A client of this server. Must be made inside a tokio runtime.
    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.answer(request).await }
        });
        Client::new(service, NAMESPACE)
    }

    /// Shows each call from now on to `script` before it is carried out.
    pub fn script(&self, script: impl FnMut(&Call, &mut Objects) -> Option<Answer> + Send + 'static) {
        self.inner().script = Some(Box::new(script));
    }

    /// Stores an object.
    pub fn put(&self, path: &str, object: Value) {
        self.inner().objects.put(path, object);
    }

    /// Stores the object of [`NAMESPACE`].
    pub fn put_namespace(&self) {
        self.put(&format!("/api/v1/namespaces/{NAMESPACE}"), json!({ "metadata": { "uid": NAMESPACE_UID } }));
    }

    /// Changes an object by a merge patch, as another client.
    pub fn merge(&self, path: &str, change: &Value) {
        self.inner().objects.merge(path, change);
    }

    pub fn remove(&self, path: &str) -> Option<Value> {
        self.inner().objects.remove(path)
    }

    /// The object at a path; `null` if there is none.
    pub fn get(&self, path: &str) -> Value {
        self.inner().objects.get(path).cloned().unwrap_or_default()
    }

    /// The requests since the last time that this was asked.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.inner().calls)
    }

    /// The writing requests since the last time that this was asked, as `METHOD last/parts`. Events are left
    /// out.
    pub fn writes(&self) -> Vec<String> {
        let writes = self.calls().into_iter().filter(|call| call.method != "GET" && !call.path.ends_with("/events"));
        writes.map(|call| format!("{} {}", call.method, call.path.rsplit('/').next().unwrap())).collect()
    }

    /// All Events, as `REASON: note`.
    pub fn events(&self) -> Vec<String> {
        let inner = self.inner();
        let all = inner.objects.by_path.iter().filter(|(path, _)| path.contains("/events/"));
        all.map(|(_, event)| format!("{}: {}", event["reason"].as_str().unwrap(), event["note"].as_str().unwrap()))
            .collect()
    }

    async fn answer(&self, request: Request<Body>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let call = Call {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            content_type: header(CONTENT_TYPE).to_owned(),
            body: if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body).map_err(io::Error::other)?
            },
        };
        let answer = self.respond(&call);
        let Some((status, body)) = answer? else { return std::future::pending().await };
        let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
        response.body(Full::from(body.to_string())).map_err(io::Error::other)
    }

    /// Carries out a call and answers it; `None` if it is never answered.
    fn respond(&self, call: &Call) -> io::Result<Option<(u16, Value)>> {
        let mut inner = self.inner();
        let Inner { objects, calls, script } = &mut *inner;
        calls.push(call.clone());
        if call.query.contains("watch=true") {
            return Ok(None);
        }
        match script.as_mut().and_then(|script| script(call, objects)) {
            None => Ok(Some(objects.carry_out(call))),
            Some(Answer::Status(code, message)) => Ok(Some(failure(code, message))),
            Some(Answer::Never) => Ok(None),
            Some(Answer::Silent) => {
                objects.carry_out(call);
                Ok(None)
            }
            Some(Answer::Lost) => {
                objects.carry_out(call);
                Err(io::Error::from(io::ErrorKind::ConnectionReset))
            }
            Some(Answer::Broken) => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        }
    }
}
