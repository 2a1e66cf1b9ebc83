//! Builds the [`Plan`] from a [`PlanDraft`] and AWS's answers.

use std::path::Path;

use rand::rngs::{StdRng, SysError, SysRng};
use rand::{Rng, SeedableRng};
use thiserror::Error;

use super::bucket;
use super::draft::{OWN_TAGS, PlanDraft, TestDraft};
use super::parameters::{CellContext, MissingAnswer, OutputValues, RenderedValue};
use super::place::ProfileRegion;
use super::{
    BucketPlan, GitVersion, Lookup, LookupAnswers, Plan, PlannedParameter, PreviousVersion,
    ProfileIdentities, ProfileIdentity, RefusedCell, StackPlan, UpdatePlan, shown,
};
use crate::catalog;
use crate::diagnostic::Diagnostic;
use crate::event::{self, CellId};

/// Why no plan can be built.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The operating system provides no random numbers.
    #[error("cannot get random numbers from the operating system: {0}")]
    NoRandomness(#[from] SysError),
}

impl PlanDraft {
    /// Returns the lookups for the parameters of all tests, each once.
    pub fn lookups(&self, identities: &ProfileIdentities) -> Vec<Lookup> {
        let mut lookups = Vec::new();
        for test in self.tests.iter().filter(|test| test.problems.is_empty()) {
            for place in &test.places {
                let Ok(identity) = identity(place, identities) else {
                    continue;
                };
                let bucket = self.bucket(test, place, identity);
                let scope = self.scope(test, place, identity, &bucket);
                lookups.extend(test.values.parameters.lookups(&scope));
                if let Some(previous) = &test.update.previous {
                    lookups.extend(previous.values.parameters.lookups(&scope));
                }
            }
        }
        lookups.sort();
        lookups.dedup();
        lookups
    }

    /// Builds the plan and returns it with warnings. A test that can't be launched in a region is
    /// added to [`Plan::refused`] and doesn't stop others. Random values are generated anew each
    /// time.
    pub fn build(
        &self,
        identities: &ProfileIdentities,
        answers: &LookupAnswers,
    ) -> Result<(Plan, Vec<Diagnostic>), PlanError> {
        let mut rng = StdRng::try_from_rng(&mut SysRng)?;
        let mut plan = Plan {
            run_id: self.run_id,
            project_name: self.project.name.clone(),
            project_root: self.project_root.clone(),
            buckets: Vec::new(),
            cells: Vec::new(),
            refused: Vec::new(),
        };
        let mut warnings = Vec::new();
        for test in &self.tests {
            if !test.problems.is_empty() {
                let unplanned = |place| unplanned(test, place, &self.project_root);
                plan.refused.extend(test.places.iter().map(unplanned));
                continue;
            }
            let planned = plan.cells.len();
            for place in &test.places {
                match self.decided(test, place, identities, answers, &mut rng) {
                    Ok(decided) => {
                        let bucket = bucket::index_of(decided.bucket, &mut plan.buckets);
                        let CellDecisions {
                            identity,
                            parameters,
                            role_arn,
                            update,
                            ..
                        } = decided;
                        plan.cells.push(StackPlan {
                            role_arn,
                            update,
                            ..self.cell(test, place, identity, bucket, parameters)
                        });
                    }
                    Err(refused) => plan.refused.push(*refused),
                }
            }
            // If a test can't be launched anywhere, its files aren't needed; a test without regions
            // exists only to upload its files.
            if plan.cells.len() > planned || test.places.is_empty() {
                self.artifacts(test, identities, &mut plan, &mut warnings);
            }
        }
        Ok((plan, warnings))
    }

    /// Adds buckets of regions that need the files although nothing is launched there.
    fn artifacts(
        &self,
        test: &TestDraft,
        identities: &ProfileIdentities,
        plan: &mut Plan,
        warnings: &mut Vec<Diagnostic>,
    ) {
        for place in &test.artifact_places {
            match identity(place, identities) {
                Ok(identity) => {
                    bucket::index_of(self.bucket(test, place, identity), &mut plan.buckets);
                }
                Err(reason) => {
                    let name = &test.name;
                    let region = &place.region;
                    let message = format!(
                        "artifact region {region} of test `{name}` gets no files: {reason}"
                    );
                    warnings.push(Diagnostic::warning(message));
                }
            }
        }
    }

