//! The git-merge Lambda as a process, with the services that it calls: Lambda's runtime, GitHub
//! with a repository that really merges, and CodePipeline (`tests/python/pipeline.py`), and
//! Secrets Manager in the simulator.
//!
//! After every call, the process's output and everything that it sent are searched for the token.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::servers::{Kind, Server, support, venv};

pub const TOKEN: &str = "ghp_0fTheTestsAndOfNobodyElse4711";

/// Without the random suffix of Secrets Manager, which isn't required, and in another region than
/// the function.
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:github/token";

/// The environment in which the function starts.
pub struct Setup<'a> {
    /// The secret's text, or no secret at all. `APP_KEY` in it is the private key of the GitHub App
    /// 4711, as JSON has it.
    pub secret: Option<&'a str>,
    /// Whether CodePipeline can be reached.
    pub codepipeline: bool,
    /// Whether the function trusts the issuer of GitHub's certificate.
    pub authority: bool,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            secret: Some(TOKEN),
            codepipeline: true,
            authority: true,
        }
    }
}

pub struct Lambda {
    folder: TempDir,
    ports: Value,
    harness: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    function: Child,
    _secrets: Server,
}

impl Lambda {
    /// Starts the function with the plain token in the secret.
    pub fn start() -> Self {
        Self::of(Setup::default())
    }

