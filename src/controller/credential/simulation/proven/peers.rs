//! A state of the simulation at a scripted API server and a scripted Argo CD, and what goes wrong there.

use super::super::super::action::Action;
use super::super::super::argocd_probe::FreshKey;
use super::super::super::execute::{CREDENTIAL_ENTRY, LOGIN_ENTRY};
use super::super::super::scripted::{Scene, data};
use super::super::model::{Held, World};
use super::super::steps::Fault;
use super::names::{Names, password};
use crate::argocd::scripted::{
    ACCOUNT, Answer, PASSWORD, gone_after_its_version, nobody, refusal, token, token_made, token_of_session,
};
use crate::cluster::scripted::{self as cluster, secret};
use secrecy::SecretString;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::net::TcpSocket;
use tokio::sync::Notify;

/// The same thing going wrong in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Only,
    /// There is no connection at all.
    NoConnection,
    /// There is none any more when the login is sent.
    NoSecondConnection,
    /// An answer of this status that isn't Argo CD's.
    Page(u16),
}

impl Way {
    pub(super) fn of(world: &World, action: &Action, fault: Fault) -> Vec<Self> {
        let asks = matches!(action, Action::Login | Action::Mint(_) | Action::Retire(..));
        match fault {
            Fault::Killed => vec![Self::Only],
            _ if *action == Action::Login && (world.away || fault == Fault::Lost) => {
                vec![Self::NoConnection, Self::NoSecondConnection]
            }
            Fault::Rewritten if asks => [200, 302, 403, 502].map(Self::Page).to_vec(),
            _ => vec![Self::Only],
        }
    }
}

/// What is noted of a scripted run.
#[derive(Default)]
pub(super) struct Peers {
    /// Rings when the process is killed.
    pub(super) killed: Arc<Notify>,
    /// Whether it is to be.
    pub(super) kill: bool,
    /// The keys that Argo CD makes later.
    pub(super) stalled: Arc<Mutex<Vec<String>>>,
    /// How many logins Argo CD has refused.
    pub(super) refused: Arc<Mutex<usize>>,
}

/// This state of the world.
pub(super) async fn set(world: &World) -> (Scene, Names) {
    let names = Names::of(world);
    let keys: Vec<String> = world.tokens.iter().map(|token| names.key(token.id)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut scene = Scene::of(&keys, &format!("{{ type: password, username: {} }}", names.username())).await;
    let secret_password = password(world, world.secret_password);
    scene.server.put(&secret("argocd-initial-admin-secret"), data("password", &secret_password));
    let holds = |text: &str| scene.server.put(&secret("argocd-token"), data("token", text));
    match world.held {
        // No Secret, or one that somebody emptied.
        Held::Nothing if world.next.is_multiple_of(2) => {}
        Held::Nothing => holds(""),
        Held::Rubbish => holds("rubbish"),
        Held::Key { id, issued, .. } => holds(&token_made("apiKey", &names.key(id), issued)),
    }
    let memory = &world.memories[0];
    scene.memory.session = memory.session.then(|| SecretString::from(token_of_session()));
    scene.memory.fresh = memory.fresh.as_ref().map(|(key, since)| {
        let id = names.key(key.id);
        let token = SecretString::from(token_made("apiKey", &id, key.issued));
        FreshKey { id, token, since: *since }
    });
    memory.discarded.iter().for_each(|id| scene.memory.discard(names.key(*id)));
    (scene, names)
}

impl Peers {
    /// Has the one that the action calls go wrong. The socket keeps an address where nobody listens.
    pub(super) async fn script(
        world: &World,
        scene: &mut Scene,
        action: &Action,
        fault: Fault,
        way: Way,
    ) -> (Self, Option<TcpSocket>) {
        let calls = *action != Action::Discard;
        let kill =
            calls && (fault == Fault::Killed || *action == Action::Login && fault == Fault::Later && !world.away);
        let peers = Self { kill, ..Self::default() };
        let mut socket = None;
        match way {
            Way::NoConnection => {
                let (client, held) = nobody();
                (scene.client, socket) = (client, Some(held));
            }
            Way::NoSecondConnection => scene.client = gone_after_its_version().await,
            Way::Only | Way::Page(_) => {}
        }
        peers.script_argocd(world, scene, fault, way);
        peers.script_cluster(scene, action, fault);
        (peers, socket)
    }

    fn script_argocd(&self, world: &World, scene: &Scene, fault: Fault, way: Way) {
        let (killed, stalled, refused) =
            (Arc::clone(&self.killed), Arc::clone(&self.stalled), Arc::clone(&self.refused));
        let takes_logins = world.enabled && (!world.broken || fault == Fault::Whole);
        scene.argocd.interfere(move |method, path, body| {
            let is_login = (method, path) == ("POST", "/api/v1/session");
            if !is_login && method == "GET" {
                return None;
            }
            if is_login {
                let good = takes_logins && body["username"] == ACCOUNT && body["password"] == PASSWORD;
                *refused.lock().unwrap() += usize::from(!good);
                return match (fault, way) {
                    (Fault::Done, _) => Some(Answer::Lost),
                    (Fault::Later, _) => {
                        killed.notify_one();
                        Some(Answer::Lost)
                    }
                    (_, Way::Page(status)) => Some(Answer::Rewritten(status)),
                    _ if good => None,
                    _ => {
                        let (status, body) = refusal(401, "Invalid username or password");
                        Some(Answer::Says(status, body))
                    }
                };
            }
            let made = body["id"].as_str().filter(|_| method == "POST");
            match (fault, way, made) {
                (Fault::Lost, ..) => Some(Answer::Broken),
                (Fault::Later, _, Some(id)) => {
                    stalled.lock().unwrap().push(id.to_owned());
                    Some(Answer::Broken)
                }
                (Fault::Done | Fault::Later, ..) => Some(Answer::Lost),
                (Fault::Forgotten, _, Some(id)) => Some(Answer::Says(200, json!({ "token": token("apiKey", id) }))),
                (Fault::Forgotten, _, None) => Some(Answer::Says(200, json!({}))),
                (Fault::Killed, ..) => {
                    killed.notify_one();
                    Some(Answer::Lost)
                }
                (_, Way::Page(status), _) => Some(Answer::Rewritten(status)),
                _ => None,
            }
        });
    }

    fn script_cluster(&self, scene: &Scene, action: &Action, fault: Fault) {
        let (name, entry) = match action {
            Action::Store(_) => ("/argocd-token", "token"),
            Action::Remember(_) => ("/rel-state", CREDENTIAL_ENTRY),
            Action::Login if fault == Fault::Killed => ("/rel-state", LOGIN_ENTRY),
            _ => return,
        };
        let killed = Arc::clone(&self.killed);
        scene.server.script(move |call, _| {
            if !call.is("PATCH", name) || call.body["data"].get(entry).is_none() {
                return None;
            }
            match fault {
                Fault::Lost => Some(cluster::Answer::Broken),
                Fault::Done | Fault::Later | Fault::Rewritten => Some(cluster::Answer::Lost),
                Fault::Killed => {
                    killed.notify_one();
                    Some(cluster::Answer::Silent)
                }
                // An API server does what it says that it did.
                Fault::None | Fault::Forgotten | Fault::Whole => None,
            }
        });
    }
}