    /// Resolves what must be known before the launch in a region, or returns why it can't be.
    fn decided<'a>(
        &self,
        test: &TestDraft,
        place: &ProfileRegion,
        identities: &'a ProfileIdentities,
        answers: &LookupAnswers,
        rng: &mut impl Rng,
    ) -> Result<CellDecisions<'a>, Box<RefusedCell>> {
        let refused = |account_id: &str, parameters: &[PlannedParameter], reason: String| {
            let places = test.values.parameters.places(&self.project_root);
            Box::new(RefusedCell {
                places,
                ..refused(test, place, account_id, parameters, reason)
            })
        };
        let identity = identity(place, identities).map_err(|reason| refused("", &[], reason))?;
        let bucket = self.bucket(test, place, identity);
        let scope = self.scope(test, place, identity, &bucket);
        let rendered = test
            .values
            .parameters
            .render(&scope, answers, MissingAnswer::Error, rng);
        let earlier = test.update.previous.as_ref().map(|previous| {
            let values = &previous.values;
            let mut earlier = values
                .parameters
                .render(&scope, answers, MissingAnswer::Error, rng);
            // A random value that both versions have doesn't change by the update.
            values
                .parameters
                .keep_shared(&mut earlier, &test.values.parameters, &rendered);
            planned(earlier, &values.unsent)
        });
        let (parameters, mut errors) = planned(rendered, &test.values.unsent);
        let update = self.update(test, earlier, &mut errors);
        let role_arn = test
            .role
            .as_ref()
            .map(|it| it.role.arn(&identity.partition, &identity.account_id));
        let role_arn = role_arn.transpose().unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        let key = (test.name.clone(), place.region.clone());
        errors.extend(self.refusals.get(&key).cloned());
        if errors.is_empty() {
            return Ok(CellDecisions {
                identity,
                bucket,
                parameters,
                role_arn,
                update,
            });
        }
        Err(refused(
            &identity.account_id,
            &parameters,
            errors.join("; "),
        ))
    }

    /// Returns the planned update. `earlier` has the earlier version's parameters and the reasons
    /// why they can't be resolved.
    fn update(
        &self,
        test: &TestDraft,
        earlier: Option<(Vec<PlannedParameter>, Vec<String>)>,
        errors: &mut Vec<String>,
    ) -> UpdatePlan {
        let draft = &test.update;
        let from = draft.previous.as_ref().zip(earlier);
        let from = from.map(|(previous, (parameters, more))| {
            errors.extend(
                more.into_iter()
                    .filter(|it| !errors.contains(it))
                    .collect::<Vec<_>>(),
            );
            let template = &previous.template;
            match &previous.version {
                None => PreviousVersion {
                    template: template.clone(),
                    template_key: self.key_of(template),
                    parameters,
                },
                Some(version) => PreviousVersion {
                    template: format!("{}:{template}", version.revision),
                    template_key: self.key_of(&format!("{}{template}", version.prefix)),
                    parameters: self.moved(parameters, version),
                },
            }
        });
        UpdatePlan {
            from,
            forbid_replacement: draft.forbid_replacement.clone(),
            is_idempotent: draft.is_idempotent,
        }
    }

    /// Lets parameters with the key prefix of the project's files name those of a version in Git.
    fn moved(
        &self,
        mut parameters: Vec<PlannedParameter>,
        version: &GitVersion,
    ) -> Vec<PlannedParameter> {
        for parameter in &mut parameters {
            if let Some(moved) = version.moved(&parameter.value, &self.project.name) {
                parameter.value = moved;
            }
        }
        parameters
    }

    /// Returns the object key of a template.
    fn key_of(&self, template: &str) -> String {
        format!("{}/{template}", self.project.name)
    }

    fn cell(
        &self,
        test: &TestDraft,
        place: &ProfileRegion,
        identity: &ProfileIdentity,
        bucket: usize,
        parameters: Vec<PlannedParameter>,
    ) -> StackPlan {
        let ProfileIdentity {
            account_id,
            partition,
            ..
        } = identity;
        StackPlan {
            cell: cell_id(test, place),
            profile: place.profile.clone(),
            account_id: account_id.clone(),
            partition: partition.clone(),
            stack_name: test.stack_name.clone(),
            template: test.template.clone(),
            bucket,
            template_key: self.key_of(&test.template),
            parameters,
            tags: self.tags(test),
            role_arn: None,
            prehooks: test.prehooks.clone(),
            posthooks: test.posthooks.clone(),
            checks: test.checks.clone(),
            limits: test.limits,
            update: UpdatePlan::default(),
            dependencies: test.dependencies(&place.region),
            needed_outputs: test.needed_outputs(&place.region, self),
        }
    }

    fn bucket(
        &self,
        test: &TestDraft,
        place: &ProfileRegion,
        identity: &ProfileIdentity,
    ) -> BucketPlan {
        test.bucket
            .bucket(place, identity, &self.project, self.run_id)
    }

    fn scope<'a>(
        &'a self,
        test: &'a TestDraft,
        place: &'a ProfileRegion,
        identity: &'a ProfileIdentity,
        bucket: &'a BucketPlan,
    ) -> CellContext<'a> {
        CellContext {
            project_name: &self.project.name,
            test_name: &test.name,
            region: &place.region,
            profile: &place.profile,
            partition: &identity.partition,
            account_id: Some(&identity.account_id),
            bucket: Some(&bucket.name),
            git_branch: self.git_branch.as_deref(),
            az_blacklist: &test.az_blacklist,
            outputs: OutputValues::Later,
        }
    }

    pub(super) fn tags(&self, test: &TestDraft) -> Vec<(String, String)> {
        let values = [
            self.run_id.simple().to_string(),
            self.project.name.clone(),
            test.name.clone(),
        ];
        let own = OWN_TAGS.iter().map(|key| (*key).to_owned()).zip(values);
        own.chain(test.tags.iter().cloned()).collect()
    }
}

