"""What the role grants is what the real binary was seen to call, no more and no less (S9)."""

import json
import pathlib

import pytest

import checks
from cloudformation import load


def test_granted_is_what_the_binary_calls(request):
    path = request.config.getoption("--calls")
    if not path:
        pytest.fail("no recorded calls: run the integration tests, then give their file with --calls or DB_ROTATION_CALLS")
    recorded = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.strip()]
    assert recorded, f"{path} holds no calls"
    assert not checks.calls(load(), recorded)
