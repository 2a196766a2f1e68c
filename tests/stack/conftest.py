"""The option that tells where the recorded calls are, and the report of what caught what."""

import os

import pytest

CAUGHT = []


def pytest_addoption(parser):
    parser.addoption(
        "--calls",
        default=os.environ.get("DB_ROTATION_CALLS"),
        help="JSON lines {strategy, operation, resource} that the integration tests recorded (or DB_ROTATION_CALLS)",
    )


@pytest.fixture
def caught():
    """Notes that a check caught a defect."""
    return lambda defect, check, problem: CAUGHT.append((defect, check, " ".join(problem.split())[:90]))


def pytest_terminal_summary(terminalreporter):
    for defect, check, problem in CAUGHT:
        terminalreporter.write_line(f"  {defect:50} {check:14} {problem}")
    if CAUGHT:
        terminalreporter.write_line(f"{len(CAUGHT)} injected defects, each caught by its check")
