"""What CloudWatch makes of the function's log: metric filters over JSON lines, as its user guide has their patterns."""

import re

TOKEN = re.compile(r"""\s*(?:(\$(?:\.\w[\w-]*)+)|("[^"]*"|-?\d+(?:\.\d+)?)|(&&|\|\||!=|=|\(|\)))""")


def data(stack, lines):
    """The data points that a stack's filters make of lines: (metric, dimensions, value), line by line."""
    filters = [resource["Properties"] for resource in stack.resources.values() if resource["Type"] == "AWS::Logs::MetricFilter"]
    return [point for line in lines for each in filters if matches(each["FilterPattern"], line) for point in points(each, line)]


def points(filter_, line):
    """What a filter that matches a line makes of it; nothing where a dimension's field isn't there, as CloudWatch does."""
    for made in filter_["MetricTransformations"]:
        dimensions = {each["Key"]: at(line, each["Value"]) for each in made.get("Dimensions", [])}
        value = at(line, made["MetricValue"]) if made["MetricValue"].startswith("$") else float(made["MetricValue"])
        if value is not None and None not in dimensions.values():
            yield made["MetricName"], dimensions, value


def matches(pattern, line):
    """Whether a pattern, `{ … }`, finds a line."""
    inside = re.fullmatch(r"\{(.*)\}", pattern.strip())
    if not inside:
        raise ValueError(f"no pattern for JSON: {pattern}")
    tokens = tokenized(inside[1])
    found = either(tokens, line)
    if tokens:
        raise ValueError(f"left over in {pattern}: {tokens}")
    return found


def tokenized(text):
    tokens, place = [], 0
    while text[place:].strip():
        token = TOKEN.match(text, place)
        if not token:
            raise ValueError(f"no token: {text[place:]}")
        tokens.append(token[0].strip())
        place = token.end()
    return tokens


def either(tokens, line):
    found = both(tokens, line)
    while tokens and tokens[0] == "||":
        tokens.pop(0)
        found = both(tokens, line) or found
    return found


def both(tokens, line):
    found = term(tokens, line)
    while tokens and tokens[0] == "&&":
        tokens.pop(0)
        found = term(tokens, line) and found
    return found


def term(tokens, line):
    if tokens[0] == "(":
        tokens.pop(0)
        found = either(tokens, line)
        if tokens.pop(0) != ")":
            raise ValueError("a parenthesis is open")
        return found
    field, operator, value = tokens.pop(0), tokens.pop(0), tokens.pop(0)
    equal = str(at(line, field)) == value.strip('"')
    return {"=": equal, "!=": not equal}[operator]


def at(line, field):
    """The value of $.a.b in a line; none where it isn't there."""
    for key in field.removeprefix("$.").split("."):
        line = line.get(key) if isinstance(line, dict) else None
    return line
