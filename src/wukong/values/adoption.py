"""Lets one job use a value of another as its input: the mark is verified, and signed anew for its new name.

Only who has the cluster's key can do that, so a mark that somebody moves from one job to another in the store is still
refused.
"""

from __future__ import annotations

import struct

from wukong.errors import ValueRefused
from wukong.values import mark
from wukong.values.contexts import adopted_context, manifest_context, value_context
from wukong.values.manifest import Manifest
from wukong.values.signing import SIZE, Signer


def adopt(signer: Signer, of: bytes, source: tuple[str, str], target: tuple[str, str]) -> bytes:
    """The mark of a value for its use under another name. Where the value is in the KVS, it stays where it is.

    Args:
        signer: Has the cluster's key.
        of: The mark.
        source: Owner and name that the value has.
        target: The job that will use it, and the name that it will have there.

    Raises:
        ValueRefused: The mark is not signed for `source`, is malformed, or is a part of a bundle.
    """
    try:
        if of.startswith(mark.PICKLE_TAG):
            inline = mark.split_pickle_mark(of)
            signer.verify(value_context(*source), inline.signature, inline.pickle)
            return of[:1] + signer.sign(value_context(*target), inline.pickle) + of[1 + SIZE :]
        if of.startswith(mark.MANIFEST_TAG):
            signature, body = mark.split_manifest_mark(of)
            manifest = Manifest.decode(body)
            if (manifest.owner, manifest.name) != source:
                raise ValueRefused(f"the mark of {source[1]!r} of {source[0]!r} is that of another value")
            signer.verify(manifest_context(*source), signature, body)
            return mark.manifest_mark(signer.sign(adopted_context(source, *target), body), body)
    except (ValueError, struct.error) as error:
        raise ValueRefused(f"the mark of the value {source[1]!r} of {source[0]!r} is malformed ({error})") from error
    if of.startswith(mark.BUNDLE_TAG):
        raise ValueRefused(f"the value {source[1]!r} of {source[0]!r} is a part of a bundle, which stays in its job")
    return of
