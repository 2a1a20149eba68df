"""What is in the secrets of a deployment: made here, so that no state and no plan of Terraform has it. Pure.

Every part has a secret of its own, an object of environment variables, and clients have one with the token as it is.
Parts share what they have to: the token, the signing key, and the stores' users with hashes of the passwords.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from deploy.failed import Failed
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

_PASSWORD, _USERS = settings.STORE_PASSWORD.name, settings.STORE_USERS.name
#: What parts share: variable -> bytes of chance in it.
_SHARED = {settings.TOKEN.name: 16, settings.SIGNING_KEY.name: 32}
#: The stores' certificate, its key, and the authority that signed it: made together, since they fit only each other.
CERTIFICATE = (settings.STORE_CERTIFICATE.name, settings.STORE_KEY.name, settings.STORE_CA.name)


def contents(
    found: Mapping[str, str],
    variables: Mapping[str, Sequence[str]],
    chance: Callable[[int], str],
    certify: Callable[[], Mapping[str, str]],
) -> dict[str, str]:
    """What each secret has to hold, by its part, and the clients' by the name "token".

    What is there stays; what is missing is made. So without anything there, all of it is new; and where a new release
    gives roles other rights, only the users' lines change.

    Args:
        found: What the secrets hold now, as far as they hold anything.
        variables: Part -> the environment variables that its secret holds.
        chance: Hexadecimal digits for so many bytes.
        certify: Makes what `CERTIFICATE` names, as PEM; called only where some part holds any of it.

    Raises:
        Failed: There is a part, or a variable, whose value nobody here can make.
    """
    parts = {part: json.loads(text) for part, text in found.items() if part != "token"}
    passwords = _passwords(parts, chance)
    before: dict[str, str] = {}
    for values in parts.values():
        before |= dict(re.findall(r"^user (\w+) on #([0-9a-f]{64})", values.get(_USERS, ""), re.MULTILINE))
    # Nobody comes as one of the other roles; a password that nobody knows keeps it so.
    hashes = {
        role: digest(passwords[role]) if role in passwords else before.get(role) or digest(chance(16)) for role in Role
    }
    shared = {
        name: next((values[name] for values in parts.values() if name in values), None) or chance(size)
        for name, size in _SHARED.items()
    }
    if "token" in found:
        shared[settings.TOKEN.name] = found["token"]
    if any(name in CERTIFICATE for names in variables.values() for name in names):
        known = {name: values[name] for values in parts.values() for name in CERTIFICATE if name in values}
        shared |= known if known.keys() == set(CERTIFICATE) else certify()
    made = {"token": shared[settings.TOKEN.name]}
    for part, names in variables.items():
        known = dict(shared)
        if part in _ROLES:
            known[_PASSWORD] = passwords[_ROLES[part]]
        if part in _STORES:
            known[_USERS] = "\n".join(users(_STORES[part], hashes)) + "\n"
        if unknown := [name for name in names if name not in known]:
            raise Failed(
                f"nobody here can make {', '.join(unknown)} of the part {part}: is this the release of terraform/?"
            )
        made[part] = json.dumps({name: known[name] for name in sorted(names)})
    return made


def _passwords(parts: Mapping[str, Mapping[str, str]], chance: Callable[[int], str]) -> dict[Role, str]:
    passwords: dict[Role, str] = {}
    for part, role in _ROLES.items():
        if password := parts.get(part, {}).get(_PASSWORD):
            passwords.setdefault(role, password)
    return {role: passwords.get(role) or chance(16) for role in dict.fromkeys(_ROLES.values())}
