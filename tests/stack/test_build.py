"""`sam build` makes the zip that ships, for x86_64 on a machine of that kind; arm64 is built where its target is installed."""

import os
import pathlib
import subprocess
import zipfile

import pytest

from cloudformation import ROOT

LIMIT = 6 * 1024 * 1024


@pytest.mark.build
def test_sam_build_makes_a_zip_that_fits(tmp_path):
    run = ROOT / "tests/stack/run"
    build = [run, "sam", "build", "--build-dir", tmp_path, "--parameter-overrides", "Architecture=x86_64"]
    subprocess.run(build, check=True, cwd=ROOT, env=os.environ | {"AWS_DEFAULT_REGION": "us-east-1"})
    files = [file for file in (tmp_path / "RotationFunction").rglob("*") if file.is_file()]
    assert [file.name for file in files] == ["bootstrap"]
    zipped = pathlib.Path(tmp_path, "function.zip")
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(files[0], "bootstrap")
    print(f"bootstrap: {files[0].stat().st_size:,} bytes, zipped {zipped.stat().st_size:,}")
    assert zipped.stat().st_size <= LIMIT
