pub struct LocalFile {
    pub key: String,
    pub path: std::path::PathBuf,
    pub size: u64,
    pub etag: String,
}
