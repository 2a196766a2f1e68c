"""A release: the same zip wherever it is built, and an archive that deploys it with the SAM CLI alone."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile

import boto3
import pytest

from cloudformation import ROOT, load
from samcli.yamlhelper import yaml_parse

SCRIPT = ROOT / ".github/scripts/release"
CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text())
VERSION = CARGO["package"]["version"]
PROGRAM = b"\x7fELF" + bytes(range(256)) * 64


def packed(folder, architecture="x86_64"):
    """What the script makes of a program, in this folder."""
    folder.mkdir()
    program = folder / "program"
    program.write_bytes(PROGRAM)
    subprocess.run([SCRIPT, "pack", architecture, program, folder / "dist"], check=True)
    return folder / "dist"


def unpacked(archive, folder):
    """An archive's own folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (inside,) = folder.iterdir()
    return inside


def test_the_same_program_is_packed_into_the_same_bytes(tmp_path):
    umask = os.umask(0o077)
    first = packed(tmp_path / "first")
    os.umask(umask)
    time.sleep(1.1)  # a time of day would show
    second = packed(tmp_path / "second, elsewhere")
    assert sorted(file.name for file in first.iterdir()) == [
        f"db-rotation-{VERSION}-x86_64-stack.tar.gz",
        f"db-rotation-{VERSION}-x86_64.zip",
    ]
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes(), file.name


def test_the_zip_holds_one_program_that_may_run(tmp_path):
    (zipped,) = packed(tmp_path / "made").glob("*.zip")
    with zipfile.ZipFile(zipped) as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.external_attr >> 16, archive.read(entry)) == ("bootstrap", 0o100755, PROGRAM)


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_the_archives_template_is_the_template_with_the_zip_for_one_processor(architecture, tmp_path):
    (archive,) = packed(tmp_path / "made", architecture).glob("*.tar.gz")
    inside = unpacked(archive, tmp_path / "empty")
    wanted = load()
    function, choice = wanted["Resources"]["RotationFunction"], wanted["Parameters"]["Architecture"]
    function["Properties"]["CodeUri"] = f"db-rotation-{VERSION}-{architecture}.zip"
    del function["Metadata"]["BuildMethod"], function["Metadata"]["BuildProperties"]
    choice["Default"], choice["AllowedValues"] = architecture, [architecture]
    assert json.loads(json.dumps(yaml_parse((inside / "template.yaml").read_text()))) == wanted
    assert (inside / function["Properties"]["CodeUri"]).is_file()


def test_the_archive_has_what_its_pages_speak_of(tmp_path):
    (archive,) = packed(tmp_path / "made").glob("*.tar.gz")
    inside = unpacked(archive, tmp_path / "empty")
    tracked = subprocess.run(["git", "ls-files", "docs", "ops", "examples/cdk", "examples/policy", "examples/terraform"],
                             check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()
    for file in [*tracked, "README.md", "CHANGELOG.md", "LICENSE"]:
        assert (inside / file).read_bytes() == (ROOT / file).read_bytes()
    assert "sam build" not in (inside / "samconfig.toml").read_text()
    assert f"SHA-256 of bootstrap: {hashlib.sha256(PROGRAM).hexdigest()}\n" in (inside / "BUILD").read_text()


def test_the_sam_cli_deploys_the_archive_without_rust_or_docker(tmp_path, measured):
    (archive,) = packed(tmp_path / "made").glob("*.tar.gz")
    inside = unpacked(archive, tmp_path / "empty")
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), "/usr/bin", "/bin"])
    assert not any(shutil.which(tool, path=path) for tool in ("cargo", "rustc", "cargo-lambda", "docker"))
    with moto(tmp_path / "moto.log") as endpoint:
        account = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
        environment = account | {"PATH": path, "HOME": str(tmp_path), "AWS_ENDPOINT_URL": endpoint, "SAM_CLI_TELEMETRY": "0"}
        session = boto3.Session("none", "none", region_name="us-east-1")
        s3, cloudformation = (session.client(service, endpoint_url=endpoint) for service in ("s3", "cloudformation"))
        s3.create_bucket(Bucket="deployments")
        began = time.monotonic()
        # moto makes no bucket for resolve_s3, and no key with tags: so a bucket by name, and the change set is not executed.
        deployed = subprocess.run(
            ["sam", "deploy", "--config-env", "dev", "--no-resolve-s3", "--s3-bucket", "deployments", "--no-execute-changeset",
             "--parameter-overrides", "Environment=dev", "DatabaseHost=db.example.com", "EnableRotation=false"],
            cwd=inside, env=environment, capture_output=True, text=True,
        )
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        measured(f"sam deploy of the archive, to the change set: {time.monotonic() - began:.0f} s")
        (change_set,) = cloudformation.list_change_sets(StackName="cloud-optimizer-secrets-manager")["Summaries"]
        changes = cloudformation.describe_change_set(ChangeSetName=change_set["ChangeSetId"])["Changes"]
        assert "AWS::Serverless::Function" in {change["ResourceChange"]["ResourceType"] for change in changes}
        # What is uploaded for the function is the very zip, and the template names it.
        read = lambda key: s3.get_object(Bucket="deployments", Key=key)["Body"].read()  # noqa: E731
        uploaded = {item["Key"]: read(item["Key"]) for item in s3.list_objects_v2(Bucket="deployments")["Contents"]}
        (template,) = (yaml_parse(content.decode()) for key, content in uploaded.items() if key.endswith(".template"))
        code = template["Resources"]["RotationFunction"]["Properties"]["CodeUri"].removeprefix("s3://deployments/")
        assert uploaded[code] == next(inside.glob("*.zip")).read_bytes()


