/* ---- DOT ---- */

const palette = () => data.palettes[state.theme];
const escapeText = (text) => [...String(text)].map((sign) => /[\p{L}\p{N} .,:;/·×…→–+\-_()]/u.test(sign) ? sign : `&#${sign.codePointAt(0) < 32 ? 65533 : sign.codePointAt(0)};`).join("");
const font = (text, size, colour) => `<FONT POINT-SIZE="${size}" COLOR="${colour}">${text}</FONT>`;

function channels(colour) { return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)); }
function mixed(steps, share) {
  const place = Math.min(1, Math.max(0, share)) * (steps.length - 1), low = Math.min(Math.floor(place), steps.length - 2);
  const [a, b] = [channels(steps[low]), channels(steps[low + 1])];
  return "#" + a.map((value, n) => Math.round(value + (b[n] - value) * (place - low)).toString(16).padStart(2, "0")).join("");
}
function inks(fill) {
  const [r, g, b] = channels(fill).map((part) => part / 255).map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const bright = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  if (bright < 0.183) return ["#ffffff", bright < 0.14 ? "#e3eaf1" : "#ffffff"];
  return ["#040608", bright > 0.39 ? "#323d48" : "#040608"];
}

/* One scale for all panes: the same colour is the same amount in each. */
function sharedScale() {
  if (!state.colour) return null;
  const nodes = networks.flatMap((network) => network.shown().nodes);
  const low = state.colour === "gradients" ? 1 : 0;
  return { low, high: Math.max(low, ...nodes.map((node) => node.figures[state.colour] ?? low)) };
}

function paint(entry, scale) {
  const value = entry.figures[state.colour];
  if (!scale || TERMINALS.has(entry.kind)) return palette().kinds[data.families[entry.kind] ?? "other"];
  if (value === null || value === undefined) return palette().kinds.light;
  const share = scale.high > scale.low ? (value - scale.low) / (scale.high - scale.low) : 0;
  const fill = mixed(palette().scale, share);
  return [fill, mixed([fill, palette().ink], 0.35)];
}

function costs(entry) {
  if (!state.colour) {
    return ["macs", "params"].filter((metric) => entry.figures[metric]).map((metric) => `${short(entry.figures[metric])} ${data.words[metric]}`).join("  ·  ");
  }
  const value = entry.figures[state.colour];
  if (value === undefined || value === null || value === 0) return "";
  if (state.colour === "gradients") return `reuse ${amount("gradients", value)}`;
  const total = entry.network.totals[state.colour];
  return `${amount(state.colour, value)} ${data.bytes.includes(state.colour) ? "" : data.words[state.colour]}${total ? ` · ${((100 * value) / total).toFixed(1)} %` : ""}`;
}

function localName(entry) {
  const around = entry.network.parentOf(entry);
  const inner = around && entry.name.startsWith(`${around.name}.`) ? entry.name.slice(around.name.length + 1) : entry.name;
  const name = /^\d/.test(inner) ? entry.name : inner;
  return shortened(name);
}

function table(rows) {
  return `<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">${rows.map((row) => `<TR><TD ALIGN="LEFT">${row}</TD></TR>`).join("")}</TABLE>`;
}

function titleRow(entry, colour, size) {
  const sign = entry.children.length ? (entry.network.open.has(entry.index) ? "▾ " : "▸ ") : "";
  const count = entry.count > 1 ? `  ×${entry.count}` : "";
  return font(`<B>${sign}${escapeText(entry.title)}${count}</B>`, size, colour);
}

function label(entry, fill) {
  const [ink, faint] = inks(fill);
  if (TERMINALS.has(entry.kind)) return font(`<B>${entry.title}</B>  ${escapeText(entry.shapes.join(" "))}`, 10, ink);
  const rows = [titleRow(entry, ink, 11.5)];
  if (entry.details.length) rows.push(font(escapeText(entry.details.join(" · ")), 9.5, ink));
  const name = localName(entry);
  if (name && name !== entry.title && !["concat", "add", "multiply", "slice"].includes(entry.kind)) rows.push(font(escapeText(name), 9, faint));
  if (entry.shapes.length) rows.push(font(escapeText([...new Set(entry.shapes)].join(" → ")), 9.5, ink));
  const line = costs(entry);
  if (line) rows.push(font(state.colour ? `<B>${escapeText(line)}</B>` : escapeText(line), 9.5, ink));
  return table(rows);
}

