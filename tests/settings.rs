//! What the settings' files may say, and what is said of what they may not.

mod common;

use argocd_auth_webhook::core::{Auth, Delivery, Mode, OnConflict, SecretKeyRef, Username};
use argocd_auth_webhook::settings::{Address, ByName, File, Overrides, Rollout, Settings};
use common::{config, values};
use std::time::Duration;

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
fn without_a_block_the_runtimes_defaults_hold() {
    for yaml in [
        "",
        "# nothing\n",
        "---\n",
        "{}",
        "other: {a: 1}",
        "global: {}",
        "global:",
        "global: {external-argo-cd: {auth: {}}}",
    ] {
        let auth = auth(yaml);
        assert_eq!(
            (auth.mode, auth.credential),
            (Mode::Password, secret("argocd-initial-admin-secret", "password")),
            "{yaml}"
        );
        assert_eq!(auth.username, Username::Plain("admin".to_owned()));
    }
    assert_eq!(Settings::load(None, Overrides::default()).unwrap().auth, auth(""));
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
        ("{type: token, token:, tokenSecretKeyRef: {name: sec, key: k}, password: p}", Mode::Token, secret("sec", "k")),
        ("{password: p}", Mode::Password, secret("gitops-runtime-argo-cd-password", "token")),
        (
            "{type: password, password: p, passwordSecretKeyRef: {name: sec, key: k}}",
            Mode::Password,
            secret("gitops-runtime-argo-cd-password", "token"),
        ),
        ("{type: password, passwordSecretKeyRef: {name: sec, key: k}}", Mode::Password, secret("sec", "k")),
        ("{passwordSecretKeyRef: {name: sec}}", Mode::Password, secret("sec", "password")),
        ("{passwordSecretKeyRef: {key: k}}", Mode::Password, secret("argocd-initial-admin-secret", "k")),
        ("{passwordSecretKeyRef: {name: '', key:}}", Mode::Password, secret("argocd-initial-admin-secret", "password")),
        ("{passwordSecretKeyRef: []}", Mode::Password, secret("argocd-initial-admin-secret", "password")),
        ("{password: {}, token: t}", Mode::Password, secret("argocd-initial-admin-secret", "password")),
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
        ("{type: toke}", "type: \"toke\" is not allowed; allowed: token, password; did you mean token?"),
        ("{type: [token]}", "type: a list is not allowed; allowed: token, password"),
        ("{type: true}", "type: true is not allowed; allowed: token, password"),
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
            "passwordSecretKeyRef.name: \"My_Secret\" is not allowed: it must be a Kubernetes name: lower case letters, digits, '-' and '.', at most 253, with a letter or digit at both ends",
        ),
        (
            "{passwordSecretKeyRef: {key: a/b}}",
            "passwordSecretKeyRef.key: \"a/b\" is not allowed: it must be a key of a Secret: letters, digits, '-', '_' and '.', at most 253",
        ),
        (
            "{passwordSecretKeyRef: {optional: 'yes'}}",
            "passwordSecretKeyRef.optional: \"yes\" is not allowed; allowed: true, false",
        ),
        (
            "{username: $(HOME)}",
            "username: \"$(HOME)\" is not allowed: it must be a user name: letters, digits, '-', '_' and '.', at most 32",
        ),
        ("{username: 0123}", "username: must be a string, but it is a number (83); put it in quotes"),
        ("{usernameSecretKeyRef: {name: sec}}", "usernameSecretKeyRef.key: must be given, and not be empty"),
        (
            "{usernameSecretKeyRef: {name: sec, key: k}, usernameConfigMapKeyRef: {name: sec, key: k}}",
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
fn everything_that_is_wrong_is_said_at_once() {
    let said = error(config("{delivery: files, onConflict: keeps, auth: {type: x}, argocd: {port: 0}}"));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(said.contains(
        "config.yaml: onConflict: \"keeps\" is not allowed; allowed: keep, replace, deny; did you mean keep?"
    ));
}

#[test]
fn an_unknown_key_is_an_error_in_our_file_and_a_warning_in_the_runtimes() {
    let said = error(config("{auth: {tokenSecretkeyRef: {name: sec}}}"));
    assert!(said.starts_with("config.yaml: auth.tokenSecretkeyRef: unknown key; known here: type,"), "{said}");
    assert!(said.ends_with("; did you mean tokenSecretKeyRef?"), "{said}");
    assert!(error(config("{deliverry: env}")).ends_with("; did you mean delivery?"));
    assert!(error(config("{auth: {passwordSecretKeyRef: {nam: n}}}")).ends_with("; did you mean name?"));
    let settings = values(&at(SPELLINGS[0], "{tokenSecretkeyRef: {name: sec}}")).unwrap();
    assert_eq!(settings.warnings[0].path, "global.external-arg-cd.auth.tokenSecretkeyRef");
    assert_eq!(values("{app-proxy: {anything: 1}, foo: 2, global: {bar: 3}}").unwrap().warnings, []);
}

#[test]
fn a_block_under_a_name_that_is_nearly_right_is_noticed() {
    let warnings = values("{global: {external-argocd: {auth: {type: token}}}}").unwrap().warnings;
    assert_eq!(warnings[0].to_string(), "global.external-argocd: is not read; did you mean external-argo-cd?");
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
}

#[test]
fn the_deprecated_user_name_wins_with_a_warning() {
    let yaml = "{app-proxy: {config: {argoCdUsername: old}}, global: {external-argo-cd: {auth: {username: new}}}}";
    let settings = values(yaml).unwrap();
    assert_eq!(settings.auth.username, Username::Plain("old".to_owned()));
    assert_eq!(settings.warnings[0].path, "app-proxy.config.argoCdUsername");
    assert!(
        error(values("{app-proxy: {config: {argoCdUsername: 'a b'}}}"))
            .contains("app-proxy.config.argoCdUsername: \"a b\"")
    );
    assert_eq!(auth("{app-proxy: {config: [1]}}").username, Username::Plain("admin".to_owned()));
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
        format!("{{auth: {{username: {jwt}}}}}"),
        format!("{{argocd: {{url: 'https://admin:{jwt}@host'}}}}"),
        format!("auth:\n  token: {jwt}\n  token: {jwt}\n"),
        format!("auth:\n  token: [{jwt}\n"),
        format!("auth:\n  token: \"{jwt}\n"),
    ] {
        let said = error(config(&yaml));
        assert!(!said.contains("eyJ"), "{said}");
        assert!(!format!("{:?}", config(&yaml)).contains("eyJ"), "{yaml}");
    }
    assert!(!format!("{:?}", config("{auth: {password: hunter22}}").unwrap()).contains("hunter22"));
}

