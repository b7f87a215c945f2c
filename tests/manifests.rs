//! Manifests, through the command `inject`.

mod inject;
mod support {
    pub mod go;
}
