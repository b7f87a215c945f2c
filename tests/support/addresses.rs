//! Values beside `auth`, where Argo CD is with them (a URL, or `service:port/path`), and what says so.

pub const ADDRESSES: &[(&str, &str, Option<&str>)] = &[
    ("# nothing", "argo-cd-server:80/", None),
    // The Argo CD that the chart brings along: its default.
    ("argo-cd: {enabled: true}", "argo-cd-server:80/", Some("argo-cd")),
    ("argo-cd: {fullnameOverride: codefresh-argo-cd}", "codefresh-argo-cd-server:80/", Some("argo-cd")),
    ("argo-cd: {fullnameOverride: a, nameOverride: b, server: {name: c}}", "a-c:80/", Some("argo-cd")),
    ("argo-cd: {nameOverride: b}", "argo-cd-server:80/", Some("argo-cd")),
    ("argo-cd: {configs: {params: {server.rootpath: /argocd}}}", "argo-cd-server:80/argocd", Some("argo-cd")),
    // It moves the pages for browsers only.
    ("argo-cd: {configs: {params: {server.basehref: /argocd}}}", "argo-cd-server:80/", Some("argo-cd")),
    ("argo-cd: {configs: {params: {server.insecure: false}}}", "argo-cd-server:443/", Some("argo-cd")),
    ("argo-cd: {configs: {params: {server.insecure: 'false'}}}", "argo-cd-server:443/", Some("argo-cd")),
    ("argo-cd: {configs: {params: {server.insecure: true}}}", "argo-cd-server:80/", Some("argo-cd")),
    ("argo-cd: {server: {service: {servicePortHttp: 8080}}}", "argo-cd-server:8080/", Some("argo-cd")),
    (
        "argo-cd: {server: {service: {servicePortHttps: 8443}}, configs: {params: {server.insecure: false, server.rootpath: a}}}",
        "https://argo-cd-server:8443/a",
        Some("argo-cd"),
    ),
    // The classic charts' complete values hold it beside.
    (
        "argo-cd: {enabled: true}\nglobal: {external-argo-cd: {server: {svc: argocd-server, port: 80}}}",
        "argo-cd-server:80/",
        Some("argo-cd"),
    ),
    ("global: {external-argo-cd: {server: {svc: argocd-server, port: 80}}}", "argo-cd-server:80/", None),
    ("argo-cd: {enabled: true}\nglobal: {external-argo-cd: {server: {svc: a}}}", "argo-cd-server:80/", Some("argo-cd")),
    // One that was there before.
    (
        "argo-cd: {enabled: false}\nglobal: {external-argo-cd: {server: {svc: argocd-server, port: 80}}}",
        "argocd-server:80/",
        Some("global.external-argo-cd.server"),
    ),
    (
        "argo-cd: {enabled: false}\nglobal: {integrations: {argo-cd: {server: {port: 8080}}}}",
        "argo-cd-server:8080/",
        Some("global.integrations.argo-cd.server"),
    ),
    (
        "global: {external-arg-cd: {server: {svc: a, port: '1', rootpath: /b/}}}",
        "a:1/b",
        Some("global.external-arg-cd.server"),
    ),
    (
        "global: {external-argo-cd: {server: {rootpath: /argocd}}}",
        "argocd-server:80/argocd",
        Some("global.external-argo-cd.server"),
    ),
    ("cf: {global: {external-argo-cd: {server: {svc: a}}}}", "a:80/", Some("cf.global.external-argo-cd.server")),
    ("argo-cd: {enabled: false}", "argo-cd-server:80/", None),
    // An umbrella's `global` is shared, and the rest stands under the Runtime's key.
    ("cf: {argo-cd: {fullnameOverride: x}}", "x-server:80/", Some("cf.argo-cd")),
    // Ours counts before, in whole or in part.
    ("global: {external-argo-cd: {server: {svc: a, port: 1}}}\nargocd: {rootpath: b}", "a:1/b", Some("argocd")),
    ("global: {external-argo-cd: {server: {svc: a, port: 1}}}\nargocd: {svc: b}", "b:80/", Some("argocd")),
    ("global: {external-argo-cd: {server: {svc: a}}}\nargocd: {url: 'http://b'}", "http://b", Some("argocd")),
    ("argocd: {port: 8080, namespace: argocd}", "argo-cd-server:8080/", Some("argocd")),
    // Helm leaves a chart out for `false` alone.
    ("argo-cd: {enabled: 'false'}", "argo-cd-server:80/", Some("argo-cd")),
    ("argo-cd: {enabled: null}", "argo-cd-server:80/", Some("argo-cd")),
    ("argo-cd: {enabled: ''}\nglobal: {external-argo-cd: {server: {svc: a}}}", "argo-cd-server:80/", Some("argo-cd")),
    // An Argo CD beside the Runtime in an umbrella isn't the Runtime's: what stands around tells.
    (
        "argo-cd: {enabled: true}\ncf: {app-proxy: {a: 1}, argo-cd: {enabled: false}}\nglobal: {external-argo-cd: {server: {svc: a, port: 8}}}",
        "a:8/",
        Some("global.external-argo-cd.server"),
    ),
    (
        "argo-cd: {enabled: false}\ncf: {gitops-operator: {a: 1}, argo-cd: {enabled: true, fullnameOverride: c}}\nglobal: {external-argo-cd: {server: {svc: a}}}",
        "c-server:80/",
        Some("cf.argo-cd"),
    ),
    (
        "argo-cd: {fullnameOverride: own}\napp-proxy: {a: 1}\ningress: {argo-cd: {enabled: false}}",
        "own-server:80/",
        Some("argo-cd"),
    ),
    // What others have of that name, and says nothing.
    ("argo-cd: {fullnameOverride: own}\nextra: {configs: {argo-cd: {url: x}}}", "own-server:80/", Some("argo-cd")),
    ("my.runtime: {argo-cd: {fullnameOverride: x}}", "x-server:80/", Some("my.runtime.argo-cd")),
    // Two that say the same.
    ("zz: {argo-cd: {fullnameOverride: a}}\naa: {argo-cd: {fullnameOverride: a}}", "a-server:80/", Some("aa.argo-cd")),
    (
        "zz: {argo-cd: {enabled: false}}\naa: {argo-cd: {enabled: false, fullnameOverride: a}}",
        "argo-cd-server:80/",
        None,
    ),
    (
        "global: {external-argo-cd: {server: {svc: a}}}\ncf: {global: {external-argo-cd: {server: {svc: a}}}}",
        "a:80/",
        Some("global.external-argo-cd.server"),
    ),
    // A chart in a chart.
    (
        "platform: {runtime: {argo-cd: {enabled: false}}}\nglobal: {external-argo-cd: {server: {svc: argocd-server}}}",
        "argocd-server:80/",
        Some("global.external-argo-cd.server"),
    ),
    (
        "argo-cd: {enabled: true}\nplatform: {runtime: {tunnel-client: {a: 1}, argo-cd: {fullnameOverride: r}}}",
        "r-server:80/",
        Some("platform.runtime.argo-cd"),
    ),
    // Not in what Argo CD's own chart has of that name.
    ("argo-cd: {x: {argo-cd: {fullnameOverride: r}}}", "argo-cd-server:80/", Some("argo-cd")),
    // Of the nearest charts that have one.
    (
        "a: {b: {argo-cd: {fullnameOverride: deep}}}\nz: {argo-cd: {fullnameOverride: near}}",
        "near-server:80/",
        Some("z.argo-cd"),
    ),
    (
        "argo-cd: {enabled: true}\nglobal: {external-argo-cd: {server: {svc: a}}}\nargocd: {port: 8080, rootpath: x}",
        "argo-cd-server:8080/x",
        Some("argocd"),
    ),
    // Our own block says where, whatever else can't be used, differs or stands where nobody reads it.
    (
        "aa: {argo-cd: {fullnameOverride: a}}\nzz: {argo-cd: {fullnameOverride: z}}\nargocd: {svc: b}",
        "b:80/",
        Some("argocd"),
    ),
    ("global: {external-argo-cd: {svc: a}}\nargocd: {url: 'http://b'}", "http://b", Some("argocd")),
    // Another's.
    ("global: {external-argo-cd: {redis: {svc: r, port: 6379}}}\nredis: {port: 6379}", "argo-cd-server:80/", None),
    ("argo-cd: {fullnameOverride: ''}\nargocd: {svc: a}", "a:80/", Some("argocd")),
    (
        "global: {external-argo-cd: {server: {svc: 'a b', port: 0}}}\nargocd: {url: 'http://b'}",
        "http://b",
        Some("argocd"),
    ),
    ("argo-cd: [1]\nglobal: {external-argo-cd: {server: {svc: ''}}}", "argo-cd-server:80/", None),
];

