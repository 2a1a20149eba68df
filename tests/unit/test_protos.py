import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf import json_format

from wukong.rpc.v1 import data_pb2, fleet_pb2, node_pb2, ring_pb2, scheduler_pb2

PROTOS = Path(__file__).parents[2] / "protos"


@pytest.fixture
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", PROTOS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_code_is_what_the_protos_say(generate: ModuleType) -> None:
    assert generate.differences() == []


def test_a_changed_file_is_noticed(generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate.generate(tmp_path)
    package = tmp_path / generate.PACKAGE
    (package / "job_pb2.py").write_text("stale")
    (package / "ring_pb2.pyi").unlink()
    (package / "left_pb2.py").write_text("superfluous")
    monkeypatch.setattr(generate, "OUTPUT", tmp_path)
    assert generate.differences() == ["job_pb2.py", "left_pb2.py", "ring_pb2.pyi"]


def test_the_services_are_the_documented_ones() -> None:
    services = {
        service.full_name: [method.name for method in service.methods]
        for module in (scheduler_pb2, data_pb2, ring_pb2, fleet_pb2, node_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
    }
    assert services == {
        "wukong.rpc.v1.Scheduler": [
            "GetCluster",
            "UploadPages",
            "SubmitJob",
            "GetJob",
            "RestoreResults",
            "WatchJob",
            "ListJobs",
            "CancelJob",
            "ReleaseJob",
            "KeepJobs",
            "ScaleKvs",
        ],
        "wukong.rpc.v1.Data": ["PutValue", "GetResult"],
        "wukong.rpc.v1.Ring": ["Register", "Heartbeat", "GetRing"],
        "wukong.rpc.v1.Fleet": ["FanOut"],
        "wukong.rpc.v1.Node": ["Stats", "PurgeJob"],
    }


def test_a_job_of_calls_reads_naturally_as_json() -> None:
    text = """{"job_id": "demo-1", "targets": ["b"], "tasks": [
        {"id": "a", "call": {"function": "operator:add", "args": [1, 2]}},
        {"id": "b", "call": {"function": "builtins:sum", "args": [[{"$task": "a"}, 1.5]]}}]}"""
    request = json_format.Parse(text, scheduler_pb2.SubmitJobRequest())
    assert list(request.tasks[0].call.args) == [1, 2]
    assert json_format.MessageToJson(request.tasks[1].call.args, indent=None) == '[[{"$task": "a"}, 1.5]]'
    assert not request.HasField("graph")
