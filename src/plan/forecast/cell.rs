//! Predicts one test in one region.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::assumptions::{self, AssumptionFinder};
use super::dependencies::{self, DependencyForecast, DependencyForecasts};
use super::facts::{Fact, RegionFacts};
use super::request::StackRequest;
use super::world::{self, CellWorld};
use super::{ForecastCell, MissingFiles, Quota, StagedState, launched, masked, quotas, resources};
use crate::catalog::{self, Partition};
use crate::diagnostic::{Diagnostic, Location, Position};
use crate::event::CellId;
use crate::mask::Secrets;
use crate::plan::draft::{PlanDraft, TestDraft};
use crate::plan::parameters::{CellContext, MissingAnswer, OutputValues};
use crate::plan::place::ProfileRegion;
use crate::plan::{BucketPlan, Lookup, LookupAnswer, LookupAnswers, LookupKind, ProfileIdentity};
use crate::submodules;
use crate::template::{
    self, Assumption, EvaluatedStack, Failure, FailureNote, Template, Templates, Value,
};

/// The beginning of a file.
const START: Position = Position { line: 1, column: 1 };

/// The evaluated stack of a test in a region.
struct CellEvaluation {
    stack: EvaluatedStack,
    assumed: Vec<Assumption>,
    missed: MissingFiles,
}

/// Predicts a test in a region.
pub(super) struct CellForecaster<'a> {
    pub draft: &'a PlanDraft,
    pub test: &'a TestDraft,
    pub templates: &'a Templates,
    pub staged: &'a (dyn Fn(&str) -> StagedState + Sync),
    pub facts: RegionFacts,
    pub place: ProfileRegion,
}