class moto:  # noqa: N801
    """A server with AWS's APIs for as long as it is needed; CloudFormation finds a template in S3 by this name alone."""

    def __init__(self, log):
        self.log = log

    def __enter__(self):
        self.port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(600):
            try:
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=5).connect()
                return f"http://localhost:{self.port}"
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise AssertionError("moto does not answer")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def test_the_notes_are_of_the_version_that_the_tag_names():
    notes = lambda tag: subprocess.run([SCRIPT, "notes", tag], capture_output=True, text=True)  # noqa: E731
    assert notes(f"v{VERSION}").stdout.strip() in (ROOT / "CHANGELOG.md").read_text()
    assert len(notes(f"v{VERSION}").stdout) > 100
    refused = notes("v99.0.0")
    assert refused.returncode == 1 and "the tag is v99.0.0" in refused.stderr


def test_the_profile_leaves_nothing_for_cargo_lambda_to_choose():
    """It fills in what isn't there, with `panic = "abort"` among it: a panic would then end the process instead of the call."""
    release = CARGO["profile"]["release"]
    assert release.keys() >= {"codegen-units", "lto", "panic", "strip"} and release["panic"] == "unwind"


@pytest.mark.build
def test_two_builds_in_two_folders_give_the_same_zip_and_it_rotates(tmp_path, measured):
    home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    other = tmp_path / "cargo of somebody else"
    (other / "registry").mkdir(parents=True)
    (other / "registry/cache").symlink_to(home / "registry/cache")  # packed crates; they are unpacked beside it
    if (home / "config.toml").exists():
        shutil.copy(home / "config.toml", other)
    first = built(tmp_path / "a", home)
    second = built(tmp_path / "another folder with a longer name", other)
    assert sorted(file.name for file in first.iterdir()) == sorted(file.name for file in second.iterdir())
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes(), f"{file.name} is another one"
    (archive,) = first.glob("*.tar.gz")
    inside = unpacked(archive, tmp_path / "empty")
    with zipfile.ZipFile(next(inside.glob("*.zip"))) as zipped:
        zipped.extract("bootstrap", inside)
    program = inside / "bootstrap"
    program.chmod(0o755)
    for builders in (str(tmp_path), str(home), str(pathlib.Path.home() / ".cache")):
        assert builders.encode() not in program.read_bytes(), builders
    names = {component["name"] for component in json.loads(next(first.glob("*.cdx.json")).read_text())["components"]}
    assert names >= {"tokio-postgres", "aws-sdk-secretsmanager", "openssl-src", "aws-lc-sys"}
    measured(f"two builds, one zip: SHA-256 {hashlib.sha256(next(first.glob('*.zip')).read_bytes()).hexdigest()}")
    subprocess.run(["cargo", "run", "--locked", "--example", "rotate", "--", program], check=True, cwd=ROOT)


def built(folder, cargo_home):
    """A release of these sources, built in a clone in this folder."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    for file in subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True, cwd=ROOT).stdout.split("\0"):
        if file and (ROOT / file).exists():
            shutil.copy(ROOT / file, folder / file)
    environment = {name: value for name, value in os.environ.items() if not re.match("CARGO_TARGET_DIR|NODE_PATH", name)}
    environment["CARGO_HOME"] = str(cargo_home)
    subprocess.run([".github/scripts/release", "build", "x86_64", "dist"], check=True, cwd=folder, env=environment)
    return folder / "dist"
