"""The page, opened in a real browser: without a network, without errors, by clicks and keys."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch import nn

from cspanalyze import trace
from cspanalyze.diagrams import diagram
from cspanalyze.diagrams.drawing import DRAWN
from cspanalyze.diagrams.outline import outline
from cspanalyze.renderers.pictures.webpage import render_page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome, and none is installed")
EVIL_TITLE = "</script><script>document.title='run'</script>"
DRIVER = """
<script type="module">
// Messages and no timers: the browser's clock jumps over idle time, also over that in which WebAssembly is compiled.
const turn = () => new Promise((done) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = done;
  port2.postMessage(0);
});
const wait = async (test) => { while (!test()) await turn(); };
const nodes = () => [...document.querySelectorAll(".canvas g.node")];
const node = (title, pane = 0) => [...document.querySelectorAll(`#canvas${pane} g.node, #canvas${pane} g.label`)]
  .find((group) => group.textContent.includes(title));
const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const click = (target) => target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const title = (group) => [...group.querySelectorAll("text")].find((text) => /^[▸▾]/.test(text.textContent));
const side = () => document.getElementById("side").innerText;
const result = {};
window.addEventListener("error", (event) => { result.error = event.message; });
try {
  await wait(() => document.body.dataset.ready === "yes");
  STEPS
} catch (error) { result.error = String(error.stack ?? error); }
document.body.innerHTML = "";
const pre = document.createElement("pre");
pre.id = "result";
pre.textContent = JSON.stringify(result);
document.body.append(pre);
</script>
"""


def drive(page: str, steps: str, folder: Path) -> tuple[dict, str]:
    """Open the page, run the steps in it, and return what they left in `result` and what the console said."""
    file = folder / "page.html"
    file.write_text(page.replace("</body>", DRIVER.replace("STEPS", steps) + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
         "--proxy-server=127.0.0.1:9", "--virtual-time-budget=30000", f"--user-data-dir={folder / 'profile'}",
         "--window-size=1400,900", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    said = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")), said


@pytest.fixture(scope="module")
def page(graph_of, twin_of) -> str:
    return render_page([outline(graph_of("resnet50"), "resnet50"), outline(twin_of("resnet50"), "resnet50 CSP")])


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "timm:vit_tiny_patch16_224"])
def test_an_outline_holds_what_the_diagram_holds(graph_of, name) -> None:
    whole, drawn = outline(graph_of(name), name), diagram(graph_of(name))
    assert tuple(t for t in whole.totals if t.metric in DRAWN) == drawn.totals
    for index, entry in enumerate(whole.entries):
        assert entry.parent < index
    tops = [entry for entry in whole.entries if entry.parent < 0 and entry.figures]
    for n, total in enumerate(whole.totals[:4]):
        assert sum(entry.figures[n].value for entry in tops) == total.value
    inner = {entry.parent for entry in whole.entries}
    assert all(link.source not in inner and link.target not in inner for link in whole.links)
    assert len({entry.key for entry in whole.entries}) == len(whole.entries)


def test_page_is_one_small_file(page) -> None:
    assert len(page.encode()) < 2_000_000
    # Nothing is fetched: addresses stand only in the licence notes and names of namespaces of the layout engine.
    assert "src=" not in re.sub(r"<script type=\"module\">.*?</script>", "", page, flags=re.DOTALL)
    assert "default-src 'none'" in page
    assert "Eclipse Public License" in page


@in_browser
def test_open_close_search_colour_and_compare(page, tmp_path) -> None:
    steps = """
  result.start = nodes().length;
  result.text = side();
  click(title(node("▸ Bottleneck")));
  result.opened = nodes().length;
  result.inner = Boolean(node("Conv 3×3"));
  click(title(node("▾ Bottleneck")));
  result.closed = nodes().length;
  press(node("Bottleneck"), "Enter");
  result.byKey = nodes().length;
  press(document.activeElement, "Enter");
  click(title(node("▾ stage3")));
  result.inStep = [0, 1].map((pane) => Boolean(node("▸ stage3", pane)));
  result.selected = side();
  const fills = () => nodes().map((group) => group.querySelector("path").getAttribute("fill")).join();
  const before = fills();
  const colour = document.getElementById("colour");
  result.colours = [];
  for (const option of colour.options) {
    colour.value = option.value;
    colour.dispatchEvent(new Event("change"));
    result.colours.push(fills());
  }
  result.legends = [0, 1].map((pane) => document.getElementById(`legend${pane}`).textContent);
  const search = document.getElementById("search");
  search.value = "layer4.1.conv2";
  search.dispatchEvent(new Event("input"));
  result.status = document.getElementById("status").textContent;
  press(search, "Enter");
  result.found = side();
  result.marked = document.querySelectorAll("g.found").length;
  document.getElementById("more").click();
  document.getElementById("more").click();
  document.getElementById("more").click();
  document.getElementById("more").click();
  result.most = Math.max(...[0, 1].map((pane) => document.querySelectorAll(`#canvas${pane} g.node`).length));
  document.getElementById("theme").click();
  result.theme = document.body.dataset.theme;
    """
    result, console = drive(page, steps, tmp_path)
    assert "error" not in result, result
    assert console == ""
    # 4.09 and 3.46 G MACs: the totals of base and twin, as every table prints them.
    for text in ("4.09 G", "3.46 G", "−15.4 %", "stage1"):
        assert text in result["text"]
    assert result["inner"]
    assert result["opened"] > result["start"] == result["closed"]
    assert result["byKey"] == result["opened"]
    assert result["inStep"] == [True, True]
    assert "stage3" in result["selected"]
    assert len(set(result["colours"])) == 7
    assert result["legends"][0].startswith("gradient reuse")
    assert len(set(result["legends"])) == 1  # a colour is the same amount in both panes
    assert "1 found" in result["status"]
    assert "layer4.1.conv2" in result["found"]
    assert result["marked"] >= 1
    assert result["most"] > 150
    assert result["theme"] == "dark"


@in_browser
def test_a_large_network_is_never_shown_whole(graph_of, tmp_path) -> None:
    steps = """
  document.getElementById("more").click();
  result.arrows = document.querySelectorAll("g.edge").length;
  result.left = document.getElementById("status").textContent;
  for (let turn = 0; turn < 2; turn += 1) document.getElementById("more").click();
  result.most = nodes().length;
  result.status = document.getElementById("status").textContent;
    """
    page = render_page([outline(graph_of("densenet201"), "densenet201")])
    result, console = drive(page, steps, tmp_path)
    assert "error" not in result, result
    assert console == ""
    assert 200 < result["most"] <= 260
    assert result["arrows"] <= 300
    assert "arrows of boxes with many inputs left out" in result["left"]
    assert "at most" in result["status"]


@in_browser
def test_names_are_shown_and_not_run(tmp_path) -> None:
    class Evil(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("<script>top['title']='run'</script>", nn.Conv2d(3, 4, 3))
            self.add_module('"]; x\\', nn.Conv2d(4, 4, 3))
            self.add_module("</TABLE><img src=x onerror=alert(1)>&lt;", nn.Conv2d(4, 2, 1))

        def forward(self, x):
            for part in self.children():
                x = part(x)
            return x

    graph = trace(Evil(), torch.rand(1, 3, 8, 8))
    page = render_page([outline(graph, EVIL_TITLE)])
    steps = """
  result.title = document.title;
  result.text = [...document.querySelectorAll("svg text")].map((text) => text.textContent).join(" ");
  result.scripts = document.querySelectorAll("svg script, svg img, #side img, #side script").length;
  click(nodes()[1]);
  result.side = side();
    """
    result, console = drive(page, steps, tmp_path)
    assert "error" not in result, result
    assert console == ""
    assert result["title"] == EVIL_TITLE
    assert "<script>top['title']" in result["text"]
    assert result["scripts"] == 0
    assert "<script>top['title']" in result["side"]


@in_browser
def test_three_networks_are_three_columns(graph_of, tmp_path) -> None:
    graph = graph_of("resnet50")
    page = render_page([outline(graph, name) for name in ("net", "net CSP, γ = 0.5", "net control, no split")])
    steps = """
  result.heads = [...document.querySelectorAll("#side table:first-of-type th")].map((cell) => cell.textContent);
  result.row = document.querySelector("#side table tbody tr").innerText;
  click(title(node("▾ stage3", 1)));
  result.inStep = [0, 1, 2].map((pane) => Boolean(node("▸ stage3", pane)));
    """
    result, console = drive(page, steps, tmp_path)
    assert "error" not in result, result
    assert console == ""
    assert result["heads"][:4] == ["", "base", "CSP", "control"]
    assert result["row"].split() == ["MACs", "4.09", "G", "4.09", "G", "=", "4.09", "G", "="]
    assert result["inStep"] == [True, True, True]
