//! What needs a real API server: a module for each way to have one. `make cluster-test`, `argocd-test`,
//! `node-test` and `pods-test` start what their module needs and run it alone; `cluster/README.md` and
//! the others say how else.

mod support {
    pub mod authority;
    pub mod calls;
    pub mod cluster;
    pub mod credentials;
    pub mod fixtures;
    pub mod go;
    pub mod helm;
    pub mod machine;
    pub mod process;
    pub mod proxy;
    pub mod release;
    pub mod runtime;
    pub mod scene;
    pub mod timeline;
    pub mod watched;
    pub mod workloads;
}

mod argocd;
mod cluster;
mod node;
mod pods;
