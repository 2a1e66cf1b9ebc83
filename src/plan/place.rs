//! The regions, profiles and roles of a draft's stacks and buckets.

use crate::config::LoadedConfig;

/// A region and the profile whose credentials are used there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProfileRegion {
    pub region: String,
    pub profile: String,
}

/// Settings that apply to every test.
#[derive(Clone, Debug)]
pub(super) struct ProjectDraft {
    pub name: String,
    pub object_acl: String,
    pub enable_sig_v2: bool,
    pub org_id: Option<String>,
}

impl ProjectDraft {
    pub(super) fn of(loaded: &LoadedConfig) -> Self {
        let project = &loaded.config.project;
        Self {
            name: project.name.clone().unwrap_or_default(),
            object_acl: project
                .s3_object_acl
                .clone()
                .unwrap_or_else(|| "private".to_owned()),
            enable_sig_v2: project.s3_enable_sig_v2.unwrap_or_default(),
            org_id: project.org_id.clone(),
        }
    }
}
