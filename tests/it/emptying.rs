//! Buckets are emptied whatever their versioning.

use crate::project::Project;
use crate::servers::{Kind, Server};
use crate::taskcat::{Outcome, Taskcat};

const RUN: &str = "0123456789abcdef0123456789abcdef";
const BUCKET: &str = "tcat-emptied-aaaaaaaa";

tests_on!(all: versions_of_any_kind_are_deleted);

/// A bucket that a run left, with an object written before versioning, one written while it was
/// enabled, and a delete marker from while it was suspended.
fn given(server: &Server) {
    server.given(&["bucket", BUCKET, "us-east-1", &format!("taskcat-id={RUN}")]);
    server.given(&["object", BUCKET, "plain", "1"]);
    server.given(&["versioning", BUCKET, "Enabled"]);
    server.given(&["object", BUCKET, "versioned", "1"]);
    server.given(&["object", BUCKET, "versioned", "2"]);
    server.given(&["versioning", BUCKET, "Suspended"]);
    server.given(&["object", BUCKET, "suspended", "1"]);
    server.given(&["removed", BUCKET, "suspended"]);
}

fn clean(project: &Project, endpoint: &str) -> Outcome {
    Taskcat::at(project, endpoint)
        .args(["test", "clean", "-r", "us-east-1", "-w", RUN])
        .run()
}

fn versions_of_any_kind_are_deleted(kind: Kind) {
    let server = Server::take(kind);
    given(&server);
    clean(&Project::copy_of("hooks"), &server.endpoint()).assert_code(0);
    server.standing(&["us-east-1"]).assert_nothing();
}

/// Without versioning, the only version is called `null` too.
#[test]
#[ignore = "needs moto and ministack; run tests/run.sh"]
fn plain_objects_are_deleted() {
    for kind in [Kind::Simulator, Kind::Ministack, Kind::Moto] {
        let server = Server::take(kind);
        server.given(&["bucket", BUCKET, "us-east-1", &format!("taskcat-id={RUN}")]);
        server.given(&["object", BUCKET, "plain", "1"]);
        clean(&Project::copy_of("hooks"), &server.endpoint()).assert_code(0);
        server.standing(&["us-east-1"]).assert_nothing();
    }
}
