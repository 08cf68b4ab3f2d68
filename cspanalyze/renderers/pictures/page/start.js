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
    const lines = [shortened(entry.name, 120), [...new Set(entry.shapes)].join(" → "), ...data.metrics.filter((metric) => entry.figures[metric] != null).map((metric) => `${data.words[metric]}: ${entry.figures[metric].toLocaleString("en", { maximumFractionDigits: 2 })}`)];
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
