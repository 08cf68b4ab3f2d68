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
  const scale = sharedScale();
  for (const network of networks) {
    const place = $(`legend${network.number}`);
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
