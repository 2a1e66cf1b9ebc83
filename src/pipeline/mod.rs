//! The pipeline that taskcat deploys: its template, what its stages run, and the plan of its stack.
//!
//! The files in `pipeline/` are part of this program. Together with the two programs that the
//! pipeline's machines run, they are a project like any other ([`PipelineFiles`]), which `run`
//! stages to a bucket and deploys by a change set. `cli` decides the values of the template's
//! parameters, since it can ask.

mod configuration;
mod files;
mod programs;

use std::path::Path;

use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::catalog;
use crate::event::CellId;
use crate::plan::{
    BucketKind, BucketPlan, Plan, PlannedParameter, ProfileIdentity, StackPlan, TestLimits,
    UpdatePlan,
};
use crate::template::{StackEnvironment, Template};

pub(crate) use configuration::{CONFIGURATION, archive};
pub(crate) use files::{PipelineFiles, program_prefix};
pub(crate) use programs::Programs;

/// The tag of a pipeline's stack, and of the bucket that was created for its programs: nothing
/// without it is ever deleted as a pipeline. Its value is the stack's name.
pub(crate) const TAG: &str = "taskcat-pipeline";

/// Parameters that follow from the programs, which nobody can set.
pub(crate) const OWN_PARAMETERS: [&str; 2] = ["ToolsPrefix", "Architecture"];

/// Returns the template. A test makes sure that it isn't `None`.
pub(crate) fn template() -> Option<Template> {
    Template::parse(
        &Path::new(files::TEMPLATE).into(),
        files::TEMPLATE.to_owned(),
        files::TEXT,
    )
    .0
}

/// The length of the stack's name in the name of its bucket, which may have 63 characters.
const NAME_IN_BUCKET: usize = 40;

/// The stack of a pipeline, whether it exists or not.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub name: String,
    pub region: String,
    pub profile: String,
    pub identity: ProfileIdentity,
}

/// Parameters by name, as the template declares them.
pub(crate) type Parameters = IndexMap<String, String>;

impl Target {
    /// Returns the name of the bucket that is created for the programs if the user names none. A
    /// pipeline always has the same one.
    pub(crate) fn tools_bucket(&self) -> String {
        let whose = format!("{}/{}/{}", self.identity.account_id, self.region, self.name);
        let hash = hex::encode(&Sha256::digest(whose)[..5]);
        let name: String = self
            .name
            .to_lowercase()
            .chars()
            .take(NAME_IN_BUCKET)
            .collect();
        format!("{}-tools-{hash}", name.trim_end_matches('-'))
    }

    /// Returns the environment in which the template is evaluated.
    pub(crate) fn place(&self) -> StackEnvironment {
        let partition = catalog::partition_of(&self.region);
        StackEnvironment::new(&self.region, &self.identity.partition, partition.dns_suffix)
    }

    /// Returns the plan that deploys the files with these parameters, which include `ToolsBucket`.
    pub(crate) fn plan(&self, files: &PipelineFiles, parameters: &Parameters) -> Plan {
        let Target {
            name,
            region,
            profile,
            identity:
                ProfileIdentity {
                    account_id,
                    partition,
                    ..
                },
        } = self.clone();
        let tools = parameters.get("ToolsBucket").cloned().unwrap_or_default();
        let is_made = tools == self.tools_bucket();
        let bucket = BucketPlan {
            project: files.version().to_owned(),
            kind: if is_made {
                BucketKind::RegionalGiven
            } else {
                BucketKind::Given
            },
            tag: is_made.then(|| (TAG.to_owned(), name.clone())),
            name: tools,
            region: region.clone(),
            other_regions: Vec::new(),
            profile: profile.clone(),
            account_id: account_id.clone(),
            partition: partition.clone(),
            object_acl: "private".to_owned(),
            enable_sig_v2: false,
            org_id: None,
        };
        let planned = |(key, value): (&String, &String)| PlannedParameter {
            key: key.clone(),
            value: value.clone(),
            secret: false,
        };
        let stack = StackPlan {
            cell: CellId {
                test: name.as_str().into(),
                region: region.as_str().into(),
            },
            stack_name: name.clone(),
            template: files::TEMPLATE.to_owned(),
            bucket: 0,
            template_key: format!("{}/{}", files.version(), files::TEMPLATE),
            parameters: parameters.iter().map(planned).collect(),
            tags: vec![(TAG.to_owned(), name)],
            role_arn: None,
            prehooks: Vec::new(),
            posthooks: Vec::new(),
            checks: Vec::new(),
            limits: TestLimits::default(),
            update: UpdatePlan::default(),
            dependencies: Vec::new(),
            needed_outputs: Vec::new(),
            profile,
            account_id,
            partition,
        };
        Plan {
            run_id: Uuid::new_v4(),
            project_name: files.version().to_owned(),
            project_root: files.folder().to_owned(),
            buckets: vec![bucket],
            cells: vec![stack],
            refused: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target {
        let identity = ProfileIdentity {
            account_id: "123456789012".into(),
            partition: "aws".into(),
            regions: Vec::new(),
        };
        Target {
            name: name.into(),
            region: "eu-central-1".into(),
            profile: "default".into(),
            identity,
        }
    }

    #[test]
    fn the_template_has_what_is_decided_here() {
        let template = template().unwrap();
        let has = |key: &str| template.parameters.iter().any(|it| it.key == key);
        assert!(OWN_PARAMETERS.into_iter().chain(["ToolsBucket"]).all(has));
    }

    #[test]
    fn every_pipeline_has_a_bucket_that_s3_takes() {
        let bucket = target("Shop-Pipeline").tools_bucket();
        assert!(bucket.starts_with("shop-pipeline-tools-"), "{bucket}");
        assert_eq!(bucket, target("Shop-Pipeline").tools_bucket());
        assert_ne!(
            bucket,
            Target {
                region: "us-east-1".into(),
                ..target("Shop-Pipeline")
            }
            .tools_bucket()
        );
        let long = target(&format!("{}-{}", "a".repeat(39), "b".repeat(80))).tools_bucket();
        assert!(
            long.len() <= 63 && long.starts_with(&format!("{}-tools-", "a".repeat(39))),
            "{long}"
        );
    }
}
