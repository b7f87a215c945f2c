//! The fields of a pod that injection depends on, borrowed from the review's body.

use super::Variable;
use super::injection::{MOUNT_PATH, VOLUME_NAME};
use super::lenient::{Bool, Int, Keep, List, Obj, Str, StrMap, bounded};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields of a pod that injection looks at. Reading never fails for their content: a field of the wrong
/// type is recorded as such and left alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod<'a> {
    #[serde(borrow)]
    pub(crate) metadata: Obj<Metadata<'a>>,
    #[serde(borrow)]
    pub(crate) spec: Obj<Spec<'a>>,
}

impl<'a> Pod<'a> {
    /// Reads a pod's JSON. Fields are borrowed from `text`; unknown ones are skipped.
    ///
    /// # Errors
    /// The text is not JSON, or an object in it has a key twice.
    pub fn from_json(text: &'a str) -> Result<Self, serde_json::Error> {
        bounded(|| serde_json::from_str::<Obj<Self>>(text)).map(|pod| pod.value)
    }

    /// `metadata.name`, or `metadata.generateName` for a pod that a controller creates.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let metadata = &self.metadata.value;
        metadata.name.get().filter(|name| !name.is_empty()).or_else(|| metadata.generate_name.get())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    #[serde(borrow)]
    pub name: Str<'a>,
    #[serde(borrow)]
    pub generate_name: Str<'a>,
    #[serde(borrow)]
    pub labels: StrMap<'a>,
    #[serde(borrow)]
    pub annotations: StrMap<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec<'a> {
    #[serde(borrow)]
    pub containers: List<Container<'a>>,
    #[serde(borrow)]
    pub init_containers: List<Container<'a>>,
    #[serde(borrow)]
    pub volumes: List<Volume<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Container<'a> {
    #[serde(borrow)]
    pub name: Str<'a>,
    #[serde(borrow)]
    pub env: List<EnvVar<'a>>,
    #[serde(borrow)]
    pub volume_mounts: List<VolumeMount<'a>>,
}

impl Keep for Container<'_> {}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EnvVar<'a> {
    #[serde(borrow)]
    pub name: Str<'a>,
    #[serde(borrow)]
    pub value: Str<'a>,
    /// Kept as raw JSON; parsed only if the name is one of ours.
    #[serde(borrow)]
    pub value_from: Option<&'a RawValue>,
}

impl EnvVar<'_> {
    pub(crate) fn variable(&self) -> Option<Variable> {
        self.name.get().and_then(Variable::of)
    }
}

impl Keep for EnvVar<'_> {
    fn keep(&self) -> bool {
        self.variable().is_some()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct VolumeMount<'a> {
    #[serde(borrow)]
    pub name: Str<'a>,
    #[serde(borrow)]
    pub mount_path: Str<'a>,
    #[serde(borrow)]
    pub sub_path: Str<'a>,
    #[serde(borrow)]
    pub sub_path_expr: Str<'a>,
}

impl VolumeMount<'_> {
    /// Whether it is mounted at [`MOUNT_PATH`], a trailing slash aside.
    pub(crate) fn at_our_path(&self) -> bool {
        self.mount_path.get().is_some_and(|path| path.trim_end_matches('/') == MOUNT_PATH)
    }

    /// Whether it is mounted below [`MOUNT_PATH`], over one of our files.
    pub(crate) fn below_our_path(&self) -> bool {
        let below = self.mount_path.get().and_then(|path| path.strip_prefix(MOUNT_PATH));
        below.is_some_and(|rest| rest.starts_with('/') && !rest.trim_matches('/').is_empty())
    }

    /// Whether it mounts all of our volume (no `subPath`) at [`MOUNT_PATH`].
    pub(crate) fn is_ours(&self) -> bool {
        let whole = |path: &Str<'_>| path.get().is_none_or(str::is_empty);
        self.name.is(VOLUME_NAME) && self.at_our_path() && whole(&self.sub_path) && whole(&self.sub_path_expr)
    }
}

impl Keep for VolumeMount<'_> {
    fn keep(&self) -> bool {
        self.name.is(VOLUME_NAME) || self.at_our_path() || self.below_our_path()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Volume<'a> {
    #[serde(borrow)]
    pub name: Str<'a>,
    #[serde(borrow)]
    pub secret: Obj<SecretVolume<'a>>,
    #[serde(borrow)]
    pub projected: Obj<ProjectedVolume<'a>>,
}

impl Keep for Volume<'_> {
    fn keep(&self) -> bool {
        self.name.is(VOLUME_NAME)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SecretVolume<'a> {
    #[serde(borrow)]
    pub secret_name: Str<'a>,
    #[serde(borrow)]
    pub items: List<Item<'a>>,
    pub default_mode: Int,
    pub optional: Bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ProjectedVolume<'a> {
    #[serde(borrow)]
    pub sources: List<Projection<'a>>,
    pub default_mode: Int,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Projection<'a> {
    #[serde(borrow)]
    pub secret: Obj<SecretProjection<'a>>,
}

impl Keep for Projection<'_> {}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SecretProjection<'a> {
    #[serde(borrow)]
    pub name: Str<'a>,
    #[serde(borrow)]
    pub items: List<Item<'a>>,
    pub optional: Bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item<'a> {
    #[serde(borrow)]
    pub key: Str<'a>,
    #[serde(borrow)]
    pub path: Str<'a>,
    pub mode: Int,
}

impl Keep for Item<'_> {}
