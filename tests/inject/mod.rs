//! The command `inject`, on manifests as people have them.

use argocd_auth_webhook::commands::inject::{Format, InjectError, Injected, Input, run};
use argocd_auth_webhook::core::{
    Auth, Delivery, Engine, Injection, Injector, Mode, OnConflict, PLAIN_TOKEN, Username, built_in_services,
};
use serde_json::{Value, json};

mod corpus;
mod differential;
mod generated;
mod kubernetes;
mod properties;

fn injector(on_conflict: OnConflict) -> Injector {
    let auth = Auth {
        mode: Mode::Token,
        credential: PLAIN_TOKEN.into(),
        username: Username::Plain("admin".to_owned()),
        chart_has_username: false,
    };
    let services = built_in_services().into_iter().map(|service| {
        let injection = Injection::new(&auth, &service, Delivery::Env, false);
        (service, injection)
    });
    let services = services.collect();
    Injector::new(auth, services, on_conflict, Engine::Inject)
}

fn inject_as(text: impl Into<Vec<u8>>, output: Option<Format>) -> Result<Injected, InjectError> {
    run(&injector(OnConflict::Keep), &[Input::new("in", text)], output)
}

fn inject(text: &str) -> Injected {
    inject_as(text, None).expect("readable manifests")
}

fn report(injected: &Injected) -> Vec<String> {
    injected.report.iter().map(ToString::to_string).collect()
}

fn values(json: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(json).into_iter().collect::<Result<_, _>>().expect("JSON objects")
}

const TOKEN: &str =
    r#"{"name":"ARGO_CD_TOKEN","valueFrom":{"secretKeyRef":{"name":"gitops-runtime-argo-cd-token","key":"token"}}}"#;

/// A pod, or pod template, of the app-proxy.
fn template() -> Value {
    json!({
        "metadata": { "labels": { "app": "cap-app-proxy" } },
        "spec": { "containers": [{ "name": "cap-app-proxy", "image": "proxy:1.10" }] },
    })
}

fn object(api_version: &str, kind: &str, pointer: &[&str]) -> Value {
    let nested = pointer.iter().rev().fold(template(), |inner, field| json!({ *field: inner }));
    let mut object =
        json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "x", "namespace": "codefresh" } });
    for (field, value) in nested.as_object().expect("an object") {
        if field == "metadata" {
            object["metadata"]["labels"] = value["labels"].clone();
        } else {
            object[field] = value.clone();
        }
    }
    object
}

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: cap-app-proxy
  namespace: codefresh
spec:
  template:
    metadata:
      labels:
        app: cap-app-proxy
    spec:
      containers:
      - name: cap-app-proxy
        env:
        - name: MODE
          value: "yes"
      volumes:
      - name: v
        secret:
          secretName: s
          defaultMode: 0644
"#;

#[test]
fn every_kind_that_makes_pods_gets_the_credential() {
    for (api_version, kind, pointer) in [
        ("v1", "Pod", &[][..]),
        ("v1", "PodTemplate", &["template"]),
        ("v1", "ReplicationController", &["spec", "template"]),
        ("apps/v1", "Deployment", &["spec", "template"]),
        ("extensions/v1beta1", "Deployment", &["spec", "template"]),
        ("apps/v1", "StatefulSet", &["spec", "template"]),
        ("apps/v1", "DaemonSet", &["spec", "template"]),
        ("apps/v1", "ReplicaSet", &["spec", "template"]),
        ("batch/v1", "Job", &["spec", "template"]),
        ("batch/v1", "CronJob", &["spec", "jobTemplate", "spec", "template"]),
    ] {
        let before = object(api_version, kind, pointer);
        let done = inject(&before.to_string());
        let after: Value = serde_json::from_str(&done.manifests).expect("one JSON object");
        let pod = after
            .pointer(&["", pointer.join("/").as_str()].join(if pointer.is_empty() { "" } else { "/" }))
            .expect("a pod");
        let env = pod["spec"]["containers"][0]["env"][0].to_string();
        assert_eq!(env, TOKEN, "{kind}");
        assert!(pod["metadata"]["annotations"]["argocd-auth-webhook/status"].is_string(), "{kind}");
        let line = format!("in: document 1: {kind} codefresh/x: injected (service app-proxy)");
        assert_eq!(report(&done), [line]);
    }
}