struct CellDecisions<'a> {
    identity: &'a ProfileIdentity,
    bucket: BucketPlan,
    parameters: Vec<PlannedParameter>,
    role_arn: Option<String>,
    update: UpdatePlan,
}

fn refused(
    test: &TestDraft,
    place: &ProfileRegion,
    account_id: &str,
    parameters: &[PlannedParameter],
    reason: String,
) -> RefusedCell {
    let stack_name = test.stack_name.clone();
    let template = test.template.clone();
    let account_id = account_id.to_owned();
    let parameters = shown(parameters);
    let cell = event::PlannedCell {
        id: cell_id(test, place),
        stack_name,
        template,
        account_id,
        parameters,
        update_from: None,
    };
    RefusedCell {
        cell,
        reason,
        places: Vec::new(),
    }
}

/// Returns the refusal of a test that can't be planned.
fn unplanned(test: &TestDraft, place: &ProfileRegion, project_root: &Path) -> RefusedCell {
    let reasons: Vec<String> = test
        .problems
        .iter()
        .map(|problem| from_root(problem, project_root))
        .collect();
    refused(test, place, "", &[], reasons.join("; "))
}

/// Returns a diagnostic as one line, with its file relative to the project root.
fn from_root(problem: &Diagnostic, project_root: &Path) -> String {
    let mut problem = problem.clone();
    if let Some(location) = &mut problem.location
        && let Ok(file) = location.file.strip_prefix(project_root)
    {
        location.file = file.into();
    }
    problem.to_string()
}

fn cell_id(test: &TestDraft, place: &ProfileRegion) -> CellId {
    CellId {
        test: test.name.as_str().into(),
        region: place.region.as_str().into(),
    }
}

fn identity<'a>(
    place: &ProfileRegion,
    identities: &'a ProfileIdentities,
) -> Result<&'a ProfileIdentity, String> {
    let profile = &place.profile;
    let partition = catalog::partition_of(&place.region).name;
    match identities.get(&(profile.clone(), partition.to_owned())) {
        Some(Ok(identity)) => Ok(identity),
        Some(Err(reason)) => Err(reason.clone()),
        None => Err(format!("AWS was not asked who profile {profile} is")),
    }
}

