"""deploy/kubernetes/base: valid for an API server, and true to what the server does."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings, read_settings
from tests.deploy.conftest import Base

KUBERNETES = ("1.34.0", "1.36.0")  # the oldest supported, and the newest tried

kubectl = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(kubectl is None, reason="kubectl is not installed")


@pytest.fixture(scope="module")
def settings(base: Base) -> Settings:
    return read_settings({}, base.environment)


def render(directory: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def labels_match(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


# --- rendering


@needs_kubectl
@pytest.mark.parametrize("version", KUBERNETES)
def test_what_kustomize_renders_is_valid_for_the_api_server(base: Base, version: str) -> None:
    rendered = render(base.directory)

    for item in rendered:
        kubernetes_validate.validate(item, version, strict=True)
    assert {kind for kind, _ in base.objects} | {"ConfigMap"} == {item["kind"] for item in rendered}


@needs_kubectl
def test_a_changed_setting_rolls_the_pods(base: Base) -> None:
    """The ConfigMap's name carries a hash, and the pods refer to it by that name."""
    rendered = {item["kind"]: item for item in render(base.directory)}

    name = rendered["ConfigMap"]["metadata"]["name"]
    (container,) = rendered["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert name != "parley"
    assert [{"configMapRef": {"name": name}}] == container["envFrom"]


@pytest.mark.cluster
@needs_kubectl
@pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG names no cluster")
def test_an_api_server_accepts_it(base: Base) -> None:
    done = subprocess.run(
        ["kubectl", "apply", "--dry-run=server", "-k", str(base.directory)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


# --- settings


def test_every_setting_is_one_that_the_server_knows(base: Base) -> None:
    read_settings({}, base.environment)


def test_no_variable_comes_from_service_links(base: Base) -> None:
    """A Service named parley would inject PARLEY_PORT and its like."""
    assert base.pod["spec"]["enableServiceLinks"] is False


def test_the_grace_period_outlasts_the_drain(base: Base, settings: Settings) -> None:
    drain = settings.drain_pause_seconds + settings.drain_seconds

    assert base.pod["spec"]["terminationGracePeriodSeconds"] >= drain + 10


def test_the_pause_before_closing_outlasts_the_readiness_probe(
    base: Base, settings: Settings
) -> None:
    """Within the pause a probe can see NOT_SERVING, so callers have turned away before it ends."""
    assert settings.drain_pause_seconds > base.container["readinessProbe"]["periodSeconds"]


def test_clients_meet_new_pods(settings: Settings) -> None:
    """Without an age limit, connections stay with the pods that existed when they were made."""
    assert settings.max_connection_age_seconds > 0


def test_the_server_listens_on_every_interface(settings: Settings) -> None:
    assert settings.http is not None
    assert ("0.0.0.0", "0.0.0.0") == (settings.listen.host, settings.http.host)


# --- ports


def test_container_ports_are_the_settings_ports(base: Base, settings: Settings) -> None:
    ports = {port["name"]: port["containerPort"] for port in base.container["ports"]}

    assert settings.http is not None
    assert {"grpc": settings.listen.port, "http": settings.http.port} == ports


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_a_probe_asks_the_grpc_port_by_number(base: Base, settings: Settings, probe: str) -> None:
    assert settings.listen.port == base.container[probe]["grpc"]["port"]


def test_probes_ask_for_the_health_services_that_the_server_has(base: Base) -> None:
    """A restart cannot mend a bad model, so only readiness waits for one."""
    asked = {
        probe: base.container[probe]["grpc"]["service"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert {
        "startupProbe": "liveness",
        "livenessProbe": "liveness",
        "readinessProbe": "",
    } == asked


@pytest.mark.parametrize("name", ["parley", "parley-headless"])
def test_a_service_points_at_ports_that_the_container_has(base: Base, name: str) -> None:
    container = {port["name"]: port["containerPort"] for port in base.container["ports"]}

    for port in base["Service", name]["spec"]["ports"]:
        assert port["port"] == container[port["targetPort"]]


def test_the_headless_service_has_no_address(base: Base) -> None:
    assert base["Service", "parley-headless"]["spec"]["clusterIP"] == "None"


def test_the_network_policy_opens_exactly_the_container_ports(base: Base) -> None:
    opened = [
        port["port"]
        for rule in base["NetworkPolicy", "parley"]["spec"]["ingress"]
        for port in rule["ports"]
    ]

    assert sorted(port["containerPort"] for port in base.container["ports"]) == sorted(opened)


def test_prometheus_finds_the_http_port(base: Base, settings: Settings) -> None:
    annotations = base.pod["metadata"]["annotations"]

    assert settings.http is not None
    assert (str(settings.http.port), "/metrics") == (
        annotations["prometheus.io/port"],
        annotations["prometheus.io/path"],
    )


# --- selectors


def test_every_selector_finds_the_pods(base: Base) -> None:
    labels = base.pod["metadata"]["labels"]
    selectors = [
        base["Deployment", "parley"]["spec"]["selector"]["matchLabels"],
        base["PodDisruptionBudget", "parley"]["spec"]["selector"]["matchLabels"],
        base["NetworkPolicy", "parley"]["spec"]["podSelector"]["matchLabels"],
        base["Service", "parley"]["spec"]["selector"],
        base["Service", "parley-headless"]["spec"]["selector"],
        *(
            spread["labelSelector"]["matchLabels"]
            for spread in base.pod["spec"]["topologySpreadConstraints"]
        ),
    ]

    assert [True] * len(selectors) == [labels_match(selector, labels) for selector in selectors]


# --- security: the restricted Pod Security Standard


def test_the_pod_is_restricted(base: Base) -> None:
    pod = base.pod["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


def test_the_container_is_restricted(base: Base) -> None:
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == base.container["securityContext"]


def test_volumes_are_of_kinds_that_the_standard_allows(base: Base) -> None:
    kinds = {kind for volume in base.pod["spec"]["volumes"] for kind in volume if kind != "name"}

    assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


# --- staying up


def test_memory_and_cpu_are_requested_and_limited(base: Base) -> None:
    resources = base.container["resources"]

    assert {"requests", "limits"} == resources.keys()
    assert {"cpu", "memory"} == resources["requests"].keys() == resources["limits"].keys()


def test_a_roll_out_never_has_fewer_pods_than_asked_for(base: Base) -> None:
    rolling = base["Deployment", "parley"]["spec"]["strategy"]["rollingUpdate"]

    assert (1, 0) == (rolling["maxSurge"], rolling["maxUnavailable"])


def test_the_disruption_budget_sets_one_bound(base: Base) -> None:
    """An API server refuses both; the schemas do not."""
    spec = base["PodDisruptionBudget", "parley"]["spec"]

    assert {"maxUnavailable"} == {"minAvailable", "maxUnavailable"} & spec.keys()
