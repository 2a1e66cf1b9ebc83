//! The environment of a stack in a forecast: the templates that are staged with it.

use std::cell::RefCell;

use super::facts::{Fact, RegionFacts};
use super::{MissingFiles, StagedState};
use crate::catalog::s3_url::{S3UrlTarget, target};
use crate::diagnostic::Diagnostic;
use crate::plan::{BucketKind, BucketPlan};
use crate::template::{
    Assumption, EvaluationEnvironment, NestedTemplate, StoredReference, Template, Templates,
    Unknown, Value, unknown_zones,
};
use crate::yaml::Node;

/// The environment of one test in one region. Records what is unknown.
pub(super) struct CellWorld<'a> {
    pub templates: &'a Templates,
    /// Returns whether a path of the project is staged.
    pub staged: &'a dyn Fn(&str) -> StagedState,
    /// The project's name, `project.name`.
    pub project: &'a str,
    pub bucket: &'a BucketPlan,
    pub region: &'a str,
    /// The suffix of S3's hosts in the region.
    pub url_suffix: &'a str,
    /// Whether a hook runs before the launch, which may create anything.
    pub has_prehooks: bool,
    /// What is known about the account.
    pub facts: &'a RegionFacts,
    /// What must hold in AWS for the stack to be launched.
    pub assumed: RefCell<Vec<Assumption>>,
    /// Files of the project that weren't read.
    pub missed: RefCell<MissingFiles>,
}

impl EvaluationEnvironment for CellWorld<'_> {
    fn assume(&self, assumption: Assumption) {
        self.assumed.borrow_mut().push(assumption);
    }

    fn availability_zones(&self, region: &str) -> Result<Value, String> {
        match self.facts.zones().filter(|_| region == self.region) {
            Some(zones) => {
                let names = zones.iter().map(|zone| Value::text(zone.name.as_str()));
                Ok(Value::List(names.collect()))
            }
            None => Ok(unknown_zones(region)),
        }
    }

    fn export(&self, name: &str) -> Result<Value, String> {
        let assumption = Assumption::Export {
            name: name.to_owned(),
        };
        let missing = || format!("No export named {name} found.");
        self.value_of(assumption, format!("export {name}"), missing)
    }

    fn ssm_parameter(&self, name: &str, _is_list: bool) -> Result<Value, String> {
        let assumption = Assumption::SsmParameter {
            name: name.to_owned(),
        };
        let what = format!("SSM parameter {name}");
        self.value_of(assumption, what, || no_ssm_parameter(name))
    }

    fn exists(&self, parameter_type: &str, value: &str) -> Option<bool> {
        let assumption = Assumption::Named {
            parameter_type: parameter_type.to_owned(),
            name: value.to_owned(),
        };
        Some(*self.facts.get(&assumption)? != Fact::Missing)
    }

    fn dynamic_reference(&self, reference: &str) -> Result<Value, String> {
        let what = format!("dynamic reference {reference}");
        match StoredReference::of(reference).map(StoredReference::assumption) {
            Some(assumption) => {
                let missing = match &assumption {
                    Assumption::SsmParameter { name } => no_ssm_parameter(name),
                    _ => "Secrets Manager can't find the specified secret.".to_owned(),
                };
                self.value_of(assumption, what, || missing)
            }
            None => Ok(Unknown::asked(what).into()),
        }
    }

    fn included(&self, location: &str) -> Result<Option<Node>, String> {
        let Some((bucket, key)) = location
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
        else {
            return Ok(None);
        };
        let failed = |why: &str| Err(format!("Transform AWS::Include failed with: {why}"));
        let own = if bucket == self.bucket.name {
            self.own(key)
        } else {
            OwnObject::Unknown
        };
        match own {
            OwnObject::Missing => failed(&missing(key)),
            OwnObject::Unknown => {
                let object = object(bucket, key);
                if self.facts.get(&object) == Some(&Fact::Missing) {
                    return failed(&missing(key));
                }
                self.assume(object);
                Ok(None)
            }
            OwnObject::Staged(path) => match self.templates.included(path) {
                Some(Some(content)) => Ok(Some(content.clone())),
                Some(None) => failed("The specified S3 object's content should be valid Yaml/JSON"),
                None => {
                    self.missed.borrow_mut().included.insert(path.to_owned());
                    Ok(None)
                }
            },
        }
    }

    fn nested<'w>(
        &'w self,
        parent: &'w Template,
        logical_id: &str,
        url: &Value,
    ) -> NestedTemplate<'w> {
        let url = match (url, url.as_text()) {
            (_, Some(text)) => text,
            (Value::Unknown(unknown), None) => {
                return NestedTemplate::Unknown {
                    unknown: unknown.clone(),
                    likely: self.likely(parent, logical_id),
                };
            }
            _ => {
                return NestedTemplate::Missing {
                    message: "Value of property TemplateURL must be of type String".to_owned(),
                    likely: None,
                };
            }
        };
        match target(&url) {
            S3UrlTarget::Refused(message) => NestedTemplate::Missing {
                message,
                likely: self.likely(parent, logical_id),
            },
            S3UrlTarget::Unknown => self.elsewhere(Assumption::Url { url }, None),
            S3UrlTarget::Object {
                bucket,
                key,
                suffix,
            } if bucket == self.bucket.name && suffix == self.url_suffix => match self.own(&key) {
                OwnObject::Staged(path) => self.staged_template(path, object(&bucket, &key)),
                OwnObject::Missing => NestedTemplate::Missing {
                    message: missing(&key),
                    likely: self.likely(parent, logical_id),
                },
                OwnObject::Unknown => {
                    self.elsewhere(object(&bucket, &key), self.likely(parent, logical_id))
                }
            },
            // A template in another bucket is a different one, even if it has the name of one of
            // the project's.
            S3UrlTarget::Object { bucket, key, .. } => self.elsewhere(object(&bucket, &key), None),
        }
    }
}

