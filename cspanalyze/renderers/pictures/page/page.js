"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const MOST_NODES = 260; // that are laid out at once
const TERMINALS = new Set(["input", "output"]);
const $ = (id) => document.getElementById(id);
const state = { colour: "", direction: "TB", zoom: 1, theme: document.body.dataset.theme, selected: null, found: new Set() };

/* ---- words: the same as in the tables and pictures of the package ---- */

function short(value) {
  if (value === null || value === undefined) return "-";
  if (!Number.isInteger(value)) return value.toFixed(1);
  let scaled = Math.abs(value), power = 0;
  if (scaled < 1000) return String(value);
  while (scaled >= 999.5 && power < 6) { scaled /= 1000; power += 1; }
  const digits = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${value < 0 ? "−" : ""}${scaled.toFixed(digits)} ${["", "k", "M", "G", "T", "P", "E"][power]}`;
}

function amount(metric, value) {
  if (metric === "gradients") return value === null || value === undefined ? "-" : `×${value.toFixed(1).replace(/\.0$/, "")}`;
  const text = short(value);
  return metric === "traffic" ? `${text}${/\d$/.test(text) ? " " : ""}B` : text;
}

function change(before, after) {
  if (before == null || after == null) return "-";
  if (before === after) return "=";
  if (before === 0) return "new";
  const share = after / before - 1;
  return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)} %`;
}

/* ---- networks: trees of entries, some of them open ---- */

class Network {
  constructor(record, number) {
    Object.assign(this, { title: record.title, subtitle: record.subtitle, links: record.links, totals: record.totals, number });
    this.entries = record.entries.map((entry, index) => ({ ...entry, index, children: [], network: this }));
    this.roots = [];
    for (const entry of this.entries) {
      (entry.parent < 0 ? this.roots : this.entries[entry.parent].children).push(entry);
    }
    this.byKey = new Map(this.entries.map((entry) => [entry.key, entry]));
    this.open = new Set();
  }

  parentOf(entry) { return entry.parent < 0 ? null : this.entries[entry.parent]; }

  reveal(entry) {
    for (let around = this.parentOf(entry); around; around = this.parentOf(around)) this.open.add(around.index);
  }

  close(entry) {
    this.open.delete(entry.index);
    for (const child of entry.children) this.close(child);
  }

  /* The entry that stands for each one on the picture: itself, or the outermost closed box around it. */
  shown() {
    const place = new Array(this.entries.length), nodes = [];
    const walk = (entry, home) => {
      const own = home ?? (this.open.has(entry.index) && entry.children.length ? null : entry);
      if (own === entry) nodes.push(entry);
      place[entry.index] = own;
      for (const child of entry.children) walk(child, own);
    };
    for (const root of this.roots) walk(root, null);
    return { place, nodes };
  }
}

const networks = data.networks.map((record, number) => new Network(record, number));

/* ---- ways round: the rule of diagrams/joints.py on what is shown ---- */

function markBypasses(nodes, edges) {
  const into = new Map(), out = new Map(), order = new Map(), waiting = new Map();
  const push = (map, key, value) => (map.has(key) ? map.get(key).push(value) : map.set(key, [value]));
  for (const edge of edges) { push(into, edge.target, edge); push(out, edge.source, edge); }
  for (const node of nodes) waiting.set(node, (into.get(node) ?? []).length);
  const ready = nodes.filter((node) => !waiting.get(node));
  while (ready.length) {
    const node = ready.pop();
    order.set(node, order.size);
    for (const edge of out.get(node) ?? []) {
      waiting.set(edge.target, waiting.get(edge.target) - 1);
      if (!waiting.get(edge.target)) ready.push(edge.target);
    }
  }
  const heaviest = (start, end) => {
    const between = new Set([end]), stack = [end], reached = new Map();
    while (stack.length) {
      for (const { source } of into.get(stack.pop()) ?? []) {
        if (!between.has(source) && order.get(source) > order.get(start)) { between.add(source); stack.push(source); }
      }
    }
    for (const node of [...between].sort((a, b) => order.get(a) - order.get(b))) {
      const best = Math.max(-1, ...(into.get(node) ?? []).map(({ source }) => (source === start ? 0 : reached.get(source) ?? -1)));
      if (best >= 0) reached.set(node, best + (node === end ? 0 : node.layers));
    }
    return reached.get(end) ?? -1;
  };
  for (const [meeting, arriving] of into) {
    if (arriving.length < 2 || meeting.kind === "multiply") continue;
    for (const last of arriving) {
      const way = [last];
      let weight = 0, node = last.source;
      while ((into.get(node) ?? []).length === 1 && out.get(node).length === 1) {
        weight += node.layers;
        way.push(into.get(node)[0]);
        node = way.at(-1).source;
      }
      if (weight > (arriving.length === 2 ? 1 : 0) || out.get(node).length < 2) continue;
      if (heaviest(node, meeting) > weight) for (const edge of way) edge.bypass = true;
    }
  }
}

