//! The commands for people, at a real Argo CD.

use super::account::id_of;
use super::runtime::{PASSWORD_MODE, Runtime};
use super::server::{Options, decoded, encoded, secret_value};
use crate::support::cluster::eventually;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Argo CD's own Secret with the first password.
const PASSWORD: [&str; 2] = ["--password-secret", "argocd-initial-admin-secret"];

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    said: String,
}

/// A person with a shell.
pub struct Person<'s> {
    scene: &'s Runtime,
    config: PathBuf,
}

impl<'s> Person<'s> {
    pub fn new(scene: &'s Runtime, auth: &str) -> Self {
        let config = scene.config(&format!("argocd: {{url: \"{}\"}}\n{auth}", scene.argocd.url()));
        Self { scene, config }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"));
        command
            .args(arguments)
            .args(["--namespace", self.scene.namespace()])
            .env("KUBECONFIG", self.scene.cluster.kubeconfig())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end. What it printed is kept, but for a key that was asked for.
    fn types(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).arg("--config").arg(&self.config).spawn().unwrap();
        // One that needs no input may be gone.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: output.status.code().unwrap(), out: text(output.stdout), said: text(output.stderr) };
        let shown = if arguments.contains(&"--to-stdout") { "" } else { &ran.out };
        let mut log = File::options().create(true).append(true).open(self.scene.output.join("commands.log")).unwrap();
        write!(log, "$ {}\n{shown}{}[{}]\n\n", arguments.join(" "), ran.said, ran.code).unwrap();
        ran
    }

    /// Runs a command that ends like this.
    fn does(&self, code: i32, arguments: &[&str]) -> String {
        let ran = self.types(arguments, "");
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(!ran.out.contains("eyJ") && !ran.said.contains("eyJ"), "{ran:?}");
        ran.out + &ran.said
    }

    fn does_with(&self, code: i32, arguments: &[&str], more: &[&str]) -> String {
        self.does(code, &[arguments, more].concat())
    }

    /// What `token generate` printed of it.
    fn id(printed: &str) -> String {
        let id = printed.lines().find_map(|line| line.strip_prefix("Made API key "));
        id.unwrap_or_else(|| panic!("{printed}")).to_owned()
    }
}

