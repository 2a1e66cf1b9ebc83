//! The filters of codenames.
//!
//! A codename's filters are those of `DescribeImages`, each with one value or a list; or, instead
//! of filters, `ssm-parameter` names a public parameter whose value is an AMI ID. TaskCat's file
//! (`cfg/amiupdater.cfg.yml`) has them under `global.AMIs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::MAP;
use crate::catalog::IMAGE_FILTERS;
use crate::diagnostic::{Diagnostic, Location, Position, Severity};
use crate::spelling;
use crate::template::Template;
use crate::yaml::{self, Node};

/// The filters that TaskCat has built in.
const BUILT_IN: &str = include_str!("filters.yml");

/// The key that names an SSM parameter instead of filters.
const PARAMETER: &str = "ssm-parameter";

/// Images that can be launched: TaskCat adds this filter to every codename's.
const AVAILABLE: (&str, &str) = ("state", "available");

/// How the newest image of a codename is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ImageSource {
    /// By filters of `DescribeImages`, each with its values.
    Filters(Vec<(String, Vec<String>)>),
    /// By an SSM parameter that has the image's ID.
    Parameter(String),
}

/// A codename's source, and where it is written; built-in ones are nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodenameFilter {
    pub source: ImageSource,
    pub location: Option<Location>,
}

type FilterMap = BTreeMap<String, CodenameFilter>;

/// The filters of all codenames of a project.
#[derive(Debug, Default)]
pub(crate) struct AmiFilters {
    built_in: FilterMap,
    /// Those of the project's file.
    project: FilterMap,
    /// Those of each template's metadata, by its path.
    templates: BTreeMap<String, FilterMap>,
}

impl AmiFilters {
    /// Returns the built-in filters and those of the templates' metadata, with warnings.
    pub(crate) fn of<'t>(
        templates: impl IntoIterator<Item = &'t Template>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut warnings = Vec::new();
        let nowhere: Arc<Path> = Arc::from(Path::new(""));
        let parsed = yaml::parse(&nowhere, BUILT_IN);
        let mut built_in = FilterMap::new();
        if let Some(amis) = parsed.root.as_ref().and_then(of_file) {
            built_in = filter_map(amis, &nowhere, &mut warnings);
        }
        built_in.values_mut().for_each(|it| it.location = None);
        let mut filters = Self {
            built_in,
            ..Self::default()
        };
        for template in templates {
            let metadata = template.root.get("Metadata").and_then(|it| it.get(MAP));
            if let Some(node) = metadata.and_then(|it| it.get("Filters")) {
                let map = filter_map(node, &template.file, &mut warnings);
                filters.templates.insert(template.relative.clone(), map);
            }
        }
        (filters, warnings)
    }

    /// Adds the filters of a project's file, which take precedence over built-in ones. Returns
    /// warnings.
    ///
    /// # Errors
    /// The file can't be read, or has another structure.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let parsed = yaml::read(path);
        let mut diagnostics = parsed.diagnostics;
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            return Err(diagnostics);
        }
        let file: Arc<Path> = Arc::from(path);
        let root = parsed.root;
        let Some(amis) = root.as_ref().and_then(of_file) else {
            let start = Position { line: 1, column: 1 };
            let location = Location {
                file,
                at: root.map_or(start, |it| it.at),
            };
            let message = "the filters file lacks `global.AMIs`, the mapping of codenames";
            let help = "write, for example, `global: {AMIs: {WEB: {name: web-*, owner-alias: \
                        self}}}`";
            diagnostics.push(Diagnostic::error(message).at(location).help(help));
            return Err(diagnostics);
        };
        self.project = filter_map(amis, &file, &mut diagnostics);
        Ok(diagnostics)
    }

    /// Returns a codename's filters in a template: its own, those of the project's file, the
    /// built-in ones, or another template's if only one other has any (TaskCat shares the filters
    /// of all templates).
    pub(crate) fn get(&self, template: &str, codename: &str) -> Option<&CodenameFilter> {
        let own = self.templates.get(template).and_then(|it| it.get(codename));
        let given = own.or_else(|| self.project.get(codename));
        given
            .or_else(|| self.built_in.get(codename))
            .or_else(|| self.of_another(codename))
    }

    fn of_another(&self, codename: &str) -> Option<&CodenameFilter> {
        let mut others = self.templates.values().filter_map(|it| it.get(codename));
        let first = others.next()?;
        others
            .all(|other| other.source == first.source)
            .then_some(first)
    }

    /// Returns the codenames that have filters, for suggestions.
    pub(crate) fn codenames(&self) -> impl Iterator<Item = &str> {
        let of_templates = self.templates.values().flat_map(BTreeMap::keys);
        let all = self.built_in.keys().chain(self.project.keys());
        all.chain(of_templates).map(String::as_str)
    }
}

fn of_file(root: &Node) -> Option<&Node> {
    root.get("global")?
        .get("AMIs")
        .filter(|it| it.as_mapping().is_some())
}

