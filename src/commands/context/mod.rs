//! How a person's command gets to the cluster, to the settings and to Argo CD, from a few flags.

mod credential;
mod destination;
mod forward;
mod names;
mod route;
mod secret;
mod settings;

pub use credential::{PasswordFrom, read_secret_line};
pub use destination::Destination;
pub use forward::Forward;
pub use names::Names;
pub use route::Route;
pub use secret::{SecretKey, Written};
pub use settings::{SettingsOfError, settings_of};

use crate::argocd::BadAddress;
use crate::cluster::{self, Cause, Choice, ClusterError, Reach};
use crate::resolve::{self, Missing, Resolver};
use crate::settings::{Settings, SettingsError};
use destination::Origin;
use kube::Client;
use std::path::PathBuf;

/// What the flags say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The Runtime's namespace; by default the kubeconfig's.
    pub namespace: Option<String>,
    /// A context of the kubeconfig, in place of its current one.
    pub context: Option<String>,
    /// A kubeconfig, in place of those that kubectl would read.
    pub kubeconfig: Option<PathBuf>,
    /// No cluster is to be asked: what is needed is said by flags.
    pub offline: bool,
    /// The release; by default the one that is in the namespace.
    pub release: Option<String>,
    /// What a file says; else the chart's ConfigMap is read.
    pub settings: Option<Settings>,
    /// In place of the settings' address.
    pub argocd_url: Option<String>,
    /// In place of the settings' namespace of Argo CD.
    pub argocd_namespace: Option<String>,
    /// Believe any certificate of Argo CD.
    pub insecure_skip_verify: bool,
    /// A file with the CA of Argo CD's certificate.
    pub ca_file: Option<PathBuf>,
    /// In place of the settings' account.
    pub account: Option<String>,
    /// Told which API server is asked, before it is.
    pub on_reach: Option<fn(&Reach)>,
}

impl Options {
    fn tell(&self, reach: &Reach) {
        if let Some(tell) = self.on_reach {
            tell(reach);
        }
    }

    fn choice(&self) -> Choice {
        Choice { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }
}

/// Why a command can't begin, or can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The settings in the cluster.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address of Argo CD.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// Argo CD.
    #[error(transparent)]
    ArgoCd(#[from] crate::argocd::ArgoCdError),
    /// A file.
    #[error("{what} {}: {error}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What came back.
        error: std::io::Error,
    },
    /// What the settings or flags refer to.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Anything else, as a sentence that says what to do.
    #[error("{0}")]
    Said(String),
}

/// What a command works with.
pub struct CommandContext {
    client: Result<Client, ClusterError>,
    reach: Option<Reach>,
    options: Options,
    settings: Settings,
    origin: Origin,
    namespace: String,
    names: Names,
    /// What a person should know of how it was found.
    pub notes: Vec<String>,
}

impl CommandContext {
    /// Finds the cluster and the settings. That there is no cluster is no failure yet where a URL is given.
    ///
    /// # Errors
    /// There is no cluster to ask for what the flags leave open, or its settings are wrong or can't be read.
    pub async fn open(mut options: Options) -> Result<Self, ContextError> {
        let (client, reach) = if options.offline {
            let what = "finding the cluster".to_owned();
            let cause = Cause::Setup("with --argocd-url and no Secret to read none is asked".to_owned());
            (Err(ClusterError { what, cause }), None)
        } else {
            match cluster::client(&options.choice()).await {
                Ok((client, reach)) => {
                    options.tell(&reach);
                    (Ok(client), Some(reach))
                }
                Err(error) => (Err(error), None),
            }
        };
        let namespace = namespace(&options, client.as_ref().ok());
        let mut notes = Vec::new();
        let mut names = Names::of(options.release.as_deref());
        let (settings, origin) = match (options.settings.take(), &client) {
            (Some(settings), _) => (settings, Origin::File),
            (None, Ok(client)) => {
                names = Names::find(client, &namespace, options.release.as_deref()).await;
                settings::find(client, &namespace, &names.config_map, &mut notes).await?
            }
            // Nothing is taken for settings that couldn't be asked for, unless flags say where to go.
            (None, Err(error)) if options.argocd_url.is_none() => return Err(error.clone().into()),
            (None, Err(_)) => (Settings::of_the_charts(), Origin::Charts),
        };
        Ok(Self { client, reach, options, settings, origin, namespace, names, notes })
    }

    /// Finds the cluster, for commands that need no settings.
    ///
    /// # Errors
    /// There is none.
    pub async fn in_cluster(options: Options) -> Result<Self, ContextError> {
        let (client, reach) = cluster::client(&options.choice()).await?;
        options.tell(&reach);
        let namespace = namespace(&options, Some(&client));
        let names = Names::find(&client, &namespace, options.release.as_deref()).await;
        Ok(Self {
            client: Ok(client),
            reach: Some(reach),
            options,
            settings: Settings::of_the_charts(),
            origin: Origin::Charts,
            namespace,
            names,
            notes: Vec::new(),
        })
    }

    /// The way to the cluster.
    ///
    /// # Errors
    /// There is none.
    pub fn client(&self) -> Result<&Client, ClusterError> {
        self.client.as_ref().map_err(Clone::clone)
    }

    /// Which API server is asked; nothing where none is.
    #[must_use]
    pub const fn reach(&self) -> Option<&Reach> {
        self.reach.as_ref()
    }

    /// The Runtime's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The first part of our objects' names.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.names.release
    }

    /// Argo CD's namespace.
    #[must_use]
    pub fn argocd_namespace(&self) -> &str {
        self.options.argocd_namespace.as_ref().or(self.settings.argocd.namespace.as_ref()).unwrap_or(&self.namespace)
    }

    /// What the Runtime's settings say.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where the Runtime's API key stands: the one that the controller makes, or the one that the
    /// settings name.
    #[must_use]
    pub fn key_place(&self) -> SecretKey {
        let place = resolve::key_place(&self.settings.auth);
        SecretKey { name: place.name, key: place.key }
    }

    /// What the settings refer to in the Runtime's namespace.
    fn resolver(&self) -> Resolver<'_> {
        Resolver { client: self.client.clone(), namespace: &self.namespace, patient: true }
    }
}

fn namespace(options: &Options, client: Option<&Client>) -> String {
    let of_context = || client.map_or_else(|| "default".to_owned(), |client| client.default_namespace().to_owned());
    options.namespace.clone().unwrap_or_else(of_context)
}