/* Of very many edges, for each box only the first that comes in and the last few: as render_dot does. */
function shownEdges(edges) {
  if (edges.length <= MOST_EDGES) return edges;
  const into = new Map();
  for (const edge of edges) into.has(edge.target) ? into.get(edge.target).push(edge) : into.set(edge.target, [edge]);
  return [...into.values()].flatMap((arriving) => (arriving.length > 4 ? [arriving[0], ...arriving.slice(-3)] : arriving));
}

function dotOf(network) {
  const { place, nodes } = network.shown(), colours = palette();
  const all = edgesOf(network, place), scale = sharedScale();
  markBypasses(nodes, all);
  const edges = shownEdges(all), quick = nodes.length > 180 || edges.length > 220;
  network.hidden = all.length - edges.length;
  const straight = new Set(edges.filter((edge) => !edge.bypass).flatMap((edge) => [edge.source, edge.target]));
  const lines = [
    `digraph { graph [rankdir=${state.direction} bgcolor="transparent" fontname="Helvetica" pad=0.2 nodesep=0.28 ranksep=0.28 outputorder=edgesfirst ${quick ? "splines=line nslimit=1 nslimit1=1 mclimit=0.1" : "splines=true nslimit=20 nslimit1=20 mclimit=2 ordering=out"}]`,
    `node [shape=box style="rounded,filled" fontname="Helvetica" margin="0.11,0.06" height=0.1 width=0.1]`,
    `edge [color="${colours.arrow}" fontname="Helvetica" fontsize=9 arrowsize=0.65 penwidth=1.1]`,
  ];
  const box = (entry) => {
    const [fill, line] = paint(entry, scale);
    lines.push(`e${entry.index} [id="n${network.number}e${entry.index}" tooltip=" " fillcolor="${fill}" color="${line}" ${entry.count > 1 ? "peripheries=2" : ""} label=<${label(entry, fill)}>]`);
  };
  const walk = (siblings, depth) => {
    const isNode = (entry) => place[entry.index] === entry;
    for (const entry of [...siblings].sort((a, b) => !straight.has(a) - !straight.has(b))) if (isNode(entry)) box(entry);
    for (const entry of siblings) {
      if (isNode(entry)) continue;
      const rows = [titleRow(entry, colours.ink, 12.5)], name = localName(entry), line = costs(entry);
      if (name && name !== entry.title) rows.push(font(escapeText(name), 9, colours.faint));
      if (line) rows.push(font(escapeText(line), 9, colours.faint));
      lines.push(`subgraph cluster_${entry.index} { id="n${network.number}e${entry.index}" tooltip=" " style="rounded,filled" fillcolor="${colours.frames[depth % 2]}" color="${colours.frame_line}" margin=11 labeljust=l label=<${table(rows)}>`);
      walk(entry.children, depth + 1);
      lines.push("}");
    }
  };
  walk(network.roots, 0);
  for (const edge of [...edges].sort((a, b) => a.bypass - b.bypass)) {
    let look = edge.bypass ? `color="${colours.bypass}" penwidth=2.4 weight=1` : "weight=6";
    if (state.colour === "gradients" && edge.reuse) {
      const share = scale.high > 1 ? Math.min(1, (edge.reuse - 1) / (scale.high - 1)) ** 0.6 : 0, hue = mixed(colours.warm, share);
      look = `color="${hue}" penwidth=${1.2 + 3.2 * share} ${edge.bypass ? "style=dashed" : ""} ${edge.reuse > 1 ? `label=" ${amount("gradients", edge.reuse)}" fontcolor="${hue}"` : ""}`;
    }
    lines.push(`e${edge.source.index} -> e${edge.target.index} [tooltip="${edge.shape}" ${look}]`);
  }
  return `${lines.join("\n")}\n}`;
}
