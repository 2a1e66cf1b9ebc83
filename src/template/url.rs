//! Finds the possible values of a nested stack's `TemplateURL`, as far as they point to a file of
//! the project.
//!
//! Without a region and parameter values a URL isn't known, but its end usually is. So functions
//! are evaluated with the defaults of parameters, both branches of a condition are followed, and
//! unknown values are replaced by their names, like TaskCat's `stack_url_helper.py` does. A URL
//! that names its bucket points to that bucket rather than to the project, regardless of the
//! project's files. Used by `project`, which searches for the files.

use std::collections::HashMap;

use super::expression::{Expression, FindInMap, ForEach, Function, If, Join, Sub, loop_name};
use super::substitution::Segment;
use super::value::text_of;
use crate::diagnostic::Position;
use crate::yaml::Node;

/// Maximum number of URLs per stack, for hostile templates.
const MAX_URLS: usize = 64;

/// Maximum length of a URL in bytes; the rest is cut off. CloudFormation accepts at most 5,120.
const MAX_LENGTH: usize = 5_120;

/// Follows the name of something unknown, whose value may end with a slash
/// (`${QSS3KeyPrefix}templates/…`).
const UNKNOWN: char = '\0';

/// An `AWS::CloudFormation::Stack` of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NestedStackUrl {
    pub logical_id: String,
    /// Position of the `TemplateURL`, or of the resource if it has none.
    pub at: Position,
    pub has_url: bool,
    /// Possible paths of the URL without host and query, most likely first.
    pub paths: Vec<String>,
    /// Possible paths of URLs that name their bucket.
    pub paths_elsewhere: Vec<String>,
    /// Whether the file's name is known in one of [`NestedStackUrl::paths`].
    pub names_a_file: bool,
}

/// Returns the nested stacks of a template in long form, including those in `Fn::ForEach` loops.
pub(super) fn nested_stacks(root: &Node) -> Vec<NestedStackUrl> {
    let mut stacks = Vec::new();
    let defaults = root
        .get("Parameters")
        .map_or(&[][..], Node::entries)
        .iter()
        .filter_map(|(key, parameter)| {
            let default = parameter.get("Default")?;
            Some((key.text.to_string(), vec![text_of(default)]))
        });
    let scope = UrlScope {
        names: defaults.collect(),
        mappings: root.get("Mappings"),
    };
    if let Some(resources) = root.get("Resources") {
        scope.resources(resources.entries(), &mut stacks);
    }
    stacks
}

/// Values of names: parameters' defaults and loop variables.
#[derive(Clone)]
struct UrlScope<'a> {
    names: HashMap<String, Vec<String>>,
    mappings: Option<&'a Node>,
}

