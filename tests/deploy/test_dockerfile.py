"""The image's recipe keeps its rules; that it builds and runs is for test_image.py."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "container" / "Dockerfile").read_text(encoding="utf-8")
FINAL = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[-1]


def test_the_base_is_pinned_by_tag_and_can_be_exchanged() -> None:
    assert re.search(r"^ARG BASE=docker\.io/library/python:3\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert FINAL.startswith("${BASE}\n")


def test_dependencies_come_from_the_lock_with_hashes_before_the_program() -> None:
    assert DOCKERFILE.index("COPY requirements.lock") < DOCKERFILE.index("COPY logger")
    assert "--require-hashes" in DOCKERFILE


def test_it_runs_as_nobody_in_particular_with_one_volume() -> None:
    assert re.findall(r"^USER (.*)$", FINAL, re.MULTILINE) == ["65532:65532"]
    assert re.findall(r"^VOLUME (.*)$", FINAL, re.MULTILINE) == ['["/var/lib/envoy-logger"]']


def test_it_stops_answers_for_its_health_and_runs_without_a_shell() -> None:
    assert "\nSTOPSIGNAL SIGTERM\n" in FINAL
    assert 'CMD ["envoy-logger", "health"]\n' in FINAL
    assert FINAL.rstrip().endswith('ENTRYPOINT ["envoy-logger"]\nCMD ["run"]')


def test_no_secret_certificate_or_proxy_is_put_into_the_image() -> None:
    instructions = "\n".join(line for line in FINAL.splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"(?i)proxy|cert|password|secret=|pip\.conf", instructions)
    assert not re.search(r"(?im)^(ENV|ARG) .*(proxy|token|password|cert)", DOCKERFILE)


def test_only_what_is_needed_goes_to_the_builder() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = " ".join(re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE))
    assert set(copied.split()) == allowed