#[test]
fn what_makes_no_pods_passes_through_with_a_reason_where_one_helps() {
    for (text, line) in [
        ("apiVersion: example.com/v1\nkind: Deployment\nmetadata: {name: a}\n", "Deployment a: passed through"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {generateName: a-}\n", "Secret a-*: passed through"),
        ("kind: Pod\nmetadata: {name: a}\n", "Pod a: passed through (no apiVersion)"),
        ("kind: Kustomization\n", "Kustomization (no name): passed through"),
        ("a: 1\n", "object without kind (no name): passed through (no kind)"),
        (
            "apiVersion: apps/v1\nkind: Deployment\nspec: {}\n",
            "Deployment (no name): passed through (no pod template in it)",
        ),
        (
            "apiVersion: batch/v1\nkind: Job\nspec: {template: [1]}\n",
            "Job (no name): passed through (no pod template in it)",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\e[2J\"}\n", "Pod a\\u{1b}[2J: not_selected"),
        ("apiVersion: v1\nkind: List\nitems: []\n", "List (no name): passed through (no items)"),
        ("apiVersion: v1\nkind: List\nitems: [1]\n", ""),
    ] {
        let done = inject(text);
        assert_eq!(done.manifests, text);
        let expected = if line.is_empty() {
            "in: document 1, item 1: object without kind (no name): passed through (not an object)".to_owned()
        } else {
            format!("in: document 1: {line}")
        };
        assert_eq!(report(&done), [expected]);
    }
}

#[test]
fn what_is_not_changed_stays_byte_for_byte_around_what_is() {
    let before = "# top\nkind:   A # a\n\n---\n---\n# only a comment\n---\n";
    let after = "# end\n---\r\nkind: {a: !x 'b'}\r\n...\n# between\n%YAML 1.1\n---\nkind: &b B\n...\n# last";
    let done = inject(&format!("{before}# Source: x\n{DEPLOYMENT}{after}"));
    let (head, rest) = done.manifests.split_once("# Source: x\n").expect("the comment before the Deployment");
    assert_eq!(head, before);
    let at = rest.find("# end\n").expect("the comment behind it");
    assert_eq!(&rest[at..], after);
    assert!(rest[..at].starts_with("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cap-app-proxy\n"));
    assert_eq!(done.report.len(), 4);
    assert_eq!(done.report[1].place.to_string(), "in: document 4");
}

#[test]
fn a_changed_document_means_what_kubernetes_read() {
    let text = DEPLOYMENT
        .replace("- name: MODE", "- &e\n          name: yes\n        - <<: *e\n          name: MODE")
        .replace("        app: ", "        off: x\n        0x10: z\n        app: ");
    let done = inject(&text);
    let yaml = done.manifests.as_str();
    for part in [
        "value: \"yes\"",
        "- name: true\n",
        "defaultMode: 420\n",
        "        \"false\": x\n        \"16\": z\n",
        "        - name: MODE\n",
        "        - name: ARGO_CD_TOKEN\n",
    ] {
        assert!(yaml.contains(part), "{part} in\n{yaml}");
    }
    assert!(yaml.find("ARGO_CD_TOKEN") < yaml.find("MODE"));
}

#[test]
fn a_changed_document_is_written_so_that_every_reader_reads_the_same() {
    let long = "word ".repeat(40) + "end";
    let args = json!(["set -e\nrun\n", "\ttab first\nrun", "\n", long, "1_000", "on", "2001-01-01"]);
    let mut pod = object("v1", "Pod", &[]);
    pod["spec"]["args"] = args;
    pod["metadata"]["labels"]["y"] = "n".into();
    let yaml = inject_as(pod.to_string(), Some(Format::Yaml)).expect("YAML").manifests;
    for part in [
        // What people read stays readable; Kubernetes' reader takes a tab for indentation.
        "  - |\n    set -e\n    run\n",
        "  - \"\\ttab first\\nrun\"\n",
        "  - \"\\n\"\n",
        &format!("  - {long}\n"),
        "  - \"1_000\"\n  - \"on\"\n  - \"2001-01-01\"\n",
        "    \"y\": \"n\"\n",
    ] {
        assert!(yaml.contains(part), "{part} in\n{yaml}");
    }
}

#[test]
fn windows_line_breaks_stay() {
    let text = DEPLOYMENT.replace('\n', "\r\n");
    let done = inject(&format!("--- # x\r\n{text}---\r\nkind: A\r\n"));
    assert!(done.manifests.starts_with("--- # x\r\napiVersion: apps/v1\r\n"));
    assert!(done.manifests.ends_with("---\r\nkind: A\r\n"));
    assert_eq!(done.manifests.matches('\n').count(), done.manifests.matches("\r\n").count());
    assert_eq!(inject(&done.manifests).manifests, done.manifests);
}

#[test]
fn content_on_the_markers_line_is_replaced_with_it() {
    let pod = object("v1", "Pod", &[]);
    let done = inject(&format!("kind: A\n--- {pod}\n--- {{kind: B}}\n"));
    assert!(done.manifests.starts_with("kind: A\n---\napiVersion: v1\nkind: Pod\n"), "{}", done.manifests);
    assert!(done.manifests.ends_with("\n--- {kind: B}\n"));
}

#[test]
fn items_of_lists_are_objects_too() {
    let mut bare = object("v1", "Pod", &[]);
    bare.as_object_mut().expect("an object").retain(|field, _| field != "apiVersion" && field != "kind");
    let typed = json!({ "apiVersion": "v1", "kind": "PodList", "items": [bare.clone(), bare] });
    let deployment = object("apps/v1", "Deployment", &["spec", "template"]);
    let list =
        json!({ "apiVersion": "v1", "kind": "List", "items": [{ "kind": "A" }, typed, deployment, { "kind": "B" }] });
    let done = inject(&list.to_string());
    assert_eq!(
        report(&done),
        [
            "in: document 1, item 1: A (no name): passed through",
            "in: document 1, item 2.1: Pod codefresh/x: injected (service app-proxy)",
            "in: document 1, item 2.2: Pod codefresh/x: injected (service app-proxy)",
            "in: document 1, item 3: Deployment codefresh/x: injected (service app-proxy)",
            "in: document 1, item 4: B (no name): passed through",
        ]
    );
    assert_eq!(done.manifests.matches(TOKEN).count(), 3);
}

#[test]
fn json_keeps_its_layout_and_its_numbers() {
    let mut pod = object("v1", "Pod", &[]);
    pod["spec"]["x"] = json!([1, -1, 1.0, 0.1, u64::MAX, i64::MIN, 1e21, "\u{2028}"]);
    for text in [format!(" {pod}"), format!("{pod:#}\n")] {
        let done = inject(&text);
        let lines = |text: &str| text.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
        assert!(
            done.manifests.contains("[1,-1,1.0,0.1,18446744073709551615,-9223372036854775808,1e+21,")
                || lines(&done.manifests) == lines(&text)
        );
        assert_eq!(done.manifests.ends_with('\n'), text.ends_with('\n'));
        assert_eq!(values(&done.manifests)[0]["spec"]["x"], pod["spec"]["x"]);
    }
    let two = format!("{{\"kind\":\"A\",  \"n\": 1.10}}\n\n{pod}{{\"kind\":\"B\"}}");
    let done = inject(&two);
    assert!(done.manifests.starts_with("{\"kind\":\"A\",  \"n\": 1.10}\n\n{\"apiVersion\""));
    assert_eq!(values(&done.manifests).len(), 3);
}

#[test]
fn one_format_becomes_the_other_on_request() {
    let text = format!("# comment\n---\n{DEPLOYMENT}---\n---\nkind: B\n");
    let json = inject_as(text.clone(), Some(Format::Json)).expect("JSON").manifests;
    let objects = values(&json);
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["spec"]["template"]["spec"]["containers"][0]["env"][0].to_string(), TOKEN);
    let yaml = inject_as(json.clone(), Some(Format::Yaml)).expect("YAML").manifests;
    assert_eq!(yaml.matches("---\n").count(), 1);
    assert_eq!(inject_as(yaml, Some(Format::Json)).expect("JSON").manifests, json);
}

#[test]
fn several_inputs_make_one_stream() {
    let inputs = [
        Input::new("a", "kind: A"),
        Input::new("b", "\u{FEFF}# b\nkind: B\n"),
        Input::new("c", "--- \nkind: C\n"),
        Input::new("d", "%YAML 1.1\n---\nkind: D\n"),
        Input::new("e", "{\"kind\":\"E\"}{\"kind\":\"F\"}"),
        Input::new("f", "kind: G\n"),
    ];
    let injector = injector(OnConflict::Keep);
    let done = run(&injector, &inputs, None).expect("readable");
    assert_eq!(
        done.manifests,
        "kind: A\n---\n# b\nkind: B\n--- \nkind: C\n...\n%YAML 1.1\n---\nkind: D\n\
         ---\n{\"kind\":\"E\"}\n---\n{\"kind\":\"F\"}\n---\nkind: G\n"
    );
    assert_eq!(inject(&done.manifests).report.len(), 7);
    let json = [Input::new("a", "{\"kind\":\"A\"}"), Input::new("b", "{\"kind\":\"B\"}\n")];
    assert_eq!(run(&injector, &json, None).expect("readable").manifests, "{\"kind\":\"A\"}\n{\"kind\":\"B\"}\n");
}

#[test]
fn an_empty_input_is_empty_output_and_a_note() {
    for text in ["", "\n", "# nothing\n---\n", "null\n"] {
        let done = inject(text);
        assert_eq!(done.manifests, text);
        assert_eq!(report(&done), ["in: empty: no object in it"]);
        assert_eq!(inject_as(text, Some(Format::Json)).expect("empty").manifests, "");
    }
}

/// A document that may be a pod of ours, so that it can't be left alone.
fn ours(text: &str) -> String {
    format!("x: cap-app-proxy\n{text}")
}

#[test]
fn an_error_says_where_it_is_in_the_file_and_never_what_stands_there() {
    for (text, expected) in [
        ("b: [S3CRET\n---\n", "line 4, column 4: not valid YAML: a bracket that isn't closed"),
        ("a: &S3CRET 1\nb: *S3CRETS\n", "line 5, column 4: not valid YAML: an alias whose anchor isn't there"),
        ("a: !!binary S3CRET*\n", "line 4, column 13: not valid YAML: !!binary that is not base64"),
        ("a: !!int S3CRET\n", "line 4, column 10: not valid YAML: a value that is not of its tag's type (int)"),
        ("a: \"S3CRET\n", "line 4, column 4: not valid YAML: a quote that isn't closed"),
        (
            "? [S3CRET]\n: 1\n",
            "line 4, column 3: not valid YAML: a key that is not a string, a boolean, or a number of at most 63 bits",
        ),
        (
            "a: .nan # S3CRET\n",
            "line 4, column 4: not valid YAML: a number that JSON can't hold (infinite, or not a number)",
        ),
        (
            "S3CRET: \"\u{85}\"\n",
            "line 4, column 10: not valid YAML: a line break of Unicode (U+0085, U+2028 or U+2029); \
             write it as an escape in double quotes",
        ),
    ] {
        let text = format!("a: 1\n---\n{}", ours(text));
        let error = inject_as(text.clone(), None).expect_err(&text);
        assert_eq!(error.to_string(), format!("in: document 2: {expected}"));
        assert!(!format!("{error:?}").contains("S3CRET"));
    }
    for (text, expected) in [
        ("{\"a\": 1}\n{\"a\": S3CRET}", "in: document 2: line 2, column 7: not valid JSON: expected value"),
        (
            "{\"x\": \"cap-app-proxy\"}\n {\"S3CRET\": \"cap-app-proxy\",\n \"S3CRET\": 2}",
            "in: document 2: line 3, column 9: not valid JSON: a key stands twice in one mapping",
        ),
    ] {
        let error = inject_as(text, None).expect_err(text);
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("S3CRET"));
    }
}