impl UrlScope<'_> {
    fn resources(&self, resources: &[(Node, Node)], stacks: &mut Vec<NestedStackUrl>) {
        for (id, resource) in resources {
            if loop_name(&id.text).is_some() {
                self.for_each(resource, stacks);
            } else if resource.get("Type").and_then(Node::as_str)
                == Some("AWS::CloudFormation::Stack")
            {
                let url = resource
                    .get("Properties")
                    .and_then(|properties| properties.get("TemplateURL"));
                let mut urls = Vec::new();
                let mut elsewhere = Vec::new();
                url.into_iter()
                    .for_each(|url| self.urls(url, &mut urls, &mut elsewhere));
                stacks.push(NestedStackUrl {
                    logical_id: id.text.to_string(),
                    at: url.unwrap_or(id).at,
                    has_url: url.is_some(),
                    names_a_file: urls.iter().any(|url| !url.ends_with(UNKNOWN)),
                    paths: paths(urls),
                    paths_elsewhere: paths(elsewhere),
                });
            }
        }
    }

    /// Visits a loop: `[Variable, Collection, {OutputKey: resource}]`.
    fn for_each(&self, arguments: &Node, stacks: &mut Vec<NestedStackUrl>) {
        let Some(ForEach {
            identifier,
            collection,
            fragment,
        }) = ForEach::of(arguments)
        else {
            return;
        };
        let items = match collection.as_sequence() {
            Some(items) => items.iter().flat_map(|item| self.texts(item)).collect(),
            None => self
                .texts(collection)
                .iter()
                .flat_map(|list| list.split(','))
                .map(str::to_owned)
                .collect(),
        };
        let mut inside = self.clone();
        inside.names.insert(identifier.to_owned(), items);
        inside.resources(fragment, stacks);
    }

    /// Adds the possible URLs of a value; those that name their bucket are added to `elsewhere`.
    fn urls(&self, node: &Node, urls: &mut Vec<String>, elsewhere: &mut Vec<String>) {
        if let Expression::If(If { yes, no, .. }) = Expression::of(node) {
            self.urls(yes, urls, elsewhere);
            self.urls(no, urls, elsewhere);
        } else {
            // Whatever requires parameters or mappings isn't a literal.
            let written = UrlScope {
                names: HashMap::new(),
                mappings: None,
            }
            .texts(node);
            let is_elsewhere =
                !written.is_empty() && written.iter().all(|url| names_its_bucket(url));
            if is_elsewhere { elsewhere } else { urls }.extend(self.texts(node));
        }
    }

    /// Returns all possible strings of a value.
    fn texts(&self, node: &Node) -> Vec<String> {
        let (function, texts) = match Expression::of(node) {
            Expression::Literal(text) if text.is_scalar() => return vec![text_of(text)],
            Expression::Literal(_) => return Vec::new(),
            Expression::Ref(name) => (Function::Ref.key(), self.named(&name.text)),
            Expression::Sub(sub) => (Function::Sub.key(), self.sub(&sub)),
            Expression::Join(join) => (Function::Join.key(), self.join(join)),
            Expression::If(If { yes, no, .. }) => (
                Function::If.key(),
                [yes, no]
                    .into_iter()
                    .flat_map(|it| self.texts(it))
                    .collect(),
            ),
            Expression::FindInMap(it) => (Function::FindInMap.key(), self.find_in_map(it)),
            Expression::GetAtt(_) => (Function::GetAtt.key(), Vec::new()),
            Expression::Call(call) => (call.name, Vec::new()),
        };
        if texts.is_empty() {
            vec![unknown(function)]
        } else {
            distinct(texts)
        }
    }

    /// Returns the possible values of `Ref` and `${…}`.
    fn named(&self, name: &str) -> Vec<String> {
        match (name, self.names.get(name)) {
            (_, Some(texts)) if !texts.is_empty() => texts.clone(),
            ("AWS::Region", _) => vec!["us-east-1".to_owned()],
            ("AWS::URLSuffix", _) => vec!["amazonaws.com".to_owned()],
            ("AWS::Partition", _) => vec!["aws".to_owned()],
            ("AWS::AccountId", _) => vec!["123456789012".to_owned()],
            _ => vec![unknown(name)],
        }
    }

    fn sub(&self, sub: &Sub) -> Vec<String> {
        let mut texts = vec![String::new()];
        for segment in sub.segments() {
            match segment {
                Segment::Text(text) => append(&mut texts, &[text.to_owned()]),
                Segment::Escape(_) => append(&mut texts, &[Segment::ESCAPED.to_owned()]),
                Segment::Variable(variable) => {
                    let name = variable.name();
                    let values = sub
                        .variable(name)
                        .map_or_else(|| self.named(name), |value| self.texts(value));
                    append(&mut texts, &values);
                }
            }
        }
        texts
    }

    fn join(&self, Join { delimiter, list }: Join) -> Vec<String> {
        let items: Vec<Vec<String>> = match list.as_sequence() {
            Some(items) => items.iter().map(|item| self.texts(item)).collect(),
            // A list parameter.
            None => match self.texts(list).first() {
                Some(list) => list.split(',').map(|item| vec![item.to_owned()]).collect(),
                None => Vec::new(),
            },
        };
        let delimiter = [delimiter.text.to_string()];
        let mut texts = vec![String::new()];
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                append(&mut texts, &delimiter);
            }
            append(&mut texts, item);
        }
        texts
    }

    /// Returns the value at the keys; if a key isn't known, the values at all keys.
    fn find_in_map(&self, it: FindInMap) -> Vec<String> {
        let mut found: Vec<&Node> = self.mappings.into_iter().collect();
        for key in it.keys {
            let keys = self.texts(key);
            let known = found
                .iter()
                .flat_map(|node| keys.iter().filter_map(|key| node.get(key)));
            let known: Vec<&Node> = known.take(MAX_URLS).collect();
            found = if known.is_empty() {
                found
                    .iter()
                    .flat_map(|node| node.entries())
                    .map(|(_, value)| value)
                    .take(MAX_URLS)
                    .collect()
            } else {
                known
            };
        }
        let default = it.default().into_iter().flat_map(|it| self.texts(it));
        // Mappings contain no functions.
        found
            .iter()
            .filter(|value| value.is_scalar())
            .map(|value| text_of(value))
            .chain(default)
            .collect()
    }
}

