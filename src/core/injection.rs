//! What the pods of one service must carry, worked out once from the settings.

use super::auth::{Auth, ConfigMapKeyRef, GENERATED_TOKEN, Mode, SecretKeyRef, Username};
use super::service::APP_PROXY;
use super::{Delivery, Reads, Service, Variable};
use serde_json::{Value, json};

/// Name of the pod's volume in volume delivery.
pub const VOLUME_NAME: &str = "argocd-auth";
/// Where the containers mount that volume.
pub const MOUNT_PATH: &str = "/var/run/secrets/argocd-auth";
/// Mode of the volume's files: readable by any user that the container runs as. 0440 would need an `fsGroup`,
/// and adding one isn't this webhook's business.
pub(crate) const FILE_MODE: i64 = 0o444;
const TOKEN_FILE: &str = "token";
const PASSWORD_FILE: &str = "password";

/// Where the value of an injected variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A plain value: a user name, a file's path or a Secret's name. Never a credential.
    Value(String),
    /// A `secretKeyRef`.
    SecretKey(SecretKeyRef),
    /// A `configMapKeyRef`.
    ConfigMapKey(ConfigMapKeyRef),
}

/// A variable that a container must have, with its value.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which variable it is.
    pub variable: Variable,
    /// Where its value comes from.
    pub source: Source,
    /// The finished `EnvVar` as JSON, for the patch.
    pub(crate) json: String,
}

/// One Secret of the wanted volume, with the files made from its keys.
#[derive(Clone, Debug)]
pub(crate) struct VolumeSource {
    pub secret: String,
    pub optional: Option<bool>,
    /// Pairs of key and file name.
    pub items: Vec<(String, &'static str)>,
}

/// The volume that a pod needs in volume delivery.
#[derive(Clone, Debug)]
pub(crate) struct WantedVolume {
    pub sources: Vec<VolumeSource>,
    /// The finished `Volume` as JSON.
    pub json: String,
    /// The finished `VolumeMount` as JSON.
    pub mount_json: String,
}

/// What the pods of one service must carry.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The variables, sorted by name as in the Runtime's chart.
    pub variables: Vec<Wanted>,
    pub(crate) volume: Option<WantedVolume>,
    pub(crate) reads: Reads,
}

impl Injection {
    /// Works out what `service` must carry.
    ///
    /// `delivery` counts where the service has none of its own; `legacy_app_proxy` adds what the
    /// app-proxy of the Runtime's releases 0.18.0 to 0.24.3 reads besides.
    #[must_use]
    pub fn new(auth: &Auth, service: &Service, delivery: Delivery, legacy_app_proxy: bool) -> Self {
        let mut variables = Vec::new();
        let mut files = Vec::new();
        let by_volume = service.delivery.unwrap_or(delivery) == Delivery::Volume;
        match service.reads {
            Reads::Reference => {
                let read = match auth.mode {
                    Mode::Token => auth.credential.clone(),
                    Mode::Password => GENERATED_TOKEN.into(),
                };
                variables.push((Variable::SecretKey, Source::Value(read.key)));
                variables.push((Variable::SecretName, Source::Value(read.name)));
            }
            Reads::Credential => {
                let legacy = legacy_app_proxy && service.name == APP_PROXY;
                let mut credentials = Vec::new();
                match auth.mode {
                    Mode::Token => {
                        credentials.push((Variable::Token, auth.credential.clone()));
                        if legacy {
                            credentials.push((Variable::Password, auth.credential.clone()));
                        }
                    }
                    Mode::Password => {
                        credentials.push((Variable::Password, auth.credential.clone()));
                        if legacy {
                            let generated = SecretKeyRef { optional: Some(true), ..GENERATED_TOKEN.into() };
                            credentials.push((Variable::Token, generated));
                        }
                    }
                }
                if auth.mode == Mode::Password || legacy {
                    variables.push((Variable::Username, username(&auth.username)));
                }
                for (variable, secret) in credentials {
                    if by_volume {
                        let (variable, file) = file_of(variable);
                        variables.push((variable, Source::Value(format!("{MOUNT_PATH}/{file}"))));
                        files.push((secret, file));
                    } else {
                        variables.push((variable, Source::SecretKey(secret)));
                    }
                }
            }
        }
        variables.sort_by_key(|(variable, _)| variable.name());
        let variables = variables.into_iter().map(|(variable, source)| Wanted {
            json: env_var(variable, &source),
            variable,
            source,
        });
        Self { variables: variables.collect(), volume: WantedVolume::new(files), reads: service.reads }
    }
}

