"""The shipped runbooks as an editor sees them: plain YAML that fits the shipped schema, which refuses what
lint would refuse."""
import copy
import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MCGUARD = Path(os.environ["MCGUARD_BIN"]) / "mcguard"
RUNBOOKS = sorted((ROOT / "runbooks").glob("*.yaml"))
SCHEMA = ROOT / "runbooks" / "runbook.schema.json"


class Yaml12(yaml.SafeLoader):
    """As editors read YAML: `on` and `yes` are words."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tfTF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def lint(path):
    return subprocess.run([MCGUARD, "runbook", "lint", path], capture_output=True, text=True, timeout=60, check=False)


def test_the_shipped_schema_is_the_one_that_is_generated():
    made = subprocess.run([MCGUARD, "runbook", "schema"], capture_output=True, text=True, timeout=60, check=True)
    assert made.stdout == SCHEMA.read_text(), "run: mcguard runbook schema > runbooks/runbook.schema.json"


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_shipped_runbook_fits_it_and_names_it(validator, path):
    assert path.read_text().startswith("# yaml-language-server: $schema=runbook.schema.json\n")
    validator.validate(yaml.load(path.read_text(), Yaml12))
    done = lint(path)
    assert done.returncode == 0, done.stderr


GOOD = {
    "runbook": "sample", "version": 2, "summary": "All keys there are.", "class": "disruptive",
    "params": {"backend": {"type": "backend", "required": True}, "share": {"type": "number", "default": 3},
               "cluster": {"type": "cluster", "required": True}},
    "locks": ["cluster/${backend.cluster}"],
    "guards": ["target.dead or healthy_after >= policy.min_healthy", "telemetry_age <= 5s"],
    "cooldown": {"key": "backend/${backend}", "base": "5s", "factor": 2.5, "max": "10m", "on_exhausted": "wait"},
    "approve": {"when": "confidence < 0.8", "timeout": "5m", "on_timeout": "hand_over"},
    "steps": [
        {"id": "eject", "do": "epoch.eject", "when": "${backend.state} != ejected", "timeout": "10s",
         "with": {"cluster": "${backend.cluster}", "backend": "${backend}"},
         "retry": {"max": 3, "on": ["unavailable", "conflict"], "backoff_min": "50ms", "backoff_max": "1s"},
         "undo": {"do": "epoch.admit", "with": {"cluster": "${backend.cluster}", "backend": "${backend}"}},
         "verify": {"do": "canary.data_path", "with": {"cluster": "${backend.cluster}", "keys_per_backend": "${share}"},
                    "for": "1s", "within": "30s", "every": "500ms"},
         "probe": "epoch.eject", "guards": ["budget"]},
        {"id": "await", "do": "backend.await", "with": {"backend": "${backend}", "for": "3s"}},
        {"id": "proxies", "each": "${cluster.dead_proxies}", "do": "proxy.replace", "with": {"proxy": "${item}"},
         "when": "${steps.await.state} == dead", "point_of_no_return": True},
    ],
}


def changed(path, value):
    """GOOD with that value at that place; None: without it."""
    runbook = copy.deepcopy(GOOD)
    *way, last = path
    place = runbook
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return runbook


def lints(runbook, folder):
    file = folder / "sample.yaml"
    file.write_text(yaml.safe_dump(runbook, sort_keys=False))
    return lint(file)


def test_every_key_there_is_fits_both(validator, tmp_path):
    validator.validate(GOOD)
    done = lints(GOOD, tmp_path)
    assert done.returncode == 0, done.stderr


STEP = ("steps", 0)


@pytest.mark.parametrize("path, value", [
    (("runbook",), None), (("class",), "gentle"), (("steps",), []), (("runbook",), "Has Spaces"), (("colour",), "red"),
    (("version",), 0), (("params", "steps"), {"type": "text"}), (("params", "backend", "type"), "proxie"),
    (("params", "backend", "required"), "maybe"), (("guards", 0), "x" * 1001), (("cooldown", "base"), "5 seconds"),
    (("cooldown", "key"), None), (("approve", "on_timeout"), "go_on"), ((*STEP, "do"), "epoch.ejct"),
    ((*STEP, "do"), None), ((*STEP, "id"), None), ((*STEP, "with", "backend"), None), ((*STEP, "with"), None),
    ((*STEP, "with", "backnd"), "x"), ((*STEP, "with", "backend"), ""), ((*STEP, "timeout"), 10),
    ((*STEP, "retry", "on"), ["timeout"]), ((*STEP, "retry", "max"), 11), ((*STEP, "verify", "do"), "proxy.replace"),
    ((*STEP, "verify", "with", "cluster"), None), ((*STEP, "verify", "with", "keys_per_backend"), "three"),
    ((*STEP, "undo", "with", "backend"), None), ((*STEP, "point_of_no_return"), "yes"), ((*STEP, "tiemout"), "5s"),
    (("steps", 1, "with", "for"), "soon"), (("steps", 2, "each"), "${cluster.state}"),
    ((*STEP, "probe"), "epoch.ejct"),
], ids=lambda value: "" if isinstance(value, (dict, list)) else str(value)[:20])
def test_what_is_wrong_fits_neither(validator, tmp_path, path, value):
    wrong = changed(path, value)
    assert not validator.is_valid(wrong)
    done = lints(wrong, tmp_path)
    assert done.returncode == 2, done.stdout
    assert f"{tmp_path}/sample.yaml:" in done.stderr


@pytest.mark.parametrize("path, value, said", [
    (("guards",), ["healthy_after < 0 and healthy_after > 3"], "can never hold"),
    (("guards",), ["load_after <= 0.5", "load_after > 70%"], "can never hold together"),
    (("guards",), ["class == observe"], "can never hold"),
    (("guards",), ["target.state == broken"], "can never hold"),
    ((*STEP, "guards"), ["telemetry_age < 0s"], "can never hold"),
    ((*STEP, "when"), "${backend.state} == asleep", "the step is unreachable"),
    ((*STEP, "undo"), None, "expected an undo"),
    (("steps", 2, "when"), "${steps.await.stat} == dead", "backend.await gives no such field, expected one of: state"),
    ((*STEP, "with", "backend"), "${cluster}", "${cluster} is a cluster, expected a backend for epoch.eject's backend"),
    (("steps", 2, "with", "proxy"), "${cluster.dead_proxies}", "is a list"),
    (("steps", 1, "with", "for"), "2d", "expected a duration for backend.await's for"),
    (("params", "share", "default"), "many", "expected a number"),
    (("class",), "reversible", "expected at least the class of its actions"),
])
def test_lint_finds_what_no_schema_can(validator, tmp_path, path, value, said):
    wrong = changed(path, value)
    assert validator.is_valid(wrong)
    done = lints(wrong, tmp_path)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr


def test_lint_of_a_folder_without_runbooks_says_so(tmp_path):
    done = lint(tmp_path)
    assert done.returncode != 0
    assert "no runbook" in done.stderr