/// Returns whether an S3 URL names its bucket, in the host or at the beginning of the path.
fn names_its_bucket(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_in_path = host.starts_with("s3.") || host.starts_with("s3-");
    let bucket = if is_in_path {
        path.split('/').next().unwrap_or_default()
    } else {
        host
    };
    host.contains(".amazonaws.com") && !host.contains(UNKNOWN) && !bucket.contains(UNKNOWN)
}

fn unknown(name: &str) -> String {
    format!("{name}{UNKNOWN}")
}

/// Appends each value to each string, within the limits.
fn append(texts: &mut Vec<String>, values: &[String]) {
    let fits = |text: &str, value: &str| text.len() + value.len() <= MAX_LENGTH;
    if let [value] = values {
        texts
            .iter_mut()
            .filter(|text| fits(text, value))
            .for_each(|text| text.push_str(value));
        return;
    }
    let all = texts.iter().flat_map(|text| {
        values.iter().map(move |value| {
            if fits(text, value) {
                format!("{text}{value}")
            } else {
                text.clone()
            }
        })
    });
    *texts = all.take(MAX_URLS).collect();
}

/// Returns the paths of URLs, each once, with variants that have a slash after unknown values.
fn paths(urls: Vec<String>) -> Vec<String> {
    let as_written = urls.iter().map(|url| path(&url.replace(UNKNOWN, "")));
    let split = urls
        .iter()
        .filter(|url| url.contains(UNKNOWN))
        .map(|url| path(&split_path(url)));
    distinct(as_written.chain(split).collect())
}

/// Adds slashes after unknown values in the path, but not in the host.
fn split_path(url: &str) -> String {
    match url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
    {
        Some((_, path)) => format!("/{}", path.replace(UNKNOWN, "/")),
        None => url.replace(UNKNOWN, "/"),
    }
}

/// Returns the path of a URL without its query; the whole text if it has no scheme.
fn path(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((_, rest)) => rest
            .split_once('/')
            .map(|(_, path)| format!("/{path}"))
            .unwrap_or_default(),
        None => url.to_owned(),
    }
}

