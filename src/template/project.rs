//! The templates of a project: each file is read once, with the templates that it nests.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::evaluate::MAX_NESTED;
use super::url::{NestedStackUrl, nested_stacks};
use super::{NestedStackTemplate, Template, sections};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::links::{PathEscape, ProjectBoundary};
use crate::spelling::nearest;
use crate::submodules;
use crate::yaml::{self, Node};

/// Maximum number of folders, from the end of a URL's path, to search.
const MAX_PIECES: usize = 32;

/// Templates by [`Template::relative`]: the requested ones and all nested ones in the project.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    by_relative: BTreeMap<String, Template>,
    /// The path of each requested template as written, with its relative path.
    asked: BTreeMap<String, String>,
    /// Files that aren't templates, with what is wrong.
    broken: BTreeMap<String, Vec<Diagnostic>>,
    /// Requested paths as written that aren't files, with what is wrong.
    absent: BTreeMap<String, Diagnostic>,
    /// Files that templates include, unmodified; `None` for those that can't be read.
    included: BTreeMap<String, Option<Node>>,
    /// Whether links may be followed out of the project.
    follow_links: bool,
}

impl Templates {
    /// Reads the templates and what they nest. `asked` holds paths relative to the root, each with
    /// the location that requests it. Problems of requested templates and links that lead outside
    /// of the project are errors; other problems of nested templates are warnings, since a
    /// condition may prevent their launch.
    pub fn load(
        project_root: &Path,
        asked: impl IntoIterator<Item = (String, Option<Location>)>,
    ) -> (Self, Vec<Diagnostic>) {
        Self::load_following(project_root, false, asked)
    }

    /// Like [`Templates::load`]; `follow_links` allows links out of the project.
    pub fn load_following(
        project_root: &Path,
        follow_links: bool,
        asked: impl IntoIterator<Item = (String, Option<Location>)>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut reader = TemplateReader::new(
            project_root,
            Self {
                follow_links,
                ..Self::default()
            },
        );
        let mut open = VecDeque::new();
        let mut seen = HashSet::new();
        for (path, location) in asked {
            if seen.insert(path.clone()) {
                open.extend(
                    reader
                        .asked(path, location)
                        .map(|relative| (relative, false)),
                );
            }
        }
        reader.read(open);
        (reader.templates, reader.diagnostics)
    }

    /// Reads further files of the project, nested ones that weren't found before, and what they
    /// nest. Problems are warnings.
    pub fn load_more(
        &mut self,
        project_root: &Path,
        paths: impl IntoIterator<Item = String>,
    ) -> Vec<Diagnostic> {
        let mut reader = TemplateReader::new(project_root, std::mem::take(self));
        let open = paths
            .into_iter()
            .filter_map(|path| reader.asked(path, None))
            .map(|path| (path, true))
            .collect();
        reader.read(open);
        *self = reader.templates;
        reader.diagnostics
    }

    /// Reads files that templates include. Links that lead outside of the project are errors.
    pub fn load_included(
        &mut self,
        project_root: &Path,
        paths: impl IntoIterator<Item = String>,
    ) -> Vec<Diagnostic> {
        let bounds = ProjectBoundary::new(project_root, self.follow_links);
        let mut diagnostics = Vec::new();
        for path in paths {
            if let Err(escape) = bounds.check(Path::new(&path)) {
                diagnostics.push(escape.to_diagnostic());
                self.included.insert(path, None);
                continue;
            }
            let parsed = yaml::read(&project_root.join(&path));
            let is_whole = parsed
                .diagnostics
                .iter()
                .all(|it| it.severity == Severity::Warning);
            self.included.insert(path, parsed.root.filter(|_| is_whole));
        }
        diagnostics
    }

    /// Returns a file that templates include: [`None`] if it wasn't read, `Some(None)` if it can't
    /// be.
    pub fn included(&self, path: &str) -> Option<Option<&Node>> {
        self.included.get(path).map(Option::as_ref)
    }

    /// Returns what is wrong with a file that was read but isn't a template.
    pub fn broken(&self, path: &str) -> Option<&[Diagnostic]> {
        self.broken
            .get(self.asked.get(path).map_or(path, String::as_str))
            .map(Vec::as_slice)
    }

    /// Returns every file that was read but isn't a template, with what is wrong.
    pub fn broken_files(&self) -> impl Iterator<Item = (&str, &[Diagnostic])> {
        let broken = self.broken.iter();
        broken.map(|(path, diagnostics)| (path.as_str(), diagnostics.as_slice()))
    }

