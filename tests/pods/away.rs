//! The webhook is away while pods are created.

use crate::support::cluster::say;
use crate::support::watched::{QUICK, Watched, token};
use crate::support::workloads::{create, workload};

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_were_created_while_the_webhook_was_away_are_replaced_when_it_is_back() {
    let scene =
        Watched::new("away", &token(&format!("webhook: {{failurePolicy: Ignore, replicas: 1}}\n{QUICK}"))).await;
    let (cluster, namespace) = (scene.cluster().clone(), scene.namespace().to_owned());
    scene.scale_webhook(0).await;
    for (service, replicas) in [("app-proxy", 3), ("event-reporter", 2), ("gitops-operator", 1)] {
        create(&cluster, &namespace, &workload(service, replicas)).await;
    }
    scene.ready("cap-app-proxy", 3).await;
    scene.ready("event-reporter", 2).await;
    scene.ready("gitops-operator", 1).await;
    scene.waits("Deployment/cap-app-proxy", "no ready pod is behind Service").await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 3, "nobody is taken away for nothing");
    let back = scene.timeline.elapsed();
    scene.scale_webhook(1).await;
    scene.in_step(6).await;
    let took = scene.timeline.elapsed() - back;
    scene.timeline.tell("webhook away and back", &["cap-app-proxy", "event-reporter", "gitops-operator"]);
    say(&format!("webhook away and back: six pods in step {took:.1} s after it was scaled up"));
    for (name, replicas) in [("cap-app-proxy", 3), ("event-reporter", 2), ("gitops-operator", 1)] {
        assert_eq!(scene.timeline.count(name), 2 * replicas, "{name}: each pod is replaced once");
        assert!(scene.timeline.of(name).iter().skip(replicas).all(|life| life.injected));
    }
    let events = scene.events("cap-app-proxy").await;
    for reason in ["PodReplaced", "InStep"] {
        assert!(events.iter().any(|event| event == reason), "{events:?}");
    }
}
