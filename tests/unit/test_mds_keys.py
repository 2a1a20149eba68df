"""The names of keys: all under `w:`, and never two things under one name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from wukong.kvs import keys as kvs_keys
from wukong.mds import keys
from wukong.mds.job_id import is_job_id

JOB = st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True).filter(is_job_id) | st.sampled_from(
    ["in-1", "In", "in.", "rings", "job", "m", "p", "r", "e", "k", "v", "i", "0"]
)
NUMBER = st.integers(0, 2**32 - 1) | st.integers(0, 3)
HASH = st.integers(0, 3).map(lambda number: f"{number:064x}")
RECORD = st.from_regex(r"[0-9a-f]{1,16}(-[0-9]{1,3}\.[0-9]{1,3})?", fullmatch=True) | NUMBER.map(str)
TOKEN = st.from_regex(r"[0-9a-f]{1,16}", fullmatch=True)
UPLOAD = st.builds(kvs_keys.upload_owner, HASH, TOKEN)
OWNER = JOB | UPLOAD

#: Every function that names a key, with what it is called with.
NAMES: dict[Callable[..., str], tuple[st.SearchStrategy[object], ...]] = {
    keys.meta: (JOB,),
    keys.page: (JOB, NUMBER),
    keys.look: (JOB,),
    keys.record: (JOB, RECORD),
    keys.fan_in: (JOB, NUMBER, NUMBER),
    keys.owners: (JOB, NUMBER),
    keys.sinks: (JOB,),
    keys.slowest: (JOB,),
    keys.first: (JOB,),
    keys.deaths: (JOB,),
    keys.healed: (JOB,),
    keys.values: (JOB,),
    keys.targets: (JOB,),
    keys.events: (JOB,),
    keys.job_inputs: (JOB,),
    keys.uploaded_input: (HASH,),
    keys.uploaded_page: (HASH,),
    keys.ring: (NUMBER,),
    kvs_keys.stripe: (OWNER, NUMBER.map(str), TOKEN, NUMBER),
    kvs_keys.index: (OWNER,),
}

#: What names no key.
OTHERS = {"prefix", "job_of_channel", "upload_owner", "name_and_token", "first_stripe"}


@st.composite
def named(draw: st.DrawFn) -> tuple[str, tuple[object, ...], str]:
    """A function, its arguments, and the name that it gives."""
    function = draw(st.sampled_from(list(NAMES)))
    args = tuple(draw(strategy) for strategy in NAMES[function])
    return f"{function.__module__}.{function.__name__}", args, function(*args)


@given(st.lists(named(), min_size=2, max_size=12))
def test_two_things_never_have_one_name(things: list[tuple[str, tuple[object, ...], str]]) -> None:
    known: dict[str, object] = {keys.JOBS: "jobs", keys.RING_NEWEST: "newest"}
    for function, args, name in things:
        assert name.startswith("w:")
        assert known.setdefault(name, (function, args)) == (function, args)


@given(JOB)
def test_the_keys_of_a_job_start_with_its_prefix_and_no_others_do(job: str) -> None:
    for function, strategies in NAMES.items():
        if strategies[0] is JOB:
            rest = [0] * (len(strategies) - 1)
            assert function(job, *rest).startswith(f"{keys.prefix(job)}:")
            assert not function(f"{job}x", *rest).startswith(f"{keys.prefix(job)}:")


@given(st.data(), JOB)
def test_no_job_has_an_id_with_which_its_keys_could_meet_those_of_the_cluster(data: st.DataObject, job: str) -> None:
    """Whatever is appended to a key: what stands behind `w:` is either a job's id or a word that is none."""
    words = {name.split(":")[1] for name in (keys.JOBS, keys.RING_NEWEST)}
    for function, strategies in NAMES.items():
        if strategies[0] is not JOB:
            of_cluster = UPLOAD if strategies[0] is OWNER else strategies[0]
            name = function(*(data.draw(strategy) for strategy in (of_cluster, *strategies[1:])))
            words.add(name.split(":")[1])
        if strategies[0] in (JOB, OWNER):
            assert function(job, *(0 for _ in strategies[1:])).split(":")[1] == job
    assert words == keys.RESERVED
    assert not any(is_job_id(word) for word in words)


@given(JOB)
def test_a_channel_tells_its_job(job: str) -> None:
    channel = keys.events(job)
    assert re.fullmatch(keys.EVENT_CHANNELS.replace("*", ".*"), channel)
    assert keys.job_of_channel(channel) == job


def test_every_function_is_tried_here() -> None:
    functions = {
        function
        for module in (keys, kvs_keys)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and name not in OTHERS
    }
    assert functions == set(NAMES)


def test_the_scripts_spell_keys_as_this_module_does() -> None:
    """Scripts get a prefix and append; what they append is what the functions append."""
    appended: set[str] = set()
    for script in files("wukong.mds").joinpath("scripts").iterdir():
        text = script.read_text()
        appended |= set(re.findall(r"(?:prefix|ARGV\[1\]) \.\. '(:[a-z]+:)'", text))
        assert set(re.findall(r"'(w:[^']*)'", text)) <= {"w:ring:"}
    assert appended == {":r:", ":f:", ":o:", ":p:"}
    assert keys.page("j", 4) == keys.prefix("j") + ":p:" + "4"
    assert keys.record("j", "x") == keys.prefix("j") + ":r:" + "x"
    assert keys.fan_in("j", 0, 7) == keys.prefix("j") + ":f:" + "0" + ":" + "7"
    assert keys.owners("j", 0) == keys.prefix("j") + ":o:" + "0"
    assert keys.ring(3) == "w:ring:" + "3"