    /// Returns why a requested template can't be used; empty if it can be, or if its path leads out
    /// of the project.
    pub fn problems(&self, path: &str) -> Vec<Diagnostic> {
        let absent = self.absent.get(path).into_iter();
        absent
            .chain(self.broken(path).unwrap_or_default())
            .filter(|it| it.severity == Severity::Error)
            .cloned()
            .collect()
    }

    /// Returns a template by the path it was requested with or by [`Template::relative`].
    pub fn get(&self, path: &str) -> Option<&Template> {
        self.by_relative
            .get(self.asked.get(path).map_or(path, String::as_str))
    }

    /// Returns all templates, including nested ones, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.by_relative.values()
    }

    /// Returns the templates that a template nests, directly or indirectly, sorted by path; itself
    /// only if it nests itself.
    pub fn descendants(&self, template: &Template) -> Vec<&Template> {
        let mut found = BTreeMap::new();
        let mut open = vec![template];
        while let Some(template) = open.pop() {
            for child in template
                .children
                .iter()
                .filter_map(|child| self.get(&child.template))
            {
                if found.insert(child.relative.as_str(), child).is_none() {
                    open.push(child);
                }
            }
        }
        found.into_values().collect()
    }
}

impl Templates {
    /// Returns whether stacks of a template may nest endlessly or in absurd numbers. Conditions and
    /// parameters, which aren't considered here, may prevent that.
    pub fn may_nest_endlessly(&self, template: &Template) -> bool {
        let mut open = HashSet::new();
        let mut counts = BTreeMap::new();
        self.count_stacks(template, &mut open, &mut counts)
            .is_none_or(|count| count > MAX_NESTED)
    }

    /// Returns how many stacks a template creates, including itself; `None` for a circle.
    fn count_stacks<'t>(
        &'t self,
        template: &'t Template,
        open: &mut HashSet<&'t str>,
        counts: &mut BTreeMap<&'t str, usize>,
    ) -> Option<usize> {
        let path = template.relative.as_str();
        if let Some(count) = counts.get(path) {
            return Some(*count);
        }
        if !open.insert(path) {
            return None;
        }
        let mut count = 1_usize;
        for child in template
            .children
            .iter()
            .filter_map(|child| self.get(&child.template))
        {
            count = count.saturating_add(self.count_stacks(child, open, counts)?);
        }
        open.remove(path);
        counts.insert(path, count);
        Some(count)
    }
}

