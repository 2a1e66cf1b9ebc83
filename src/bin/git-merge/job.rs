//! What CodePipeline calls the function with.
//!
//! <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html>. The
//! event also holds credentials for the artifacts, so nothing of it is printed whole.

use serde_json::Value;

/// A job, whose result CodePipeline must be told.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    pub id: String,
    /// The action's `UserParameters`, unread.
    pub parameters: Option<String>,
    /// The revision of the first input artifact that has one.
    pub revision: Option<String>,
    /// What an earlier job handed over.
    pub continuation: Option<String>,
}

impl Job {
    /// Reads the event; `None` if it has no ID. Any other job gets a result, if only a failure.
    pub fn of(event: &Value) -> Option<Self> {
        let job = &event["CodePipeline.job"];
        let data = &job["data"];
        let revisions = data["inputArtifacts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| text(&it["revision"]));
        Some(Self {
            id: text(&job["id"])?,
            parameters: text(&data["actionConfiguration"]["configuration"]["UserParameters"]),
            revision: revisions.into_iter().next(),
            continuation: text(&data["continuationToken"]),
        })
    }
}

/// A string with something in it.
fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_read_as_codepipeline_sends_it() {
        let event = json!({"CodePipeline.job": {
            "id": "11111111-abcd-1111-abcd-111111abcdef",
            "accountId": "111111111111",
            "data": {
                "actionConfiguration": {"configuration": {
                    "FunctionName": "git-merge",
                    "UserParameters": "{}",
                }},
                "inputArtifacts": [
                    {"name": "Unrevised", "revision": null, "location": {"type": "S3"}},
                    {"name": "Source", "revision": "0f3", "location": {"type": "S3"}},
                ],
                "outputArtifacts": [],
                "artifactCredentials": {"accessKeyId": "AKIA", "secretAccessKey": "s",
                    "sessionToken": "t"},
                "continuationToken": "later",
            },
        }});
        let job = Job::of(&event).unwrap();
        assert_eq!(job.id, "11111111-abcd-1111-abcd-111111abcdef");
        assert_eq!(job.parameters.as_deref(), Some("{}"));
        assert_eq!(job.revision.as_deref(), Some("0f3"));
        assert_eq!(job.continuation.as_deref(), Some("later"));
    }

    #[test]
    fn a_job_needs_an_id_and_nothing_else() {
        let bare = Job {
            id: "1".into(),
            parameters: None,
            revision: None,
            continuation: None,
        };
        assert_eq!(
            Job::of(&json!({"CodePipeline.job": {"id": "1"}})),
            Some(bare)
        );
        for other in [
            json!({}),
            json!({"CodePipeline.job": {"id": 1}}),
            json!([1]),
            json!("CodePipeline.job"),
        ] {
            assert_eq!(Job::of(&other), None, "{other}");
        }
    }
}