impl CellForecaster<'_> {
    pub(super) fn cell(
        &self,
        known: &DependencyForecasts,
    ) -> (ForecastCell, MissingFiles, DependencyForecast) {
        let partition = catalog::partition_of(&self.place.region);
        let account_id = String::new();
        let regions = vec![self.place.region.clone()];
        let identity = ProfileIdentity {
            account_id,
            partition: partition.name.to_owned(),
            regions,
        };
        let bucket = self.test.bucket.bucket(
            &self.place,
            &identity,
            &self.draft.project,
            self.draft.run_id,
        );
        let (mut cell, missing, mut of_cell) = match self.templates.get(&self.test.template) {
            Some(template) if self.test.problems.is_empty() => {
                self.evaluated(template, bucket, partition, known)
            }
            // A problem of the template that isn't one of the test has been reported with the
            // template.
            _ => (
                self.unplanned(bucket),
                MissingFiles::default(),
                DependencyForecast::default(),
            ),
        };
        if let Some(name) = self.test.bucket.unresolved(&self.place.region) {
            cell.bucket.name = name;
        }
        of_cell.fails = !cell.failures.is_empty();
        (cell, missing, of_cell)
    }

    /// Returns the failure of a test that can't be planned.
    fn unplanned(&self, bucket: BucketPlan) -> ForecastCell {
        let failure = |problem: &Diagnostic| Failure {
            message: problem.message.clone(),
            at: problem
                .location
                .clone()
                .unwrap_or_else(|| self.start_of_template()),
            nested_in: Vec::new(),
            notes: problem
                .help
                .iter()
                .map(|help| FailureNote {
                    message: help.clone(),
                    at: None,
                    is_secret: false,
                })
                .collect(),
        };
        ForecastCell {
            test: self.test.name.clone(),
            region: self.place.region.clone(),
            profile: self.place.profile.clone(),
            is_declared: self.test.places.contains(&self.place),
            stack_name: self.test.stack_name.clone(),
            template: self.test.template.clone(),
            tags: self.draft.tags(self.test),
            failures: self.test.problems.iter().map(failure).collect(),
            assumptions: Vec::new(),
            possible: Vec::new(),
            stacks: Vec::new(),
            adds: BTreeMap::new(),
            dependencies: self.dependencies(),
            parameters: Vec::new(),
            bucket,
        }
    }

    fn evaluated(
        &self,
        template: &Template,
        bucket: BucketPlan,
        partition: &Partition,
        known: &DependencyForecasts,
    ) -> (ForecastCell, MissingFiles, DependencyForecast) {
        let dependencies = self.dependencies();
        let of_dependencies = known.created(&dependencies);
        let mut facts = self.facts.clone();
        facts.forget_missing(&of_dependencies);
        let sent = self.sent(template, &bucket, partition.name, known);
        let mut evaluation = self.evaluation(template, &bucket, partition, &sent, &facts);
        let mut created = assumptions::created_by(&evaluation.stack);
        if facts.forget_missing(&created) {
            evaluation = self.evaluation(template, &bucket, partition, &sent, &facts);
            created = assumptions::created_by(&evaluation.stack);
        }
        let CellEvaluation {
            mut stack,
            assumed,
            missed,
        } = evaluation;
        let (failures, undecided) = resources::check(&stack, &self.place.region, self.templates);
        stack.failures.splice(
            0..0,
            failures
                .into_iter()
                .chain(sent.failures.clone())
                .chain(self.role_elsewhere(partition))
                .chain(self.failed_dependencies(known)),
        );
        stack.undecided.extend(undecided);
        let of_undecided = stack.undecided.iter_mut().map(|it| &mut it.failure);
        for failure in stack.failures.iter_mut().chain(of_undecided) {
            if let Some(key) = failure.message.strip_prefix(world::MISSING)
                && let Some(message) = submodules::advice(&self.draft.absent_submodules, key)
            {
                failure.notes.push(FailureNote {
                    message,
                    at: None,
                    is_secret: false,
                });
            }
        }
        let added = quotas::added_by(&stack, template.location(template.root.at));
        let mut assumed = assumed;
        self.quotas(&added, &facts, &mut stack, &mut assumed);
        let secrets = self.secrets(&sent, &stack);
        let id = self.id();
        let of_cell = DependencyForecast {
            outputs: dependencies::outputs(&id, template, &stack, &secrets),
            created: created.clone(),
            fails: false,
        };
        created.extend(of_dependencies);
        let finder = AssumptionFinder {
            region: &self.place.region,
            facts: &facts,
            created,
            secrets: &secrets,
        };
        let (assumptions, possible) = finder.found(&sent.assumptions, assumed, &stack.undecided);
        let stacks = launched::stacks(&stack, self.test, self.templates, &secrets);
        let cell = ForecastCell {
            test: self.test.name.clone(),
            region: self.place.region.clone(),
            profile: self.place.profile.clone(),
            is_declared: self.test.places.contains(&self.place),
            stack_name: self.test.stack_name.clone(),
            template: self.test.template.clone(),
            tags: self.draft.tags(self.test),
            failures: distinct(
                stack
                    .failures
                    .into_iter()
                    .map(|failure| masked(failure, &secrets)),
            ),
            assumptions,
            possible,
            stacks,
            adds: added
                .into_iter()
                .map(|(quota, (count, _))| (quota, count))
                .collect(),
            dependencies,
            parameters: sent
                .shown
                .into_iter()
                .map(|(key, value)| (key, shown(value, &secrets)))
                .collect(),
            bucket,
        };
        (cell, missed, of_cell)
    }

    fn id(&self) -> CellId {
        CellId {
            test: self.test.name.as_str().into(),
            region: self.place.region.as_str().into(),
        }
    }

    fn dependencies(&self) -> Vec<CellId> {
        self.test.dependencies(&self.place.region)
    }

    /// Returns a failure for each dependency that would fail: the test would be skipped.
    fn failed_dependencies(&self, known: &DependencyForecasts) -> Vec<Failure> {
        let failed = self.dependencies().into_iter();
        let failed = failed.filter(|cell| known.fails(cell));
        let failure = |CellId { test, region }: CellId| Failure {
            message: format!("{test} would fail in {region}, and this test depends on it"),
            at: self
                .test
                .depends_on_at
                .clone()
                .unwrap_or_else(|| self.start_of_template()),
            nested_in: Vec::new(),
            notes: Vec::new(),
        };
        failed.map(failure).collect()
    }

    fn evaluation(
        &self,
        template: &Template,
        bucket: &BucketPlan,
        partition: &Partition,
        sent: &StackRequest,
        facts: &RegionFacts,
    ) -> CellEvaluation {
        let place = template::StackEnvironment {
            stack_name: Some(self.test.stack_name.clone()),
            ..template::StackEnvironment::new(
                &self.place.region,
                partition.name,
                partition.dns_suffix,
            )
        };
        let world = CellWorld {
            templates: self.templates,
            staged: self.staged,
            project: &self.draft.project.name,
            bucket,
            region: &self.place.region,
            url_suffix: partition.dns_suffix,
            has_prehooks: !self.test.prehooks.is_empty(),
            facts,
            assumed: RefCell::default(),
            missed: RefCell::default(),
        };
        let stack = template::evaluate(template, &place, &sent.parameter_values, &world);
        CellEvaluation {
            stack,
            assumed: world.assumed.into_inner(),
            missed: world.missed.into_inner(),
        }
    }

    /// Adds the failures and assumptions of quotas that the stack exceeds.
    fn quotas(
        &self,
        added: &BTreeMap<Quota, (usize, Location)>,
        facts: &RegionFacts,
        stack: &mut EvaluatedStack,
        assumed: &mut Vec<Assumption>,
    ) {
        for (quota, (count, at)) in added {
            let Some(quota_use) = facts.quota(*quota) else {
                continue;
            };
            if let Some(failure) = quotas::exceeded(*quota, quota_use, *count, at.clone()) {
                stack.failures.push(failure);
            } else if let Some(requirement) = quotas::shared(*quota, quota_use, &self.place.region)
            {
                assumed.push(Assumption::Value { requirement });
            }
        }
    }

    /// Returns the failure for a role of another partition.
    fn role_elsewhere(&self, partition: &Partition) -> Option<Failure> {
        let role = self.test.role.as_ref()?;
        let message = role.role.arn(partition.name, "").err()?;
        let at = role
            .location
            .clone()
            .unwrap_or_else(|| self.start_of_template());
        Some(Failure {
            message,
            at,
            nested_in: Vec::new(),
            notes: Vec::new(),
        })
    }

    fn start_of_template(&self) -> Location {
        Location {
            file: self.draft.project_root.join(&self.test.template).into(),
            at: START,
        }
    }

    /// Returns the parameters as far as they are known.
    fn sent(
        &self,
        template: &Template,
        bucket: &BucketPlan,
        partition: &str,
        known: &DependencyForecasts,
    ) -> StackRequest {
        let scope = CellContext {
            project_name: &self.draft.project.name,
            test_name: &self.test.name,
            region: &self.place.region,
            profile: &self.place.profile,
            partition,
            account_id: None,
            bucket: Some(&bucket.name),
            git_branch: self.draft.git_branch.as_deref(),
            az_blacklist: &self.test.az_blacklist,
            outputs: OutputValues::Known(&known.outputs),
        };
        // Random values have a fixed form, so any value will do; a fixed seed makes the result
        // deterministic.
        let mut rng = StdRng::seed_from_u64(0);
        let values = &self.test.values;
        let answers = answers(values.parameters.lookups(&scope), &self.facts);
        let rendered = values
            .parameters
            .render(&scope, &answers, MissingAnswer::Unknown, &mut rng);
        let assumptions = values.parameters.assumptions(&scope).into_iter();
        let of_sent = assumptions.filter(|(key, _)| !values.unsent.iter().any(|it| it == key));
        let mut sent = StackRequest {
            assumptions: of_sent.map(|(key, it)| (key.to_owned(), it)).collect(),
            ..StackRequest::default()
        };
        for ((key, rendered), note) in rendered.into_iter().zip(&values.notes) {
            if !values.unsent.contains(&key) {
                let declared = template
                    .parameters
                    .iter()
                    .find(|parameter| parameter.key == key);
                let at = declared.map_or(template.root.at, |parameter| parameter.at);
                sent.take(key, rendered, note, template.location(at));
            }
        }
        sent
    }

    /// Returns all secrets: what is sent, and the values and defaults of nested stacks' `NoEcho`
    /// parameters.
    fn secrets(&self, sent: &StackRequest, stack: &EvaluatedStack) -> Secrets {
        let hidden = self
            .templates
            .iter()
            .flat_map(|template| &template.parameters)
            .filter(|it| it.no_echo);
        let hidden: Vec<_> = hidden.collect();
        let defaults = hidden.iter().filter_map(|it| it.default_text());
        let mut values: Vec<String> = sent.secrets.iter().cloned().chain(defaults).collect();
        let keys: BTreeSet<&str> = hidden.iter().map(|it| it.key.as_str()).collect();
        nested_values(stack, &keys, &mut values);
        Secrets::new(values)
    }
}

