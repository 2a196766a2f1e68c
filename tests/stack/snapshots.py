"""The stack of each scenario as a file that a reviewer reads in a diff: every property of every resource, and every output.

    tests/stack/run python tests/stack/snapshots.py     writes them anew, for the diff to be read
"""

import difflib
import itertools
import pathlib

import yaml

from cloudformation import Stack, branches, load, outcomes
from expected import PLAIN, SCENARIOS

FOLDER = pathlib.Path(__file__).resolve().parent / "snapshots"
SECTIONS = ("Resources", "Outputs")


class Dumper(yaml.SafeDumper):
    """YAML as people write it: what has no inner structure on one line, a text of several lines as a block, and no anchors."""

    def ignore_aliases(self, data):
        return True

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
))


def texts(template):
    """Each scenario's file, by its name: the first in full, of the others what differs from it."""
    first, *others = SCENARIOS
    base = resolved(template, SCENARIOS[first])
    yield f"{first}.yaml", text(first, base)
    for name in others:
        yield f"{name}.yaml", text(name, {f"As in {first}, but for": different(base, resolved(template, SCENARIOS[name]))})


def resolved(template, parameters):
    """What a scenario comes to, with every function worked out."""
    stack = Stack(template, parameters)
    return {"Resources": stack.resources, "Outputs": stack.outputs}


def different(base, other):
    """What of a mapping is not as in another one; lists are told whole."""
    changed = {}
    for key in base | other:
        if key not in other:
            changed[key] = "(not there)"
        elif key not in base or not (isinstance(base[key], dict) and isinstance(other[key], dict)):
            changed |= {key: other[key]} if key not in base or other[key] != base[key] else {}
        elif inner := different(base[key], other[key]):
            changed[key] = inner
    return changed


def text(name, told):
    return yaml.dump({"Parameters": SCENARIOS[name]} | told, Dumper=Dumper, sort_keys=False, width=128, allow_unicode=True, default_flow_style=None)


def snapshots(template):
    """Every scenario of a template is as its snapshot has it; a difference is told as a diff."""
    stale = {file.name for file in FOLDER.glob("*.yaml")} - {f"{name}.yaml" for name in SCENARIOS}
    yield from (f"{name}: no such scenario" for name in sorted(stale))
    for name, made in texts(template):
        file = FOLDER / name
        kept = file.read_text() if file.exists() else ""
        if made != kept:
            changes = difflib.unified_diff(kept.splitlines(), made.splitlines(), lineterm="", n=0)
            yield f"{name}: {' '.join(line for line in changes if not line.startswith(('---', '+++', '@@')))}"


def unseen(template):
    """What no scenario shows: a resource, an output, a branch of an Fn::If, or two conditions of a resource in one of their combinations."""
    stacks = [Stack(template, parameters) for parameters in SCENARIOS.values()]
    for site, node in ((f"{section}.{name}", node) for section in SECTIONS for name, node in template[section].items()):
        own = {node["Condition"]: True} if "Condition" in node else {}
        taken = [dict(guards) for guards in dict.fromkeys(branches(node, tuple(own.items())))]
        for wanted in taken:
            if not any(all(stack.holds(name) is outcome for name, outcome in wanted.items()) for stack in stacks):
                yield f"{site}: no scenario has {wanted}"
        named = dict.fromkeys(name for guards in taken for name in guards if name not in own)
        for pair in itertools.combinations(named, 2):
            can = {tuple(come.values()) for come in outcomes(template, (*own, *pair), PLAIN) if all(come[name] for name in own)}
            have = {tuple(stack.holds(name) for name in (*own, *pair)) for stack in stacks}
            yield from (f"{site}: no scenario has {dict(zip((*own, *pair), one, strict=True))}" for one in sorted(can - have))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stale in FOLDER.glob("*.yaml"):
        stale.unlink()
    for name, content in texts(load()):
        (FOLDER / name).write_text(content)
