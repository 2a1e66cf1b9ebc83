//! Runs the commands of `pipeline/README.md` from an empty folder to an approved stack.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::pipeline_command::{X86_64, write_programs};
use crate::pipeline_walk::{TOKEN, Walk, git};
use crate::project::Project;
use crate::servers::{Kind, Server, venv};
use crate::taskcat::Taskcat;

/// Replaces commands for services that the simulator lacks; others go to the real AWS CLI.
const AWS: &str = r#"#!/bin/sh
case "$1 $2" in
  "codeconnections create-connection")
    echo arn:aws:codeconnections:us-east-1:123456789012:connection/0f0f0f0f ;;
  "iam create-policy")
    test -f "${6#file://}" && echo "arn:aws:iam::123456789012:policy/$4" ;;
  *) exec "$REAL_AWS" "$@" ;;
esac
"#;

fn write_script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Returns the commands of the guide's first section, one text for each block.
fn commands() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline/README.md");
    let guide = fs::read_to_string(guide).unwrap();
    let blocks = guide.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Creates what the guide requires: a clone of this repository with programs that need no build,
/// and an empty repository at GitHub.
fn prepare(own: &Project) {
    let clone = own.home().join("taskcat");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline/examples");
    fs::create_dir_all(clone.join("pipeline/examples")).unwrap();
    for file in fs::read_dir(examples).unwrap() {
        let file = file.unwrap();
        let target = clone.join("pipeline/examples").join(file.file_name());
        fs::copy(file.path(), target).unwrap();
    }
    write_script(
        &clone.join("pipeline/package.sh"),
        "#!/bin/sh\ntest \"$1\" = x86_64\n",
    );
    write_programs(&clone.join("target/pipeline/x86_64"), X86_64);
    write_script(&own.path().join("bin/aws"), AWS);
    own.write("token.txt", TOKEN);
    let bare = own.path().join("repositories/example/shop.git");
    fs::create_dir_all(&bare).unwrap();
    git(&bare, &["init", "-q", "--bare", "-b", "main"]);
}

/// Runs commands of the guide in bash.
fn run(own: &Project, server: &Server, script: &str) {
    let path = std::env::var("PATH").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_taskcat")).parent().unwrap();
    let bin = own.path().join("bin");
    let repositories = own.path().join("repositories");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(own.path())
        .env_clear()
        .env(
            "PATH",
            format!("{}:{}:{path}", bin.display(), program.display()),
        )
        .env("HOME", own.home())
        .env("REAL_AWS", venv("pipeline").join("bin/aws"))
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .envs([
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("GIT_AUTHOR_NAME", "Tester"),
            ("GIT_AUTHOR_EMAIL", "tester@example.com"),
            ("GIT_COMMITTER_NAME", "Tester"),
            ("GIT_COMMITTER_EMAIL", "tester@example.com"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_VALUE_0", "git@github.com:"),
        ])
        .env(
            "GIT_CONFIG_KEY_0",
            format!("url.{}/.insteadOf", repositories.display()),
        )
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn the_guide_leads_to_an_approved_stack() {
    let (server, own) = (Server::take(Kind::Simulator), Project::empty("guide"));
    prepare(&own);
    let commands = commands();
    let [project, needed, programs, deploy, status, change] = &commands[..] else {
        panic!("{commands:#?}");
    };
    let first = [project, needed, programs, deploy, status].map(String::as_str);
    run(&own, &server, &first.concat());

    // The command has uploaded the configuration, which starts the pipeline.
    let mut walk = Walk::of(server, own);
    let walked = walk.command(&json!({"configured": true}));
    walked
        .assert_allowed()
        .assert_stage("Production", "Approval: waiting");
    let walked = walk.approve(true);
    walked
        .assert_allowed()
        .assert_stage("Production", "Prune: built");
    assert_eq!(walk.production().as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(walk.stack("shop").unwrap()["parameters"]["Size"], "large");

    run(&walk.own, &walk.server, &format!("cd shop\n{change}"));
    walk.run()
        .assert_allowed()
        .assert_stage("Production", "Approval: waiting");
    walk.approve(true)
        .assert_allowed()
        .assert_stage("Production", "Prune: built");
    assert_eq!(walk.production().as_deref(), Some("UPDATE_COMPLETE"));

    let delete = ["pipeline", "delete", "shop-pipeline", "--yes"];
    Taskcat::at(&walk.own, &walk.server.endpoint())
        .args(delete)
        .run()
        .assert_code(0);
    assert_eq!(walk.production().as_deref(), Some("UPDATE_COMPLETE"));
}
