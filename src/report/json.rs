//! Writes `report.json`: the whole report for programs. Its format is that of `RunReport`,
//! published as `schemas/report.schema.json`.

use std::io::{self, Write};

use super::model::RunReport;

/// Writes the report as JSON.
pub fn render(report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// Returns the JSON Schema (2020-12) of `report.json`.
pub fn schema() -> schemars::Schema {
    crate::json_schema::of_output::<RunReport>("report")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Run `UPDATE_SCHEMAS=1 cargo test --lib report::json` to regenerate the file.
    #[test]
    fn the_published_schema_is_current() {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/report.schema.json");
        let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &current).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == current,
            "{} is old; UPDATE_SCHEMAS=1 writes it anew",
            path.display()
        );
    }
}
