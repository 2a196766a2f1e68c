"""moto's server, with its Secrets Manager corrected where it differs from AWS's.

Sources: the API reference of PutSecretValue, UpdateSecretVersionStage, GetSecretValue, ListSecretVersionIds, RotateSecret.
"""

import json
import logging
import threading
import time

import moto.backends as backends
import moto.server as server
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    ResourceNotFoundException,
    SecretHasNoValueException,
    SecretNotFoundException,
)
from moto.secretsmanager.models import SecretsManagerBackend, SecretsStore
from moto.secretsmanager.responses import SecretsManagerResponse
from werkzeug.serving import WSGIRequestHandler, make_server

DAY = 86_400
ONE_AT_A_TIME = threading.Lock()


def corrects(corrected):
    """Replaces the method of the same name. The function gets the original as its first argument."""

    def put(function):
        original = getattr(corrected, function.__name__)
        setattr(corrected, function.__name__, lambda *given, **named: function(original, *given, **named))
        return function

    return put


@corrects(SecretsManagerResponse)
def call_action(original, response):
    """AWS changes a version or a label in one piece; moto answers each call on a thread of its own."""
    with ONE_AT_A_TIME:
        return original(response)


def found(secrets, key):
    """A secret by its name, or by its ARN, which ends in the name, a dash and six letters."""
    for name in (key, key.rsplit(":", 1)[-1][:-7]):
        secret = dict.get(secrets, name)
        if secret and key in (secret.name, secret.arn):
            return secret
    return None


def direct(original):
    """Finds a secret without comparing them all. moto's own search, which does, is left for partial ARNs."""
    return lambda secrets, key: found(secrets, key) or original(secrets, key)


for method in ("get", "__getitem__", "__contains__"):
    setattr(SecretsStore, method, direct(getattr(SecretsStore, method)))


def with_value(version):
    return version is not None and ("secret_string" in version or "secret_binary" in version)


def holder(secret, label):
    """The version that has a label."""
    return next((name for name, version in secret.versions.items() if label in version["version_stages"]), None)


def move(secret, label, to):
    """Moves a label, from wherever it is; AWSPREVIOUS follows AWSCURRENT."""
    former = holder(secret, label)
    for version in secret.versions.values():
        version["version_stages"] = [one for one in version["version_stages"] if one != label]
    if to:
        secret.versions[to]["version_stages"].append(label)
    if label == "AWSCURRENT":
        secret.set_default_version_id(to)
        if former and former != to:
            move(secret, "AWSPREVIOUS", former)


def living(backend, secret_id):
    secret = backend.describe_secret(secret_id)
    if secret.is_deleted():
        raise InvalidRequestException(
            "You can't perform this operation on the secret because it was marked for deletion."
        )
    return secret


@corrects(SecretsManagerBackend)
def _add_secret(original, backend, *given, **named):
    """moto dates versions in whole seconds, of which several may be made in one."""
    secret, has_value = original(backend, *given, **named)
    for version in secret.versions.values():
        if isinstance(version["createdate"], int):
            version["createdate"] = time.time()
    return secret, has_value


@corrects(SecretsManagerBackend)
def get_secret_value(original, backend, secret_id, version_id, version_stage):
    """Where no version is named, the one labelled AWSCURRENT; and AWS's message where there is no value."""
    label = version_stage or (None if version_id else "AWSCURRENT")
    try:
        return original(backend, secret_id, version_id, label)
    except (ResourceNotFoundException, SecretHasNoValueException, SecretNotFoundException):
        if secret_id not in backend.secrets:
            raise
    place = f"VersionId: {version_id}" if version_id else f"staging label: {label}"
    raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret value for {place}")


@corrects(SecretsManagerBackend)
def put_secret_value(_, backend, secret_id, secret_string, secret_binary, client_request_token, version_stages):
    """A version's value is written once: writing the same again succeeds, writing another is refused."""
    secret = living(backend, secret_id)
    name = backend._from_client_request_token(client_request_token)
    given = {"secret_string": secret_string, "secret_binary": secret_binary}
    version = secret.versions.get(name)
    if with_value(version):
        if any(version.get(form) != value for form, value in given.items()):
            raise ResourceExistsException(
                f"You can't use ClientRequestToken {name} because that value is already in use "
                f"for a version of secret {secret.arn}."
            )
        return secret.to_short_dict(include_version_stages=True, version_id=name)
    labels = set(version_stages) | (set() if secret.versions else {"AWSCURRENT"})
    version = version or staged(secret, name)
    version.update((form, value) for form, value in given.items() if value is not None)
    for label in sorted(labels, key="AWSCURRENT".__eq__):  # the last one, since AWSPREVIOUS follows it
        move(secret, label, name)
    secret.last_changed_date = int(time.time())
    return secret.to_short_dict(include_version_stages=True, version_id=name)


