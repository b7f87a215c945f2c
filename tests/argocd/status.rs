//! `status`, beside a controller that keeps a key.

use super::account::id_of;
use super::commands::Person;
use super::runtime::{PASSWORD_MODE, Runtime};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Child;

/// A command that goes on, and what it prints.
struct Watched {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watched {
    fn next(&mut self) -> Value {
        let line = tokio::task::block_in_place(|| self.lines.next()).unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_the_controller_does_as_it_does_it() {
    let scene = Runtime::new("status").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let status = ["status", "--release", "hook"];
    let run = |more: &[&str]| {
        let output = person.command(&[&status[..], more].concat()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, printed) = run(&[]);
    assert!(code == 1 && printed.contains("look whether the controller runs"), "{printed}");

    let _controller = scene.quick().await;
    let first = scene.works().await;
    scene.is("valid").await;
    let (code, printed) = run(&[]);
    assert_eq!(code, 0, "{printed}");
    let key = format!("  {}  in use", id_of(&first));
    for part in ["Credential: valid", "account admin", "argocd-token, key token", &key, "Last Events:"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }

    let mut child = person.command(&[&status[..], &["--watch", "-o", "json"]].concat()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut watched = Watched { child, lines };
    assert_eq!(watched.next()["credential"]["keyId"], id_of(&first).as_str());
    scene.argocd.revoke(&scene.argocd.session().await, &id_of(&first));
    let second = scene.replaced(&first).await;
    loop {
        let seen = watched.next();
        if seen["credential"]["keyId"] == id_of(&second).as_str() && seen["good"] == true {
            break;
        }
    }
}
