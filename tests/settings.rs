//! What the settings' files may say, and what is said of what they may not.

mod support {
    pub mod addresses;
    pub mod decision;
}

use argocd_auth_webhook::core::{Auth, Delivery, Mode, OnConflict, SecretKeyRef, Username};
use argocd_auth_webhook::settings::{Address, ByName, File, Overrides, Rollout, Settings};
use std::time::Duration;
use support::addresses::{ADDRESSES, MISPLACED, UNUSABLE};
use support::decision::{config, values, with_auth};

const SPELLINGS: [&str; 3] =
    ["global.external-arg-cd.auth", "global.external-argo-cd.auth", "global.integrations.argo-cd.server.auth"];

/// Values with a block at a path.
fn at(path: &str, block: &str) -> String {
    path.split('.').rev().fold(block.to_owned(), |inner, key| format!("{{{key}: {inner}}}"))
}

fn auth(yaml: &str) -> Auth {
    values(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}")).auth
}

fn error(result: Result<Settings, argocd_auth_webhook::settings::SettingsError>) -> String {
    result.map(|settings| format!("{:?}", settings.auth)).unwrap_err().to_string()
}

fn secret(name: &str, key: &str) -> SecretKeyRef {
    SecretKeyRef { name: name.to_owned(), key: key.to_owned(), optional: None }
}

#[test]
fn without_a_block_nothing_is_guessed_and_the_lines_to_write_are_shown() {
    let mut shown = None;
    for yaml in
        ["", "# nothing\n", "---\n", "{}", "other: {a: 1}", "global: {}", "global:", "global: {runtime: {name: a}}"]
    {
        for said in [error(values(yaml)), error(values("{global: {external-argo-cd: {auth: {}}}}"))] {
            assert_eq!(*shown.get_or_insert_with(|| said.clone()), said, "{yaml}");
        }
    }
    insta::assert_snapshot!("no-block", shown.unwrap());
    assert_eq!(error(config("{}")), error(values("{}")).replace("values.yaml", "config.yaml"));
    insta::assert_snapshot!("no-file", error(Settings::load(None, Overrides::default())));
    assert!(error(Settings::load(Some(&File::Values(Vec::new())), Overrides::default())).starts_with("no settings"));
}

#[test]
fn the_initial_password_has_to_be_asked_for() {
    for block in ["{type: password}", "{type: password, username: admin}", "{type: password, passwordSecretKeyRef: {}}"]
    {
        for path in SPELLINGS {
            assert_eq!(auth(&at(path, block)), Settings::of_the_charts().auth, "{path} {block}");
        }
        assert_eq!(config(&at("auth", block)).unwrap().auth, Settings::of_the_charts().auth, "{block}");
    }
}

#[test]
fn a_block_means_the_same_under_each_spelling_and_in_our_own_file() {
    let cases = [
        ("{type: token, token: t}", Mode::Token, secret("gitops-runtime-argo-cd-token", "token")),
        (
            "{type: token, token: t, tokenSecretKeyRef: {name: sec, key: k}}",
            Mode::Token,
            secret("gitops-runtime-argo-cd-token", "token"),
        ),
        ("{type: token, token: '', tokenSecretKeyRef: {name: sec, key: k}}", Mode::Token, secret("sec", "k")),
        (
            "{type: token, token: , tokenSecretKeyRef: {name: sec, key: k}, password: p}",
            Mode::Token,
            secret("sec", "k"),
        ),
        ("{password: p}", Mode::Password, secret("gitops-runtime-argo-cd-password", "token")),
        (
            "{type: password, password: p, passwordSecretKeyRef: {name: sec, key: k}}",
            Mode::Password,
            secret("gitops-runtime-argo-cd-password", "token"),
        ),
        ("{type: password, passwordSecretKeyRef: {name: sec, key: k}}", Mode::Password, secret("sec", "k")),
        ("{passwordSecretKeyRef: {name: sec}}", Mode::Password, secret("sec", "password")),
        ("{passwordSecretKeyRef: {key: k}}", Mode::Password, secret("argocd-initial-admin-secret", "k")),
        (
            "{passwordSecretKeyRef: {name: '', key: }}",
            Mode::Password,
            secret("argocd-initial-admin-secret", "password"),
        ),
        (
            "{type: password, passwordSecretKeyRef: []}",
            Mode::Password,
            secret("argocd-initial-admin-secret", "password"),
        ),
        ("{type: password, password: {}, token: t}", Mode::Password, secret("argocd-initial-admin-secret", "password")),
    ];
    for (block, mode, credential) in cases {
        for path in SPELLINGS {
            let found = auth(&at(path, block));
            assert_eq!((found.mode, found.credential), (mode, credential.clone()), "{path} {block}");
        }
        let found = config(&at("auth", block)).unwrap().auth;
        assert_eq!((found.mode, found.credential), (mode, credential), "{block}");
    }
}