def staged(secret, name):
    """A new version, without a value."""
    secret.versions[name] = {"createdate": time.time(), "version_id": name, "version_stages": []}
    return secret.versions[name]


@corrects(SecretsManagerBackend)
def update_secret_version_stage(_, backend, secret_id, version_stage, remove_from_version_id, move_to_version_id):
    """A label is moved in one piece, from where it is, to a version that has a value; or not at all."""
    secret, label = living(backend, secret_id), version_stage
    origin, to = remove_from_version_id, move_to_version_id
    for name in (origin, to):
        if name and name not in secret.versions:
            raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret version: {name}")
    at = holder(secret, label)
    if not to and (not origin or label == "AWSCURRENT"):
        raise InvalidParameterException(f"Staging label {label} needs a version to move to.")
    if at and (origin or to) != at:
        raise InvalidParameterException(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to "
            f"version {at}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if origin and not at:
        raise InvalidParameterException(f"Staging label {label} isn't attached to any version.")
    if to != at:
        if label == "AWSCURRENT" and not with_value(secret.versions[to]):
            raise InvalidRequestException(f"You can't move AWSCURRENT to version {to}, which has no value.")
        move(secret, label, to)
    return secret.arn, secret.name


@corrects(SecretsManagerResponse)
def list_secret_version_ids(_, response):
    """Lists versions without a label only with IncludeDeprecated, and dates each when it was made; moto says now."""
    secret = living(response.backend, response._get_param("SecretId", ""))
    listed = [
        {"VersionId": name, "VersionStages": version["version_stages"], "CreatedDate": version["createdate"]}
        for name, version in secret.versions.items()
        if version["version_stages"] or response._get_bool_param("IncludeDeprecated")
    ]
    begin = int(response._get_param("NextToken") or 0)
    end = begin + (response._get_int_param("MaxResults") or 100)
    rest = {"NextToken": str(end)} if end < len(listed) else {}
    return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": listed[begin:end], **rest})


@corrects(SecretsManagerBackend)
def rotate_secret(_, backend, secret_id, client_request_token, rotation_lambda_arn, rotation_rules, rotate_immediately):
    """The service's first part only: stages an empty version. Who plays the service then calls the function."""
    secret = living(backend, secret_id)
    name = backend._from_client_request_token(client_request_token)
    if name in secret.versions:
        return secret.to_short_dict(version_id=name)
    if holder(secret, "AWSPENDING") not in (None, holder(secret, "AWSCURRENT")):
        raise InvalidRequestException("A previous rotation isn't complete. That rotation will be reattempted.")
    staged(secret, name)
    move(secret, "AWSPENDING", name)
    days = (rotation_rules or {}).get("AutomaticallyAfterDays", secret.auto_rotate_after_days or 30)
    secret.rotation_requested = secret.rotation_enabled = True
    secret.rotation_lambda_arn = rotation_lambda_arn or secret.rotation_lambda_arn
    secret.auto_rotate_after_days = days
    secret.next_rotation_date = int(time.time()) + days * DAY
    return secret.to_short_dict(version_id=name)


@corrects(SecretsManagerBackend)
def get_random_password(original, backend, **given):
    """moto crashes on passwords that can't exist."""
    try:
        return original(backend, **given)
    except Exception as error:
        raise InvalidParameterException("Invalid combination of password parameters.") from error


# Answers go out without delay, and calls are not logged.
WSGIRequestHandler.disable_nagle_algorithm = True
logging.getLogger("werkzeug").setLevel(logging.ERROR)

# For each call moto would list the folders of all its services, which takes as long as the rest of the call.
MODULES = tuple(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: MODULES

if __name__ == "__main__":
    application = server.DomainDispatcherApplication(server.create_backend_app)
    listening = make_server("127.0.0.1", 0, application, threaded=True)
    print(listening.port, flush=True)
    listening.serve_forever()