#[test]
fn what_is_not_yaml_is_said_with_its_place() {
    let said = error(config("auth:\n  type: [token\n"));
    assert!(said.starts_with("config.yaml: not YAML that can be read: ") && said.contains("line 2"), "{said}");
    assert!(error(config("[1, 2]")).contains("must be a mapping, but it is a list"));
    assert!(error(values("[]")).contains("values.yaml: (the whole file): must be a mapping, but it is a list"));
    assert_eq!(
        error(values("a: 1\na: 2\n")),
        "values.yaml: not YAML that can be read: line 2, column 1: a key stands twice in one mapping"
    );
    assert!(error(values("just text")).contains("must be a mapping, but it is a string"));
    assert!(error(values("{global: text}")).contains("global: must be a mapping, but it is a string"));
    let missing = Settings::load(Some(&File::Values("no/such/file.yaml".into())), Overrides::default());
    assert!(error(missing).starts_with("reading the settings from no/such/file.yaml: No such file"));
}

#[test]
fn an_address_that_is_said_in_part_has_the_rest_from_the_runtimes_chart() {
    let shown = |settings: Settings| match settings.argocd.address {
        Address::Url(url) => url,
        Address::Service { svc, port, rootpath } => format!("{svc}:{port}/{rootpath}"),
    };
    let token = "{type: token, token: t}";
    for (text, wanted) in [
        (String::new(), "argo-cd-server:80/"),
        (at("global.external-arg-cd", &format!("{{auth: {token}}}")), "argocd-server:80/"),
        (at("global.external-argo-cd", &format!("{{auth: {token}}}")), "argocd-server:80/"),
        (at("global.external-argo-cd", "{auth: {type: password}}"), "argocd-server:80/"),
        (at("global.external-argo-cd", "{server: {rootpath: /argocd}}"), "argocd-server:80/argocd"),
        (at("global.integrations.argo-cd.server", &format!("{{auth: {token}}}")), "argo-cd-server:80/"),
        (at("global.integrations.argo-cd.server", "{port: 8080}"), "argo-cd-server:8080/"),
        (
            format!(
                "global: {{external-argo-cd: {{auth: {token}}}, integrations: {{argo-cd: {{server: {{auth: {{type: password}}}}}}}}}}"
            ),
            "argocd-server:80/",
        ),
        ("{global: {external-argo-cd: {server: {svc: a, port: 1}}}, argocd: {rootpath: b}}".to_owned(), "a:1/b"),
        ("{global: {external-argo-cd: {server: {svc: a, port: 1}}}, argocd: {svc: b}}".to_owned(), "b:80/"),
        ("{global: {external-argo-cd: {server: {svc: a}}}, argocd: {url: 'http://b'}}".to_owned(), "http://b"),
        ("{argocd: {port: 8080, namespace: argocd}}".to_owned(), "argo-cd-server:8080/"),
    ] {
        assert_eq!(shown(values(&text).unwrap()), wanted, "{text}");
    }
    assert_eq!(shown(config("{argocd: {port: 8080}}").unwrap()), "argo-cd-server:8080/");
}

