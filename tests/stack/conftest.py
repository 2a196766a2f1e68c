"""The options that tell where the recordings are, and the report of what caught what and of what was measured."""

import pytest

def pytest_addoption(parser):
    parser.addoption("--calls", help="JSON lines {kind, secret, superuser, operation, resource, joined}, of calls that the binary made in the integration tests")
    parser.addoption("--lines", help="the lines that it wrote there")


@pytest.fixture
def caught(record_property):
    """Notes that a check caught a defect. Tests run in two processes: a report is what crosses between."""
    return lambda defect, check, problem: record_property("caught", (defect, check, " ".join(problem.split())[:90]))


@pytest.fixture
def measured(record_property):
    """Notes a figure."""
    return lambda figure: record_property("measured", figure)


def pytest_terminal_summary(terminalreporter):
    noted = [noted for report in terminalreporter.stats.get("passed", []) for noted in report.user_properties]
    caught = sorted((value for name, value in noted if name == "caught"), key=lambda value: value[1])
    for defect, check, problem in caught:
        terminalreporter.write_line(f"  {defect:50} {check:14} {problem}")
    if caught:
        terminalreporter.write_line(f"{len(caught)} injected defects, each caught by its check")
    for figure in (value for name, value in noted if name == "measured"):
        terminalreporter.write_line(figure)
