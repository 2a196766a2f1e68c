"""The workflows pass their linters and checks, and those catch what is injected."""

import re
import shutil

import pytest

import workflows
from cloudformation import ROOT


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