fn username(username: &Username) -> Source {
    match username {
        Username::Plain(name) => Source::Value(name.clone()),
        Username::ConfigMapKey(reference) => Source::ConfigMapKey(reference.clone()),
        Username::SecretKey(reference) => Source::SecretKey(reference.clone()),
    }
}

fn file_of(credential: Variable) -> (Variable, &'static str) {
    if credential == Variable::Password {
        (Variable::PasswordFile, PASSWORD_FILE)
    } else {
        (Variable::TokenFile, TOKEN_FILE)
    }
}

/// Whether `path` is that of a file that volume delivery creates.
pub(crate) fn is_our_file(path: &str) -> bool {
    path.strip_prefix(MOUNT_PATH).and_then(|rest| rest.strip_prefix('/')).is_some_and(is_our_file_name)
}

/// Whether `name` is that of a file that volume delivery creates.
pub(crate) fn is_our_file_name(name: &str) -> bool {
    name == TOKEN_FILE || name == PASSWORD_FILE
}

fn env_var(variable: Variable, source: &Source) -> String {
    let value = match source {
        Source::Value(value) => json!({ "name": variable.name(), "value": value }),
        Source::SecretKey(SecretKeyRef { name, key, optional }) => {
            let reference = with_optional(json!({ "name": name, "key": key }), *optional);
            json!({ "name": variable.name(), "valueFrom": { "secretKeyRef": reference } })
        }
        Source::ConfigMapKey(ConfigMapKeyRef { name, key }) => {
            json!({ "name": variable.name(), "valueFrom": { "configMapKeyRef": { "name": name, "key": key } } })
        }
    };
    value.to_string()
}

fn with_optional(mut object: Value, optional: Option<bool>) -> Value {
    if let (Some(fields), Some(optional)) = (object.as_object_mut(), optional) {
        fields.insert("optional".to_owned(), optional.into());
    }
    object
}

impl WantedVolume {
    fn new(files: Vec<(SecretKeyRef, &'static str)>) -> Option<Self> {
        let mut sources: Vec<VolumeSource> = Vec::new();
        for (reference, file) in files {
            let SecretKeyRef { name, key, optional } = reference;
            match sources.iter_mut().find(|source| source.secret == name && source.optional == optional) {
                Some(source) => source.items.push((key, file)),
                None => sources.push(VolumeSource { secret: name, optional, items: vec![(key, file)] }),
            }
        }
        let items = |source: &VolumeSource| -> Vec<Value> {
            source.items.iter().map(|(key, path)| json!({ "key": key, "path": path })).collect()
        };
        // A plain secret volume where one Secret is enough: people know it, and it is what `kubectl
        // describe` shows best.
        let volume = match sources.as_slice() {
            [] => return None,
            [source] => {
                let secret = json!({ "secretName": source.secret, "items": items(source), "defaultMode": FILE_MODE });
                json!({ "name": VOLUME_NAME, "secret": with_optional(secret, source.optional) })
            }
            several => {
                let projections = several.iter().map(|source| {
                    let secret = json!({ "name": source.secret, "items": items(source) });
                    json!({ "secret": with_optional(secret, source.optional) })
                });
                let projected = json!({ "sources": projections.collect::<Vec<_>>(), "defaultMode": FILE_MODE });
                json!({ "name": VOLUME_NAME, "projected": projected })
            }
        };
        let mount = json!({ "name": VOLUME_NAME, "mountPath": MOUNT_PATH, "readOnly": true });
        Some(Self { sources, json: volume.to_string(), mount_json: mount.to_string() })
    }
}
