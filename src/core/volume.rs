//! Who owns the volume with our name, where a pod brings one.

use super::Auth;
use super::form::{is_chart_secret, optional_agrees};
use super::injection::{FILE_MODE, VolumeSource, WantedVolume, is_our_file_name};
use super::lenient::{Bool, List, Shape};
use super::pod::{Item, Volume};

/// What a pod has under the name of our volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VolumeState {
    /// The pod has no such volume.
    Absent,
    /// It is as the settings ask.
    Right,
    /// Ours under other settings, at this index of `spec.volumes`: it is replaced or removed.
    Stale(usize),
    /// A user's own, at this index of `spec.volumes`.
    Users(usize),
}

impl VolumeState {
    pub(crate) fn of(volumes: &List<Volume<'_>>, wanted: Option<&WantedVolume>, auth: &Auth) -> Self {
        let Some((index, volume)) = volumes.iter().next() else { return Self::Absent };
        let Some((mode, sources)) = sources(volume) else { return Self::Users(index) };
        let right = |wanted: &WantedVolume| {
            mode == Some(FILE_MODE)
                && sources.len() == wanted.sources.len()
                && wanted.sources.iter().all(|wanted| sources.iter().any(|found| found.means(wanted)))
        };
        if wanted.is_some_and(right) {
            Self::Right
        } else if sources.iter().all(|source| source.is_ours(auth)) {
            Self::Stale(index)
        } else {
            Self::Users(index)
        }
    }
}

struct Found<'p> {
    secret: &'p str,
    optional: Bool,
    items: &'p List<Item<'p>>,
}

/// The Secrets that a volume is made of, and the mode of its files; `None` for any other kind of volume.
fn sources<'p>(volume: &'p Volume<'_>) -> Option<(Option<i64>, Vec<Found<'p>>)> {
    match (volume.secret.shape, volume.projected.shape) {
        (Shape::Expected, Shape::Missing) => {
            let found = &volume.secret.value;
            let secret = found.secret_name.get()?;
            Some((found.default_mode.0, vec![Found { secret, optional: found.optional, items: &found.items }]))
        }
        (Shape::Missing, Shape::Expected) => {
            let projected = &volume.projected.value;
            let each = projected.sources.iter().map(|(_, source)| {
                let found = &source.secret.value;
                Some(Found { secret: found.name.get()?, optional: found.optional, items: &found.items })
            });
            let sources: Vec<_> = each.collect::<Option<_>>()?;
            (!sources.is_empty() && sources.len() == projected.sources.len)
                .then_some((projected.default_mode.0, sources))
        }
        _ => None,
    }
}

impl Found<'_> {
    fn means(&self, wanted: &VolumeSource) -> bool {
        self.secret == wanted.secret
            && optional_agrees(self.optional, wanted.optional)
            && self.items.len == wanted.items.len()
            && wanted.items.iter().all(|(key, path)| {
                self.items.iter().any(|(_, item)| item.key.is(key) && item.path.is(path) && item.mode.0.is_none())
            })
    }

    fn is_ours(&self, auth: &Auth) -> bool {
        self.items.len > 0
            && self.items.kept.len() == self.items.len
            && self.items.iter().all(|(_, item)| {
                item.path.get().is_some_and(is_our_file_name)
                    && is_chart_secret(Some(self.secret), item.key.get(), auth)
            })
    }
}