#[test]
fn what_is_wrong_is_said_with_path_value_and_what_is_allowed() {
    let cases = [
        ("{type: toke}", "type: is not allowed; allowed: token, password; did you mean token?"),
        ("{type: [token]}", "type: is not allowed; allowed: token, password"),
        ("{type: true}", "type: is not allowed; allowed: token, password"),
        (
            "{type: token}",
            "type is token, but no token is given; set PATH.token, or PATH.tokenSecretKeyRef with name and key",
        ),
        ("{type: token, tokenSecretKeyRef: {name: sec}}", "tokenSecretKeyRef.key: must be given, and not be empty"),
        (
            "{type: token, tokenSecretKeyRef: {name: '', key: k}}",
            "tokenSecretKeyRef.name: must be given, and not be empty",
        ),
        ("{type: token, tokenSecretKeyRef: text}", "tokenSecretKeyRef: must be a mapping, but it is a string"),
        ("{type: token, token: 12345}", "token: must be a string (in quotes), but it is a number"),
        ("{type: token, token: [a]}", "token: must be a string (in quotes), but it is a list"),
        (
            "{passwordSecretKeyRef: {name: My_Secret}}",
            "passwordSecretKeyRef.name: is not allowed: it must be a Kubernetes name: lower case letters, digits, '-' and '.', at most 253, with a letter or digit at both ends",
        ),
        (
            "{passwordSecretKeyRef: {key: a/b}}",
            "passwordSecretKeyRef.key: is not allowed: it must be a key of a Secret: letters, digits, '-', '_' and '.', at most 253",
        ),
        (
            "{type: password, passwordSecretKeyRef: {optional: 'yes'}}",
            "passwordSecretKeyRef.optional: is not allowed; allowed: true, false",
        ),
        (
            "{type: password, username: $(HOME)}",
            "username: is not allowed: it must be a user name: letters, digits, '-', '_' and '.', at most 32",
        ),
        ("{type: password, username: 0123}", "username: must be a string, but it is a number; put it in quotes"),
        (
            "{type: password, usernameSecretKeyRef: {name: sec}}",
            "usernameSecretKeyRef.key: must be given, and not be empty",
        ),
        ("{token: t}", "type: must be given beside token; write `type: token`"),
        (
            "{tokenSecretKeyRef: {name: sec, key: k}, password: p}",
            "type: must be given beside tokenSecretKeyRef; write `type: token`",
        ),
        (
            "{username: bob}",
            "type: must be given; write `type: token`, or `type: password` for the admin's initial password in Secret argocd-initial-admin-secret",
        ),
        (
            "{type: password, usernameSecretKeyRef: {name: sec, key: k}, usernameConfigMapKeyRef: {name: sec, key: k}}",
            "usernameConfigMapKeyRef: stands beside PATH.usernameSecretKeyRef; keep one of them",
        ),
    ];
    for (block, wanted) in cases {
        for path in SPELLINGS.into_iter().chain(["auth"]) {
            let said = if path == "auth" { error(config(&at(path, block))) } else { error(values(&at(path, block))) };
            let file = if path == "auth" { "config.yaml" } else { "values.yaml" };
            let wanted = wanted.replace("PATH", path);
            let dot = if wanted.starts_with("type is") { ": " } else { "." };
            assert_eq!(said, format!("{file}: {path}{dot}{wanted}"), "{block}");
        }
    }
}

