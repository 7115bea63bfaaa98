"""`mcpfleet render` prints what would be applied, and refuses with the place of each reason."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.main import app

CASES = Path(__file__).parents[1] / "cases" / "render"
GKE = str(CASES / "gke.fleet.yaml")
GENERIC = str(CASES / "generic.fleet.yaml")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["render", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_objects_are_printed_as_kubectl_takes_them():
    printed = run("--image", "example.com/serve:1", GKE)
    assert printed == (CASES / "gke.objects.yaml").read_text()


def test_json_is_one_list_of_the_same_objects():
    document = json.loads(run("--output", "json", GKE))
    assert (document["apiVersion"], document["kind"]) == ("v1", "List")
    assert document["items"] == list(yaml.safe_load_all(run(GKE)))


def test_another_namespace_is_that_of_every_object_in_one():
    objects = list(yaml.safe_load_all(run("-n", "elsewhere", GENERIC)))
    assert {each["metadata"]["namespace"] for each in objects} == {"elsewhere"}


def test_another_cloud_takes_the_place_of_the_fleets_own():
    assert "azure" not in run("--cloud", "aks", GENERIC)  # a fleet without an identity asks for none
    with pytest.raises(Failure) as failure:
        run("--cloud", "aks", GKE)
    assert failure.value.code is ExitCode.BAD_INPUT
    assert failure.value.message == "this fleet cannot run on AKS"
    assert failure.value.details == (
        f"{GKE}: error: spec.identity.gcp: AKS knows no identity.gcp",
        (
            f"{GKE}: error: spec.volumes[0].gcs: gcs is mounted on GKE, not on AKS;"
            " use a persistentVolumeClaim or csi here"
        ),
    )


def test_a_file_with_a_mistake_renders_nothing(tmp_path: Path):
    file = tmp_path / "fleet.yaml"
    file.write_text(Path(GENERIC).read_text().replace("servers:", "server:"))
    with pytest.raises(Failure) as failure:
        run(str(file))
    assert "nothing was changed" in failure.value.message