/// Values beside `auth` that say where Argo CD is in a way that can't be used: where, and what is said of it.
pub const UNUSABLE: &[(&str, &str)] = &[
    (
        "argo-cd: {fullnameOverride: ''}",
        "argo-cd.fullnameOverride: is empty, so that Argo CD's Service is called after",
    ),
    ("argo-cd: {fullnameOverride: '', nameOverride: b}", "argo-cd.fullnameOverride: is empty"),
    (
        "argo-cd: {fullnameOverride: '{{ .Release.Name }}'}",
        "argo-cd.fullnameOverride: is not allowed: it must be a Kubernetes name",
    ),
    ("argo-cd: {server: {name: A}}", "argo-cd.server.name: is not allowed: it must be a Kubernetes name"),
    ("argo-cd: {server: {service: {servicePortHttp: http}}}", "argo-cd.server.service.servicePortHttp: is not a port"),
    (
        "argo-cd: {configs: {params: {server.rootpath: 'a?b'}}}",
        "argo-cd.configs.params.server.rootpath: is not allowed: it must be a path",
    ),
    (
        "global: {external-argo-cd: {server: {svc: 'https://a'}}}",
        "global.external-argo-cd.server.svc: is not allowed: it must be the name of a Service",
    ),
    (
        "global: {external-arg-cd: {server: {port: 0}}}",
        "global.external-arg-cd.server.port: is not a port; allowed: 1 to 65535",
    ),
    (
        "argo-cd: {enabled: false}\nglobal: {integrations: {argo-cd: {server: {rootpath: '{{ .x }}'}}}}",
        "global.integrations.argo-cd.server.rootpath: is not allowed: it must be a path",
    ),
    ("argo-cd: {server: {service: {servicePortHttp: '+80'}}}", "argo-cd.server.service.servicePortHttp: is not a port"),
    (
        "argo-cd: {server: {service: {servicePortHttp: '00080'}}}",
        "argo-cd.server.service.servicePortHttp: is not a port",
    ),
    ("cf: {argo-cd: {fullnameOverride: 'a b'}}", "cf.argo-cd.fullnameOverride: is not allowed"),
    (
        "global: {external-argo-cd: {server: {svc: 5}}}",
        "global.external-argo-cd.server.svc: must be a string, but it is a number; put it in quotes",
    ),
    (
        "argo-cd: {fullnameOverride: y}",
        "argo-cd.fullnameOverride: must be a string, but it is a boolean; put it in quotes",
    ),
    ("argo-cd: {server: {name: [a]}}", "argo-cd.server.name: must be a string, but it is a list"),
    (
        "global: {external-argo-cd: {server: {rootpath: {a: b}}}}",
        "global.external-argo-cd.server.rootpath: must be a string, but it is a mapping",
    ),
    // Two that differ.
    (
        "aa: {argo-cd: {fullnameOverride: a}}\nzz: {argo-cd: {fullnameOverride: z}}",
        "zz.argo-cd: differs from aa.argo-cd, and both are given; keep one of them",
    ),
    ("aa: {argo-cd: {enabled: false}}\nzz: {argo-cd: {fullnameOverride: z}}", "zz.argo-cd: differs from aa.argo-cd"),
    (
        "argo-cd: {enabled: true}\ncf: {argo-cd: {enabled: false}}",
        "cf.argo-cd: differs from argo-cd, and both are given",
    ),
    (
        "argo-cd: {enabled: false}\nglobal: {external-argo-cd: {server: {svc: a}}, integrations: {argo-cd: {server: {svc: b}}}}",
        "global.integrations.argo-cd.server: differs from global.external-argo-cd.server, and both are given",
    ),
    (
        "global: {external-argo-cd: {server: {svc: a}}}\ncf: {global: {external-argo-cd: {server: {svc: b}}}}",
        "cf.global.external-argo-cd.server: differs from global.external-argo-cd.server",
    ),
];

