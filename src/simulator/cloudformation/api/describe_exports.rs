//! Exports, and the stacks that import them.

use super::pages::{list_result, page};
use crate::simulator::cloudformation::engine::Engine;
use crate::simulator::cloudformation::error::{XmlResult, invalid};
use crate::simulator::cloudformation::request::QueryRequest;
use crate::simulator::xml::XmlWriter;

/// Carries out `ListExports`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListExports.html>
pub(super) fn list_exports(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let owned = |(account, region, _): &(String, String, String)| {
        *account == request.caller.account && *region == request.caller.region
    };
    let exports: Vec<_> = engine
        .state
        .exports
        .iter()
        .filter(|(key, _)| owned(key))
        .collect();
    let page = page(request, &exports, |xml, ((_, _, name), export)| {
        xml.text(
            "ExportingStackId",
            engine.state.exporting_stack_id(request.caller, export),
        )
        .text("Name", name)
        .text("Value", &export.value);
    })?;
    Ok(list_result("Exports", page))
}

/// Carries out `ListImports`.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListImports.html>
pub(super) fn list_imports(engine: &Engine, request: &QueryRequest) -> XmlResult {
    let name = request.required("ExportName")?;
    let importers: Vec<_> = engine
        .state
        .importers(request.caller, name)
        .map(|stack| stack.name.clone())
        .collect();
    if importers.is_empty() {
        return Err(invalid(format!(
            "Export '{name}' is not imported by any stack."
        )));
    }
    let mut xml = XmlWriter::new();
    for importer in &importers {
        xml.text("member", importer);
    }
    Ok(list_result("Imports", (xml, None)))
}
