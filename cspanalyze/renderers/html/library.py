"""What a page draws plots with and from, packed: 4.8 MB of script are 2 MB then, and figures a fifth.

The script is the one of the installed plotly package (MIT), so figures and library always fit each other. Browsers
unpack it themselves (`DecompressionStream`: Chrome 80, Safari 16.4, Firefox 113).
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cspanalyze.renderers.html.page import Plot


@cache
def library() -> str:
    """plotly.js, compressed, in base64."""
    from plotly.offline import get_plotlyjs

    return _packed(get_plotlyjs())


def figures(plots: Sequence[Plot]) -> str:
    """The plots in order and their looks on light and on dark ground, compressed, in base64."""
    from cspanalyze.renderers.plots.look import THEMES, template

    looks = {theme: template(theme).to_plotly_json() for theme in THEMES}
    return _packed(f'{{"looks":{json.dumps(looks)},"figures":[{",".join(plot.json for plot in plots)}]}}')


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode("ascii")
