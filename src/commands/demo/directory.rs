//! The temporary directory of the demo.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// A directory of this process, removed when it is dropped.
pub(super) struct DemoDirectory(PathBuf);

impl DemoDirectory {
    pub(super) fn new() -> std::io::Result<DemoDirectory> {
        let path = std::env::temp_dir().join(format!("kube-job-demo-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(DemoDirectory(path))
    }

    /// The kubeconfig of the simulated cluster.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.0.join("kubeconfig")
    }

    /// The directory of the extension `file_storage`.
    pub(super) fn storage(&self) -> PathBuf {
        self.0.join("storage")
    }
}

impl Drop for DemoDirectory {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
