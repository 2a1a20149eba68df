from collections.abc import Hashable
from operator import add

import dask
import pytest

from wukong.client.answers import arrange

GRAPH = {"a": 1, ("x", 0): (add, "a", 1), ("x", 1): None}
INDEX: dict[Hashable, int] = {"a": 0, ("x", 0): 1, ("x", 1): 2}
VALUES = {0: 1, 1: 2, 2: None}


@pytest.mark.parametrize(
    "keys",
    ["a", ("x", 0), ["a"], [["a", ("x", 0)], [("x", 1)]], [["a", ["a", [("x", 1)]]], ("x", 0)], [[], "a"]],
)
def test_values_have_the_shape_that_dask_gives_them(keys: object) -> None:
    found = arrange(keys, INDEX, VALUES)
    assert found == dask.get(GRAPH, keys)
    assert type(found) is type(dask.get(GRAPH, keys))