struct TemplateReader<'a> {
    project_root: &'a Path,
    canonical_root: PathBuf,
    bounds: ProjectBoundary,
    absent_submodules: Vec<String>,
    templates: Templates,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> TemplateReader<'a> {
    fn new(project_root: &'a Path, templates: Templates) -> Self {
        let canonical_root = project_root
            .canonicalize()
            .unwrap_or_else(|_| project_root.to_owned());
        let bounds = ProjectBoundary::new(project_root, templates.follow_links);
        Self {
            project_root,
            canonical_root,
            bounds,
            absent_submodules: submodules::absent(project_root),
            templates,
            diagnostics: Vec::new(),
        }
    }

    /// Returns the relative path of a template that a test names.
    fn asked(&mut self, path: String, location: Option<Location>) -> Option<String> {
        if ["http://", "https://", "s3://"]
            .iter()
            .any(|scheme| path.starts_with(scheme))
        {
            let help =
                "download it into the project, and name its path relative to the project's root";
            let message = format!("template {path} is a URL, not a file of the project");
            self.diagnostics.push(Diagnostic {
                location,
                ..Diagnostic::error(message).help(help)
            });
            return None;
        }
        let file = self.canonical_root.join(&path);
        if file.is_file()
            && let Err(escape @ PathEscape::Link { .. }) = self.bounds.check(&file)
        {
            self.diagnostics.push(Diagnostic {
                location,
                ..escape.to_diagnostic()
            });
            return None;
        }
        let found = match self.relative(&file) {
            _ if file.is_dir() => Err("is a directory"),
            None if matches!(self.bounds.check(&file), Err(PathEscape::Path(_))) => {
                Err("is outside the project, so it cannot be staged")
            }
            _ if !file.exists() => Err("does not exist"),
            _ if !file.is_file() => Err("is not a regular file"),
            None => Err("is outside the project, so it cannot be staged"),
            Some(relative) => Ok(relative),
        };
        match found {
            Ok(relative) => {
                self.templates.asked.insert(path, relative.clone());
                Some(relative)
            }
            Err(what) => {
                let message = format!("template {path} {what}");
                let is_outside = what.starts_with("is outside");
                let help = if is_outside {
                    Some("use a path in the project, relative to its root".to_owned())
                } else {
                    similar_file(&self.canonical_root, &path)
                };
                let diagnostic = Diagnostic {
                    location,
                    help,
                    ..Diagnostic::error(message)
                };
                if !is_outside {
                    self.templates.absent.insert(path, diagnostic.clone());
                }
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    /// Reads templates and then, once each, those that they nest. The flag tells templates that
    /// only a parent requests.
    fn read(&mut self, mut open: VecDeque<(String, bool)>) {
        let mut done: HashSet<String> = self
            .templates
            .by_relative
            .keys()
            .chain(self.templates.broken.keys())
            .cloned()
            .collect();
        while let Some((relative, nested)) = open.pop_front() {
            if !done.insert(relative.clone()) {
                continue;
            }
            let file: Arc<Path> = Arc::from(self.named(&relative));
            let (template, diagnostics) = sections::read(&file, relative.clone());
            let reported = diagnostics.iter().cloned().map(|it| Diagnostic {
                severity: if nested {
                    Severity::Warning
                } else {
                    it.severity
                },
                ..it
            });
            self.diagnostics.extend(reported);
            let Some(mut template) = template else {
                self.templates.broken.insert(relative, diagnostics);
                continue;
            };
            for stack in nested_stacks(&template.root) {
                self.children(&stack, &mut template);
            }
            open.extend(
                template
                    .children
                    .iter()
                    .map(|child| (child.template.clone(), true)),
            );
            self.templates.by_relative.insert(relative, template);
        }
    }

    /// Finds every file that the nested stack may use; warns if there is none.
    fn children(&mut self, stack: &NestedStackUrl, parent: &mut Template) {
        let mut outside = Vec::new();
        let mut find = |paths: &[String]| -> Vec<String> {
            paths
                .iter()
                .filter_map(|path| self.find(path, &parent.relative, &mut outside))
                .collect()
        };
        let found = find(&stack.paths);
        let elsewhere = find(&stack.paths_elsewhere);
        outside.dedup();
        let is_outside = !outside.is_empty();
        let at = |escape: PathEscape| escape.to_diagnostic().at(parent.location(stack.at));
        self.diagnostics.extend(outside.into_iter().map(at));
        if found.is_empty() && !is_outside {
            self.diagnostics.extend(
                not_found(stack, &self.absent_submodules)
                    .map(|warning| warning.at(parent.location(stack.at))),
            );
        }
        let found = found.into_iter().map(|template| (template, false));
        for (template, names_its_bucket) in
            found.chain(elsewhere.into_iter().map(|template| (template, true)))
        {
            let child = NestedStackTemplate {
                logical_id: stack.logical_id.clone(),
                at: stack.at,
                template,
                names_its_bucket,
            };
            if !parent.children.contains(&child) {
                parent.children.push(child);
            }
        }
    }

    /// Returns the file that a URL's path points to. A bucket, a key prefix or the project's name
    /// may precede its path in the project, so leading parts are removed one by one; the parent
    /// template's folder is searched first, then the one above it (`find_local_child_template`). A
    /// path that begins with a dot is relative to the parent template's folder.
    fn find(&self, path: &str, parent: &str, outside: &mut Vec<PathEscape>) -> Option<String> {
        let folder = self.canonical_root.join(parent);
        let folder = folder.parent()?;
        let beside = folder.join(path);
        let mut within = |file: &Path| match self.bounds.check(file) {
            Err(escape @ PathEscape::Link { .. }) => {
                outside.push(escape);
                None
            }
            _ => self.relative(file),
        };
        if path.starts_with('.') && beside.is_file() {
            return within(&beside);
        }
        let path = tidied(path);
        let above = folder.join("..");
        [folder, &above].into_iter().find_map(|folder| {
            (path.len().saturating_sub(MAX_PIECES)..path.len()).find_map(|start| {
                let file = folder.join(path[start..].iter().collect::<PathBuf>());
                if file.is_file() { within(&file) } else { None }
            })
        })
    }

    /// Returns the path from the project root with `/` and links in the project resolved; `None`
    /// for files outside. A link out of the project that may be followed keeps its own path.
    fn relative(&self, file: &Path) -> Option<String> {
        let canonical = file.canonicalize().ok()?;
        let parts = match canonical.strip_prefix(&self.canonical_root) {
            Ok(inside) => inside.to_owned(),
            Err(_) if self.bounds.follows_links() && self.bounds.check(file).is_ok() => {
                let name = file.file_name()?;
                let folder = file.parent()?.canonicalize().ok()?;
                match folder.strip_prefix(&self.canonical_root) {
                    Ok(folder) => folder.join(name),
                    // The link is one of its folders.
                    Err(_) => tidied(file.strip_prefix(&self.canonical_root).ok()?.to_str()?)
                        .into_iter()
                        .collect(),
                }
            }
            Err(_) => return None,
        };
        let parts = parts.components();
        Some(
            parts
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/"),
        )
    }

    /// Returns the file as messages name it: without the `.` of a root that is the working
    /// directory.
    fn named(&self, relative: &str) -> PathBuf {
        self.project_root
            .join(relative)
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect()
    }
}

/// Returns the components of a path without empty ones and `.`, with `..` resolved.
fn tidied(path: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    for piece in path.split('/') {
        match piece {
            "" | "." => {}
            ".." => {
                pieces.pop();
            }
            piece => pieces.push(piece),
        }
    }
    pieces
}

/// Returns a warning if the URL names a missing file; `None` if the file's name is unknown or the
/// file isn't the project's.
/// Returns a question about a file with a similar name in the same folder.
fn similar_file(root: &Path, path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let entries = root.join(folder).read_dir().ok()?;
    let names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let near = nearest(name, names.iter().map(String::as_str))?;
    let near = path.strip_suffix(name)?.to_owned() + near;
    Some(format!("did you mean `{near}`?"))
}

fn not_found(stack: &NestedStackUrl, absent_submodules: &[String]) -> Option<Diagnostic> {
    let id = &stack.logical_id;
    if !stack.has_url {
        return Some(Diagnostic::warning(format!(
            "nested stack {id} has no TemplateURL"
        )));
    }
    let path = stack.paths.first().filter(|_| stack.names_a_file)?;
    let warning = Diagnostic::warning(format!(
        "nested stack {id}: no file of the project matches its TemplateURL, {path}"
    ));
    Some(Diagnostic {
        help: submodules::advice(absent_submodules, path),
        ..warning
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::corpus::corpus;
    use crate::yaml::NodeValue;

    fn json(node: &Node) -> Option<serde_json::Value> {
        match node.value {
            NodeValue::String(_) | NodeValue::Sequence(_) => Some(node.to_json()),
            _ => None,
        }
    }

    /// Compares with TaskCat's `Template.parameters`: parameters without a default are null, those
    /// whose default isn't a string are left out.
    fn parameters(template: &Template) -> serde_json::Value {
        let entry = |parameter: &super::super::TemplateParameter| match &parameter.default {
            None => Some((parameter.key.clone(), serde_json::Value::Null)),
            Some(default) => Some((parameter.key.clone(), json(default)?)),
        };
        template
            .parameters
            .iter()
            .filter_map(entry)
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    #[test]
    #[ignore = "needs ../shared/corpus; run tests/run.sh"]
    fn projects_of_the_corpus_are_read_as_taskcat_reads_them() {
        let corpus = corpus();
        let mut compared = 0;
        for entry in std::fs::read_dir(corpus.join("expected")).unwrap() {
            let expected_file = entry.unwrap().path();
            let project = expected_file
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let expected: serde_json::Value =
                serde_json::from_str(&std::fs::read_to_string(&expected_file).unwrap()).unwrap();
            let Some(tests) = expected["templates"].as_object() else {
                continue;
            };
            for (test, expect) in tests.iter().filter(|(_, expect)| expect["error"].is_null()) {
                let path = expected["config"]["tests"][test]["template"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                let (templates, diagnostics) =
                    Templates::load(&corpus.join(&project), [(path.clone(), None)]);
                let errors = diagnostics
                    .iter()
                    .filter(|it| it.severity == Severity::Error);
                let errors: Vec<_> = errors.map(ToString::to_string).collect();
                assert_eq!(errors, [""; 0], "{project} {test}");
                let template = templates.get(&path).unwrap();
                let descendants: Vec<_> = templates
                    .descendants(template)
                    .iter()
                    .map(|it| &it.relative)
                    .collect();
                assert_eq!(
                    serde_json::json!(descendants),
                    expect["descendents"],
                    "{project} {test}"
                );
                assert_eq!(
                    parameters(template),
                    expect["parameters"],
                    "{project} {test}"
                );
                compared += 1;
            }
        }
        assert!(compared > 20, "only {compared} tests compared");
    }

    fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/templates")
    }

    /// Returns the nested templates of each template, `path: [logical id child, …]`, and the
    /// diagnostics without the root.
    fn load(feature: &str, asked: &[&str]) -> (Vec<String>, Vec<String>) {
        let root = fixtures().join(feature);
        let asked = asked.iter().map(|path| ((*path).to_owned(), None));
        let (templates, diagnostics) = Templates::load(&root, asked);
        let tree = templates.iter().map(|template| {
            let children = template
                .children
                .iter()
                .map(|child| format!("{} {}", child.logical_id, child.template));
            format!("{}: {:?}", template.relative, children.collect::<Vec<_>>())
        });
        let root = format!("{}/", root.display());
        let said = diagnostics.iter().map(|diagnostic| {
            let severity = if diagnostic.severity == Severity::Error {
                "error"
            } else {
                "warning"
            };
            format!("{severity} {}", diagnostic.to_string().replace(&root, ""))
        });
        (tree.collect(), said.collect())
    }

    #[test]
    fn nested_templates_are_found_wherever_they_lie() {
        let (tree, said) = load("nested", &["templates/parent.yaml"]);
        assert_eq!(
            tree,
            [
                "common/above.json: []",
                "submodules/vpc/templates/vpc.yaml: [\"Shared templates/beside.yaml\"]",
                "templates/beside.yaml: []",
                "templates/large.yaml: []",
                "templates/parent.yaml: [\"Beside templates/beside.yaml\", \"Above \
                 common/above.json\", \
                 \"Submodule submodules/vpc/templates/vpc.yaml\", \"Sized templates/small.yaml\", \
                 \"Sized templates/large.yaml\", \"Dotted common/above.json\", \"Zone${Zone} \
                 templates/zone-a.yaml\", \
                 \"Zone${Zone} templates/zone-b.yaml\"]",
                "templates/small.yaml: []",
                "templates/zone-a.yaml: []",
                "templates/zone-b.yaml: []",
            ]
        );
        assert_eq!(
            said,
            [
                "warning templates/parent.yaml:55:25: nested stack Missing: no file of the \
                 project matches its TemplateURL, \
                 /nested/submodules/missing/templates/missing.yaml \
                 (if it is in a git submodule, run `git submodule update --init --recursive`)",
                "warning templates/parent.yaml:56:3: nested stack Bare has no TemplateURL",
            ]
        );
    }

    #[test]
    fn a_circle_of_templates_ends() {
        let (tree, said) = load("nested-circle", &["a.yaml"]);
        assert_eq!(
            tree,
            [
                "a.yaml: [\"B b.yaml\"]",
                "b.yaml: [\"A a.yaml\", \"B b.yaml\"]"
            ]
        );
        assert_eq!(said, [""; 0]);
        let (templates, _) = Templates::load(
            &fixtures().join("nested-circle"),
            [("./a.yaml".to_owned(), None)],
        );
        let a = templates.get("./a.yaml").unwrap();
        let descendants: Vec<_> = templates
            .descendants(a)
            .iter()
            .map(|it| it.relative.as_str())
            .collect();
        assert_eq!(descendants, ["a.yaml", "b.yaml"]);
    }

    /// Problems of a template that a test names are errors; in a nested one they are warnings.
    #[test]
    fn broken_templates() {
        let (tree, said) = load(
            "broken",
            &[
                "parent.yaml",
                "no-resources.yaml",
                "gone.yaml",
                "parnet.yaml",
                "../gone.yaml",
                ".",
                "../nested/common/above.json",
            ],
        );
        assert_eq!(tree, ["parent.yaml: [\"Child no-resources.yaml\"]"]);
        assert_eq!(
            said,
            [
                "error template gone.yaml does not exist",
                "error template parnet.yaml does not exist (did you mean `parent.yaml`?)",
                "error template ../gone.yaml is outside the project, so it cannot be staged \
                 (use a path in the project, relative to its root)",
                "error template . is a directory",
                "error template ../nested/common/above.json is outside the project, so it cannot \
                 be staged \
                 (use a path in the project, relative to its root)",
                "error no-resources.yaml:2:1: Template format error: At least one Resources member \
                 must be defined.",
            ]
        );
        let (_, said) = load("broken", &["parent.yaml"]);
        assert_eq!(
            said,
            [
                "warning no-resources.yaml:2:1: Template format error: At least one Resources \
                 member must be defined."
            ]
        );
        let location = Location {
            file: Path::new(".taskcat.yml").into(),
            at: crate::diagnostic::Position {
                line: 4,
                column: 13,
            },
        };
        let (_, diagnostics) =
            Templates::load(&fixtures(), [("gone.yaml".to_owned(), Some(location))]);
        let said: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [".taskcat.yml:4:13: template gone.yaml does not exist"]
        );
    }
}