    pub fn of(
        Setup {
            secret,
            codepipeline,
            authority,
        }: Setup,
    ) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        make_repository(folder.path());
        let secrets = Server::take(Kind::Simulator);
        let mut harness = Command::new(venv("moto").join("bin/python"))
            .arg(support("pipeline.py"))
            .arg(folder.path())
            .arg(TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = harness.stdin.take();
        let mut answers = BufReader::new(harness.stdout.take().unwrap());
        let ports = read(&mut answers);
        if let Some(secret) = secret {
            let key = fs::read_to_string(folder.path().join("app-key.pem")).unwrap();
            let secret = secret.replace("APP_KEY", &key.replace('\n', "\\n"));
            secrets.given(&["secret", "us-east-1", "github/token", &secret]);
        }
        let codepipeline = if codepipeline {
            local(&ports["codepipeline"])
        } else {
            nobody()
        };
        let mut function = Command::new(env!("CARGO_BIN_EXE_git-merge"));
        function.env_clear();
        if authority {
            function.env("SSL_CERT_FILE", folder.path().join("ca.pem"));
        }
        let function = function
            .envs([
                (
                    "AWS_LAMBDA_RUNTIME_API",
                    format!("127.0.0.1:{}", ports["runtime"]),
                ),
                ("AWS_ENDPOINT_URL_CODEPIPELINE", codepipeline),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.endpoint()),
            ])
            .envs([
                ("AWS_LAMBDA_FUNCTION_NAME", "git-merge"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "testing"),
                ("AWS_SECRET_ACCESS_KEY", "testing"),
            ])
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("stdout")).unwrap())
            .stderr(File::create(folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self {
            folder,
            ports,
            harness,
            commands,
            answers,
            function,
            _secrets: secrets,
        }
    }

    /// Returns parameters for the existing repository, with others added or replaced; `null`
    /// removes one.
    pub fn parameters(&self, changes: Value) -> Value {
        let mut parameters = json!({
            "owner": "acme", "repo": "shop",
            "baseBranch": "release", "headBranch": "feature/orders",
            "secretsManagerArn": SECRET, "apiUrl": self.github(),
        });
        for (key, value) in changes.as_object().unwrap() {
            parameters[key] = value.clone();
        }
        parameters
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        parameters
    }

    /// Runs a job for a commit named in the parameters, and returns the result reported to
    /// CodePipeline.
    pub fn job(&mut self, commit: &str, changes: Value) -> Value {
        let mut parameters = self.parameters(changes);
        if parameters.get("commit").is_none() {
            parameters["commit"] = commit.into();
        }
        self.told(&Job::new(parameters), 60.0)
    }

    /// Runs a job, and returns the result reported to CodePipeline.
    pub fn told(&mut self, job: &Job, seconds: f64) -> Value {
        let answer = self.invoke(&job.event(), seconds);
        assert_eq!(answer["response"]["jobId"], *job.id, "{answer}");
        let calls = self.calls();
        let told = calls["codepipeline"]
            .as_array()
            .unwrap()
            .iter()
            .find(|call| call["jobId"] == *job.id);
        told.unwrap_or_else(|| panic!("CodePipeline was not told of {}: {calls}", job.id))
            .clone()
    }

    /// Returns what the function answers to Lambda.
    pub fn invoke(&mut self, event: &Value, seconds: f64) -> Value {
        let answer = self.command(json!({"invoke": event, "seconds": seconds}));
        assert!(
            answer.get("timeout").is_none(),
            "the function ran longer than {seconds} s:\n{}",
            self.output()
        );
        assert!(
            !answer.to_string().contains(TOKEN),
            "the answer contains the token"
        );
        assert!(
            !self.output().contains(TOKEN),
            "the output contains the token"
        );
        assert!(
            !self.calls().to_string().contains(TOKEN),
            "a call contains the token"
        );
        answer
    }

    /// Injects faults into GitHub (`tests/python/pipeline_github.py` describes them).
    pub fn faults(&mut self, faults: Value) {
        self.command(json!({"faults": faults}));
    }

    /// `{"github": […], "codepipeline": […]}`
    pub fn calls(&mut self) -> Value {
        self.command(json!({"calls": true}))
    }

    /// Returns each call of GitHub with its status, as in `POST /repos/acme/shop/merges 201`.
    pub fn routes(&mut self) -> Vec<String> {
        let calls = self.calls();
        let route = |call: &Value| {
            let [method, path] = ["method", "path"].map(|it| call[it].as_str().unwrap());
            format!("{method} {path} {}", call["status"])
        };
        calls["github"]
            .as_array()
            .unwrap()
            .iter()
            .map(route)
            .collect()
    }

    pub fn github(&self) -> String {
        local(&self.ports["github"])
    }

    /// The same, encrypted.
    pub fn github_tls(&self) -> String {
        format!("https://localhost:{}", self.ports["github_tls"])
    }

    pub fn output(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap();
        read("stdout") + &read("stderr")
    }

    /// Commits a file to a branch and returns the commit's ID.
    pub fn commit(&self, branch: &str, file: &str, text: &str) -> String {
        commit(&self.folder.path().join("work"), branch, file, text)
    }

    /// Runs git in GitHub's repository.
    pub fn git(&self, args: &[&str]) -> String {
        git(&bare(self.folder.path()), args)
    }

    pub fn head(&self, branch: &str) -> String {
        self.git(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    fn command(&mut self, command: Value) -> Value {
        writeln!(self.commands.as_ref().unwrap(), "{command}").unwrap();
        read(&mut self.answers)
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        let _ = self.function.kill();
        let _ = self.function.wait();
        drop(self.commands.take());
        let _ = self.harness.wait();
    }
}

/// A job as CodePipeline sends it.
pub struct Job {
    pub id: String,
    /// The action's parameters, which need not be JSON.
    pub parameters: Option<String>,
    pub revision: Option<String>,
    pub continuation: Option<String>,
}

impl Job {
    pub fn new(parameters: Value) -> Self {
        let id = Uuid::new_v4().to_string();
        Self {
            id,
            parameters: Some(parameters.to_string()),
            revision: None,
            continuation: None,
        }
    }

    /// Returns the job that CodePipeline sends after one that was handed over.
    pub fn after(self, told: &Value) -> Self {
        let continuation = told["continuationToken"].as_str().unwrap().to_owned();
        Self {
            id: Uuid::new_v4().to_string(),
            continuation: Some(continuation),
            ..self
        }
    }

    /// <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html>
    pub fn event(&self) -> Value {
        let mut configuration = json!({"FunctionName": "git-merge"});
        if let Some(parameters) = &self.parameters {
            configuration["UserParameters"] = parameters.as_str().into();
        }
        let object = json!({"bucketName": "artifacts", "objectKey": "source.zip"});
        let location = json!({"type": "S3", "s3Location": object});
        let mut data = json!({
            "actionConfiguration": {"configuration": configuration},
            "inputArtifacts": [
                {"name": "Other", "revision": null, "location": location},
                {"name": "Source", "revision": self.revision, "location": location},
            ],
            "outputArtifacts": [],
            "artifactCredentials": {
                "accessKeyId": "a", "secretAccessKey": "b", "sessionToken": "c",
            },
        });
        if let Some(continuation) = &self.continuation {
            data["continuationToken"] = continuation.as_str().into();
        }
        json!({"CodePipeline.job": {"id": self.id, "accountId": "123456789012", "data": data}})
    }
}

/// Returns an address where nothing listens.
pub fn nobody() -> String {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("http://127.0.0.1:{port}")
}

fn local(port: &Value) -> String {
    format!("http://127.0.0.1:{port}")
}

fn read(answers: &mut impl BufRead) -> Value {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("pipeline.py: {error}: {line:?}"))
}

fn bare(folder: &Path) -> PathBuf {
    folder.join("acme/shop.git")
}

/// Creates `acme/shop` with the branch `release`, and `feature/orders` one commit ahead of it.
fn make_repository(folder: &Path) {
    let (bare, work) = (bare(folder), folder.join("work"));
    fs::create_dir_all(&bare).unwrap();
    git(
        &bare,
        &["init", "--quiet", "--bare", "--initial-branch", "release"],
    );
    git(
        folder,
        &["init", "--quiet", "--initial-branch", "release", "work"],
    );
    git(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
    commit(&work, "release", "README.md", "A shop.\n");
    git(&work, &["checkout", "--quiet", "-b", "feature/orders"]);
    commit(&work, "feature/orders", "orders.yaml", "Resources: {}\n");
}

fn commit(work: &Path, branch: &str, file: &str, text: &str) -> String {
    if git(work, &["branch", "--list", branch]).is_empty() {
        assert_eq!(
            branch, "release",
            "only the first branch is made by its first commit"
        );
    } else {
        git(work, &["checkout", "--quiet", branch]);
    }
    fs::write(work.join(file), text).unwrap();
    git(work, &["add", file]);
    git(
        work,
        &[
            "commit",
            "--quiet",
            "--message",
            &format!("{file} on {branch}"),
        ],
    );
    git(work, &["push", "--quiet", "--force", "origin", branch]);
    git(work, &["rev-parse", "HEAD"])
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "user.name=Tester",
            "-c",
            "user.email=tester@example.com",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