#[test]
fn what_cannot_be_read_and_cannot_be_ours_passes_with_a_warning() {
    for (text, why) in [
        ("a: {{ .Values.x }}\n", "document 1: left alone\n  warning: line 1, column "),
        (
            "# x\n---\n\ntext\n",
            "document 1: left alone\n  warning: line 4, column 1: a string, not a Kubernetes object",
        ),
        ("- a\n", "document 1: left alone\n  warning: line 1, column 1: a list, not a Kubernetes object"),
        ("a: *nowhere\n", "not valid YAML: an alias whose anchor isn't there; it is left as it is"),
        ("a: .inf\n", "a number that JSON can't hold"),
        ("{\"a\": 1e999}", "not valid JSON: number out of range"),
        ("data: {level: debug, m: manager, k: *nowhere}\n", "an alias whose anchor isn't there; it is left as it is"),
        (
            "containers: [managers, my-manager, debugger, *nowhere]\n",
            "an alias whose anchor isn't there; it is left as it is",
        ),
        ("{{ if .x }}\n", "; it is left as it is"),
        // Operators call their container so; one of the Runtime's has its label too.
        (
            "spec: {containers: [{name: manager}], x: *nowhere}\n",
            "an alias whose anchor isn't there; it is left as it is",
        ),
        ("{\"a\": 1} \"b\"", "document 2: left alone\n  warning: line 1, column 10: a string, not a Kubernetes object"),
    ] {
        let done = inject(text);
        assert_eq!(done.manifests, text);
        let lines = report(&done);
        assert!(lines.iter().any(|line| line.contains(why)), "{lines:?}");
        let both = inject(&format!("{DEPLOYMENT}---\n{text}"));
        assert!(both.manifests.ends_with(text) && both.manifests.contains("ARGO_CD_TOKEN"), "{}", both.manifests);
        // It can't become the other format, though.
        if !text.starts_with('{') {
            inject_as(text, Some(Format::Json)).expect_err(text);
        }
    }
}