/// Returns the answers to the lookups that are among the facts.
fn answers(lookups: Vec<Lookup>, facts: &RegionFacts) -> LookupAnswers {
    let missing = || Err("it doesn't exist".to_owned());
    let answer = |lookup: &Lookup| match &lookup.question {
        LookupKind::AvailabilityZones => {
            Some(Ok(LookupAnswer::AvailabilityZones(facts.zones()?.to_vec())))
        }
        LookupKind::SsmParameter { name } => {
            let name = name.clone();
            match facts.get(&Assumption::SsmParameter { name })? {
                Fact::Missing => Some(missing()),
                Fact::Value(text) => Some(Ok(LookupAnswer::Text(text.clone()))),
                Fact::Exists => None,
            }
        }
        LookupKind::Secret { id } => {
            let id = id.clone();
            let fact = facts.get(&Assumption::Secret { id })?;
            (*fact == Fact::Missing).then(missing)
        }
        LookupKind::Object { bucket, key } | LookupKind::PresignedUrl { bucket, key, .. } => {
            let object = Assumption::Object {
                bucket: bucket.clone(),
                key: key.clone(),
            };
            (*facts.get(&object)? == Fact::Missing).then(missing)
        }
    };
    let answered = lookups.into_iter().filter_map(|lookup| {
        let answer = answer(&lookup)?;
        Some((lookup, answer))
    });
    answered.collect()
}

/// Collects the values of nested stacks' parameters with these names.
fn nested_values(stack: &EvaluatedStack, keys: &BTreeSet<&str>, values: &mut Vec<String>) {
    for nested in stack
        .resources
        .values()
        .filter_map(|resource| resource.nested.as_ref())
    {
        let hidden = nested
            .parameters
            .iter()
            .filter(|(key, _)| keys.contains(key.as_str()));
        values.extend(hidden.filter_map(|(_, value)| value.as_text()));
        nested_values(nested, keys, values);
    }
}

fn shown(value: Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(text) => Value::String(secrets.mask(&text)),
        other => other,
    }
}

/// Returns each failure once, in order.
fn distinct(failures: impl Iterator<Item = Failure>) -> Vec<Failure> {
    let mut kept: Vec<Failure> = Vec::new();
    for failure in failures {
        if !kept.contains(&failure) {
            kept.push(failure);
        }
    }
    kept
}
