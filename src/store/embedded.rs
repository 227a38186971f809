//! The store that needs nothing installed: what is live in memory, what must survive in one file.

use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory; `None` keeps everything in memory.
    pub directory: Option<PathBuf>,
    /// Most bytes of history one pipe keeps.
    pub history_bytes_max_per_pipe: usize,
}
