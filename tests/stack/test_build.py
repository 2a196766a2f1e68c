"""`sam build` makes the zip that ships, for the kind of processor that this runs on."""

import os
import platform
import re
import subprocess
import zipfile

import pytest

from cloudformation import ROOT

LIMIT = 6 * 1024 * 1024
ARCHITECTURE = {"aarch64": "arm64", "x86_64": "x86_64"}[platform.machine()]
AL2023 = (2, 34)  # the C library of provided.al2023


@pytest.mark.build
def test_what_sam_build_makes_fits_runs_on_al2023_and_rotates(tmp_path, measured):
    bootstrap = built(tmp_path)
    zipped = tmp_path / "function.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(bootstrap, "bootstrap")
    needs = glibc(bootstrap)
    measured(f"bootstrap: {bootstrap.stat().st_size:,} bytes, zipped {zipped.stat().st_size:,}; needs glibc {needs[0]}.{needs[1]}")
    assert zipped.stat().st_size <= LIMIT
    assert needs <= AL2023
    # This very file, against PostgreSQL and moto; the demo fails where a proof of its own does.
    subprocess.run(["cargo", "run", "--locked", "--example", "rotate", "--", bootstrap], check=True, cwd=ROOT)


def built(folder):
    """What `sam build` puts into the zip: one file, for which Lambda needs nothing else."""
    run = ROOT / "tests/stack/run"
    build = [run, "sam", "build", "--build-dir", folder, "--parameter-overrides", f"Architecture={ARCHITECTURE}"]
    subprocess.run(build, check=True, cwd=ROOT, env=os.environ | {"AWS_DEFAULT_REGION": "us-east-1"})
    files = [file for file in (folder / "RotationFunction").rglob("*") if file.is_file()]
    assert [file.name for file in files] == ["bootstrap"]
    return files[0]


def glibc(program):
    """The newest version of glibc that a program asks for."""
    symbols = subprocess.run(["objdump", "-T", program], check=True, capture_output=True, text=True).stdout
    return max((int(major), int(minor)) for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", symbols))
