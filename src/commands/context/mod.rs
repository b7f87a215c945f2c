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

/// The values of the flags that several commands share.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The Runtime's namespace; by default the kubeconfig's.
    pub namespace: Option<String>,
    /// A context of the kubeconfig; by default its current one.
    pub context: Option<String>,
    /// A kubeconfig; by default those that kubectl would read.
    pub kubeconfig: Option<PathBuf>,
    /// Whether no cluster is asked, because the flags say all that is needed.
    pub offline: bool,
    /// The release; by default the one in the namespace.
    pub release: Option<String>,
    /// The settings from a file; by default they are read from the release's ConfigMap.
    pub settings: Option<Settings>,
    /// Argo CD's URL; by default the settings' address.
    pub argocd_url: Option<String>,
    /// Argo CD's namespace; by default the settings', or else the Runtime's.
    pub argocd_namespace: Option<String>,
    /// Whether any certificate of Argo CD is trusted.
    pub insecure_skip_verify: bool,
    /// A PEM file with the CA of Argo CD's certificate; by default what the settings say.
    pub ca_file: Option<PathBuf>,
    /// The account's name; by default the settings'.
    pub account: Option<String>,
    /// Called with the API server that was chosen, before it is asked.
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

/// Why a command fails before or while it uses the cluster or Argo CD.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// A call to the cluster failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The settings in the cluster are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Argo CD's address can't be parsed.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A call to Argo CD failed.
    #[error(transparent)]
    ArgoCd(#[from] crate::argocd::ArgoCdError),
    /// A file can't be read or written.
    #[error("{what} {}: {error}", path.display())]
    File {
        /// What was tried, up to the path in the sentence.
        what: &'static str,
        /// The file's path.
        path: PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// Something that the settings or flags refer to isn't there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Anything else, as a sentence that says what to do.
    #[error("{0}")]
    Other(String),
}

/// The cluster, the settings and the names that a command works with.
pub struct CommandContext {
    client: Result<Client, ClusterError>,
    reach: Option<Reach>,
    options: Options,
    settings: Settings,
    origin: Origin,
    namespace: String,
    names: Names,
    /// Sentences for the person, on how the settings were found.
    pub notes: Vec<String>,
}

impl CommandContext {
    /// Finds the cluster and the settings. With `--argocd-url`, a missing cluster isn't an error yet.
    ///
    /// # Errors
    /// The flags leave something open and there is no cluster, or its settings are wrong or can't be read.
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

    /// Finds the cluster, for commands that need no settings; they are the defaults of the Runtime's chart.
    ///
    /// # Errors
    /// There is no cluster.
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

    /// The client of the cluster's API server.
    ///
    /// # Errors
    /// Why there is none.
    pub fn client(&self) -> Result<&Client, ClusterError> {
        self.client.as_ref().map_err(Clone::clone)
    }

    /// The API server and how it was chosen; `None` without a cluster.
    #[must_use]
    pub const fn reach(&self) -> Option<&Reach> {
        self.reach.as_ref()
    }

    /// The Runtime's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The release, which begins the names of our objects.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.names.release
    }

    /// Argo CD's namespace: of the flag, or else of the settings, or else the Runtime's.
    #[must_use]
    pub fn argocd_namespace(&self) -> &str {
        self.options.argocd_namespace.as_ref().or(self.settings.argocd.namespace.as_ref()).unwrap_or(&self.namespace)
    }

    /// The Runtime's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The Secret and key that hold the Runtime's API key: `argocd-token` in password mode, else the
    /// settings'.
    #[must_use]
    pub fn key_place(&self) -> SecretKey {
        let place = resolve::key_place(&self.settings.auth);
        SecretKey { name: place.name, key: place.key }
    }

    /// Reads what the settings refer to in the Runtime's namespace; patient, as a person waits.
    fn resolver(&self) -> Resolver<'_> {
        Resolver { client: self.client.clone(), namespace: &self.namespace, patient: true }
    }
}

fn namespace(options: &Options, client: Option<&Client>) -> String {
    let of_context = || client.map_or_else(|| "default".to_owned(), |client| client.default_namespace().to_owned());
    options.namespace.clone().unwrap_or_else(of_context)
}
