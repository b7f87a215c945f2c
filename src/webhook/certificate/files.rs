//! The serving certificate from two files, which are polled for changes.

use super::{CertificateError, CertificateStore, ServingCertificate};
use crate::server::Progress;
use ring::digest::{Context as Hash, SHA256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::MissedTickBehavior;

/// How many bytes of a file are read: more than any chain has, so that a wrong path can't fill the memory.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The files of the serving certificate.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// Path of the PEM chain, leaf first.
    pub cert: PathBuf,
    /// Path of the PEM private key.
    pub key: PathBuf,
    /// The delay between two readings. Even 1 s costs little.
    pub poll: Duration,
}

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file can't be read.
    #[error("can't read {}: {error}; check --tls-cert and --tls-key", path.display())]
    Unreadable {
        /// The file's path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The files were read, but their content can't be used.
    #[error("can't serve the certificate {} with the key {}: {error}", cert.display(), key.display())]
    Unusable {
        /// Path of the certificate.
        cert: PathBuf,
        /// Path of the key.
        key: PathBuf,
        /// What is wrong with the pair.
        error: CertificateError,
    },
}

/// The SHA-256 of both files, to notice changes without keeping the key in memory.
type Digest = [u8; 32];

/// One reading: the digest of both files, and the pair if it can be used.
struct Reading {
    digest: Digest,
    pair: Result<ServingCertificate, FilesError>,
}

impl CertificateFiles {
    /// Reads and checks the pair once.
    ///
    /// # Errors
    /// [`FilesError`]: a file can't be read, or the pair can't be used.
    pub fn load(&self) -> Result<ServingCertificate, FilesError> {
        self.read().pair
    }

    fn read(&self) -> Reading {
        let mut hash = Hash::new(&SHA256);
        let contents = read(&self.cert, &mut hash).and_then(|cert| Ok((cert, read(&self.key, &mut hash)?)));
        let pair = contents.and_then(|(cert, key)| {
            let unusable = |error| FilesError::Unusable { cert: self.cert.clone(), key: self.key.clone(), error };
            ServingCertificate::from_pem(&cert, &key, SystemTime::now()).map_err(unusable)
        });
        if let Err(FilesError::Unreadable { error, .. }) = &pair {
            hash.update(error.to_string().as_bytes());
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(hash.finish().as_ref());
        Reading { digest, pair }
    }

    /// Stores the pair and returns a future that polls for changes forever.
    ///
    /// Polls instead of watching: an inotify watch on a mounted Secret stays on an inode that the kubelet
    /// leaves behind when it swaps the `..data` link, and network file systems report no events. Reading two
    /// small files a second costs next to nothing.
    ///
    /// # Errors
    /// The pair can't be read or used now.
    pub(crate) fn keep(
        self,
        store: Arc<CertificateStore>,
        progress: Progress,
    ) -> Result<impl Future<Output = ()> + Send + use<>, FilesError> {
        let Reading { digest, pair } = self.read();
        store.store(pair?);
        let mut follower = Follower::new(digest);
        Ok(async move {
            let mut ticks = tokio::time::interval(self.poll);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                progress.during(ticks.tick()).await;
                let files = self.clone();
                // A hanging file system must not block a worker thread.
                let Ok(reading) = tokio::task::spawn_blocking(move || files.read()).await else { continue };
                match follower.observe(reading) {
                    Some(Ok(pair)) => store.store(pair),
                    Some(Err(error)) => store.refuse(&error),
                    None => {}
                }
            }
        })
    }
}

fn read(path: &Path, hash: &mut Hash) -> Result<Vec<u8>, FilesError> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut content));
    read.map_err(|error| FilesError::Unreadable { path: path.to_owned(), error })?;
    // The length separates the files: text moved from one to the other is a change.
    hash.update(&content.len().to_le_bytes());
    hash.update(&content);
    Ok(content)
}

/// Decides about each reading in the light of those before.
struct Follower {
    served: Digest,
    /// The digest of the last reading, if its pair couldn't be used.
    last_bad: Option<Digest>,
    /// The digest that was last reported as unusable.
    refused: Option<Digest>,
}

impl Follower {
    fn new(served: Digest) -> Self {
        Self { served, last_bad: None, refused: None }
    }

    /// What to do: serve a new pair, report an error, or nothing.
    fn observe(&mut self, reading: Reading) -> Option<Result<ServingCertificate, FilesError>> {
        let Reading { digest, pair } = reading;
        if digest == self.served {
            self.last_bad = None;
            return None;
        }
        match pair {
            Ok(pair) => {
                *self = Self::new(digest);
                Some(Ok(pair))
            }
            // Two files are never replaced at the same instant, so one bad reading is most likely the moment
            // in between; only the second in a row is taken seriously. It is reported once and tried at each
            // reading, since a certificate may also become valid by waiting.
            Err(error) => {
                let settled = self.last_bad.replace(digest) == Some(digest);
                let news = settled && self.refused != Some(digest);
                news.then(|| {
                    self.refused = Some(digest);
                    Err(error)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::certificate::development_certificate;

    fn good(digest: u8) -> Reading {
        let made = development_certificate(&[]).unwrap();
        let pair = ServingCertificate::from_pem(made.cert_pem.as_bytes(), made.key_pem.as_bytes(), SystemTime::now());
        Reading { digest: [digest; 32], pair: Ok(pair.unwrap()) }
    }

    fn bad(digest: u8) -> Reading {
        let error = CertificateError::WrongKey;
        let pair = Err(FilesError::Unusable { cert: "tls.crt".into(), key: "tls.key".into(), error });
        Reading { digest: [digest; 32], pair }
    }

    #[test]
    fn a_good_pair_is_taken_once() {
        let mut follower = Follower::new([0; 32]);
        assert!(follower.observe(good(0)).is_none());
        assert!(matches!(follower.observe(good(1)), Some(Ok(_))));
        assert!(follower.observe(good(1)).is_none());
        assert!(matches!(follower.observe(good(0)), Some(Ok(_))), "back to the one before");
    }

    #[test]
    fn a_moment_between_two_files_is_not_complained_of() {
        let mut follower = Follower::new([0; 32]);
        assert!(follower.observe(bad(1)).is_none());
        assert!(matches!(follower.observe(good(2)), Some(Ok(_))));
        assert!(follower.observe(bad(1)).is_none(), "not in a row");
        assert!(follower.observe(bad(3)).is_none(), "not the same");
    }

    #[test]
    fn a_bad_pair_that_stays_is_complained_of_once_and_tried_again() {
        let mut follower = Follower::new([0; 32]);
        assert!(follower.observe(bad(1)).is_none());
        assert!(matches!(follower.observe(bad(1)), Some(Err(_))));
        assert!(follower.observe(bad(1)).is_none());
        assert!(matches!(follower.observe(good(1)), Some(Ok(_))), "the same files became valid by waiting");
    }
}
