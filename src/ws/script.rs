//! The JavaScript client, as the node serves it: `web/client/dist/CometServerApi.js`, which `npm run build` makes.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha1::{Digest, Sha1};

const SCRIPT: &str = include_str!("../../web/client/dist/CometServerApi.js");

/// The script in both forms a browser may want, and what names this version of it.
pub struct Script {
    pub plain: Bytes,
    pub gzipped: Bytes,
    /// In quotes, as the header has it.
    pub entity_tag: String,
}

impl Script {
    /// Made once, at the start.
    pub fn new() -> Script {
        let digest = Sha1::digest(SCRIPT);
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to a Vec cannot fail.
        let gzipped = encoder.write_all(SCRIPT.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
        Script {
            plain: Bytes::from_static(SCRIPT.as_bytes()),
            gzipped: Bytes::from(gzipped),
            entity_tag: format!("\"{digest}\""),
        }
    }
}

impl Default for Script {
    fn default() -> Self {
        Script::new()
    }
}
