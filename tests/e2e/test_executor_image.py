"""The executors' image with packages of the user's, made as docs/images.md shows; every example runs on it."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import secrets
import subprocess
from collections.abc import Iterator

import pytest
from tests.e2e.cluster import ROOT, Cluster, image
from tests.integration.test_examples import SMALL

from wukong import Client
from wukong.errors import MissingModule

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

#: What the examples need beyond what the image has.
PACKAGES = ["dask-ml", "scikit-learn"]


@pytest.fixture(scope="module", autouse=True)
def _from_a_checkout() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield


@pytest.fixture(scope="module")
def extended(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster, with an image that the page's Dockerfile made."""
    folder = tmp_path_factory.mktemp("image")
    (text,) = re.findall(r"^```dockerfile\n(.*?)^```$", (ROOT / "docs/images.md").read_text(), re.DOTALL | re.MULTILINE)
    assert text.startswith("FROM wukong-executor\n")
    (folder / "Dockerfile").write_text(text.replace("wukong-executor", image("executor"), 1))
    pins = [f"{name}=={importlib.metadata.version(name)}\n" for name in PACKAGES]
    (folder / "requirements.txt").write_text("".join(pins))
    (folder / "mypackage").mkdir()
    (folder / "mypackage/__init__.py").write_text("def name():\n    return __name__\n")
    tag = f"wukong-e2e-{secrets.token_hex(4)}"
    build = ["docker", "build", "--quiet", "--tag", tag, str(folder)]
    ran = subprocess.run(build, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    try:
        cluster.variables["WUKONG_EXECUTOR_IMAGE"] = tag
        cluster.up()
        yield cluster
        cluster.down()
    finally:
        cluster.engine.images.remove(tag, force=True)


def test_a_missing_package_is_named_and_how_to_add_it(client: Client) -> None:
    from sklearn.metrics import accuracy_score

    with pytest.raises(MissingModule, match=r"cannot import 'sklearn.*docs/images\.md shows how to add") as error:
        client.get({"a": (accuracy_score, [1, 2], [1, 1])}, "a")
    version = importlib.metadata.version("scikit-learn")
    assert f"Add scikit-learn=={version} to their image, as docs/images.md shows." in error.value.__notes__[0]


def test_so_is_one_that_a_value_needs(client: Client) -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'sklearn'") as error:
        importlib.import_module("examples.digits").run(client.get, **SMALL["digits"])
    assert "to their image, as docs/images.md shows" in error.value.__notes__[-1]


def test_so_is_one_that_a_task_imports_itself(client: Client) -> None:
    def predict() -> str:
        import sklearn

        return str(sklearn.__version__)

    with pytest.raises(ModuleNotFoundError, match="No module named 'sklearn'") as error:
        client.get({"a": (predict,)}, "a")
    assert "to their image, as docs/images.md shows" in error.value.__notes__[0]


def test_the_cluster_knows_what_the_new_image_has(extended: Cluster) -> None:
    with extended.client() as client:
        packages = client.info()["packages"]
    for name in PACKAGES:
        assert packages[name] == importlib.metadata.version(name)


def test_modules_of_ones_own_are_there(extended: Cluster) -> None:
    def ask() -> str:
        import mypackage  # type: ignore[import-not-found]

        return str(mypackage.name())

    with extended.client() as client:
        assert client.get({"a": (ask,)}, "a") == "mypackage"


@pytest.mark.parametrize("name", SMALL)
def test_the_example_agrees_with_dask(extended: Cluster, name: str) -> None:
    with extended.client() as client:
        assert importlib.import_module(f"examples.{name}").run(client.get, **SMALL[name])
