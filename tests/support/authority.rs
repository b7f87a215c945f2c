//! Certificates for the servers of the tests, laid out on disk as a mounted Secret is.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// What goes into a `caBundle`.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server's certificate for this host.
    pub fn issue(&self, host: &str) -> Pair {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "webhook");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A folder with `tls.crt` and `tls.key` that changes as a mounted Secret does: both files are links
/// through `..data`, which is renamed over.
pub struct MountedPair {
    folder: PathBuf,
    version: u32,
}

impl MountedPair {
    pub fn new(folder: &Path, pair: &Pair) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut mounted = Self { folder: folder.to_owned(), version: 0 };
        mounted.replace(pair);
        for file in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{file}"), folder.join(file)).unwrap();
        }
        mounted
    }

    pub fn replace(&mut self, pair: &Pair) {
        self.version += 1;
        let name = format!("..{}", self.version);
        let folder = self.folder.join(&name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tls.crt"), &pair.certificate).unwrap();
        fs::write(folder.join("tls.key"), &pair.key).unwrap();
        let new_link = self.folder.join("..data_tmp");
        symlink(name, &new_link).unwrap();
        fs::rename(new_link, self.folder.join("..data")).unwrap();
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.join("tls.crt")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.join("tls.key")
    }
}
