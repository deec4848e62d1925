"""The container's scripts and the systemd unit, as far as they run without a container or systemd."""

import http.server
import os
import shutil
import subprocess
import threading

import pytest
from support import ROOT

CONTAINER = ROOT / "infra" / "container"
UNIT = ROOT / "infra" / "systemd" / "weir.service"


def relocated(name, folder, **places):
    """A copy of a script that uses other places than a container's."""
    text = (CONTAINER / name).read_text()
    for old, new in places.items():
        old = {"run": "/run/weir", "weir": "/usr/local/bin/weir", "port": "7413"}[old]
        assert old in text
        text = text.replace(old, str(new))
    copy = folder / name
    copy.write_text(text)
    copy.chmod(0o755)
    return copy


def test_the_entrypoint_writes_the_configuration_and_hands_over(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    weir = tmp_path / "weir"
    weir.write_text('#!/bin/sh\necho "$@"\ncat weir.toml accounts.toml\nenv\n')
    weir.chmod(0o755)
    script = relocated("entrypoint", tmp_path, run=run, weir=weir)
    texts = {"WEIR_TOML": 'data = "/x"\n# "$HOME" `id` \\n', "ACCOUNTS_TOML": "[log-account]"}
    ran = subprocess.run([script, "accounts", "status"], env=os.environ | texts, capture_output=True, text=True, check=True)
    lines = ran.stdout.splitlines()
    assert lines[0] == "accounts status"
    assert lines[1:4] == [*texts["WEIR_TOML"].splitlines(), "[log-account]"]
    assert not any(line.startswith(("WEIR_TOML=", "ACCOUNTS_TOML=")) for line in lines)
    assert (run / "weir.toml").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("status", [200, 503])
def test_a_host_is_healthy_when_it_says_so(tmp_path, status):
    class Host(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = relocated("healthy", tmp_path, port=server.server_port)
    ran = subprocess.run([script], timeout=20)
    server.shutdown()
    assert (ran.returncode == 0) == (status == 200)


def test_nothing_listens_is_unhealthy(tmp_path):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    assert subprocess.run([relocated("healthy", tmp_path, port=port)], capture_output=True, timeout=20).returncode != 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_reads_the_unit_and_rates_its_sandbox(tmp_path):
    copy = tmp_path / "weir.service"
    text = UNIT.read_text().replace("ExecStart=/usr/local/bin/weir ", "ExecStart=/bin/true ")
    copy.write_text(text.replace("Documentation=file:/usr/share/doc/weir/operations.md\n", ""))
    ran = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    complaints = [line for line in ran.stderr.splitlines() if "weir.service" in line]
    assert not complaints, ran.stderr
    # 0 is best and 100 worst; 20 is "OK".
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", copy], capture_output=True, text=True
    )
    assert rated.returncode == 0, rated.stdout + rated.stderr


def test_image_unit_and_task_agree():
    image = (CONTAINER / "Containerfile").read_text()
    task = (ROOT / "infra" / "cloudformation" / "hosts.yaml").read_text()
    assert "USER 10001:10001" in image and 'User: "10001:10001"' in task
    assert 'VOLUME ["/var/lib/weir", "/run/weir"]' in image
    for path in ("/var/lib/weir", "/run/weir"):
        assert f"ContainerPath: {path}" in task
    assert "WEIR__PARSERS__FOLDER=/usr/lib/weir/parsers" in UNIT.read_text()
