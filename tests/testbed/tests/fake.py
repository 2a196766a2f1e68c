#!/usr/bin/env python3
"""A function that does what FAKE says, which it may not: the testbed must notice."""

import json
import os
import sys
import time
import urllib.request

FAKE = os.environ.get("FAKE", "")
RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def ask(url, body=None, target=""):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"x-amz-target": f"secretsmanager.{target}"})
    with urllib.request.urlopen(request) as answer:
        return answer.headers, json.load(answer)


def copy_the_value(event):
    """Makes the current value, with a blank more, the version's own."""
    endpoint, secret = os.environ["SECRETS_MANAGER_ENDPOINT"], {"SecretId": event["SecretId"]}
    _, current = ask(endpoint, secret, "GetSecretValue")
    if FAKE == "leaks":
        print(current["SecretString"], flush=True)
    version = {"ClientRequestToken": event["ClientRequestToken"], "VersionStages": ["AWSPENDING"]}
    value = {"SecretString": current["SecretString"] + " "}
    ask(endpoint, secret | version | value, "PutSecretValue")


if FAKE == "does not start":
    sys.exit("it does not start")
while True:
    headers, event = ask(f"{RUNTIME}/next")
    call = f"{RUNTIME}/{headers['lambda-runtime-aws-request-id']}"
    if FAKE == "hangs":
        time.sleep(600)
    if FAKE == "dies":
        sys.exit(3)
    try:
        copy_the_value(event)
        ask(f"{call}/response", {})
    except Exception as failure:
        ask(f"{call}/error", {"errorType": "Fake", "errorMessage": repr(failure)})
