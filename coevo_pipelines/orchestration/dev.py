"""`make dev`: the Dagster UI of this lake, opened on its lineage graph."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from urllib.error import URLError
from urllib.request import urlopen

from coevo_pipelines.orchestration.run import dagster_home
from coevo_pipelines.settings import Settings, load_settings

HOST = "127.0.0.1"
PORT = 3000
LINEAGE = "/asset-groups"
PATIENCE_S = 120


def free_port(wanted: int = PORT) -> int:
    """`wanted` when nobody listens there, else any that is free."""
    for port in (wanted, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    raise OSError(f"no port of {HOST} is free")


def serve(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    """Webserver and daemon, with the run history of this lake. They end with an interrupt (Ctrl-C)."""
    return subprocess.Popen(
        [sys.executable, "-m", "dagster_dg_cli.cli", "dev", "-w", "workspace.yaml", "-h", HOST, "-p", str(port)],
        env=os.environ | {"DAGSTER_HOME": str(dagster_home(settings))},
    )


def answers(address: str, patience_s: float = PATIENCE_S) -> bool:
    """Whether the UI answers there before patience ends."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            with urlopen(address, timeout=5):
                return True
        except (URLError, OSError):
            time.sleep(0.2)
    return False


def has_desktop() -> bool:
    """Whether there is a screen on which a browser can open."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _show(address: str) -> None:
    if not answers(address):
        return
    print(f"\nThe lineage graph: {address}\nCtrl-C ends it.\n", flush=True)
    if has_desktop():
        webbrowser.open(address)


def main() -> int:
    """Start it, say where it is, and wait until it ends."""
    port = free_port()
    if port != PORT:
        print(f"Port {PORT} is taken: using {port}.", flush=True)
    process = serve(load_settings(), port)
    threading.Thread(target=_show, args=(f"http://{HOST}:{port}{LINEAGE}",), daemon=True).start()
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it was interrupted too, and ends what it has started
            continue


if __name__ == "__main__":
    sys.exit(main())