#[test]
fn text_stays_text_and_a_merge_counts_where_it_stands() {
    let more =
        "x: [7e12345, tRUE, 0o17, 08]\nd: &d {tier: gold}\nz: {tier: silver, <<: *d}\nw: {<<: *d, tier: silver}\n";
    let yaml = inject(&format!("{DEPLOYMENT}{more}")).manifests;
    let json = inject_as(yaml, Some(Format::Json)).expect("JSON").manifests;
    let object = &values(&json)[0];
    assert_eq!(object["x"], json!(["7e12345", "tRUE", 15, 8]));
    assert_eq!((&object["z"]["tier"], &object["w"]["tier"]), (&json!("gold"), &json!("silver")));
}

#[test]
fn a_key_given_twice_is_what_kubernetes_reads_and_said() {
    let done = inject(&format!("{DEPLOYMENT}x: a\nx: b\n"));
    assert!(done.manifests.ends_with("\nx: b\n"), "{}", done.manifests);
    assert!(
        report(&done)[0].contains("\n  warning: line 23, column 1: a key stands twice in one mapping"),
        "{:?}",
        report(&done)
    );
    // Where nothing is written, nothing is lost.
    assert!(!inject("a: 1\na: 2\n").report[0].matters());
}

#[test]
fn what_stands_behind_the_last_value_is_not_taken_into_it() {
    for tail in ["\n\n---\nkind: B\n", "          \n", "\t\n# end\n"] {
        let done = inject(&format!("{DEPLOYMENT}x-last: \"abc\\n\\n\"\n{tail}"));
        assert!(done.manifests.ends_with(&tail.replace('\t', "")), "{}", done.manifests);
        let json = inject_as(done.manifests, Some(Format::Json)).expect("JSON").manifests;
        assert_eq!(values(&json)[0]["x-last"], "abc\n\n");
    }
}

