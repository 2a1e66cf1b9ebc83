//! Exports, and the stacks that import them.

use super::super::engine::Engine;
use super::super::request::Request;
use super::super::{Answer, invalid};
use super::{listed, page};

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListExports.html>
pub fn list_exports(engine: &Engine, request: &Request) -> Answer {
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
            engine.state.exporter(request.caller, export),
        )
        .text("Name", name)
        .text("Value", &export.value);
    })?;
    Ok(listed("Exports", page))
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListImports.html>
pub fn list_imports(engine: &Engine, request: &Request) -> Answer {
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
    let mut xml = crate::simulator::xml::Xml::new();
    for importer in &importers {
        xml.text("member", importer);
    }
    Ok(listed("Imports", (xml, None)))
}
