//! Why nothing is rendered.

use std::path::PathBuf;

/// Why nothing is rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("nothing is rendered, as applying would not begin either: {reasons}")]
    Stopped { reasons: String },
    #[error("the document of {resource} is not JSON; take a new inventory with `weir accounts discover`")]
    Json {
        resource: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the configuration of {resource} cannot be read; look at it in the console and put it again")]
    Xml {
        resource: String,
        #[source]
        source: crate::replication::XmlError,
    },
    #[error("the replication of {resource} cannot be read; look at it in the console and put it again")]
    Replication {
        resource: String,
        #[source]
        source: crate::replication::ReplicationError,
    },
    #[error("the policy of {resource} cannot be read; look at it in the console and put it again")]
    Policy {
        resource: String,
        #[source]
        source: crate::policy::PolicyError,
    },
    #[error("cannot write {}; check that the folder exists and is yours", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} holds files that `weir accounts render` did not write; name a new or empty folder with -o", path.display())]
    Occupied { path: PathBuf },
    #[error("{} is not as `weir accounts render` wrote it; name a new folder with -o", path.display())]
    Manifest {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}