#[test]
fn a_byte_order_mark_may_stand_before_any_document() {
    let done =
        inject(&format!("\u{FEFF}kind: A\n---\n\u{FEFF}{DEPLOYMENT}\u{FEFF}---\nkind: B\n---\n\u{FEFF}kind: C\n"));
    assert_eq!(done.summary().injected, 1);
    assert!(done.manifests.starts_with("kind: A\n---\napiVersion: apps/v1\n"), "{}", done.manifests);
    assert!(done.manifests.ends_with("\n---\nkind: B\n---\n\u{FEFF}kind: C\n"), "{}", done.manifests);
}

#[test]
fn a_mirror_pod_is_left_alone() {
    let mut pod = object("v1", "Pod", &[]);
    pod["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "abc" });
    let text = pod.to_string();
    let done = inject(&text);
    assert_eq!(done.manifests, text);
    assert_eq!(report(&done), ["in: document 1: Pod codefresh/x: mirror_pod (service app-proxy)"]);
}

#[test]
fn one_line_says_what_was_done_and_that_nothing_matched() {
    let pod = object("v1", "Pod", &[]).to_string();
    let once = inject(&pod).manifests;
    let done = inject(&format!("{pod}\n{once}\n{{\"kind\":\"A\"}}\n"));
    assert_eq!(done.summary().to_string(), "1 injected, 1 right already, 1 left alone");
    assert!(!done.report.iter().any(argocd_auth_webhook::commands::inject::Line::matters));
    let none = "0 injected, 0 right already, 1 left alone: none is a pod of a service that gets a credential";
    assert_eq!(inject("kind: A\n").summary().to_string(), none);
    let text = DEPLOYMENT.replace("MODE", "ARGO_CD_TOKEN");
    let denied = run(&injector(OnConflict::Deny), &[Input::new("in", text)], None).expect("readable");
    assert_eq!(
        denied.summary().to_string(),
        "0 injected, 0 right already, 0 left alone, 1 refused: nothing is written"
    );
    assert!(denied.report[0].matters());
}

#[test]
fn nothing_that_a_manifest_says_reaches_the_terminal_as_it_is() {
    let evil = "\u{1b}]0;x\u{7}\n\u{202e}fake: injected\u{2028}";
    let mut pod = object("v1", "Pod", &[]);
    pod["spec"]["containers"][0]["name"] = format!("{evil}{}", "x".repeat(10_000)).into();
    pod["metadata"]["name"] = evil.into();
    let done = run(&injector(OnConflict::Keep), &[Input::new(evil, pod.to_string())], None).expect("readable");
    let line = report(&done).remove(0);
    assert_eq!(line.lines().count(), 2, "{line}");
    assert!(!line.contains(|c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2028}')), "{line}");
    assert!(line.len() < 1_000, "{line}");
}

#[test]
fn what_is_not_utf8_is_told_as_what_it_is() {
    let error = |bytes: &[u8]| inject_as(bytes, None).expect_err("not text").to_string();
    assert_eq!(error(b"a: 1\nb: \xFF\n"), "in: line 2, column 4: not UTF-8 text; manifests must be UTF-8");
    let utf16: Vec<u8> = "\u{FEFF}a: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(error(&utf16).starts_with("in: UTF-16 text"));
    assert!(error(&utf16[2..]).starts_with("in: UTF-16 text"));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_with_its_name() {
    let error = Input::from_path("no/such/file.yaml".as_ref()).expect_err("no such file");
    assert!(error.to_string().starts_with("no/such/file.yaml: can't be read: "), "{error}");
}

#[test]
fn many_aliases_are_fine_and_a_bomb_is_not() {
    let many = format!("kind: X\na: &a {{x: 1}}\nl:\n{}", "- *a\n".repeat(5_000));
    assert_eq!(inject(&many).manifests, many);
    let each = (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(",")));
    let bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned()].into_iter().chain(each).collect::<Vec<_>>().concat();
    inject_as(ours(&bomb), None).expect_err("a bomb");
    assert_eq!(inject(&bomb).manifests, bomb);
    let deep = (0..2_000).map(|n| " ".repeat(n) + "a:\n").collect::<Vec<_>>().concat();
    inject_as(ours(&deep), None).expect_err("too deep");
}

#[test]
fn a_conflict_is_kept_with_a_warning_or_refused_without_output() {
    let text = DEPLOYMENT.replace("MODE", "ARGO_CD_TOKEN");
    let kept = inject(&text);
    assert_eq!(kept.manifests, text);
    assert!(!kept.denied());
    let line = "in: document 1: Deployment codefresh/cap-app-proxy: conflict_kept (service app-proxy)\n  \
                warning: cap-app-proxy keeps its own ARGO_CD_TOKEN; the settings say otherwise (onConflict: keep)";
    assert_eq!(report(&kept), [line]);
    let inputs = [Input::new("a", DEPLOYMENT), Input::new("b", text)];
    let denied = run(&injector(OnConflict::Deny), &inputs, None).expect("readable");
    assert!(denied.denied());
    assert_eq!(denied.manifests, "");
    assert!(report(&denied)[1].starts_with("b: document 1: Deployment codefresh/cap-app-proxy: conflict_denied"));
    assert!(report(&denied)[1].contains("\n  denied: app-proxy: cap-app-proxy has its own ARGO_CD_TOKEN"));
}

#[test]
fn blank_lines_with_tabs_do_not_come_to_stand_behind_what_was_injected() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: cap-app-proxy}}\nspec:\n  containers:\n  - name: cap-app-proxy\n    image: ";
    for tail in [
        "i\n      \t\n",
        "i\n        \t\n\n",
        ">\n      i\n      \t\n",
        "|+\n      i\n      \t",
        "i\n  \t\n---\nkind: X\n",
    ] {
        let written = inject(&format!("{pod}{tail}")).manifests;
        assert!(written.contains("ARGO_CD") && !written.contains('\t'), "{written:?}");
    }
}
