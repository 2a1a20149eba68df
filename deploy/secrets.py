"""What is in the secrets of a deployment: made here, so that no state and no plan of Terraform has it. Pure.

Every part has a secret of its own, an object of environment variables, and clients have one with the token as it is.
Parts share what they have to: the token, the signing key, and the stores' users with hashes of the passwords.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from wukong import settings
from wukong.cluster.roles import Role, digest, users

#: Part -> as whom it comes to the stores. Whoever runs a store comes to it as a node's agent.
_ROLES = {
    "executor": Role.EXECUTOR,
    "scheduler": Role.SCHEDULER,
    "proxy": Role.PROXY,
    "kvs-node": Role.NODE,
    "mds": Role.NODE,
}
#: Part -> the kind of the store that it runs.
_STORES = {"kvs-node": "kvs", "mds": "mds"}
#: Those that sign, or speak for a user.
_SIGNERS = ("executor", "scheduler", "proxy")
#: Those that speak gRPC.
_CALLERS = (*_SIGNERS, "kvs-node")

_PASSWORD, _KEY = settings.STORE_PASSWORD.name, settings.SIGNING_KEY.name
_TOKEN, _USERS = settings.TOKEN.name, settings.STORE_USERS.name


def contents(found: Mapping[str, str], chance: Callable[[int], str]) -> dict[str, str]:
    """What each secret has to hold, by its part, and the clients' by the name "token".

    What is there stays; what is missing is made. So without anything there, all of it is new; and where a new release
    gives roles other rights, only the users' lines change.

    Args:
        found: What the secrets hold now, as far as they hold anything.
        chance: Hexadecimal digits for so many bytes.
    """
    parts = {part: json.loads(text) for part, text in found.items() if part != "token"}
    before: dict[str, str] = {}
    for values in parts.values():
        before |= dict(re.findall(r"^user (\w+) on #([0-9a-f]{64})", values.get(_USERS, ""), re.MULTILINE))
    token = found.get("token") or chance(16)
    key = next((values[_KEY] for values in parts.values() if _KEY in values), None) or chance(32)
    passwords: dict[Role, str] = {}
    for part, role in _ROLES.items():
        if password := parts.get(part, {}).get(_PASSWORD):
            passwords.setdefault(role, password)
    for role in _ROLES.values():
        if role not in passwords:
            passwords[role] = chance(16)
    # Nobody comes as one of the others; a password that nobody knows keeps it so.
    hashes = {role: digest(passwords[role]) if role in passwords else before.get(role) for role in Role}
    known = {role: hash_ or digest(chance(16)) for role, hash_ in hashes.items()}
    made = {"token": token}
    for part, role in _ROLES.items():
        values = {_PASSWORD: passwords[role]}
        if part in _CALLERS:
            values[_TOKEN] = token
        if part in _SIGNERS:
            values[_KEY] = key
        if part in _STORES:
            values[_USERS] = "\n".join(users(_STORES[part], known)) + "\n"
        made[part] = json.dumps(values, sort_keys=True)
    return made