#[test]
fn what_is_no_text_or_no_reference_is_wrong_in_the_other_mode_too() {
    for (field, says) in [
        ("username: 5", "username: must be a string, but it is a number"),
        ("password: 12345", "password: must be a string (in quotes), but it is a number"),
        ("passwordSecretKeyRef: argocd-secret", "passwordSecretKeyRef: must be a mapping, but it is a string"),
        ("passwordSecretKeyRef: {name: x, key: k, foo: z}", "passwordSecretKeyRef.foo: unknown key"),
        ("usernameConfigMapKeyRef: [a]", "usernameConfigMapKeyRef: must be a mapping, but it is a list"),
        ("passwordSecretKeyRef: {name: 5, key: k}", "passwordSecretKeyRef.name: must be a string, but it is a number"),
        ("passwordSecretKeyRef: {optional: x}", "passwordSecretKeyRef.optional: is not allowed; allowed: true, false"),
    ] {
        let block = format!("{{type: token, tokenSecretKeyRef: {{name: a, key: b}}, {field}}}");
        let said = error(values(&at(SPELLINGS[1], &block)));
        assert!(said.contains(&format!("global.external-argo-cd.auth.{says}")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let said = error(config("{delivery: files, onConflict: keeps, auth: {type: x}, argocd: {port: 0}}"));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(said.contains("config.yaml: onConflict: is not allowed; allowed: keep, replace, deny; did you mean keep?"));
}

#[test]
fn an_unknown_key_of_a_block_is_an_error_wherever_it_stands() {
    let said = error(config("{auth: {tokenSecretkeyRef: {name: sec}}}"));
    assert!(said.starts_with("config.yaml: auth.tokenSecretkeyRef: unknown key; known here: type,"), "{said}");
    assert!(said.ends_with("; did you mean tokenSecretKeyRef?"), "{said}");
    assert!(error(config("{deliverry: env, auth: {type: password}}")).ends_with("; did you mean delivery?"));
    assert!(error(config("{auth: {passwordSecretKeyRef: {nam: n}}}")).ends_with("; did you mean name?"));
    // In a block of the Runtime's it is one, too: what isn't read was meant to be.
    for (block, wanted) in [
        (
            "{type: password, passwordSecretkeyRef: {name: a}}",
            "passwordSecretkeyRef: unknown key; known here: type, token, tokenSecretKeyRef, username, usernameSecretKeyRef, usernameConfigMapKeyRef, password, passwordSecretKeyRef; did you mean passwordSecretKeyRef?",
        ),
        (
            "{type: password, passwordSecretKeyRef: {Name: x, key: k}}",
            "passwordSecretKeyRef.Name: unknown key; known here: name, key, optional; did you mean name?",
        ),
    ] {
        let said = error(values(&at(SPELLINGS[1], block)));
        assert_eq!(said, format!("values.yaml: global.external-argo-cd.auth.{wanted}"));
    }
    let others = "{auth: {type: password}, app-proxy: {anything: 1}, foo: 2, global: {bar: 3}}";
    assert_eq!(values(others).unwrap().warnings, []);
}

#[test]
fn a_key_that_null_takes_away_is_no_unknown_key() {
    let settings = config("{auth: {type: password, tokn: null}, argocd: {svcc: ~}}").unwrap();
    assert_eq!(settings.warnings, []);
    assert!(error(config("{auth: {type: password, tokn: {}}}")).contains("auth.tokn: unknown key"));
}

#[test]
fn of_several_blocks_the_one_that_is_no_default_counts() {
    let default = "{type: password, username: admin, password: '', passwordSecretKeyRef: {name: argocd-initial-admin-secret, key: password}}";
    let block = |auth: &str| format!("{{auth: {auth}}}");
    for (ours, theirs) in [("{type: token, token: t}", default), (default, "{type: token, token: t}")] {
        let yaml = format!(
            "global: {{external-argo-cd: {}, integrations: {{argo-cd: {{server: {}}}}}}}",
            block(ours),
            block(theirs)
        );
        assert_eq!(auth(&yaml).mode, Mode::Token, "{yaml}");
    }
    let twice = |a, b| values(&format!("global: {{external-arg-cd: {}, external-argo-cd: {}}}", block(a), block(b)));
    assert!(twice("{type: token, token: t}", "{type: token, token: t}").is_ok());
    let both = "values.yaml: global.external-argo-cd.auth: differs from global.external-arg-cd.auth, and both are given; keep one of them";
    // Two plain tokens go by the same Secret's name, and still only one of them can be in it.
    assert_eq!(error(twice("{type: token, token: one}", "{type: token, token: two}")), both);
    assert_eq!(error(twice("{password: p}", "{type: token, token: t}")), both);
    // Defaults alone are asked for, however often.
    assert_eq!(twice(default, "{type: password}").unwrap().auth, Settings::of_the_charts().auth);
}

#[test]
fn our_own_block_comes_first_and_the_runtimes_are_not_looked_at() {
    let yaml = "{auth: {type: token, tokenSecretKeyRef: {name: ours, key: k}}, global: {external-argo-cd: {auth: {type: nonsense}}, external-argocd: {type: token}}}";
    let settings = values(yaml).unwrap();
    assert_eq!((settings.auth.credential.name.as_str(), settings.sources.auth.as_str()), ("ours", "auth"));
    let umbrella = "{argocd-auth-webhook: {auth: {type: token, tokenSecretKeyRef: {name: ours, key: k}}}, runtime: {global: {external-argo-cd: {auth: {type: password}}}}}";
    let settings = values(umbrella).unwrap();
    assert_eq!(settings.auth.credential.name, "ours");
    assert_eq!(settings.sources.auth, "argocd-auth-webhook.auth");
    // Helm gives our chart nothing of an umbrella's root.
    let twice = "{auth: {type: password}, argocd-auth-webhook: {auth: {type: token, token: t}}}";
    assert!(error(values(twice)).contains("auth: is not read here; write `argocd-auth-webhook:` above it"));
    // Strict, as in a file of our own.
    assert!(error(values("{auth: {type: password, descripton: a}}")).contains("auth.descripton: unknown key"));
}

#[test]
fn a_block_is_found_under_global_and_under_any_one_key() {
    for alias in ["gitops-runtime", "runtime", "cf", "argo-cd"] {
        for path in SPELLINGS {
            let path = format!("{alias}.{path}");
            let settings = values(&at(&path, "{type: token, tokenSecretKeyRef: {name: sec, key: k}}")).unwrap();
            assert_eq!((settings.auth.mode, &settings.auth.credential), (Mode::Token, &secret("sec", "k")), "{path}");
            assert_eq!(settings.sources.auth, path);
        }
    }
    let two = |a: &str, b: &str| {
        values(&format!(
            "{{global: {{external-argo-cd: {{auth: {a}}}}}, cf: {{global: {{external-argo-cd: {{auth: {b}}}}}}}}}"
        ))
    };
    assert!(two("{type: token, token: t}", "{type: token, token: t}").is_ok());
    assert_eq!(two("{type: password}", "{type: token, token: t}").unwrap().auth.mode, Mode::Token);
    assert_eq!(
        error(two("{type: token, token: s}", "{type: token, token: t}")),
        "values.yaml: cf.global.external-argo-cd.auth: differs from global.external-argo-cd.auth, and both are given; keep one of them"
    );
}

#[test]
fn several_values_files_are_merged_as_helm_merges_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let base = write("base.yaml", "global: {external-argo-cd: {auth: {type: password, username: bob, password: p}}}");
    let over = write(
        "over.yaml",
        "global: {external-argo-cd: {auth: {type: token, password: null, tokenSecretKeyRef: {name: sec, key: k}}}}",
    );
    let empty = write("empty.yaml", "# nothing\n");
    let list = write("list.yaml", "[1]");
    let load = |files: &[&std::path::PathBuf]| {
        let files = files.iter().map(|path| (*path).clone()).collect();
        Settings::load(Some(&File::Values(files)), Overrides::default())
    };
    assert_eq!(load(&[&base]).unwrap().auth.mode, Mode::Password);
    for files in [vec![&base, &over], vec![&base, &empty, &over], vec![&base, &over, &empty]] {
        assert_eq!(load(&files).unwrap().auth.credential, secret("sec", "k"), "{files:?}");
    }
    assert_eq!(load(&[&over, &base]).unwrap().auth.mode, Mode::Password);
    let said = error(load(&[&base, &list]));
    assert!(said.contains("list.yaml: (the whole file): must be a mapping, but it is a list"), "{said}");
    assert!(!said.contains("base.yaml"), "{said}");
    let said = error(load(&[&empty, &empty]));
    assert!(said.contains("empty.yaml, ") && said.contains("auth: must be given"), "{said}");
}

#[test]
fn the_deprecated_user_name_wins_with_a_warning() {
    let yaml = "{app-proxy: {config: {argoCdUsername: old}}, global: {external-argo-cd: {auth: {type: password, username: new}}}}";
    let settings = values(yaml).unwrap();
    assert_eq!(settings.auth.username, Username::Plain("old".to_owned()));
    assert_eq!(settings.warnings[0].path, "app-proxy.config.argoCdUsername");
    // The classic charts' default is read for the Argo CD that they bring along alone.
    let default =
        |enabled| yaml.replace("old", "admin").replacen('{', &format!("{{argo-cd: {{enabled: {enabled}}}, "), 1);
    let left_out = values(&default(false)).unwrap();
    assert_eq!((left_out.auth.username, left_out.warnings), (Username::Plain("new".to_owned()), Vec::new()));
    assert_eq!(values(&default(true)).unwrap().auth.username, Username::Plain("admin".to_owned()));
    // The Runtime's charts until 0.23 say it of the same user, which is no news.
    let of_the_charts = yaml.replace("old", "admin").replace("username: new", "username: admin");
    assert_eq!(values(&of_the_charts).unwrap().warnings, []);
    assert!(
        error(values(
            "{app-proxy: {config: {argoCdUsername: 'a b'}}, global: {external-argo-cd: {auth: {type: password}}}}"
        ))
        .contains("app-proxy.config.argoCdUsername: is not allowed")
    );
    assert_eq!(
        auth("{app-proxy: {config: [1]}, global: {external-arg-cd: {auth: {type: password}}}}").username,
        Username::Plain("admin".to_owned())
    );
}

#[test]
fn no_error_shows_a_credential_that_stands_in_the_wrong_place() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbjphcGlLZXkifQ.c2lnbmF0dXJl";
    for yaml in [
        format!("{{auth: {jwt}}}"),
        format!("{{auth: {{type: {jwt}}}}}"),
        format!("{{auth: {{type: token, token: [{jwt}]}}}}"),
        format!("{{auth: {{type: token, tokenSecretKeyRef: {jwt}}}}}"),
        format!("{{auth: {{type: token, tokenSecretKeyRef: {{name: {jwt}, key: k}}}}}}"),
        format!("{{auth: {{type: password, username: {jwt}}}}}"),
        format!("{{auth: {{type: password}}, argocd: {{url: 'https://admin:{jwt}@host'}}}}"),
        format!("auth:\n  token: {jwt}\n  token: {jwt}\n"),
        format!("auth:\n  token: [{jwt}\n"),
        format!("auth:\n  token: \"{jwt}\n"),
    ] {
        let said = error(config(&yaml));
        assert!(!said.contains("eyJ"), "{said}");
        assert!(!format!("{:?}", config(&yaml)).contains("eyJ"), "{yaml}");
    }
    let url = "'https://admin:hunter22@argocd.example.com/?token=hunter22'";
    for yaml in [
        "{auth: {type: password, username: 'hunter22!'}}".to_owned(),
        "{auth: {type: hunter22}}".to_owned(),
        "{auth: {type: password}, credentials: {followAfter: hunter22}}".to_owned(),
        "{auth: {type: password, username: 22222222}, delivery: hunter22}".to_owned(),
        "{auth: {type: password, passwordSecretKeyRef: {name: hunter22!, key: 'hunter22 x'}}}".to_owned(),
        "{auth: {type: password}, argocd: {port: hunter22}}".to_owned(),
        format!("{{auth: {{type: password}}, argocd: {{url: {url}}}}}"),
        format!("{{auth: {{type: password}}, argocd: {{svc: {url}}}}}"),
        format!("{{auth: {{type: {url}}}}}"),
    ] {
        let said = error(config(&yaml));
        assert!(!said.contains("hunter22") && !said.contains("22222222"), "{said}");
    }
    assert!(!format!("{:?}", config("{auth: {password: hunter22}}").unwrap()).contains("hunter22"));
}

#[test]
fn of_several_documents_none_is_chosen_and_markers_around_one_are_none() {
    let block = "auth: {type: token, tokenSecretKeyRef: {name: a, key: b}}\n";
    for yaml in [
        format!("---\n{block}"),
        format!("# a comment\n---\n{block}---\n"),
        format!("{block}---\n---\n\n"),
        format!("{block}--- \r\n"),
        format!("{block}...\n"),
        format!("{block}text: |\n  ---\n"),
    ] {
        assert!(values(&yaml).is_ok() && config(&yaml.replace("text: |\n  ---\n", "")).is_ok(), "{yaml}");
    }
    for yaml in [
        format!("{block}---\nargocd: {{svc: a}}\n"),
        format!("---\n---\n{block}"),
        format!("{block}---\n# nothing\n---\nauth: {{type: password}}\n"),
    ] {
        assert!(error(values(&yaml)).contains("of several documents Helm 3 reads the first and Helm 4 all"), "{yaml}");
    }
}

#[test]
fn what_is_not_yaml_is_said_with_its_place() {
    let said = error(config("auth:\n  type: [token\n"));
    assert!(said.starts_with("config.yaml: not YAML that can be read: ") && said.contains("line 2"), "{said}");
    assert!(error(config("[1, 2]")).contains("must be a mapping, but it is a list"));
    assert!(error(values("[]")).contains("values.yaml: (the whole file): must be a mapping, but it is a list"));
    assert_eq!(
        error(values("a: 1\na: 2\n")),
        "values.yaml: not YAML that can be read: line 2, column 1: a key stands twice in one mapping; Helm takes the last one: keep one"
    );
    assert!(error(values("just text")).contains("must be a mapping, but it is a string"));
    assert!(error(values("{global: text}")).contains("global: must be a mapping, but it is a string"));
    let missing = Settings::load(Some(&File::Values(vec!["no/such/file.yaml".into()])), Overrides::default());
    assert!(error(missing).starts_with("reading the settings from no/such/file.yaml: No such file"));
}

fn shown(address: Address) -> String {
    match address {
        Address::Url(url) => url,
        Address::Service { svc, port, rootpath } => format!("{svc}:{port}/{rootpath}"),
    }
}

/// Where Argo CD is with these values and a block of our own, and what says so.
fn argocd(yaml: &str) -> (String, Option<String>) {
    let yaml = format!("auth: {{type: token, token: t}}\n{yaml}");
    let settings = values(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
    (shown(settings.argocd.address), settings.sources.argocd)
}

#[test]
fn the_address_is_what_the_runtimes_chart_makes_of_the_values() {
    for (yaml, wanted, from) in ADDRESSES {
        assert_eq!(argocd(yaml), ((*wanted).to_owned(), from.map(str::to_owned)), "{yaml}");
    }
}

#[test]
fn an_address_that_can_not_be_used_is_refused_and_no_other_is_taken() {
    for (yaml, says) in UNUSABLE {
        let said = error(values(&format!("auth: {{type: token, token: t}}\n{yaml}")));
        assert!(said.contains(says) && said.contains("argocd.url or argocd.svc"), "{yaml}: {said}");
    }
}

#[test]
fn an_address_where_nobody_reads_it_is_refused_beside_our_own_block_too() {
    for (yaml, says) in MISPLACED {
        let said = error(values(&format!("auth: {{type: token, token: t}}\n{yaml}")));
        assert!(said.contains(says), "{yaml}: {said}");
    }
    // What is no mapping says nothing; it is refused where anybody looks.
    for (yaml, path) in [
        ("global: {external-argo-cd: mine}", "global.external-argo-cd"),
        ("cf: {global: {integrations: {argo-cd: {server: mine}}}}", "cf.global.integrations.argo-cd.server"),
        ("global: {external-argo-cd: {server: [{svc: a}]}}", "global.external-argo-cd.server"),
    ] {
        let own = format!("auth: {{type: token, token: t}}\n{yaml}");
        assert!(error(values(&own)).contains(&format!("{path}: must be a mapping")), "{yaml}");
        values(&format!("{own}\nargocd: {{svc: a}}")).unwrap();
    }
    // The credential isn't looked for there, whatever it looks like.
    for yaml in [
        "global: {external-argo-cd: {type: token, token: t}}",
        "external-argo-cd: {auth: {type: token}}",
        "globals: {external-argo-cd: {auth: {type: token}, redis: {svc: a}}}",
    ] {
        let yaml = format!("auth: {{type: token, token: t}}\n{yaml}");
        values(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
    }
}

#[test]
fn two_charts_in_an_umbrella_that_differ_are_refused() {
    let block = "{type: password, username: bob}";
    let two = |first: &str, second: &str| {
        format!(
            "{{global: {{external-argo-cd: {{auth: {block}}}}}, aa: {{app-proxy: {{config: {{argoCdUsername: {first}}}}}}}, \
             zz: {{app-proxy: {{config: {{argoCdUsername: {second}}}}}}}}}"
        )
    };
    let says =
        "zz.app-proxy.config.argoCdUsername: differs from aa.app-proxy.config.argoCdUsername, and both are given";
    assert!(error(values(&two("ann", "eve"))).contains(says));
    assert_eq!(values(&two("ann", "ann")).unwrap().auth.username, Username::Plain("ann".to_owned()));
    assert_eq!(values(&two("''", "eve")).unwrap().auth.username, Username::Plain("eve".to_owned()));
    // An app-proxy of somebody else's that says nothing of it hides none.
    let other = format!(
        "{{global: {{external-argo-cd: {{auth: {block}}}}}, other: {{app-proxy: {{replicas: 1}}}}, app-proxy: {{config: \
         {{argoCdUsername: eve}}}}}}"
    );
    assert_eq!(values(&other).unwrap().auth.username, Username::Plain("eve".to_owned()));
    // Our chart's own key says it too, at the root or under our chart's name.
    for ours in ["argoCdUsername: eve", "argocd-auth-webhook: {argoCdUsername: eve}"] {
        let yaml = format!("{{global: {{external-argo-cd: {{auth: {block}}}}}, {ours}}}");
        assert_eq!(values(&yaml).unwrap().auth.username, Username::Plain("eve".to_owned()), "{yaml}");
        let yaml = yaml.replacen('{', "{app-proxy: {config: {argoCdUsername: ann}}, ", 1);
        assert!(
            error(values(&yaml)).contains("argoCdUsername: differs from app-proxy.config.argoCdUsername"),
            "{yaml}"
        );
    }
    // Blocks that say the same, each with a server of its own.
    let servers = |first: &str, second: &str| {
        format!(
            "{{argo-cd: {{enabled: false}}, global: {{external-argo-cd: {{auth: {block}, server: {first}}}, integrations: \
             {{argo-cd: {{server: {{auth: {block}, {second}}}}}}}}}}}"
        )
    };
    let says = "global.integrations.argo-cd.server: differs from global.external-argo-cd.server, and both are given";
    assert!(error(values(&servers("{svc: a}", "svc: b"))).contains(says));
    assert_eq!(shown(values(&servers("{svc: a}", "svc: a")).unwrap().argocd.address), "a:80/");
    // One that only says the default names nothing else.
    assert_eq!(shown(values(&servers("{svc: a}", "svc: argo-cd-server")).unwrap().argocd.address), "a:80/");
}

#[test]
fn ours_at_the_root_beside_our_charts_own_key_is_refused() {
    for (yaml, says) in [
        (
            "argocd: {svc: a}",
            "argocd: is not read here; write `argocd-auth-webhook:` above it, as argocd-auth-webhook.argocd",
        ),
        ("delivery: volume", "delivery: is not read here; write `argocd-auth-webhook:` above it"),
        ("legacyAppProxy: true", "legacyAppProxy: is not read here"),
        ("auth: {type: token, token: eyJ}", "auth: is not read here"),
        ("credentials: {mirrorToken: true}", "credentials: is not read here"),
        ("rollout: {mode: report}", "rollout: is not read here"),
        ("services: [{name: a, reads: reference}]", "services: is not read here"),
        ("argoCdUsername: bob", "argoCdUsername: is not read here; write `argocd-auth-webhook:` above it"),
    ] {
        let yaml = format!("argocd-auth-webhook: {{auth: {{type: password}}}}\n{yaml}");
        let said = error(values(&yaml));
        assert!(said.contains(says) && !said.contains("eyJ"), "{yaml}: {said}");
    }
    // Of somebody else under these names.
    for theirs in
        ["delivery: {replicas: 2}", "onConflict: fail", "auth: {ldap: a}", "argocd: {namespace: cd}", "services: {}"]
    {
        values(&format!("argocd-auth-webhook: {{auth: {{type: password}}}}\n{theirs}")).unwrap();
    }
    values("argocd-auth-webhook: {auth: {type: password}}\nargocd: {server: {replicas: 2}, tls: {}}").unwrap();
    values("argocd-auth-webhook: {auth: {type: password}}\nrollout: {steps: []}\nservices: {a: 1}").unwrap();
}

#[test]
fn in_an_umbrella_the_address_is_of_the_chart_that_has_the_block() {
    let block = "global: {external-argo-cd: {auth: {type: token, token: t}}}";
    let yaml = format!("argo-cd: {{fullnameOverride: other}}\ncf: {{{block}, argo-cd: {{fullnameOverride: own}}}}");
    assert_eq!(shown(values(&yaml).unwrap().argocd.address), "own-server:80/");
    let yaml = format!("argo-cd: {{fullnameOverride: other}}\ncf: {{{block}}}");
    assert_eq!(shown(values(&yaml).unwrap().argocd.address), "argo-cd-server:80/");
    let yaml = format!("cf: {{{block}, argo-cd: {{enabled: false}}}}");
    assert_eq!(shown(values(&yaml).unwrap().argocd.address), "argocd-server:80/");
}

#[test]
fn argo_cd_is_found_by_url_or_by_service() {
    let found =
        config("{auth: {type: password}, argocd: {url: 'https://argo.example/x', namespace: argocd}}").unwrap().argocd;
    assert_eq!(found.address, Address::Url("https://argo.example/x".to_owned()));
    for (argocd, wanted) in [
        ("{url: 'https://a', svc: b}", "argocd.url: stands beside argocd.svc; keep one of them"),
        ("{url: 'https://a', rootpath: b}", "argocd.url: stands beside argocd.rootpath; keep one of them"),
        ("{url: 'ftp://a'}", "argocd.url: is not allowed: it must be a URL"),
        ("{svc: 'http://a'}", "argocd.svc: is not allowed: it must be the name of a Service"),
        ("{svc: a, port: 70000}", "argocd.port: is not a port; allowed: 1 to 65535"),
        ("{tls: {insecureSkipVerify: 1}}", "argocd.tls.insecureSkipVerify: is not allowed; allowed: true, false"),
        ("{tls: {caSecretKeyRef: {name: sec}}}", "argocd.tls.caSecretKeyRef.key: must be given"),
    ] {
        let said = error(config(&format!("{{auth: {{type: password}}, argocd: {argocd}}}")));
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn flags_stand_above_the_file() {
    let file = File::Config("config.yaml".into());
    let overrides =
        Overrides { delivery: Some(Delivery::Env), on_conflict: Some(OnConflict::Deny), legacy_app_proxy: Some(true) };
    let settings =
        Settings::from_text(&file, "{auth: {type: password}, delivery: volume, onConflict: keep}", overrides).unwrap();
    assert_eq!(
        (settings.delivery, settings.on_conflict, settings.legacy_app_proxy),
        (Delivery::Env, OnConflict::Deny, true)
    );
}

#[test]
fn our_charts_own_keys_are_read_from_the_values_too() {
    for yaml in [
        "{auth: {type: password}, delivery: volume, legacyAppProxy: true}",
        "{argocd-auth-webhook: {auth: {type: password}, delivery: volume, legacyAppProxy: true}}",
    ] {
        let settings = values(yaml).unwrap();
        assert_eq!((settings.delivery, settings.legacy_app_proxy), (Delivery::Volume, true), "{yaml}");
    }
}

#[test]
fn services_are_checked() {
    for (services, wanted) in [
        ("{a: 1}", "services: must be a list, but it is a mapping"),
        ("[{name: x}]", "services[0].selector: must be given: \"x\" is not one of the built-in services"),
        ("[{selector: {}}]", "services[0].name: must be given"),
        (
            "[{name: app-proxy, selector: {matchLabels: {a: 1}}}]",
            "services[0].selector.matchLabels.a: must be a string, but it is a number; put it in quotes",
        ),
        ("[{name: app-proxy, selector: {matchLabel: {a: b}}}]", "did you mean matchLabels?"),
        ("[{name: app-proxy, containers: [A]}]", "services[0].containers[0]: is not allowed: it must be lower case"),
        ("[{name: app-proxy, reads: secret}]", "services[0].reads: is not allowed; allowed: credential, reference"),
        ("[{name: app-proxy}, {name: app-proxy}]", "services[1].name: \"app-proxy\" stands there twice"),
        (
            "[{name: app-proxy, selector: {matchExpressions: [{key: a, operator: In}]}}]",
            "services[0].selector.matchExpressions[0].values: must be given for In and NotIn",
        ),
        (
            "[{name: app-proxy, selector: {matchExpressions: [{key: a, operator: Near}]}}]",
            "allowed: In, NotIn, Exists, DoesNotExist",
        ),
    ] {
        let said = error(config(&format!("{{auth: {{type: password}}, services: {services}}}")));
        assert!(said.contains(wanted), "{services}: {said}");
    }
}

#[test]
fn the_deprecated_user_name_counts_for_the_older_app_proxy_in_token_mode() {
    let yaml =
        "{app-proxy: {config: {argoCdUsername: bob}}, global: {external-arg-cd: {auth: {type: token, token: t}}}}";
    assert_eq!(auth(yaml).username, Username::Plain("admin".to_owned()));
    let legacy = yaml.replacen('{', "{legacyAppProxy: true, ", 1);
    assert_eq!(auth(&legacy).username, Username::Plain("bob".to_owned()));
    // Where no name is needed, a bad one hinders nothing.
    assert_eq!(auth(&yaml.replace("bob", "'bob@x.com'")).mode, Mode::Token);
}

#[test]
fn blocks_that_mean_the_same_do_not_differ() {
    let twice =
        |a, b| values(&format!("{{global: {{external-arg-cd: {{auth: {a}}}, external-argo-cd: {{auth: {b}}}}}}}"));
    assert!(twice("{type: token, token: t}", "{type: token, token: t, username: bob}").is_ok());
    assert!(twice("{type: token, token: t}", "{type: password, passwordSecretKeyRef: {optional: false}}").is_ok());
}

#[test]
fn what_looks_like_a_block_and_is_not_read_is_refused_with_the_line_to_write() {
    let auth = "{type: token, tokenSecretKeyRef: {name: sec, key: k}}";
    let mut said = String::new();
    for (place, inner) in [
        ("global.external-argocd", "{auth: AUTH}"),
        ("global.externalArgoCd", "{auth: AUTH}"),
        ("global.External-Arg-CD", "{auth: AUTH}"),
        ("global.external-argo-cds", "{auth: AUTH}"),
        ("global.argo", "{auth: AUTH}"),
        ("global.argo-cd", "{server: {auth: AUTH}}"),
        ("global.auth", "AUTH"),
        ("global.tokenSecretKeyRef", "{name: sec, key: k}"),
        ("global.Integrations", "{argo-cd: {server: {auth: AUTH}}}"),
        ("global.integrations.argocd", "{server: {auth: AUTH}}"),
        ("global.integrations.argo-cd.Server", "{auth: AUTH}"),
        ("global.integrations.argo-cd.auth", "AUTH"),
        ("global.integrations.argo-cd.server.Auth", "AUTH"),
        ("global.integrations.argo-cd.server.type", "token"),
        ("global.external-argo-cd.server.auth", "AUTH"),
        ("global.external-argo-cd.server.tokenSecretKeyRef", "{name: sec, key: k}"),
        ("global.external-argo-cd.Auth", "AUTH"),
        ("global.external-arg-cd", "AUTH"),
        ("external-argo-cd.auth", "AUTH"),
        ("integrations.argo-cd.server.auth", "AUTH"),
        ("Global.external-argo-cd.auth", "AUTH"),
        ("gitops-runtime.external-argo-cd.auth", "AUTH"),
        ("gitops-runtime.auth", "AUTH"),
        ("gitops-runtime.global.external-argocd.auth", "AUTH"),
        ("Auth", "AUTH"),
        ("argo-cd.server.auth", "AUTH"),
        ("a.b.global.external-argo-cd.auth", "AUTH"),
        ("some-chart.config.tokenSecretKeyRef", "{name: sec, key: k}"),
        ("global.auth", "{username: bob, password: word}"),
        ("global.argo-cd", "{server: {svc: other, port: 8443}}"),
        ("global.argoCD", "{Server: {SVC: other}}"),
        ("global.argo-cd", "{svc: other, port: 8443}"),
        ("platform.gitops-runtime.global.external-argo-cd.auth", "{type: password, username: bob, password: word}"),
        ("argoCd", "{url: 'http://a'}"),
        ("global.external-argo-cd.auth", "{tokenSecretKeyRef: {name: sec, key: k}}"),
        ("global.external-argo-cd.auth", "{token: t}"),
    ] {
        let yaml = at(place, &inner.replace("AUTH", auth));
        // A default beside it, as in complete values, hides nothing.
        let default = "global: {integrations: {argo-cd: {server: {auth: {type: password, username: admin}}}}}";
        let refused = error(values(&yaml));
        said.push_str(&refused);
        said.push('\n');
        if !place.starts_with("global") {
            assert_eq!(error(values(&format!("{}, {default}}}", &yaml[..yaml.len() - 1]))), refused);
        }
    }
    insta::assert_snapshot!("not-read", said);
}

#[test]
fn what_belongs_to_others_passes_without_a_word() {
    // Root keys and keys under `global` of the Runtime's charts 0.18 to 0.30, and of others' charts.
    let root = "anchors app-proxy argo-events argo-gateway argo-rollouts argo-workflows cf-argocd-extras \
        codefreshWorkflowLogStoreCM event-reporters garage-workflows-artifact-storage gitops-operator installer \
        internal-router redis redis-ha redis-secret-init sealed-secrets tunnel-client postgresql author authz globalEnv";
    let siblings = "rabbitmq: {auth: {username: a, password: b}}, datadog: {integrations: {argocd: {enabled: true}}}";
    let global = "codefresh event-reporters external-argo-rollouts httpProxy httpsProxy imageRegistry noProxy \
        nodeSelector runtime tolerations imagePullSecrets storageClass security integration";
    for block in [
        "external-argo-cd: {auth: AUTH, redis: {svc: a, port: 1}, repoServer: {svc: b}}",
        "integrations: {argo-cd: {server: {auth: AUTH, svc: argo-cd-server, port: 80, rootpath: ''}, repoServer: {svc: a}}, slack: {token: t}}",
    ] {
        let block = block.replace("AUTH", "{type: password, username: admin, password: '', passwordSecretKeyRef: {name: argocd-initial-admin-secret, key: password}, token: '', tokenSecretKeyRef: {}}");
        let with = |keys: &str, value: &str| {
            keys.split_whitespace().map(|key| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
        };
        let others = "{enabled: true, auth: {enabled: true, password: p, existingSecret: s}, token: t, server: {a: 1}}";
        let yaml = format!(
            "{{{}, argo-cd: {{enabled: true, global: {{domain: a}}, server: {{name: server}}}}, global: {{{}, {block}}}}}",
            with(root, others),
            with(global, "[]")
        );
        assert_eq!(values(&yaml).unwrap_or_else(|error| panic!("{error}")).warnings, [], "{yaml}");
        let umbrella = format!("{{cf: {yaml}, redis: {others}, {siblings}}}");
        assert_eq!(values(&umbrella).unwrap_or_else(|error| panic!("{error}")).warnings, [], "{umbrella}");
    }
}

#[test]
fn the_global_that_helm_copies_into_each_chart_is_one_block() {
    let global = "{external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: sec, key: k}}}, more: {a: 1}}";
    let chart = format!("{{global: {global}, argo-workflows: {{global: {global}, deeper: {{global: {global}}}}}}}");
    let taken = values(&format!("{{global: {{a: 1}}, gitops-runtime: {chart}}}")).unwrap();
    assert_eq!(taken.auth.credential, secret("sec", "k"));
    assert_eq!(values(&chart).unwrap().auth.credential, secret("sec", "k"));
    // A chart in it has keys of its own there; what differs is no copy.
    let own = chart.replacen("argo-workflows: {global: {", "argo-workflows: {global: {own: {b: 2}, ", 1);
    assert!(values(&own).is_ok());
    // Deeper than any block is read stands the Runtime's chart with its default.
    let default = "{type: password, username: admin, password: '', passwordSecretKeyRef: {name: argocd-initial-admin-secret, \
                   key: password}, token: '', tokenSecretKeyRef: {}}";
    let deep = format!(
        "{{global: {global}, platform: {{gitops-runtime: {{global: {{integrations: {{argo-cd: {{server: {{auth: {default}}}}}}}}}}}}}}}"
    );
    assert_eq!(values(&deep).unwrap().auth.credential, secret("sec", "k"));
    let bob = error(values(&deep.replace("admin,", "bob,")));
    assert!(bob.contains("platform.gitops-runtime.global.integrations.argo-cd.server.auth"), "{bob}");
    let other = format!(
        "{{gitops-runtime: {}}}",
        chart.replace(
            "deeper: {global: {external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: sec",
            "deeper: {global: {external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: other"
        )
    );
    assert!(
        error(values(&other))
            .contains("argo-workflows.deeper.global.external-argo-cd.auth.tokenSecretKeyRef: is not read here")
    );
}

#[test]
fn what_others_have_under_global_passes() {
    for others in [
        "postgresql: {auth: {username: a, password: b}}",
        "cargoRegistry: {token: t}",
        "embargo: {db: {password: p}}",
        "argo-workflows: {postgres: {password: p}}",
        "argo-rollouts: {notifications: {token: t}}",
    ] {
        let yaml = format!("global: {{external-argo-cd: {{auth: {{type: token, token: t}}}}, {others}}}");
        assert!(values(&yaml).is_ok(), "{yaml}: {}", error(values(&yaml)));
    }
}

#[test]
fn an_argo_cd_beside_the_runtime_in_an_umbrella_is_not_the_runtimes() {
    let global = "global: {external-argo-cd: {server: {svc: ext}, auth: {type: password, username: bob}}}";
    let runtime = "gitops-runtime: {argo-cd: {enabled: false}, app-proxy: {config: {argoCdUsername: admin}}}";
    for sibling in ["", "argo-cd: {enabled: true}", "argo-cd: {server: {replicas: 1}}"] {
        for yaml in [format!("{global}\n{runtime}\n{sibling}"), format!("{sibling}\n{runtime}\n{global}")] {
            let found = values(&yaml).unwrap();
            assert_eq!(found.auth.username, Username::Plain("bob".to_owned()), "{yaml}");
            assert_eq!(shown(found.argocd.address), "ext:80/", "{yaml}");
        }
    }
}

#[test]
fn the_order_of_keys_means_nothing() {
    let (one, two) = ("aa: {argo-cd: {fullnameOverride: a-cd}}", "zz: {argo-cd: {fullnameOverride: z-cd}}");
    let said =
        |first: &str, second: &str| error(values(&format!("auth: {{type: token, token: t}}\n{first}\n{second}")));
    assert_eq!(said(one, two), said(two, one));
    // Of two that say the same it is the first by name.
    let (one, two) = ("aa: {argo-cd: {fullnameOverride: x}}", "zz: {argo-cd: {fullnameOverride: x}}");
    assert_eq!(argocd(&format!("{two}\n{one}")), ("x-server:80/".to_owned(), Some("aa.argo-cd".to_owned())));
}

#[test]
fn our_options_under_names_that_are_nearly_right_are_noticed() {
    for (yaml, path) in [
        ("{auth: {type: password}, onConflct: deny}", "onConflct"),
        ("{argocd-auth-webhook: {auth: {type: password}, delivry: volume}}", "argocd-auth-webhook.delivry"),
    ] {
        let warnings = values(yaml).unwrap().warnings;
        assert_eq!(warnings.iter().map(|warning| warning.path.as_str()).collect::<Vec<_>>(), [path], "{yaml}");
    }
}

#[test]
fn what_was_taken_from_where_is_said_without_the_credential() {
    let taken = |yaml: &str| values(yaml).unwrap().taken().to_string();
    insta::assert_snapshot!("taken", [
        taken("{cf: {global: {external-argo-cd: {auth: {type: token, token: hunter22}}}, argo-cd: {configs: {params: {server.rootpath: a}}}}}"),
        taken("{auth: {type: password, username: bob, password: hunter22}, argocd: {url: 'https://a/b'}}"),
        taken("{global: {integrations: {argo-cd: {server: {svc: a, auth: {usernameSecretKeyRef: {name: u, key: v}, passwordSecretKeyRef: {name: p}}}}}}}"),
        Settings::of_the_charts().taken().to_string(),
    ].join("\n"));
}

#[test]
fn who_makes_the_secret_of_a_plain_credential_is_said_where_nobody_surely_does() {
    let warned =
        |yaml: &str| values(yaml).unwrap().warnings.iter().map(|warning| warning.path.clone()).collect::<Vec<_>>();
    assert_eq!(warned(&at(SPELLINGS[0], "{type: token, token: t}")), ["global.external-arg-cd.auth.token"]);
    assert_eq!(warned(&at(SPELLINGS[1], "{password: p}")), ["global.external-argo-cd.auth.password"]);
    // The Runtime's chart reads it, and makes it.
    assert_eq!(warned(&at(SPELLINGS[2], "{type: token, token: t}")), [""; 0]);
    assert_eq!(warned("{auth: {type: token, token: t}}"), ["auth.token"]);
}

#[test]
fn how_credentials_and_pods_are_kept_is_read_from_either_file() {
    let yaml = "{auth: {type: password}, rollout: {mode: report, byName: restart, requireVerified: false}, credentials: {followAfter: 90s, createSecret: auto, mirrorToken: true}}";
    for settings in [config(yaml).unwrap(), values(yaml).unwrap()] {
        assert_eq!((settings.rollout, settings.by_name), (Rollout::Report, ByName::Restart));
        assert!(!settings.require_verified);
        assert_eq!(settings.credentials.follow_after, Duration::from_secs(90));
        assert_eq!(settings.credentials.check_interval, Duration::from_secs(30));
        assert!(settings.credentials.mirror_token);
    }
    let by_default = config("{auth: {type: password}, rollout: {byName: restart}}").unwrap();
    assert_eq!((by_default.rollout, by_default.by_name), (Rollout::Automatic, ByName::Restart));
    assert!(!by_default.credentials.mirror_token);
    assert!(by_default.require_verified);
    for (wrong, wanted) in [
        ("{rollout: [report]}", "rollout: is not allowed; allowed: automatic, report, or a mapping"),
        (
            "{rollout: {mod: report}}",
            "rollout.mod: unknown key; known here: mode, byName, requireVerified; did you mean mode?",
        ),
        ("{rollout: {byName: follows}}", "rollout.byName: is not allowed; allowed: follow, restart"),
        ("{credentials: {mirrorToken: 'yes'}}", "credentials.mirrorToken: is not allowed; allowed: true, false"),
        ("{credentials: {followAfter: 10}}", "credentials.followAfter: must be a string, but it is a number"),
        ("{credentials: {followAfter: 2d}}", "credentials.followAfter: is no time; write it as 250ms, 10s"),
        (
            "{credentials: {checkInterval: 0s}}",
            "credentials.checkInterval: \"0s\" is out of bounds; allowed: 1s to 24h",
        ),
    ] {
        let said = error(config(&with_auth(wrong)));
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn what_a_key_holds_moves_no_cursor_and_forges_no_line() {
    let text = "auth: {type: password, \"\\e[31m\\nfake: \\u202eline\": 1}";
    let said = config(text).unwrap_err().to_string();
    assert!(said.contains("\\u{1b}[31m\\nfake: \\u{202e}line"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
}

#[test]
fn a_short_git_sha_in_the_values_is_text_as_it_is_to_helm() {
    let values = "app-proxy: {image: {tag: 7e12345}}\nglobal: {external-argo-cd: {auth: {type: password}}}";
    let read = Settings::from_text(&File::Values(vec!["values.yaml".into()]), values, Overrides::default());
    assert!(read.is_ok(), "{read:?}");
}
