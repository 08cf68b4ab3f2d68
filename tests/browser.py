"""A page as a browser shows it: opened from a file, without a network, by the Chromium or Chrome of this machine."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")

_SEEN = """
<script>
addEventListener("load", async () => {
  const expected = String(document.querySelectorAll(".plot").length);
  const drawn = () => expected === "0" || document.documentElement.dataset.plots === expected;
  while (!drawn()) await new Promise((next) => setTimeout(next, 50));
  const found = await (async () => { %s })();
  const note = document.createElement("output");
  note.id = "seen";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
});
</script>
</body>"""


@dataclass(frozen=True)
class Visit:
    """What the script found on the page, and what the page said on the console."""

    found: Any
    console: list[str]


def visit(page: str, folder: Path, script: str) -> Visit:
    """Open the page, wait until its plots are there, and run the body of a function in it."""
    assert BROWSER is not None
    path = folder / "page.html"
    path.write_text(page.replace("</body>", _SEEN % script), encoding="utf-8")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--virtual-time-budget=30000", "--dump-dom",
        path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    seen = re.search(r'<output id="seen">(.*?)</output>', done.stdout, re.DOTALL)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert seen is not None, console or done.stderr[-2000:]
    return Visit(json.loads(html.unescape(seen[1])), console)
