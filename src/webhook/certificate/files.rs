//! The serving certificate from two files, read again as long as the process lives.

use super::{CertificateError, CertificateStore, ServingCertificate};
use crate::server::Progress;
use ring::digest::{Context as Hash, SHA256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::MissedTickBehavior;

/// More than any chain; so that a wrong path can't fill the memory.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where the certificate is.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// PEM chain, leaf first.
    pub cert: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
    /// How often both are read; 1 s is cheap.
    pub poll: Duration,
}

/// Why the files can't be served.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// One of them can't be read.
    #[error("can't read {}: {error}; check --tls-cert and --tls-key", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// What is in them can't be served.
    #[error("can't serve the certificate {} with the key {}: {error}", cert.display(), key.display())]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        error: CertificateError,
    },
}

/// Tells contents apart without keeping the key's text in memory.
type Digest = [u8; 32];

/// What was read at one time: the digest of both files, and the pair if it can be served.
struct Reading {
    digest: Digest,
    pair: Result<ServingCertificate, FilesError>,
}

impl CertificateFiles {
    /// Reads and checks the pair.
    ///
    /// # Errors
    /// A file can't be read, or the pair can't be served.
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

    /// Loads the pair into the store and returns what then keeps it fresh; that future never ends.
    ///
    /// Files are read and compared rather than watched: an inotify watch on a mounted Secret sits on
    /// an inode that the kubelet leaves behind when it swaps the `..data` link, and network file
    /// systems report nothing. Two small files a second cost next to nothing.
    ///
    /// # Errors
    /// The pair can't be loaded now.
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
                // A file system can hang; a worker thread that serves must not hang with it.
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
    // The length sets the two files apart: text that moves from one to the other is a change.
    hash.update(&content.len().to_le_bytes());
    hash.update(&content);
    Ok(content)
}

/// Decides what a reading means after those before it.
struct Follower {
    served: Digest,
    /// The last reading, if it could not be served.
    last_bad: Option<Digest>,
    /// The one that was last complained of.
    refused: Option<Digest>,
}

impl Follower {
    fn new(served: Digest) -> Self {
        Self { served, last_bad: None, refused: None }
    }

    /// What to do: take a pair into use, complain, or nothing.
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
            // Two files are never replaced in one instant: one bad reading is most likely the
            // moment between them, and only the second in a row says that it is meant so. It is
            // said once, and tried at each reading: a certificate can also become valid by waiting.
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
