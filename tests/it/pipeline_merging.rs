//! Merges of branches that have changed since the tests: the pipeline's parameters decide.

use crate::pipeline_walk::{PRODUCTION, Walk, Walked};

/// A configuration with a hook that pushes a commit to `develop`.
const MOVES: &str = r#"
project:
  name: shop
  regions: [us-east-1]
  posthooks:
    - type: script
      config:
        command: >-
          git -c user.name=Tester -c user.email=tester@example.com commit -q --allow-empty -m moved
          && git push -q origin HEAD:develop
tests:
  main:
    template: templates/shop.yaml
    parameters:
      ArtifactBucket: $[taskcat_autobucket]
      ArtifactPrefix: $[taskcat_project_name]/
"#;

/// Moves the source branch while the tests run.
fn move_the_branch(parameter: &str) -> (Walk, Walked) {
    let mut walk = Walk::begin(&["TestMachines=1", parameter]);
    let walked = walk.configure_with(MOVES, PRODUCTION);
    walked.assert_allowed();
    let head = walk.git("repositories/acme/shop.git", &["rev-parse", "develop"]);
    assert_ne!(walked.variable("Source", "CommitId"), head);
    (walk, walked)
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn a_moved_branch_is_merged_only_if_that_is_allowed() {
    let (_walk, walked) = move_the_branch("MergeMovedBranches=false");
    walked.assert_stage("GitMerge", "Merge failed: `develop` has moved on");

    let (walk, walked) = move_the_branch("MergeMovedBranches=true");
    walked.assert_stage("Production", "Approval: waiting");
    let tested = walked.variable("Source", "CommitId");
    assert_eq!(walked.variable("Merge", "headCommit"), tested);
    let merged = walk.git(
        "repositories/acme/shop.git",
        &["log", "--format=%s", "main"],
    );
    assert!(!merged.contains("moved"), "{merged}");
}

/// Runs the pipeline with a release branch that has the commit already, and a change on top of it.
fn release_untested(parameter: &str) -> Walked {
    let mut walk = Walk::begin(&["TestMachines=1", parameter]);
    walk.own.replace(
        "shop/templates/shop.yaml",
        "VisibilityTimeout: 30",
        "VisibilityTimeout: 60",
    );
    walk.push("longer");
    walk.git("shop", &["checkout", "-q", "main"]);
    walk.git("shop", &["merge", "-q", "develop"]);
    walk.own.write("shop/hotfix.md", "Fixed.\n");
    walk.git("shop", &["add", "."]);
    walk.git("shop", &["commit", "-q", "-m", "a hotfix"]);
    walk.git("shop", &["push", "-q", "origin", "main"]);
    walk.git("shop", &["checkout", "-q", "develop"]);
    let walked = walk.run();
    walked.assert_allowed();
    walked
}

#[test]
#[ignore = "needs Python; run tests/run.sh"]
fn an_untested_release_goes_on_only_if_that_is_allowed() {
    let walked = release_untested("AllowUntestedMerges=false");
    walked.assert_stage("GitMerge", "Merge failed: nothing to merge");

    let walked = release_untested("AllowUntestedMerges=true");
    walked.assert_stage("Production", "Approval: waiting");
    assert_eq!(walked.variable("Merge", "isTested"), "false");
}