/// Returns the parameters to send, or the reasons why they can't be resolved.
fn planned(
    rendered: Vec<(String, RenderedValue)>,
    unsent: &[String],
) -> (Vec<PlannedParameter>, Vec<String>) {
    let mut parameters = Vec::new();
    let mut errors = Vec::new();
    for (key, rendered) in rendered
        .into_iter()
        .filter(|(key, _)| !unsent.contains(key))
    {
        match rendered {
            RenderedValue::Value { text, secret } => parameters.push(PlannedParameter {
                key,
                value: text,
                secret,
            }),
            RenderedValue::Unknown(unknown) => {
                errors.push(format!("parameter {key}: {unknown} is not known"))
            }
            RenderedValue::Error(reason) => errors.push(format!("parameter {key}: {reason}")),
        }
    }
    (parameters, errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draft::tests::{RUN, TempProject};
    use crate::plan::names;
    use crate::plan::{AvailabilityZone, BucketKind, LookupAnswer, LookupKind};

    const TEMPLATE: &str = "Parameters:\n  Zones: {Type: String, Default: '$[taskcat_genaz_2]'}\n  \
                            Name: {Type: String, Default: x}\n  Port: {Type: Number, Default: \
                            80}\n  \
                            Pass: {Type: String, NoEcho: true, Default: ''}\nResources: {}\n";

    /// Profiles and accounts: `default` is 111111111111, `other` is 222222222222, `china` is
    /// 333333333333, `gone` is unknown.
    fn identities(draft: &PlanDraft) -> ProfileIdentities {
        let profiles = [
            ("default", "aws", Some("111111111111")),
            ("same", "aws", Some("111111111111")),
            ("other", "aws", Some("222222222222")),
            ("china", "aws-cn", Some("333333333333")),
            ("gone", "aws", None),
        ];
        let identified = profiles.map(|(profile, partition, account)| {
            let profile = profile.to_owned();
            let partition = partition.to_owned();
            let regions = draft
                .profiles()
                .into_iter()
                .find(|it| it.profile == profile)
                .map(|it| it.regions);
            let identity = account.map(|account_id| ProfileIdentity {
                account_id: account_id.to_owned(),
                partition: partition.clone(),
                regions: regions.unwrap_or_default(),
            });
            let error = || "profile gone: the security token is expired".to_owned();
            ((profile, partition), identity.ok_or_else(error))
        });
        identified.into()
    }

    /// Two zones in each region, except one in us-west-1 and an error for eu-west-1.
    fn answer(lookup: &Lookup) -> Result<LookupAnswer, String> {
        assert_eq!(lookup.question, LookupKind::AvailabilityZones);
        let zones = match lookup.region.as_str() {
            "eu-west-1" => return Err("UnauthorizedOperation: no".to_owned()),
            "us-west-1" => 1,
            _ => 2,
        };
        let zone = |n: usize| AvailabilityZone {
            name: format!("{}{}", lookup.region, ["a", "b"][n]),
            id: format!("az{n}"),
        };
        Ok(LookupAnswer::AvailabilityZones(
            (0..zones).map(zone).collect(),
        ))
    }

    fn plan(config: &str) -> (Plan, Vec<String>) {
        let project = TempProject::new(&[(".taskcat.yml", config), ("templates/t.yaml", TEMPLATE)]);
        let (draft, _) = project.draft().unwrap();
        let answers = draft
            .lookups(&identities(&draft))
            .into_iter()
            .map(|lookup| (lookup.clone(), answer(&lookup)))
            .collect();
        let (plan, warnings) = draft.build(&identities(&draft), &answers).unwrap();
        (plan, warnings.iter().map(ToString::to_string).collect())
    }

    fn cells(plan: &Plan) -> Vec<String> {
        plan.cells
            .iter()
            .map(|cell| format!("{} in {}", cell.cell, plan.buckets[cell.bucket].name))
            .collect()
    }

    fn buckets(plan: &Plan) -> Vec<(BucketKind, &str, &str, &str)> {
        plan.buckets
            .iter()
            .map(|it| {
                (
                    it.kind,
                    it.name.as_str(),
                    it.region.as_str(),
                    it.profile.as_str(),
                )
            })
            .collect()
    }

    #[test]
    fn a_cell_is_fully_decided() {
        let (plan, warnings) = plan(
            "project: {name: team/vpc, template: templates/t.yaml, regions: [us-east-1], \
             role_name: deploy,\n  \
             tags: {Cost: '1', taskcat-id: mine}, s3_object_acl: public-read, s3_enable_sig_v2: \
             true, org_id: o-1,\n  \
             prehooks: [{type: script, config: {command: ls}}]}\n\
             tests: {one: {parameters: {Pass: secret, Name: [a, '$[taskcat_test_name]']}}}\n",
        );
        assert_eq!(warnings, [""; 0]);
        assert_eq!(
            (plan.run_id, plan.project_name.as_str(), plan.refused.len()),
            (RUN, "team/vpc", 0)
        );
        let id = "0123456789abcdef0123456789abcdef";
        let [cell] = plan.cells.as_slice() else {
            panic!("{:?}", plan.cells)
        };
        assert_eq!(cell.cell.to_string(), "one/us-east-1");
        assert_eq!(
            (
                cell.profile.as_str(),
                cell.account_id.as_str(),
                cell.partition.as_str()
            ),
            ("default", "111111111111", "aws")
        );
        assert_eq!(cell.stack_name, format!("tCaT-team-vpc-one-{id}"));
        assert_eq!(
            (cell.template.as_str(), cell.template_key.as_str()),
            ("templates/t.yaml", "team/vpc/templates/t.yaml")
        );
        assert_eq!(
            format!("{:?}", cell.parameters),
            r#"[Zones="us-east-1a,us-east-1b", Name="a,one", Pass="****"]"#
        );
        assert_eq!(cell.parameters[2].value, "secret");
        let tags = [
            ("taskcat-id", id),
            ("taskcat-project-name", "team/vpc"),
            ("taskcat-test-name", "one"),
            ("Cost", "1"),
        ];
        assert_eq!(
            cell.tags,
            tags.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert_eq!(
            cell.role_arn.as_deref(),
            Some("arn:aws:iam::111111111111:role/deploy")
        );
        let hook = crate::plan::HookPlan {
            kind: "script".to_owned(),
            config: serde_json::json!({"command": "ls"}),
        };
        assert_eq!((&cell.prehooks, cell.posthooks.len()), (&vec![hook], 0));
        let bucket = &plan.buckets[cell.bucket];
        assert_eq!(
            (bucket.kind, bucket.region.as_str(), bucket.enable_sig_v2),
            (BucketKind::Auto, "us-east-1", true)
        );
        assert_eq!(
            (bucket.object_acl.as_str(), bucket.org_id.as_deref()),
            ("public-read", Some("o-1"))
        );
        assert!(bucket.name.starts_with("tcat-team-vpc-"), "{}", bucket.name);
    }

    #[test]
    fn the_event_of_a_cell_hides_secrets() {
        let (plan, _) = plan(
            "project: {name: p, template: templates/t.yaml, regions: [us-east-1]}\n\
             tests: {one: {parameters: {Pass: hush, Name: '$[taskcat_genpass_8]'}}}\n",
        );
        let text = serde_json::to_string(&plan.cells[0].to_event()).unwrap();
        assert!(
            !text.contains("hush") && !text.contains(&plan.cells[0].parameters[1].value),
            "{text}"
        );
        assert_eq!(text.matches("****").count(), 2, "{text}");
    }

    #[test]
    fn one_cells_failure_is_its_own() {
        let (plan, warnings) = plan(
            "project: {name: p, template: templates/t.yaml, auth: {us-east-2: gone}}\n\
             tests:\n  one: {regions: [us-east-1, us-east-2, us-west-1, eu-west-1, us-west-2]}\n  \
             two: {regions: [us-east-2, us-west-1], parameters: {Zones: a, Pass: hush}}\n",
        );
        let bucket = plan.buckets[0].name.clone();
        let expect = ["one/us-east-1", "one/us-west-2", "two/us-west-1"]
            .map(|cell| format!("{cell} in {bucket}"));
        assert_eq!((cells(&plan), warnings), (expect.to_vec(), vec![]));
        let refused = plan.refused.iter().map(|it| {
            (
                it.cell.id.to_string(),
                it.cell.account_id.as_str(),
                it.reason.as_str(),
            )
        });
        let account = "111111111111";
        assert_eq!(
            refused.collect::<Vec<_>>(),
            [
                (
                    "one/us-east-2".to_owned(),
                    "",
                    "profile gone: the security token is expired"
                ),
                (
                    "one/us-west-1".to_owned(),
                    account,
                    "parameter Zones: $[taskcat_genaz_2]: only 1 availability zone in us-west-1, 2 \
                     wanted"
                ),
                (
                    "one/eu-west-1".to_owned(),
                    account,
                    "parameter Zones: $[taskcat_genaz_2]: the availability zones of eu-west-1: \
                     UnauthorizedOperation: no",
                ),
                (
                    "two/us-east-2".to_owned(),
                    "",
                    "profile gone: the security token is expired"
                ),
            ]
        );
        let known: Vec<_> = plan.refused[1]
            .cell
            .parameters
            .iter()
            .map(|it| (it.key.as_str(), it.value.as_str()))
            .collect();
        assert_eq!(known, [("Name", "x"), ("Pass", "****")]);
    }

    #[test]
    fn one_bucket_serves_an_account() {
        let (plan, _) = plan(
            "project: {name: p, template: templates/t.yaml,\n  \
             regions: [us-east-1, ca-central-1, eu-central-1, cn-north-1],\n  \
             auth: {ca-central-1: other, eu-central-1: same, cn-north-1: china}}\n\
             tests: {one: {}, two: {}}\n",
        );
        let name =
            |partition: &str, account: &str| names::auto_bucket_name("p", partition, account, RUN);
        let first = name("aws", "111111111111");
        let second = name("aws", "222222222222");
        let third = name("aws-cn", "333333333333");
        assert_eq!(
            buckets(&plan),
            [
                (BucketKind::Auto, first.as_str(), "us-east-1", "default"),
                (BucketKind::Auto, second.as_str(), "ca-central-1", "other"),
                (BucketKind::Auto, third.as_str(), "cn-north-1", "china"),
            ]
        );
        let used: Vec<usize> = plan.cells.iter().map(|cell| cell.bucket).collect();
        assert_eq!(used, [0, 1, 0, 2, 0, 1, 0, 2]);
    }

    #[test]
    fn each_test_uses_the_bucket_that_it_names() {
        let (plan, _) = plan(
            "project: {name: p, template: templates/t.yaml, regions: [us-east-1, ca-central-1]}\n\
             tests: {auto: {}, given: {s3_bucket: mine}, both: {s3_bucket: mine, \
             s3_regional_buckets: true},\n  \
             regional: {s3_regional_buckets: true}, empty: {s3_bucket: ''}}\n",
        );
        let auto = names::auto_bucket_name("p", "aws", "111111111111", RUN);
        let regional = |region: &str| names::regional_bucket_name("111111111111", region);
        let east = regional("us-east-1");
        let central = regional("ca-central-1");
        assert_eq!(
            buckets(&plan),
            [
                (BucketKind::Auto, auto.as_str(), "us-east-1", "default"),
                (BucketKind::Given, "mine", "us-east-1", "default"),
                (
                    BucketKind::RegionalGiven,
                    "mine-us-east-1",
                    "us-east-1",
                    "default"
                ),
                (
                    BucketKind::RegionalGiven,
                    "mine-ca-central-1",
                    "ca-central-1",
                    "default"
                ),
                (
                    BucketKind::RegionalAuto,
                    east.as_str(),
                    "us-east-1",
                    "default"
                ),
                (
                    BucketKind::RegionalAuto,
                    central.as_str(),
                    "ca-central-1",
                    "default"
                ),
            ]
        );
        let used: Vec<usize> = plan.cells.iter().map(|cell| cell.bucket).collect();
        assert_eq!(used, [0, 0, 1, 1, 2, 3, 4, 5, 0, 0]);
    }

    #[test]
    fn artifact_regions_get_buckets_of_their_own() {
        let (plan, warnings) = plan(
            "project: {name: p, template: templates/t.yaml, s3_regional_buckets: true, auth: \
             {sa-east-1: gone}}\n\
             tests: {one: {regions: [us-east-1], artifact_regions: [us-east-1, ca-central-1, \
             sa-east-1]}}\n",
        );
        let found: Vec<_> = plan
            .buckets
            .iter()
            .map(|bucket| bucket.region.as_str())
            .collect();
        assert_eq!(
            (found, plan.cells.len(), plan.refused.len()),
            (vec!["us-east-1", "ca-central-1"], 1, 0)
        );
        let message = "artifact region sa-east-1 of test `one` gets no files: profile gone: the \
            security token is expired";
        assert_eq!(warnings, [message]);
    }

    #[test]
    fn questions_are_asked_once_for_profile_and_region() {
        let project = TempProject::new(&[
            (
                ".taskcat.yml",
                "project: {name: p, template: templates/t.yaml,\n  \
                 regions: [us-east-1, us-west-2], auth: {us-west-2: other}}\n\
                 tests: {one: {}, two: {}, three: {auth: {us-east-1: gone}}}\n",
            ),
            ("templates/t.yaml", TEMPLATE),
        ]);
        let (draft, _) = project.draft().unwrap();
        let lookups = draft.lookups(&identities(&draft));
        let asked: Vec<_> = lookups
            .iter()
            .map(|it| (it.profile.as_str(), it.region.as_str()))
            .collect();
        assert_eq!(asked, [("default", "us-east-1"), ("other", "us-west-2")]);
    }
}
