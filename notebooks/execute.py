"""Runs the notebooks and stores what they show: `python notebooks/execute.py [NAME...]`.

Needs the extra `notebooks`. What is stored is meant for GitHub, which runs nothing: pictures as SVG, tables as HTML; no
widgets, no time stamps, no paths.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
TIMEOUT_SECONDS = 600
WIDGET = "application/vnd.jupyter.widget-view+json"


def main(names: Sequence[str]) -> None:
    """Run the notebooks whose names begin so, or all, and store them."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or path.name.startswith(tuple(names)):
            nbformat.write(tidied(executed(path)), path)
            print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def executed(path: Path, *more: str) -> NotebookNode:
    """The notebook with the outputs of a new kernel, in which further cells are run at the end."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in more]
    client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS, resources={"metadata": {"path": str(path.parent)}})
    client.record_timing = client.store_widget_state = False
    return client.execute()


def tidied(notebook: NotebookNode) -> NotebookNode:
    """The same without what only a running kernel can show, and without what differs from run to run."""
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata = {}
            cell.outputs = [output for output in cell.outputs if not _passing(output)]
            for output in cell.outputs:
                _keep_the_picture(output)
    return notebook


def _passing(output: NotebookNode) -> bool:
    """A widget, or what a library logged: the browser that draws plots sometimes does."""
    return WIDGET in output.get("data", {}) or output.get("name") == "stderr"


def _keep_the_picture(output: NotebookNode) -> None:
    """Of what is shown as a picture and in other forms too, keep the picture, which shows everywhere."""
    forms = output.get("data", {})
    if any(form.startswith("image/") for form in forms):
        output.data = {form: forms[form] for form in forms if form.startswith(("image/", "text/plain"))}


if __name__ == "__main__":
    main(sys.argv[1:])
