//! The Helm chart. Needs Helm 4 (`HELM`), and compares it with Helm 3 (`HELM3`);
//! `tests/chart/build-helm.sh` builds both. `UPDATE_GOLDENS=1` writes again what is kept in the tree.

mod documents;
mod dry_run;
mod helm;
mod notes;
mod permissions;
mod refusals;
mod rendering;
mod resolution;
mod spellings;
mod umbrella;