function edgesOf(network, place) {
  const found = new Map();
  for (const [from, to, shape, reuse] of network.links) {
    const source = place[from], target = place[to];
    if (!source || !target || source === target) continue;
    const key = `${source.index} ${target.index}`;
    const known = found.get(key);
    if (known) known.reuse = Math.max(known.reuse ?? 0, reuse ?? 0) || null;
    else found.set(key, { source, target, shape, reuse, bypass: false });
  }
  return [...found.values()];
}

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
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.183 ? ["#ffffff", "#e3eaf1"] : ["#040608", "#323d48"];
}

function scaleOf(nodes) {
  if (!state.colour) return null;
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
  return `${amount(state.colour, value)} ${state.colour === "traffic" ? "" : data.words[state.colour]}${total ? ` · ${((100 * value) / total).toFixed(1)} %` : ""}`;
}

function localName(entry) {
  const around = entry.network.parentOf(entry);
  const inner = around && entry.name.startsWith(`${around.name}.`) ? entry.name.slice(around.name.length + 1) : entry.name;
  const name = /^\d/.test(inner) ? entry.name : inner;
  return name.length > 44 ? `${name.slice(0, 20)}…${name.slice(-22)}` : name;
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

function dotOf(network) {
  const { place, nodes } = network.shown(), colours = palette();
  const edges = edgesOf(network, place), scale = scaleOf(nodes), quick = nodes.length > 180;
  markBypasses(nodes, edges);
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

/* ---- drawing ---- */

let graphviz;

function say(text) { $("status").textContent = text; }

function draw() {
  for (const network of networks) {
    const canvas = $(`canvas${network.number}`);
    const svg = new DOMParser().parseFromString(graphviz.layout(dotOf(network), "svg", "dot"), "image/svg+xml").documentElement;
    for (const side of ["width", "height"]) svg.setAttribute(side, `${parseFloat(svg.getAttribute(side)) * 1.2 * state.zoom}px`);
    for (const title of svg.querySelectorAll("title")) title.remove();
    for (const group of svg.querySelectorAll("g.node, g.cluster")) {
      const entry = network.entries[Number(group.id.split("e")[1])];
      group.entry = entry;
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "button");
      group.setAttribute("aria-label", [entry.title, entry.count > 1 ? `times ${entry.count}` : "", entry.name, costs(entry)].filter(Boolean).join(", "));
      if (entry.children.length) group.setAttribute("aria-expanded", String(network.open.has(entry.index)));
    }
    canvas.replaceChildren(document.importNode(svg, true));
    const above = canvas.querySelector("g.graph");
    for (const group of canvas.querySelectorAll("g.cluster")) above.append(labelAbove(group));
    for (const group of canvas.querySelectorAll("g.node, g.cluster")) group.entry = network.entries[Number(group.id.split("e")[1])];
  }
  mark();
  legend();
}

/* Arrows run over the labels of frames: the text goes above them, with a rim in the colour of the frame. */
function labelAbove(frame) {
  const label = document.createElementNS("http://www.w3.org/2000/svg", "g");
  label.id = frame.id;
  frame.id = `${frame.id}e`;
  label.setAttribute("class", "cluster label");
  label.style.setProperty("--rim", frame.querySelector("path").getAttribute("fill"));
  label.append(...frame.querySelectorAll("text"));
  for (const name of ["tabindex", "role", "aria-label", "aria-expanded"]) {
    if (frame.hasAttribute(name)) label.setAttribute(name, frame.getAttribute(name));
    frame.removeAttribute(name);
  }
  return label;
}

function mark() {
  for (const group of document.querySelectorAll(".canvas g.node, .canvas g.cluster")) {
    const { entry } = group;
    group.classList.toggle("selected", state.selected !== null && entry.key === state.selected.key);
    group.classList.toggle("found", state.found.has(entry));
  }
}

function legend() {
  for (const network of networks) {
    const place = $(`legend${network.number}`), scale = scaleOf(network.shown().nodes);
    place.replaceChildren();
    if (!scale) continue;
    const bar = document.createElement("span");
    bar.className = "scale";
    bar.append(`${data.words[state.colour]} ${amount(state.colour, scale.low)}`);
    const steps = document.createElement("span");
    for (let n = 0; n < 9; n += 1) {
      const step = document.createElement("i");
      step.style.background = mixed(palette().scale, n / 8);
      steps.append(step);
    }
    bar.append(steps, amount(state.colour, scale.high));
    place.append(bar);
  }
}

/* ---- the table beside ---- */

function cell(row, text, tag = "td", tone = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (tone) made.className = tone;
  row.append(made);
  return made;
}

function side() {
  const place = $("side"), picked = state.selected, first = networks[0];
  place.replaceChildren();
  const heading = document.createElement("h2"), where = document.createElement("p");
  heading.textContent = picked ? `${picked.title}${picked.count > 1 ? ` ×${picked.count}` : ""}` : "Whole network";
  where.textContent = picked ? [picked.name, picked.details.join(" · "), [...new Set(picked.shapes)].join(" → ")].filter(Boolean).join("   ") : first.subtitle;
  place.append(heading, where);
  const of = (network) => (picked ? network.byKey.get(picked.key)?.figures : network.totals);
  const figures = document.createElement("table");
  const head = figures.createTHead().insertRow();
  cell(head, "", "th");
  for (const network of networks) cell(head, network.number ? data.second : data.first, "th");
  if (networks.length > 1) cell(head, "change", "th");
  const body = figures.createTBody();
  for (const metric of data.metrics) {
    const row = body.insertRow(), values = networks.map((network) => of(network)?.[metric]);
    cell(row, data.words[metric]);
    for (const value of values) cell(row, amount(metric, value)).title = value == null ? "" : value.toLocaleString("en");
    if (networks.length > 1) cell(row, change(...values), "td", values[1] > values[0] ? "up" : values[1] < values[0] ? "down" : "");
  }
  place.append(figures);
  if (picked && picked.children.length) {
    const button = document.createElement("button");
    button.id = "toggle";
    button.textContent = picked.network.open.has(picked.index) ? "Close" : "Open";
    button.onclick = () => toggle(picked);
    place.append(document.createElement("br"), button);
  }
  const sides = picked ? [picked.network] : networks;
  for (const network of sides) parts(place, network, picked ? picked.children : network.roots, picked ? picked.figures : network.totals);
}

function parts(place, network, entries, whole) {
  if (!entries.length) return;
  const heading = document.createElement("h3"), list = document.createElement("table");
  heading.textContent = networks.length > 1 ? `Parts, ${network.title}` : "Parts";
  const columns = state.colour && !["macs", "params"].includes(state.colour) ? [state.colour, "macs", "params"] : ["macs", "params"];
  const head = list.createTHead().insertRow(), main = state.colour || "macs";
  cell(head, "", "th");
  for (const metric of columns) cell(head, data.words[metric], "th");
  const body = list.createTBody();
  for (const entry of entries) {
    if (TERMINALS.has(entry.kind)) continue;
    const row = body.insertRow();
    row.className = "row";
    row.tabIndex = 0;
    const title = cell(row, `${entry.title}${entry.count > 1 ? ` ×${entry.count}` : ""}  ${entry.name === entry.title ? "" : entry.name}`);
    if (main !== "gradients") {
      const bar = document.createElement("span");
      bar.className = "share";
      bar.style.width = `${(100 * (entry.figures[main] ?? 0)) / (whole[main] || 1)}%`;
      title.append(bar);
    }
    for (const metric of columns) cell(row, amount(metric, entry.figures[metric])).title = (entry.figures[metric] ?? "-").toLocaleString("en");
    row.onclick = () => select(entry, true);
    row.onkeydown = (event) => { if (event.key === "Enter") select(entry, true); };
  }
  place.append(heading, list);
}

/* ---- doing ---- */

function select(entry, reveal = false) {
  state.selected = entry;
  if (reveal && entry) {
    entry.network.reveal(entry);
    settle();
    bringIntoView(entry);
  } else {
    mark();
    side();
  }
}

function bringIntoView(entry) {
  const group = document.getElementById(`n${entry.network.number}e${entry.index}`);
  if (group) group.scrollIntoView({ block: "center", inline: "center" });
}

function settle(focus = null) {
  draw();
  side();
  const group = focus && document.getElementById(`n${focus.network.number}e${focus.index}`);
  if (group) group.focus({ preventScroll: true });
  count();
}

function count() {
  say(networks.map((network) => `${networks.length > 1 ? `${network.title}: ` : ""}${network.shown().nodes.length} of ${network.entries.length} boxes shown`).join("   ·   "));
}

/* What is opened in one network opens in the other. */
function partners(entry) {
  return networks.map((network) => network.byKey.get(entry.key)).filter(Boolean);
}

function toggle(entry) {
  if (!entry.children.length) return;
  const opening = !entry.network.open.has(entry.index);
  const before = networks.map((network) => new Set(network.open));
  for (const each of partners(entry)) {
    if (opening) each.network.open.add(each.index);
    else each.network.close(each);
  }
  if (opening && networks.some((network) => network.shown().nodes.length > MOST_NODES)) {
    networks.forEach((network, number) => { network.open = before[number]; });
    say(`Opening ${entry.title} would show more than ${MOST_NODES} boxes: close something first.`);
    return;
  }
  state.selected = entry;
  settle(entry);
}

function openAll() {
  let full = false;
  for (const network of networks) {
    for (const entry of network.shown().nodes) {
      if (!entry.children.length) continue;
      network.open.add(entry.index);
      if (network.shown().nodes.length > MOST_NODES) { network.open.delete(entry.index); full = true; }
    }
  }
  settle();
  if (full) say(`${MOST_NODES} boxes at most are shown at once: not everything was opened.`);
}

function closeAll() {
  for (const network of networks) {
    const deepest = [...network.open].filter((index) => !network.entries[index].children.some((child) => network.open.has(child.index)));
    for (const index of deepest) network.open.delete(index);
  }
  settle();
}

function search(text, jump) {
  const wanted = text.trim().toLowerCase();
  const hits = wanted ? networks.flatMap((network) => network.entries.filter((entry) => `${entry.title} ${entry.name} ${entry.details.join(" ")}`.toLowerCase().includes(wanted))) : [];
  state.found = new Set(hits.flatMap((entry) => [entry, entry.network.shown().place[entry.index]]).filter(Boolean));
  if (jump && hits.length) {
    const at = hits.indexOf(state.selected);
    select(hits[(at + 1) % hits.length], true);
    state.found = new Set(hits);
  }
  mark();
  if (wanted) say(hits.length ? `${hits.length} found: Enter goes to the next` : `nothing is called ${text}`);
  else count();
}

function step(group, by) {
  const groups = [...group.closest(".canvas").querySelectorAll("g.node")].sort((a, b) => a.entry.index - b.entry.index);
  const next = groups[(groups.indexOf(group) + by + groups.length) % groups.length];
  next.focus();
  select(next.entry);
}

function setTheme(theme) {
  state.theme = theme;
  document.body.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

/* ---- the page ---- */

function prepare() {
  for (const network of networks) {
    const pane = document.createElement("div"), heading = document.createElement("h2"), canvas = document.createElement("div");
    const note = document.createElement("small"), scale = document.createElement("span");
    pane.className = "pane";
    heading.textContent = `${network.title}  `;
    note.textContent = `${network.subtitle}  ·  ${short(network.totals.macs)} MACs  ·  ${short(network.totals.params)} params  `;
    scale.id = `legend${network.number}`;
    heading.append(note, scale);
    canvas.className = "canvas";
    canvas.id = `canvas${network.number}`;
    pane.append(heading, canvas);
    $("panes").append(pane);
    for (const root of network.roots) if (root.children.length && root.layers > 1) network.open.add(root.index);
    if (network.shown().nodes.length > 80) network.open.clear();
  }
  $("colour").append(new Option("kind", ""), ...data.metrics.map((metric) => new Option(data.words[metric], metric)));
  $("colour").value = state.colour = data.colour;
  $("direction").value = state.direction = data.direction;
  $("panes").addEventListener("click", (event) => {
    const group = event.target.closest("g.node, g.cluster");
    if (!group) return;
    if (/^[▸▾]/.test(event.target.textContent) && event.target.tagName === "text") toggle(group.entry);
    else select(group.entry);
  });
  $("panes").addEventListener("dblclick", (event) => {
    const group = event.target.closest("g.node, g.cluster");
    if (group && event.target.tagName !== "text") toggle(group.entry);
  });
  $("panes").addEventListener("keydown", (event) => {
    const group = event.target.closest("g.node, g.cluster");
    if (!group) return;
    const moves = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(group.entry); }
    else if (event.key in moves) { event.preventDefault(); step(group, moves[event.key]); }
    else if (event.key === "Escape" && group.entry.parent >= 0) toggle(group.entry.network.parentOf(group.entry));
  });
  $("panes").addEventListener("focusin", (event) => { if (event.target.entry && event.target.matches(":focus-visible")) select(event.target.entry); });
  $("panes").addEventListener("mousemove", (event) => {
    const group = event.target.closest("g.node, g.cluster"), tip = $("tip");
    tip.hidden = !group;
    if (!group) return;
    const { entry } = group, name = document.createElement("b");
    name.textContent = [entry.title, entry.count > 1 ? `×${entry.count}` : ""].join(" ");
    const lines = [entry.name, [...new Set(entry.shapes)].join(" → "), ...data.metrics.filter((metric) => entry.figures[metric] != null).map((metric) => `${data.words[metric]}: ${entry.figures[metric].toLocaleString("en", { maximumFractionDigits: 2 })}`)];
    tip.replaceChildren(name, ...lines.filter(Boolean).map((line) => Object.assign(document.createElement("div"), { textContent: line })));
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
  });
  $("panes").addEventListener("mouseleave", () => { $("tip").hidden = true; });
  $("colour").onchange = (event) => { state.colour = event.target.value; settle(); };
  $("direction").onchange = (event) => { state.direction = event.target.value; settle(); };
  $("search").oninput = (event) => search(event.target.value, false);
  $("search").onkeydown = (event) => { if (event.key === "Enter") search(event.target.value, true); };
  $("more").onclick = openAll;
  $("less").onclick = closeAll;
  $("in").onclick = () => { state.zoom *= 1.25; draw(); };
  $("out").onclick = () => { state.zoom /= 1.25; draw(); };
  $("theme").onclick = () => { setTheme(state.theme === "dark" ? "light" : "dark"); draw(); };
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !["INPUT", "SELECT"].includes(event.target.tagName)) { event.preventDefault(); $("search").focus(); }
  });
}

setTheme(state.theme);
prepare();
globalThis.Graphviz.load().then((loaded) => {
  graphviz = loaded;
  settle();
  document.body.dataset.ready = "yes";
}).catch((error) => say(`The layout engine does not start here: ${error.message}`));