/// Reads a mapping of codenames. Codenames without usable filters are left out, with a warning.
fn filter_map(node: &Node, file: &Arc<Path>, warnings: &mut Vec<Diagnostic>) -> FilterMap {
    let mut map = FilterMap::new();
    for (codename, filters) in node.entries() {
        let location = |at| Location {
            file: file.clone(),
            at,
        };
        match source(filters, &location, warnings) {
            Some(source) => {
                let location = Some(location(codename.at));
                let filter = CodenameFilter { source, location };
                map.insert(codename.text.to_string(), filter);
            }
            None => {
                let message = format!(
                    "the filters of `{}` are {}, but must be a mapping of filters to values",
                    codename.text,
                    filters.kind_name()
                );
                warnings.push(Diagnostic::warning(message).at(location(codename.at)));
            }
        }
    }
    map
}

/// Reads the filters of a codename. Values are taken as written: `099720109477` is an account ID,
/// whatever YAML reads.
fn source(
    node: &Node,
    location: &impl Fn(Position) -> Location,
    warnings: &mut Vec<Diagnostic>,
) -> Option<ImageSource> {
    let entries = node.as_mapping().filter(|it| !it.is_empty())?;
    if let Some(parameter) = node.get(PARAMETER).filter(|it| it.is_scalar()) {
        return Some(ImageSource::Parameter(parameter.text.to_string()));
    }
    let mut filters = Vec::new();
    for (name, values) in entries {
        let is_known = name.text.starts_with("tag:") || IMAGE_FILTERS.contains(&&*name.text);
        if !is_known {
            let message = format!("`{}` is not a known filter of DescribeImages", name.text);
            let help = spelling::did_you_mean(&name.text, IMAGE_FILTERS);
            let warning = Diagnostic::warning(message).at(location(name.at));
            warnings.push(Diagnostic { help, ..warning });
        }
        let values = match values.as_sequence() {
            Some(items) => items.iter().map(|it| it.text.to_string()).collect(),
            None => vec![values.text.to_string()],
        };
        filters.push((name.text.to_string(), values));
    }
    let (state, available) = AVAILABLE;
    if filters.iter().all(|(name, _)| name != state) {
        filters.push((state.to_owned(), vec![available.to_owned()]));
    }
    Some(ImageSource::Filters(filters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_filters_are_complete() {
        let (filters, warnings) = AmiFilters::of([]);
        assert_eq!(warnings, []);
        assert_eq!(filters.codenames().count(), 59);
        let text = |it: &str| it.to_owned();
        let expect = ImageSource::Filters(vec![
            (text("name"), vec![text("amzn2-ami-hvm-*-x86_64-gp2")]),
            (text("owner-alias"), vec![text("amazon")]),
            (text("architecture"), vec![text("x86_64")]),
            (text("state"), vec![text("available")]),
        ]);
        let found = filters.get("t.yml", "AMZNLINUX2").unwrap();
        assert_eq!((&found.source, &found.location), (&expect, &None));
    }

    #[test]
    fn a_template_has_precedence_over_the_file_and_the_file_over_built_in_ones() {
        let template = |name: &str, filters: &str| {
            let text = format!(
                "Metadata: {{AWSAMIRegionMap: {{Filters: {filters}}}}}\nResources: {{W: {{Type: \
                 AWS::SNS::Topic}}}}\n"
            );
            let file: Arc<Path> = Arc::from(Path::new(name));
            Template::parse(&file, name.to_owned(), &text).0.unwrap()
        };
        let a = template(
            "a.yml",
            "{WEB: {name: web-a}, ID: {owner-id: 099720109477}, BAD: x}",
        );
        let b = template(
            "b.yml",
            "{WEB: {nmae: b}, OS: {ssm-parameter: /aws/service/os}}",
        );
        let (mut filters, warnings) = AmiFilters::of([&a, &b]);
        let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "a.yml:1:90: the filters of `BAD` are text, but must be a mapping of filters to \
                 values",
                "b.yml:1:46: `nmae` is not a known filter of DescribeImages (did you mean `name`?)",
            ]
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("amis.yml");
        std::fs::write(
            &path,
            "global: {AMIs: {WS2012R2: {name: own}, OS: {name: os}}}",
        )
        .unwrap();
        assert_eq!(filters.add_file(&path), Ok(vec![]));
        let check = |template: &str, codename: &str, expect: &str| {
            let found = filters.get(template, codename).map(|it| match &it.source {
                ImageSource::Filters(filters) => format!("{}={}", filters[0].0, filters[0].1[0]),
                ImageSource::Parameter(name) => name.clone(),
            });
            assert_eq!(found.unwrap_or_default(), expect, "{template} {codename}");
        };
        check("a.yml", "WEB", "name=web-a");
        check("b.yml", "WEB", "nmae=b");
        check("c.yml", "WEB", "");
        check("b.yml", "ID", "owner-id=099720109477");
        check("c.yml", "WS2012R2", "name=own");
        check("b.yml", "OS", "/aws/service/os");
        check("a.yml", "OS", "name=os");

        std::fs::write(&path, "AMIs: {}").unwrap();
        assert!(filters.add_file(&path).is_err());
    }
}