#[test]
fn argo_cd_is_found_by_url_or_by_service() {
    let service =
        |svc: &str, port, rootpath: &str| Address::Service { svc: svc.to_owned(), port, rootpath: rootpath.to_owned() };
    let server = "{svc: argocd, port: '8080', rootpath: /argo/}";
    for parent in ["global.external-arg-cd", "global.external-argo-cd", "global.integrations.argo-cd"] {
        let found = values(&at(parent, &format!("{{server: {server}}}"))).unwrap().argocd.address;
        assert_eq!(found, service("argocd", 8080, "argo"), "{parent}");
    }
    assert_eq!(
        values("{global: {external-argo-cd: {server: {svc: a}}}}").unwrap().argocd.address,
        service("a", 80, "")
    );
    let templated = values("{global: {external-argo-cd: {server: {svc: '{{ .Release.Name }}-server'}}}}").unwrap();
    assert_eq!(templated.argocd.address, Address::default());
    assert_eq!(templated.warnings[0].path, "global.external-argo-cd.server.svc");
    let found = config("{argocd: {url: 'https://argo.example/x', namespace: argocd}}").unwrap().argocd;
    assert_eq!(found.address, Address::Url("https://argo.example/x".to_owned()));
    for (argocd, wanted) in [
        ("{url: 'https://a', svc: b}", "argocd.url: stands beside argocd.svc; keep one of them"),
        ("{url: 'https://a', rootpath: b}", "argocd.url: stands beside argocd.rootpath; keep one of them"),
        ("{url: 'ftp://a'}", "argocd.url: \"ftp://a\" is not allowed: it must be a URL"),
        ("{svc: 'http://a'}", "argocd.svc: \"http://a\" is not allowed: it must be the name of a Service"),
        ("{svc: a, port: 70000}", "argocd.port: 70000 is not a port; allowed: 1 to 65535"),
        ("{tls: {insecureSkipVerify: 1}}", "argocd.tls.insecureSkipVerify: 1 is not allowed; allowed: true, false"),
        ("{tls: {caSecretKeyRef: {name: sec}}}", "argocd.tls.caSecretKeyRef.key: must be given"),
    ] {
        let said = error(config(&format!("{{argocd: {argocd}}}")));
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn flags_stand_above_the_file() {
    let file = File::Config("config.yaml".into());
    let overrides =
        Overrides { delivery: Some(Delivery::Env), on_conflict: Some(OnConflict::Deny), legacy_app_proxy: Some(true) };
    let settings = Settings::from_text(&file, "{delivery: volume, onConflict: keep}", overrides).unwrap();
    assert_eq!(
        (settings.delivery, settings.on_conflict, settings.legacy_app_proxy),
        (Delivery::Env, OnConflict::Deny, true)
    );
}

#[test]
fn our_charts_own_keys_are_read_from_the_values_too() {
    for yaml in
        ["{delivery: volume, legacyAppProxy: true}", "{argocd-auth-webhook: {delivery: volume, legacyAppProxy: true}}"]
    {
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
        (
            "[{name: app-proxy, containers: [A]}]",
            "services[0].containers[0]: \"A\" is not allowed: it must be lower case",
        ),
        (
            "[{name: app-proxy, reads: secret}]",
            "services[0].reads: \"secret\" is not allowed; allowed: credential, reference",
        ),
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
        let said = error(config(&format!("{{services: {services}}}")));
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
    assert!(twice("{type: token, token: t}", "{passwordSecretKeyRef: {optional: false}}").is_ok());
}

#[test]
fn what_stands_beside_its_place_is_noticed() {
    for (yaml, path) in [
        ("{auth: {type: token}}", "auth"),
        ("{onConflct: deny}", "onConflct"),
        ("{argocd-auth-webhook: {delivry: volume}}", "argocd-auth-webhook.delivry"),
        ("{global: {external-arg-cd: {Auth: {type: token}}}}", "global.external-arg-cd.Auth"),
        ("{global: {external-arg-cd: {server: {auth: {type: token}}}}}", "global.external-arg-cd.server.auth"),
        ("{global: {integrations: {argo-cd: {auth: {type: token}}}}}", "global.integrations.argo-cd.auth"),
        ("{global: {integrations: {argocd: {server: {}}}}}", "global.integrations.argocd"),
    ] {
        let warnings = values(yaml).unwrap().warnings;
        assert_eq!(warnings.iter().map(|warning| warning.path.as_str()).collect::<Vec<_>>(), [path], "{yaml}");
    }
    for yaml in ["{argo-cd: {}, argo-rollouts: {}, services: []}", "{global: {runtime: {}, codefresh: {}}}"] {
        assert_eq!(values(yaml).unwrap().warnings, [], "{yaml}");
    }
}

#[test]
fn how_credentials_and_pods_are_kept_is_read_from_either_file() {
    let yaml = "{rollout: {mode: report, byName: restart}, credentials: {followAfter: 90s, createSecret: auto}}";
    for settings in [config(yaml).unwrap(), values(yaml).unwrap()] {
        assert_eq!((settings.rollout, settings.by_name), (Rollout::Report, ByName::Restart));
        assert_eq!(settings.credentials.follow_after, Duration::from_secs(90));
        assert_eq!(settings.credentials.check_interval, Duration::from_secs(30));
    }
    let by_default = config("{rollout: {byName: restart}}").unwrap();
    assert_eq!((by_default.rollout, by_default.by_name), (Rollout::Automatic, ByName::Restart));
    for (wrong, wanted) in [
        ("{rollout: [report]}", "rollout: a list is not allowed; allowed: automatic, report, or a mapping"),
        ("{rollout: {mod: report}}", "rollout.mod: unknown key; known here: mode, byName; did you mean mode?"),
        ("{rollout: {byName: follows}}", "rollout.byName: \"follows\" is not allowed; allowed: follow, restart"),
        ("{credentials: {followAfter: 10}}", "credentials.followAfter: must be a string, but it is a number (10)"),
        ("{credentials: {followAfter: 2d}}", "credentials.followAfter: \"2d\" is no time; write it as 250ms, 10s"),
        (
            "{credentials: {checkInterval: 0s}}",
            "credentials.checkInterval: \"0s\" is out of bounds; allowed: 1s to 24h",
        ),
    ] {
        let said = error(config(wrong));
        assert!(said.contains(wanted), "{said}");
    }
}
