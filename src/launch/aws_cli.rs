//! AWS CLI commands that users can run for what taskcat leaves to them.

use crate::process;

/// Region, profile and endpoint of a command.
#[derive(Clone, Debug)]
pub(crate) struct AwsCli {
    pub profile: String,
    pub region: String,
    /// URL of the endpoint used instead of AWS.
    pub endpoint: Option<String>,
}

impl AwsCli {
    /// Returns a command such as `aws cloudformation delete-stack --stack-name a --region
    /// us-east-1`; `words` is the operation with its arguments.
    pub(crate) fn command(&self, service: &str, words: &[&str]) -> String {
        let mut command: Vec<&str> = ["aws", service]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        command.extend(["--region", &self.region]);
        if let Some(profile) = crate::aws::profile_argument(&self.profile) {
            command.extend(["--profile", profile]);
        }
        if let Some(endpoint) = &self.endpoint {
            command.extend(["--endpoint-url", endpoint]);
        }
        command
            .into_iter()
            .map(process::quoted)
            .collect::<Vec<_>>()
            .join(" ")
    }

    pub(crate) fn delete_stack(&self, stack: &str) -> String {
        self.command("cloudformation", &["delete-stack", "--stack-name", stack])
    }

    pub(crate) fn delete_change_set(&self, stack: &str, change_set: &str) -> String {
        let words = [
            "delete-change-set",
            "--stack-name",
            stack,
            "--change-set-name",
            change_set,
        ];
        self.command("cloudformation", &words)
    }

    /// Returns the command that deletes the bucket with its objects.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> String {
        self.command("s3", &["rb", &format!("s3://{bucket}"), "--force"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_work_as_they_are_printed() {
        let cli = AwsCli {
            profile: "default".into(),
            region: "us-east-1".into(),
            endpoint: None,
        };
        assert_eq!(
            cli.delete_stack("a"),
            "aws cloudformation delete-stack --stack-name a --region us-east-1"
        );
        let cli = AwsCli {
            profile: "my own".into(),
            endpoint: Some("http://localhost:1".into()),
            ..cli
        };
        assert_eq!(
            cli.delete_bucket("b"),
            "aws s3 rb s3://b --force --region us-east-1 --profile 'my own' --endpoint-url \
             http://localhost:1"
        );
    }
}
