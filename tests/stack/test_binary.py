"""What the stack says of the real binary, held against what that was seen to call and to write."""

import json
import pathlib

import pytest

import checks
from cloudformation import load


def test_granted_is_what_the_binary_calls(request):
    assert not checks.calls(load(), recorded(request, "--calls"))


def test_the_queries_find_what_the_binary_writes(request):
    assert not checks.lines(load(), recorded(request, "--lines"))


def recorded(request, option):
    path = request.config.getoption(option)
    if not path:
        pytest.fail(f"nothing recorded: `cargo test --test stack` records, or give a file with {option}")
    lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.strip()]
    assert lines, f"{path} is empty"
    return lines
