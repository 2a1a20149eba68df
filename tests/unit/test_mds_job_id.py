"""Which ids jobs may have."""

from __future__ import annotations

import pytest

from wukong.errors import InvalidGraph
from wukong.mds.job_id import check_job_id, is_job_id

GOOD = ["a", "0", "-", "a" * 128, "Job-1_of.2026", "client-00ff-3", "a.b"]
BAD = ["", "a" * 129, "a:b", ":", "w:*", "a b", " a", "a\n", "a\0", "a/b", "größe", "١", "a*", "a,b", "{a}"]


@pytest.mark.parametrize("text", GOOD)
def test_a_job_may_have_the_id(text: str) -> None:
    assert is_job_id(text)
    check_job_id(text)


@pytest.mark.parametrize("text", BAD)
def test_no_job_has_the_id(text: str) -> None:
    assert not is_job_id(text)
    with pytest.raises(InvalidGraph, match="is no job id: it has 1 to 128"):
        check_job_id(text)


@pytest.mark.parametrize("word", ["in", "jobs", "ring", "up"])
def test_a_word_that_begins_keys_of_the_cluster_is_no_jobs_id(word: str) -> None:
    assert not is_job_id(word)
    with pytest.raises(InvalidGraph, match=f"no job can have the id '{word}'"):
        check_job_id(word)
    check_job_id(f"{word}-1")


def test_a_long_text_is_told_by_its_beginning() -> None:
    with pytest.raises(InvalidGraph) as raised:
        check_job_id("x" * 1_000_000)
    assert len(str(raised.value)) < 300
