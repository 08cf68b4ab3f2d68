/* ---- the table beside ---- */

function cell(row, text, tag = "td", tone = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (tone) made.className = tone;
  row.append(made);
  return made;
}

function changed(before, after) {
  const made = document.createElement("span");
  made.textContent = change(before, after);
  made.className = after > before ? "change up" : after < before ? "change down" : "change";
  return made;
}

function side() {
  const place = $("side"), picked = state.selected, first = networks[0];
  place.replaceChildren();
  const heading = document.createElement("h2"), where = document.createElement("p");
  heading.textContent = picked ? `${picked.title}${picked.count > 1 ? ` ×${picked.count}` : ""}` : "Whole network";
  where.textContent = picked ? [shortened(picked.name, 120), picked.details.join(" · "), [...new Set(picked.shapes)].join(" → ")].filter(Boolean).join("   ") : [first.subtitle, ...first.notes].join("   ·   ");
  place.append(heading, where);
  const of = (network) => (picked ? network.byKey.get(picked.key)?.figures : network.totals);
  const figures = document.createElement("table");
  const head = figures.createTHead().insertRow();
  cell(head, "", "th");
  for (const network of networks) cell(head, data.names[network.number], "th");
  if (networks.length === 2) cell(head, "change", "th");
  const body = figures.createTBody();
  for (const metric of data.metrics) {
    const row = body.insertRow(), values = networks.map((network) => of(network)?.[metric]);
    cell(row, data.words[metric]);
    for (const [number, value] of values.entries()) {
      const made = cell(row, amount(metric, value));
      made.title = value == null ? "" : value.toLocaleString("en");
      if (networks.length > 2 && number) made.append(changed(values[0], value));  // more columns would not fit
    }
    if (networks.length === 2) cell(row, "").append(changed(...values));
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
    const title = cell(row, `${entry.title}${entry.count > 1 ? ` ×${entry.count}` : ""}  ${entry.name === entry.title ? "" : shortened(entry.name)}`);
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