async fn config_of_argocd(scene: &Runtime) -> Value {
    scene.cluster.get(&scene.path("configmap", "argocd-cm")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_found_unfit_made_fit_and_argo_cd_writes_it_no_differently() {
    let scene = Runtime::new("account").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    for (before, after) in [
        (json!({ "accounts.admin": null }), json!({ "accounts.admin": "login,apiKey" })),
        (json!({ "accounts.admin": "apiKey", "admin.enabled": "false" }), json!({ "accounts.admin": "apiKey" })),
        (
            json!({ "accounts.admin": "login, apiKey", "accounts.admin.enabled": "f" }),
            json!({ "accounts.admin": "login, apiKey" }),
        ),
    ] {
        scene.argocd.configure("configmap", "argocd-cm", &json!({ "data": before })).await;
        let unfit = person.does(1, &["account", "verify"]);
        assert!(unfit.contains("problem      argocd-cm: admin: it "), "{unfit}");
        let version = config_of_argocd(&scene).await["metadata"]["resourceVersion"].clone();
        let planned = person.does(0, &["account", "enable", "--dry-run"]);
        assert!(planned.contains("Would change"), "{planned}");
        assert_eq!(config_of_argocd(&scene).await["metadata"]["resourceVersion"], version, "a dry run");

        let done = person.does(0, &["account", "enable"]);
        assert!(done.contains("Changed ConfigMap"), "{done}");
        let changed = config_of_argocd(&scene).await["data"].clone();
        let expected = json!({ "accounts.admin": after["accounts.admin"], "accounts.other": "apiKey, login" });
        assert_eq!(changed, expected);
        let fit = eventually("the account is fit", async || {
            let ran = person.types(&["account", "verify"], "");
            if ran.code == 0 { Ok(ran.out) } else { Err(ran.out) }
        })
        .await;
        assert!(fit.contains("ok           argocd-cm: admin: enabled, with login and apiKey"), "{fit}");
        assert!(fit.contains("ok           Argo CD: account: enabled, with login and apiKey"), "{fit}");
        assert!(fit.contains("ok           RBAC: admin: may applications get"), "{fit}");

        // Its own write, which stores the account, leaves ours as it is.
        person.does(0, &["token", "generate", "--to-secret", "scratch", "--replace"]);
        assert_eq!(config_of_argocd(&scene).await["data"], changed);
        assert!(person.does(0, &["account", "enable"]).contains("nothing to change"));
    }
    // Other accounts are written back by Argo CD, so that the spelling counts.
    let data = json!({ "accounts.other": "login", "accounts.other.enabled": "false" });
    scene.argocd.configure("configmap", "argocd-cm", &json!({ "data": data })).await;
    person.does(0, &["account", "enable", "--account", "other"]);
    let changed = config_of_argocd(&scene).await["data"].clone();
    assert_eq!(
        (&changed["accounts.other"], &changed["accounts.other.enabled"]),
        (&json!("login,apiKey"), &Value::Null)
    );
    let session = scene.argocd.session().await;
    scene.argocd.make_of(&session, "other", "spelled", 0);
    assert_eq!(config_of_argocd(&scene).await["data"], changed);
    assert!(person.does(1, &["account", "enable", "--account", "nobody"]).contains("there is no account nobody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_helm_manages_is_left_alone_and_the_printed_patch_works() {
    let scene = Runtime::new("managed").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let managed = json!({
        "metadata": { "labels": { "app.kubernetes.io/managed-by": "Helm" },
            "annotations": { "meta.helm.sh/release-name": "argo-cd" } },
        "data": { "accounts.admin": null },
    });
    scene.argocd.configure("configmap", "argocd-cm", &managed).await;
    let version = config_of_argocd(&scene).await["metadata"]["resourceVersion"].clone();
    let printed = person.does(1, &["account", "enable"]);
    assert!(printed.contains("managed by Helm (release argo-cd)"), "{printed}");
    assert!(printed.contains(r"--set-string 'configs.cm.accounts\.admin=login\,apiKey'"), "{printed}");
    assert_eq!(config_of_argocd(&scene).await["metadata"]["resourceVersion"], version);

    let line = printed.lines().find_map(|line| line.trim().strip_prefix("kubectl ")).unwrap();
    let (arguments, patch) = line.split_once(" --patch ").unwrap();
    let mut arguments: Vec<&str> = arguments.split(' ').collect();
    arguments.extend(["--patch", patch.trim_matches('\'')]);
    let seen = scene.cluster.kubectl(&arguments, None);
    assert!(seen.success, "{}", seen.stderr);
    assert_eq!(config_of_argocd(&scene).await["data"]["accounts.admin"], "login,apiKey");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_to_a_secret_a_file_or_standard_output_and_nowhere_else() {
    let scene = Runtime::new("generate").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let password = scene.argocd.password().await;
    let session = scene.argocd.session().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let file = path.to_str().unwrap();

    let printed = person.does(0, &["token", "generate", "--to-secret", "argocd-token"]);
    let stored = secret_value(scene.stored().await.unwrap());
    assert!(scene.argocd.accepts(&stored));
    assert_eq!(id_of(&stored), Person::id(&printed));

    // What stands there is not overwritten, and no key is made for nothing.
    let before = scene.argocd.keys(&session);
    let refused = person.does(1, &["token", "generate", "--to-secret", "argocd-token"]);
    assert!(refused.contains("--replace"), "{refused}");
    fs::write(&path, "mine").unwrap();
    assert!(person.does(1, &["token", "generate", "--to-file", file]).contains("exists"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(scene.argocd.keys(&session), before);
    fs::remove_file(&path).unwrap();

    person.does(0, &["token", "generate", "--to-secret", "argocd-token", "--replace"]);
    let replaced = secret_value(scene.stored().await.unwrap());
    assert!(replaced != stored && scene.argocd.accepts(&replaced));

    let printed = person.does(0, &["token", "generate", "--to-file", file, "--expires-in", "1h", "-o", "json"]);
    let printed: Value = serde_json::from_str(printed.split("note: ").next().unwrap()).unwrap();
    let key = secret_value(fs::read_to_string(&path).unwrap());
    assert!(scene.argocd.accepts(&key) && printed["id"] == id_of(&key).as_str() && !printed["expiresAt"].is_null());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(scene.argocd.keys(&session).iter().any(|listed| listed.id == id_of(&key) && listed.expires));

    let ran = person.types(&["token", "generate", "--to-stdout", "--password-stdin"], &format!("{password}\n"));
    let key = secret_value(ran.out.trim_end().to_owned());
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(scene.argocd.accepts(&key) && ran.out.lines().count() == 1);
    assert!(ran.said.contains(&id_of(&key)) && !ran.said.contains("eyJ") && !ran.said.contains(&password));

    let wrong = person.types(&["token", "generate", "--to-stdout", "--password-stdin"], "not-the-password\n");
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""));
    assert!(wrong.said.contains("refused too") && !wrong.said.contains("not-the-password"), "{}", wrong.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_can_not_be_written_is_revoked_again() {
    let scene = Runtime::new("undone").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let session = scene.argocd.session().await;
    // A Secret that nobody may change.
    let secret =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "fixed" }, "immutable": true, "data": {} });
    scene.cluster.apply(&scene.path("secret", "fixed"), &secret).await.unwrap();
    let before = scene.argocd.keys(&session);
    let printed = person.does(1, &["token", "generate", "--to-secret", "fixed"]);
    assert!(printed.contains("immutable") && printed.contains("was revoked again"), "{printed}");
    assert_eq!(scene.argocd.keys(&session), before);

    scene.argocd.configure("configmap", "argocd-cm", &json!({ "data": { "accounts.admin": "login" } })).await;
    let printed = eventually("the capability is gone", async || {
        let ran = person.types(&["token", "generate", "--to-secret", "other"], "");
        if ran.code == 1 { Ok(ran.said) } else { Err(ran.out) }
    })
    .await;
    assert!(printed.contains("may not have API keys; to do: account enable"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_is_and_whether_it_is_taken_is_told_apart() {
    let scene = Runtime::new("verify").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let session = scene.argocd.session().await;
    let key = secret_value(scene.argocd.make(&session, "mine", 0));
    let verify = ["token", "verify"];

    scene.store(&key).await;
    let good = person.does(0, &verify);
    assert!(good.contains("an API key of \"admin\", id \"mine\"") && good.contains(": takes it"), "{good}");
    for (token, expected) in [
        (format!("{key}\n"), "white space or a newline"),
        (encoded(&key), "base64 twice"),
        (session.clone(), "a session of the account \"admin\""),
        ("rubbish".to_owned(), "no token of Argo CD"),
        (String::new(), "it is empty"),
    ] {
        scene.store(&token).await;
        let printed = person.does(1, &verify);
        assert!(printed.contains(expected), "{printed}");
    }
    let lasting = secret_value(scene.argocd.make(&session, "short", 3600));
    scene.store(&lasting).await;
    let printed = person.does(1, &verify);
    assert!(printed.contains("problem      token: ") && printed.contains("it expires ("), "{printed}");
    assert!(printed.contains("takes it for now"), "{printed}");

    scene.argocd.revoke(&session, "mine");
    scene.store(&key).await;
    let printed = person.does(1, &verify);
    assert!(printed.contains("refused, or the server is broken"), "{printed}");
    let printed = person.does_with(1, &verify, &PASSWORD);
    assert!(printed.contains("a fresh session is taken and the key is not: it is dead"), "{printed}");

    // A server that is broken refuses every one, and the words don't blame the key.
    let key = secret_value(scene.argocd.make(&session, "steady", 0));
    scene.store(&key).await;
    let future = json!({ "data": { "admin.passwordMtime": encoded("2090-01-01T00:00:00Z") } });
    let secret = scene.cluster.get(&scene.path("secret", "argocd-secret")).await.unwrap();
    let past = json!({ "data": { "admin.passwordMtime": secret["data"]["admin.passwordMtime"] } });
    scene.argocd.configure("secret", "argocd-secret", &future).await;
    let printed = eventually("the server is broken", async || {
        let ran = person.types(&[&verify[..], &PASSWORD].concat(), "");
        if ran.code == 1 { Ok(ran.out) } else { Err(ran.out) }
    })
    .await;
    assert!(printed.contains("a fresh session isn't taken either"), "{printed}");
    scene.argocd.configure("secret", "argocd-secret", &past).await;
    eventually("the key comes back", async || {
        let ran = person.types(&verify, "");
        if ran.code == 0 { Ok(()) } else { Err(ran.out) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_looked_at_is_not_called_good_and_wrong_usage_is_told_apart() {
    let scene = Runtime::new("unseen").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let printed = person.does(1, &["account", "verify", "--password-secret", "nosuch"]);
    assert!(
        printed.contains("problem      Argo CD: login: there is no Secret") && printed.contains("nosuch"),
        "{printed}"
    );
    let printed: Value = serde_json::from_str(&person.types(&["token", "verify", "-o", "json"], "").out).unwrap();
    assert_eq!((&printed["good"], &printed["checks"][0]["result"]), (&json!(false), &json!("problem")), "{printed}");
    let https = scene.argocd.url().replace("http:", "https:");
    let printed = person.does(1, &["account", "verify", "--argocd-url", &https]);
    assert!(printed.contains("use an http address"), "{printed}");

    let printed = person.does(2, &["account", "verify", "--argocd-url", "https://admin:in-the-url@argocd"]);
    assert!(printed.contains("--argocd-url") && !printed.contains("in-the-url"), "{printed}");
    for arguments in [
        ["token", "generate", "--to-stdout", "--id", "a/b"].as_slice(),
        &["token", "generate"],
        &["token", "revoke"],
        &["account", "verify", "--account", "a b"],
    ] {
        person.does(2, arguments);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_revoked_by_its_id_or_by_itself_and_the_runtimes_only_by_force() {
    let scene = Runtime::new("revoke").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let session = scene.argocd.session().await;
    let in_use = secret_value(scene.argocd.make(&session, "in-use", 0));
    let by_itself = secret_value(scene.argocd.make(&session, "by-itself", 0));
    scene.argocd.make(&session, "by-id", 0);
    scene.store(&in_use).await;
    scene.put("other", "token", &by_itself).await;

    assert!(person.does(0, &["token", "revoke", "by-id"]).contains("Revoked API key by-id"));
    assert!(person.does(1, &["token", "revoke", "by-id"]).contains("There is no API key by-id"));
    person.does(0, &["token", "revoke", "--secret", "other"]);
    assert!(!scene.argocd.accepts(&by_itself));
    for arguments in [["token", "revoke", "in-use"].as_slice(), &["token", "revoke", "--secret", "argocd-token"]] {
        assert!(person.does(1, arguments).contains("is the one that the Runtime uses"));
        assert!(scene.argocd.accepts(&in_use));
    }
    person.does(0, &["token", "revoke", "in-use", "--force"]);
    assert!(!scene.argocd.accepts(&in_use));
    assert_eq!(scene.argocd.keys(&session), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_token_mode_the_account_is_looked_at_with_the_key_and_without_a_login() {
    let scene = Runtime::new("bytoken").await;
    let person = Person::new(&scene, "auth: {type: token, tokenSecretKeyRef: {name: mine, key: key}}\n");
    let session = scene.argocd.session().await;
    scene.put("mine", "key", &secret_value(scene.argocd.make(&session, "mine", 0))).await;
    let printed = person.does(0, &["account", "verify"]);
    assert!(printed.contains("ok           Argo CD: key: in Secret mine, key key"), "{printed}");
    assert!(!printed.contains("login:"), "{printed}");
    assert!(person.does(0, &["token", "verify"]).contains("Secret mine, key key"));
    // RBAC that is missing is a problem of another account's.
    scene.put("mine", "key", &secret_value(scene.argocd.make_of(&session, "other", "theirs", 0))).await;
    let printed = person.does(1, &["account", "verify", "--account", "other"]);
    assert!(printed.contains("problem      RBAC: other: may not applications get"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_ca_is_believed_and_each_failure_says_what_to_set() {
    let scene = Runtime::with("tls-commands", Options { tls: true, ..Options::default() }).await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");
    let secret = scene.cluster.get(&scene.path("secret", "argocd-secret")).await.unwrap();
    fs::write(&path, decoded(&secret["data"]["tls.crt"]).unwrap()).unwrap();
    let ca = ["--argocd-ca-file", path.to_str().unwrap()];
    let port = scene.argocd.port;
    let at = |code: i32, url: &str, more: &[&str]| {
        person.does_with(code, &["account", "verify", "--argocd-url", &format!("{url}:{port}")], more)
    };
    let (named, other, plain) = ("https://localhost", "https://127.0.0.1", "http://localhost");
    assert!(at(0, named, &ca).contains("Argo CD takes the password"));
    at(0, other, &["--argocd-insecure-skip-verify"]);
    for (url, more, expected) in [
        (
            named,
            [].as_slice(),
            "nobody who is trusted has signed its certificate; to do: give the certificate of its CA",
        ),
        (other, &ca, "use one of the certificate's names as the address"),
        (plain, &[], "Argo CD speaks TLS here"),
    ] {
        let printed = at(1, url, more);
        assert!(printed.contains(expected), "{printed}");
    }
}
