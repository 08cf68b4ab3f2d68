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
  say(networks.map((network) => `${networks.length > 1 ? `${network.title}: ` : ""}${network.shown().nodes.length} of ${network.entries.length} boxes shown${network.hidden ? `, ${network.hidden} arrows of boxes with many inputs left out` : ""}`).join("   ·   "));
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