/// An object in the test's own bucket.
enum OwnObject<'k> {
    /// This file of the project.
    Staged(&'k str),
    Missing,
    /// Possibly an object.
    Unknown,
}

impl CellWorld<'_> {
    /// Returns the value of something stored: as far as the facts tell, otherwise unknown under the
    /// assumption that there is one.
    fn value_of(
        &self,
        assumption: Assumption,
        what: String,
        missing: impl FnOnce() -> String,
    ) -> Result<Value, String> {
        match self.facts.get(&assumption) {
            Some(Fact::Missing) => Err(missing()),
            Some(Fact::Value(text)) => Ok(Value::text(text.as_str())),
            Some(Fact::Exists) => Ok(Unknown::asked(what).non_empty().into()),
            None => {
                self.assume(assumption);
                Ok(Unknown::asked(what).non_empty().into())
            }
        }
    }

    fn own<'k>(&self, key: &'k str) -> OwnObject<'k> {
        let path = key
            .strip_prefix(self.project)
            .and_then(|rest| rest.strip_prefix('/'));
        match path.map(|path| (path, (self.staged)(path))) {
            Some((path, StagedState::Yes)) => OwnObject::Staged(path),
            _ if self.has_prehooks => OwnObject::Unknown,
            Some((_, StagedState::No)) => OwnObject::Missing,
            // A bucket created for the run contains nothing else.
            _ if self.bucket.kind == BucketKind::Auto => OwnObject::Missing,
            _ => OwnObject::Unknown,
        }
    }

    fn staged_template(&self, path: &str, object: Assumption) -> NestedTemplate<'_> {
        match (self.templates.get(path), self.templates.broken(path)) {
            (Some(template), _) => NestedTemplate::Template(template),
            (None, Some([first, ..])) => NestedTemplate::Missing {
                message: unreadable(path, first),
                likely: None,
            },
            (None, _) => {
                self.missed.borrow_mut().templates.insert(path.to_owned());
                NestedTemplate::Unknown {
                    unknown: unknown_object(&object),
                    likely: None,
                }
            }
        }
    }

    /// Returns a template that isn't staged from the project, or not now.
    fn elsewhere<'w>(
        &'w self,
        object: Assumption,
        likely: Option<&'w Template>,
    ) -> NestedTemplate<'w> {
        let unknown = unknown_object(&object);
        if self.facts.get(&object) == Some(&Fact::Missing)
            && let Assumption::Object { key, .. } = &object
        {
            return NestedTemplate::Missing {
                message: missing(key),
                likely: None,
            };
        }
        self.assume(object);
        NestedTemplate::Unknown { unknown, likely }
    }

    /// Returns the project's template that a nested stack most likely launches, possibly another
    /// version of it.
    fn likely<'w>(&'w self, parent: &'w Template, logical_id: &str) -> Option<&'w Template> {
        let mut children = parent.children.iter().filter(|child| child.is(logical_id));
        match (children.next(), children.next()) {
            (Some(child), None) => self.templates.get(&child.template),
            _ => None,
        }
    }
}

/// CloudFormation's message for an SSM parameter that isn't set.
fn no_ssm_parameter(name: &str) -> String {
    format!("Unable to fetch parameters [{name}] from parameter store for this account.")
}

fn object(bucket: &str, key: &str) -> Assumption {
    Assumption::Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    }
}

/// Returns why the content of an object isn't known.
fn unknown_object(object: &Assumption) -> Unknown {
    Unknown::asked(match object {
        Assumption::Object { bucket, key } => format!("object s3://{bucket}/{key}"),
        Assumption::Url { url } => format!("object {url}"),
        other => other.described(""),
    })
}

/// Returns the message: CloudFormation's prefix and the file's own diagnostic.
fn unreadable(path: &str, diagnostic: &Diagnostic) -> String {
    let place = diagnostic
        .location
        .as_ref()
        .map(|it| format!("{path}:{}:{}: ", it.at.line, it.at.column));
    let message = diagnostic
        .message
        .trim_start_matches("Template format error: ");
    format!(
        "Template format error: {}{message}",
        place.unwrap_or_default()
    )
}

/// CloudFormation's message for a missing object: S3's message without the key.
pub(super) const MISSING: &str = "S3 error: The specified key does not exist.";

fn missing(key: &str) -> String {
    format!("{MISSING} ({key})")
}
