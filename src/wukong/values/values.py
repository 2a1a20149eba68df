"""Values in and out of their stores: the one place that signs, verifies and unpickles them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate

from wukong.errors import ValueRefused
from wukong.kvs.keys import INPUT
from wukong.kvs.store import Kvs, Place
from wukong.redis.command import Buffer
from wukong.values import codec, mark
from wukong.values.codec import Packed
from wukong.values.contexts import adopted_context, manifest_context, value_context
from wukong.values.download import Carried, Download, Stored
from wukong.values.manifest import CARRIED, Manifest, digest, layout
from wukong.values.scalar import load_scalar
from wukong.values.signing import Signer
from wukong.values.upload import Upload

#: How the name of a bundle starts. Names of single values are numbers of tasks.
BUNDLE = "bundle-"


class Values:
    """Turns values into marks, and marks into values. Threads may share one.

    Args:
        kvs: Holds what is too large for a mark.
        signer: Has the cluster's key.
    """

    def __init__(self, kvs: Kvs, signer: Signer) -> None:
        self.kvs = kvs
        self._signer = signer

    def pack(self, value: object) -> Packed:
        """See `codec.pack`."""
        return codec.pack(value)

    def inline(self, owner: str, name: str, packed: Packed) -> bytes:
        """The mark that carries the value itself."""
        if packed.scalar is not None:
            return packed.scalar
        return mark.pickle_mark(self._signer.sign(value_context(owner, name), packed.pickle), packed)

    def store(self, owner: str, name: str, packed: Packed, token: str, seconds: float) -> bytes:
        """Write a value to the KVS and return the mark that says where it is. A scalar needs no place there.

        Args:
            owner: The job, or that of an upload (`wukong.kvs.keys.upload_owner`).
            name: The value's name, unique for its owner.
            packed: The value.
            token: Unique to this writing.
            seconds: After how long it may vanish.

        Raises:
            StoreFull: A KVS node has no room.
            ClusterUnavailable: A KVS node cannot be reached.
        """
        if packed.scalar is not None:
            return packed.scalar
        mark, stream = self.announce(owner, name, packed, token)
        self.kvs.put(owner, name, token, stream, seconds)
        return mark

    def store_apart(self, owner: str, name: str, packed: Packed, token: str, seconds: float) -> bytes:
        """Write a value to the KVS even if a mark could hold it: as a bundle of one. Otherwise as `store`."""
        if packed.buffers or len(packed.pickle) > CARRIED:
            return self.store(owner, name, packed, token, seconds)
        inline = self.inline(owner, name, packed)
        of = self.store(owner, f"{BUNDLE}{name}", codec.outside(inline), token, seconds)
        return mark.part_mark(mark.Part(0, len(inline), of))

    def bundle(
        self, owner: str, items: Sequence[tuple[str, Packed]], token: str, seconds: float, apart: bool = False
    ) -> list[bytes]:
        """Write several small values to the KVS as one and return a mark for each. Errors as in `store`.

        The bundle is the concatenation of the values' inline marks, so each stays bound to its own name. It is worth
        its reading whole: for values that one reader wants together.

        Args:
            owner: The job.
            items: Name and value of each.
            token: Unique to this writing.
            seconds: After how long it may vanish.
            apart: Whether it goes to the KVS even if marks could hold it.
        """
        inline = [self.inline(owner, name, packed) for name, packed in items]
        together = b"".join(inline)
        whole = codec.outside(together) if apart else self.pack(together)
        if whole.scalar is not None:
            return inline  # together they are no larger than what says where they are
        of = self.store(owner, f"{BUNDLE}{items[0][0]}", whole, token, seconds)
        ends = list(accumulate(map(len, inline)))
        return [mark.part_mark(mark.Part(end - len(one), len(one), of)) for one, end in zip(inline, ends, strict=True)]

    def upload(
        self, owner: str, name: str, token: str, pickle_length: int, lengths: Sequence[int], seconds: float
    ) -> Upload:
        """Write a value to the KVS as its bytes come, holding at most one stripe. Arguments are those of `store`.

        Args:
            pickle_length: The bytes of the pickle.
            lengths: The bytes of each buffer.
        """
        place = layout(owner, name, token, pickle_length, lengths).place()
        writer = self.kvs.writer(*place, seconds)
        return Upload(writer, place, pickle_length, lengths, self._sign_manifest)

    def announce(self, owner: str, name: str, packed: Packed, token: str) -> tuple[bytes, list[memoryview]]:
        """The mark of a value that somebody else will write, and the stream to write. Nothing is written or copied.

        Arguments are those of `store`; the value is no scalar.
        """
        data = packed.pickle
        carried = len(data) <= CARRIED
        stream: list[memoryview] = []
        for part in packed.buffers if carried else [memoryview(data), *packed.buffers]:
            stream.append(part)
            if spare := codec.padding(len(part)):
                stream.append(memoryview(spare))
        inside = (data, b"") if carried else (None, digest([data]))
        return self._sign_manifest(Manifest(owner, name, token, len(data), packed.lengths(), *inside)), stream

    def place(self, owner: str, name: str, of: bytes) -> Place:
        """Where the value is, or will be, that a mark with the tag M stands for. Errors as in `load`."""
        if not of.startswith(mark.MANIFEST_TAG):
            raise ValueRefused(f"the mark of the value {name!r} of {owner!r} does not say where in the KVS it is")
        return self._manifest(owner, name, of).place()

    def places(self, owner: str, values: Iterable[bytes]) -> list[Place]:
        """Where the values of an owner are, given the marks of their manifests. Errors as in `load`."""
        found: list[Place] = []
        for value in values:
            try:
                name = mark.name_of(value)
            except (ValueError, struct.error) as error:
                raise _malformed(owner, "", error) from error
            found.append(self.place(owner, name, value))
        return found

    def free(self, owner: str, values: Iterable[bytes]) -> int:
        """Remove values of an owner that nobody reads any more, given the marks of their manifests.

        Returns how many stripes were there. Errors as in `load`.
        """
        return self.kvs.free(self.places(owner, values))

    def there(self, owner: str, name: str, of: bytes) -> bool:
        """Whether a value can be read, as far as nodes answer. Errors as in `load`, but for a missing one."""
        return not of.startswith(mark.MANIFEST_TAG) or self.kvs.has(self._manifest(owner, name, of).place())

    def download(self, owner: str, name: str, of: bytes) -> Download:
        """The verified bytes of a value with the tag P or M, for one who rebuilds it elsewhere. Errors as in `load`.

        Raises:
            ValueError: The mark is a scalar or JSON, which needs no download.
        """
        if of.startswith(mark.MANIFEST_TAG):
            return Stored(self.kvs, self._manifest(owner, name, of))
        if of.startswith(mark.PICKLE_TAG):
            inline = self._split(owner, name, of)
            return Carried(inline.pickle, inline.buffers)
        raise ValueError(f"the mark of the value {name!r} of {owner!r} is the value itself")

    def load(self, owner: str, name: str, of: bytes) -> object:
        """The value that a mark stands for.

        Args:
            owner: The job whose value it must be; a mark of an uploaded input is accepted for any, one
                of another job's value where it was adopted (`wukong.values.adoption`).
            name: The name that it must have.
            of: The mark.

        Raises:
            ValueRefused: It is malformed, not signed with the cluster's key, or that of another value.
            ValueMissing: The KVS does not have it any more.
            ClusterUnavailable: A KVS node cannot be reached.
        """
        return self.load_many([(owner, name, of)])[0]

    def load_many(self, items: Sequence[tuple[str, str, bytes]]) -> list[object]:
        """The values of several (owner, name, mark), in one round trip to each KVS node. Errors as in `load`."""
        found: list[object] = [None] * len(items)
        stored: list[tuple[int, Manifest]] = []
        parts: dict[bytes, list[tuple[int, mark.Part]]] = {}
        for number, (owner, name, of) in enumerate(items):
            if of.startswith(mark.MANIFEST_TAG):
                stored.append((number, self._manifest(owner, name, of)))
            elif of.startswith(mark.BUNDLE_TAG):
                part = _split_part(owner, name, of)
                parts.setdefault(part.bundle, []).append((number, part))
            else:
                found[number] = self._load_carried(owner, name, of)
        bundles = [self._bundle(items[group[0][0]], of) for of, group in parts.items()]
        places: list[Place] = [manifest.place() for manifest in (*(entry for _, entry in stored), *bundles)]
        streams = self.kvs.get_many(places) if places else []
        for (number, manifest), stream in zip(stored, streams, strict=False):
            found[number] = _rebuild(manifest, stream)
        for bundle, group, stream in zip(bundles, parts.values(), streams[len(stored) :], strict=True):
            whole = _rebuild(bundle, stream)
            assert isinstance(whole, bytes)
            for number, part in group:
                owner, name, _ = items[number]
                found[number] = self._load_carried(owner, name, whole[part.offset : part.offset + part.length])
        return found

    def nbytes(self, of: bytes) -> int:
        """The bytes of the value that a mark stands for."""
        return mark.nbytes(of)

    def _manifest(self, owner: str, name: str, of: bytes) -> Manifest:
        """The verified manifest in a mark with the tag M. Errors as in `load`."""
        signature, body = mark.split_manifest_mark(of)
        try:
            manifest = Manifest.decode(body)
        except (ValueError, struct.error) as error:
            raise _malformed(owner, name, error) from error
        source = manifest.owner, manifest.name
        # Any job may use an uploaded input, since inputs are named by their content.
        if source == (owner, name) or manifest.owner.startswith(INPUT):
            self._signer.verify(manifest_context(*source), signature, body)
            return manifest
        try:
            self._signer.verify(adopted_context(source, owner, name), signature, body)
        except ValueRefused as error:
            raise ValueRefused(
                f"the mark of the value {name!r} of {owner!r} is that of {manifest.name!r} of {manifest.owner!r}, "
                "which was not adopted"
            ) from error
        return manifest

    def _bundle(self, item: tuple[str, str, bytes], of: bytes) -> Manifest:
        """The verified manifest of the bundle that an item is a part of. Errors as in `load`."""
        owner, name, _ = item
        try:
            inside = mark.name_of(of)
        except (ValueError, struct.error) as error:
            raise _malformed(owner, name, error) from error
        if not inside.startswith(BUNDLE):
            raise ValueRefused(f"the mark of the value {name!r} of {owner!r} names {inside!r}, which is no bundle")
        return self._manifest(owner, inside, of)

    def _sign_manifest(self, manifest: Manifest) -> bytes:
        """The mark of a value whose stream is complete in the KVS."""
        body = manifest.encode()
        return mark.manifest_mark(self._signer.sign(manifest_context(manifest.owner, manifest.name), body), body)

    def _split(self, owner: str, name: str, of: bytes) -> mark.Inline:
        """The verified parts of a mark with the tag P. Errors as in `load`."""
        try:
            inline = mark.split_pickle_mark(of)
        except (ValueError, struct.error) as error:
            raise _malformed(owner, name, error) from error
        self._signer.verify(value_context(owner, name), inline.signature, inline.pickle)
        return inline

    def _load_carried(self, owner: str, name: str, of: bytes) -> object:
        if of.startswith(mark.PICKLE_TAG):
            inline = self._split(owner, name, of)
            return codec.unpack(inline.pickle, inline.buffers)
        try:
            return mark.load_json(of) if of.startswith(mark.JSON_TAG) else load_scalar(of)
        except (ValueError, KeyError, IndexError, struct.error) as error:
            raise _malformed(owner, name, error) from error


def _split_part(owner: str, name: str, of: bytes) -> mark.Part:
    try:
        return mark.split_part_mark(of)
    except struct.error as error:
        raise _malformed(owner, name, error) from error


def _rebuild(manifest: Manifest, stream: memoryview) -> object:
    parts = codec.cut(stream, manifest.parts())
    data: Buffer
    if manifest.pickle is not None:
        data = manifest.pickle
    else:
        data = parts.pop(0)
        if digest([data]) != manifest.digest:
            raise ValueRefused(
                f"the pickle of the value {manifest.name!r} of {manifest.owner!r} was changed in the KVS; "
                "it was not unpickled"
            )
    return codec.unpack(data, parts)


def _malformed(owner: str, name: str, error: Exception) -> ValueRefused:
    return ValueRefused(f"the mark of the value {name!r} of {owner!r} is malformed ({error})")