/// Values beside an `auth` of our own that say where Argo CD is where nobody reads it, and what is said of it.
pub const MISPLACED: &[(&str, &str)] = &[
    (
        "global: {external-argo-cd: {svc: a}}",
        "global.external-argo-cd.svc: is not read here; write `server:` above it, as global.external-argo-cd.server.svc",
    ),
    (
        "global: {argo-cd: {server: {svc: a}}}",
        "global.argo-cd: is not read here; write `integrations:` above it, as global.integrations.argo-cd",
    ),
    (
        "external-argo-cd: {server: {svc: a}}",
        "external-argo-cd: is not read here; write `global:` above it, as global.external-argo-cd",
    ),
    (
        "global: {external-argocd: {server: {svc: a}}}",
        "global.external-argocd: is not read; write it as `external-argo-cd:`",
    ),
    (
        "cf: {global: {integrations: {argo-cd: {rootPath: /a}}}}",
        "cf.global.integrations.argo-cd.rootPath: is not read here; write `server:` above it",
    ),
    (
        "globals: {external-argo-cd: {auth: {type: token, token: eyJa}, server: {port: 81}}}",
        "globals: is not read; write it as `global:`",
    ),
    (
        "global: {integrations: {server: {svc: a}}}",
        "global.integrations.server: is not read here; write `argo-cd:` above it, as global.integrations.argo-cd.server",
    ),
    (
        "integrations: {argo-cd: {svc: a}}",
        "integrations: is not read here; write `global:` above it, as global.integrations",
    ),
    ("global: {Integrations: {argo-cd: {svc: a}}}", "global.Integrations: is not read; write it as `integrations:`"),
    (
        "global: {server: {svc: a}}",
        "global.server: is not read here; write `external-argo-cd:` above it, as global.external-argo-cd.server",
    ),
    (
        "argo-cd: {server: {svc: a}}",
        "argo-cd.server.svc: is not read here; write it as global.external-argo-cd.server.svc",
    ),
    (
        "global: {external-argo-cd: {server: {url: 'https://x'}}}",
        "global.external-argo-cd.server.url: is not read here, where svc, port and rootpath are; write it as argocd.url",
    ),
    (
        "platform: {runtime: {global: {external-argo-cd: {server: {svc: a}}}}}",
        "platform.runtime.global.external-argo-cd.server.svc: is not read here; write it under global.external-argo-cd.server",
    ),
];
