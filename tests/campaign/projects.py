"""The small projects that the campaign runs: copies of `fixtures/projects`, and what their runs should end with."""

import dataclasses
import shutil

from paths import ROOT

# The user's own bucket of the project `given-bucket`, and an object of another project in it.
USERS_BUCKET = "the-users-own-bucket"


@dataclasses.dataclass(frozen=True)
class Project:
    fixture: str
    regions: tuple[str, ...]
    exit_code: int = 0
    # (file, text, replacement)
    edits: tuple[tuple[str, str, str], ...] = ()
    # Prefix of the objects that a run may leave in the user's bucket.
    staged_under: str | None = None

    @property
    def name(self):
        return self.fixture

    def copy(self, folder):
        shutil.copytree(ROOT / "fixtures/projects" / self.fixture, folder)
        for file, text, replacement in self.edits:
            path = folder / file
            content = path.read_text(encoding="utf-8")
            if text not in content:
                raise RuntimeError(f"{path} lacks {text!r}")
            path.write_text(content.replace(text, replacement), encoding="utf-8")


TEN_REGIONS = (
    "us-east-1 us-east-2 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 ap-southeast-2 sa-east-1"
).split()

PROJECTS = {
    project.name: project
    for project in [
        # An automatic bucket, one stack.
        Project("undeclared-parameter", ("us-east-1",)),
        # The user's bucket, two regions.
        Project("given-bucket", ("us-east-1", "eu-west-1"), staged_under="given-bucket/"),
        # Six stacks with a nested one and a Lambda function each. A bucket per region would stay, so there is one.
        Project(
            "first-run",
            ("us-east-1", "eu-west-1", "ap-southeast-2"),
            edits=((".taskcat.yml", "  s3_regional_buckets: true\n", ""),),
        ),
        # Programs before and after the stacks; one test fails on purpose.
        Project(
            "hooks",
            ("us-east-1", "eu-west-1"),
            exit_code=1,
            edits=(
                ("hooks/record.sh", "mkdir -p seen", "sleep 0.3; mkdir -p seen"),
                (".taskcat.yml", "      - type: on-path\n        config:\n          colour: green\n", ""),
            ),
        ),
        # Ten regions, one of which fails.
        Project("ten-regions", tuple(TEN_REGIONS), exit_code=1),
        # Stacks that take a while.
        Project("slow", ("us-east-1", "eu-west-1")),
        # Stacks nested two deep; the simulator creates what fails elsewhere.
        Project("nested-fail", ("us-east-1",)),
    ]
}