fn distinct(texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    texts
        .into_iter()
        .filter(|text| seen.insert(text.clone()))
        .take(MAX_URLS)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::template::long_form::long_form;

    const SECTIONS: &str = "
Parameters:
  Bucket: {Type: String, Default: aws-quickstart}
  Prefix: {Type: String, Default: project/}
  Unset: {Type: String}
  Sizes: {Type: CommaDelimitedList, Default: 'small,large'}
Mappings:
  Files:
    us-east-1: {Vpc: templates/vpc.yaml}
    cn-north-1: {Vpc: templates/vpc-cn.yaml}
";

    fn parse(text: &str) -> Node {
        let parsed = crate::yaml::parse(&Arc::from(Path::new("t.yaml")), text);
        assert_eq!(parsed.diagnostics, [], "{text}");
        long_form(parsed.root.unwrap())
    }

    fn stacks(url: &str) -> Vec<NestedStackUrl> {
        let resource =
            format!("{{Type: 'AWS::CloudFormation::Stack', Properties: {{TemplateURL: {url}}}}}");
        nested_stacks(&parse(&format!(
            "{SECTIONS}Resources:\n  Child: {resource}\n"
        )))
    }

    fn check(url: &str, expect: &[&str]) {
        let stacks = stacks(url);
        let paths: Vec<_> = stacks.iter().flat_map(|stack| &stack.paths).collect();
        assert_eq!(paths, expect, "{url}");
    }

    #[test]
    fn literals() {
        check("'https://bucket.example/a/b.yaml'", &["/a/b.yaml"]);
        check(
            "'https://bucket.example/a/b.yaml?versionId=1'",
            &["/a/b.yaml"],
        );
        check("'https://bucket.example'", &[""]);
        check("'s3://bucket/a/b.yaml'", &["/a/b.yaml"]);
        check("./b.yaml", &["./b.yaml"]);
        check("[]", &[]);
    }

    #[test]
    fn a_bucket_that_is_written_out_is_not_the_projects() {
        let check = |url: &str, paths: &str, elsewhere: &str| {
            let stacks = stacks(url);
            assert_eq!(
                (
                    &*stacks[0].paths.join(" "),
                    &*stacks[0].paths_elsewhere.join(" ")
                ),
                (paths, elsewhere),
                "{url}"
            );
        };
        check(
            "'https://theirs.s3.amazonaws.com/a/b.yaml'",
            "",
            "/a/b.yaml",
        );
        check(
            "'https://s3.amazonaws.com/theirs/b.yaml'",
            "",
            "/theirs/b.yaml",
        );
        check(
            "'https://s3-eu-west-1.amazonaws.com/theirs/b.yaml'",
            "",
            "/theirs/b.yaml",
        );
        check(
            "!Sub 'https://theirs-${AWS::Region}.s3.${AWS::Region}.${AWS::URLSuffix}/${Prefix}x.yaml'",
            "",
            "/project/x.yaml",
        );
        check(
            "!Join ['', ['https://s3.', !Ref 'AWS::URLSuffix', /theirs/, x.yaml]]",
            "",
            "/theirs/x.yaml",
        );
        check(
            "!Sub 'https://s3.${AWS::Region}.${AWS::URLSuffix}/assets-${AWS::AccountId}-${AWS::Region}/x.json'",
            "",
            "/assets-123456789012-us-east-1/x.json",
        );
        check(
            "!Sub 'https://s3.amazonaws.com/${Bucket}/x.yaml'",
            "/aws-quickstart/x.yaml",
            "",
        );
        check(
            "!If [C, 'https://theirs.s3.amazonaws.com/a.yaml', !Sub \
             'https://${Bucket}.s3.amazonaws.com/b.yaml']",
            "/b.yaml",
            "/a.yaml",
        );
        let either = "{B: !If [C, theirs, !Ref Bucket]}";
        check(
            &format!("!Sub ['https://${{B}}.s3.amazonaws.com/x.yaml', {either}]"),
            "/x.yaml",
            "",
        );
        check(
            "!FindInMap [Files, us-east-1, Vpc]",
            "templates/vpc.yaml",
            "",
        );
    }

    #[test]
    fn a_url_may_not_name_a_file() {
        let check =
            |url: &str, expect: bool| assert_eq!(stacks(url)[0].names_a_file, expect, "{url}");
        check("!GetAtt Other.Outputs.Url", false);
        check("!Ref Unset", false);
        check("!Sub 'https://${Unset}/${Other.Outputs.Key}'", false);
        check("!Sub 'https://${Unset}/${Unset}x.yaml'", true);
        check("!If [C, !Ref Unset, 'https://b/x.yaml']", true);
    }

    #[test]
    fn substitution() {
        check(
            "!Sub 'https://${Bucket}.s3.${AWS::Region}.${AWS::URLSuffix}/${Prefix}t/x.yaml'",
            &["/project/t/x.yaml"],
        );
        check(
            "{'Fn::Sub': 'https://${Bucket}/${Prefix}x.yaml'}",
            &["/project/x.yaml"],
        );
        check(
            "!Sub ['https://b/${File}', {File: !Ref Prefix}]",
            &["/project/"],
        );
        check("!Sub ['https://b/${Prefix}', {Prefix: mine/}]", &["/mine/"]);
        check("!Sub ['https://b/x']", &["/x"]);
        check("!Sub 'https://b/${!Prefix}x'", &["/${Prefix}x"]);
        check("!Sub 'https://b/${Prefix'", &["/${Prefix"]);
        // The value may or may not end with a slash.
        check(
            "!Sub 'https://${Unset}/${Unset}t/x.yaml'",
            &["/Unsett/x.yaml", "/Unset/t/x.yaml"],
        );
        check(
            "!Sub 'https://b/${Other.Outputs.Key}'",
            &["/Other.Outputs.Key", "/Other.Outputs.Key/"],
        );
    }

    #[test]
    fn joining() {
        check(
            "!Join ['/', ['https://b', !Ref Bucket, x.yaml]]",
            &["/aws-quickstart/x.yaml"],
        );
        check(
            "!Join ['', ['https://b/', !If [C, a, b], .yaml]]",
            &["/a.yaml", "/b.yaml"],
        );
        check("!Join ['-', !Ref Sizes]", &["small-large"]);
        check("!Join [x]", &["Fn::Join", "Fn::Join/"]);
    }

    #[test]
    fn conditions_go_both_ways() {
        check(
            "!If [C, 'https://b/a.yaml', 'https://b/b.yaml']",
            &["/a.yaml", "/b.yaml"],
        );
        check("!If [C, !If [D, a, b], c]", &["a", "b", "c"]);
        let bucket = "B: !If [C, !Sub '${Bucket}-${AWS::Region}', !Ref Bucket]";
        check(
            &format!("!Sub ['https://${{B}}/${{Prefix}}x.yaml', {{{bucket}}}]"),
            &["/project/x.yaml"],
        );
    }

    #[test]
    fn mappings() {
        check(
            "!FindInMap [Files, !Ref 'AWS::Region', Vpc]",
            &["templates/vpc.yaml"],
        );
        check(
            "!FindInMap [Files, cn-north-1, Vpc]",
            &["templates/vpc-cn.yaml"],
        );
        check(
            "!FindInMap [Files, !Ref Unset, Vpc]",
            &["templates/vpc.yaml", "templates/vpc-cn.yaml"],
        );
        check(
            "!FindInMap [Files, us-east-1, Vpc, {DefaultValue: other.yaml}]",
            &["templates/vpc.yaml", "other.yaml"],
        );
        check("!FindInMap [Nothing]", &["Fn::FindInMap", "Fn::FindInMap/"]);
    }

    #[test]
    fn unknown_values_are_replaced_by_their_names() {
        check("!Ref Unset", &["Unset", "Unset/"]);
        check("!GetAtt Other.Outputs.Url", &["Fn::GetAtt", "Fn::GetAtt/"]);
    }

    #[test]
    fn the_cost_of_a_hostile_template_is_limited() {
        let check = |sections: &str, url: &str, count: usize, longest: usize| {
            let resource = format!(
                "{{Type: 'AWS::CloudFormation::Stack', Properties: {{TemplateURL: {url}}}}}"
            );
            let stacks = nested_stacks(&parse(&format!(
                "{sections}Resources:\n  Child: {resource}\n"
            )));
            let lengths = stacks
                .iter()
                .flat_map(|stack| &stack.paths)
                .map(String::len);
            let (found, max) =
                lengths.fold((0, 0), |(found, max), length| (found + 1, length.max(max)));
            assert_eq!((found, max), (count, longest), "{url}");
        };
        let branches = "!If [C, a, b], ".repeat(20);
        check("", &format!("!Join ['', [{branches}x]]"), MAX_URLS, 21);
        let long = format!(
            "Parameters: {{P: {{Type: String, Default: '{}'}}}}\n",
            "x,".repeat(500)
        );
        check(&long, &format!("!Sub '{}'", "${P}".repeat(1000)), 1, 5000);
        check(
            &long,
            &format!("!Join ['{}', !Ref P]", "y".repeat(1000)),
            1,
            MAX_LENGTH,
        );
        // A mapping that refers to itself.
        check(
            "Mappings: {M: {a: {b: !FindInMap [M, a, b]}}}\n",
            "!FindInMap [M, a, b]",
            2,
            14,
        );
    }

    #[test]
    fn loops() {
        let text = "
Parameters:
  Sizes: {Type: CommaDelimitedList, Default: 'small,large'}
Resources:
  Fn::ForEach::Zones:
    - Zone
    - [a, b]
    - Fn::ForEach::Sizes:
        - Size
        - !Ref Sizes
        - Stack${Zone}${Size}:
            Type: AWS::CloudFormation::Stack
            Properties: {TemplateURL: !Sub 'https://b/${Zone}/${Size}.yaml'}
  Topic: {Type: AWS::SNS::Topic}
  Bare: {Type: AWS::CloudFormation::Stack}
  Fn::ForEach::Broken: [x]
";
        let stacks = nested_stacks(&parse(text));
        let found: Vec<_> = stacks
            .iter()
            .map(|it| (it.logical_id.as_str(), it.at.line, it.paths.join(" ")))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "Stack${Zone}${Size}",
                    13,
                    "/a/small.yaml /a/large.yaml /b/small.yaml /b/large.yaml".to_owned()
                ),
                ("Bare", 15, String::new()),
            ]
        );
    }
}
