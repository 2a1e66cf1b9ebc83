"""Runs a buildspec as CodeBuild does, in bash on this machine
(https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html): all phases in one shell, a phase's commands until
one fails, then its `finally`; after a build that failed only post_build, after an earlier phase that failed nothing more.
Then artifacts and reports are collected.

    buildspec.py BUILDSPEC SOURCE OUTPUT

SOURCE is the folder that the build begins in. OUTPUT gets `artifacts/` and `reports/<name>/`, and `exported` with names
and values of the exported variables, each ended by a zero byte; a report without a file is said to be missing. The environment is the build's. The exit code is 0 if every phase succeeded.
"""

import glob
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import yaml

PHASES = ["install", "pre_build", "build", "post_build"]


def main():
    buildspec, source, output = map(pathlib.Path, sys.argv[1:])
    spec = yaml.safe_load(buildspec.read_text())
    assert str(spec["version"]) == "0.2", spec["version"]
    output.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(["bash", "-c", script(spec, output / "exported")], cwd=source)
    collect(spec, source, output)
    sys.exit(0 if ended.returncode == 0 else 1)


def script(spec, exported):
    names = spec.get("env", {}).get("exported-variables", [])
    export = [f'printf "%s\\0%s\\0" {name} "${{{name}:-}}" >>"$exported"' for name in names]
    lines = ["failed=0", f"exported={shlex.quote(str(exported.resolve()))}", 'true >"$exported"']
    # As it is when the build ends, however it ends.
    lines.append("\n".join(["export_variables() {", "true", *export, "}", "trap export_variables EXIT"]))
    for variable, value in spec.get("env", {}).get("variables", {}).items():
        lines.append(f"export {variable}=${{{variable}:-{shlex.quote(str(value))}}}")
    for name in PHASES:
        phase = spec["phases"].get(name)
        if phase is None:
            continue
        if name == "post_build":
            lines.append('if [ "$failed" = early ]; then exit 1; fi')
            lines.append('export CODEBUILD_BUILD_SUCCEEDING=1; [ "$failed" = 0 ] || CODEBUILD_BUILD_SUCCEEDING=0')
        elif name != "install":
            lines.append('if [ "$failed" != 0 ]; then exit 1; fi')
        lines += [f"echo '[buildspec] {name}' >&2", "ok=1"]
        lines += [f'if [ $ok = 1 ]; then eval {shlex.quote(command)} || ok=0; fi' for command in phase.get("commands", [])]
        # What comes after a failure must not hide it.
        lines += [f"eval {shlex.quote(command)} || ok=0" for command in phase.get("finally", [])]
        lines.append(f'if [ $ok = 0 ]; then failed={"late" if name == "build" else "early"}; fi')
    lines.append('[ "$failed" = 0 ]')
    return "\n".join(lines)


def collect(spec, source, output):
    for name, report in spec.get("reports", {}).items():
        files = matching(source / report.get("base-directory", "."), report["files"])
        copy(files, output / "reports" / name)
        if not files:
            print(f"[buildspec] report {name} has no file", file=sys.stderr)
    artifacts = spec.get("artifacts", {})
    if artifacts:
        files = matching(source / artifacts.get("base-directory", "."), artifacts["files"], artifacts.get("exclude-paths", []))
        copy(files, output / "artifacts")


def matching(base, patterns, excluded=()):
    """Paths of files below `base`, relative to it, with the base."""
    def found(patterns):
        names = (name for pattern in patterns for name in glob.glob(pattern, root_dir=base, recursive=True, include_hidden=True))
        return {name for name in names if (base / name).is_file()}

    return [(base, name) for name in sorted(found(patterns) - found(excluded))]


def copy(files, target):
    for base, name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(base / name, target / name)


os.umask(0o022)
main()
