"use strict";
(() => {
  const root = document.documentElement;

  // ---- tables: sorted by a click on a heading, the parts of a tree within their whole ----
  const depth = (body) => Number(body.dataset.depth);

  function key(body, column) {
    const cell = body.rows[0].cells[column];
    const text = cell.textContent.trim();
    const exact = cell.dataset.value ?? cell.title;  // what stands behind the rounded text
    const number = Number.parseFloat((exact || text).replaceAll(",", ""));
    return Number.isNaN(number) ? text.toLowerCase() : number;
  }

  function compare(one, other) {
    if (typeof one === typeof other) return typeof one === "number" ? one - other : one.localeCompare(other);
    return typeof one === "number" ? 1 : -1;
  }

  function families(bodies) {  // every outermost body with those inside it
    const found = [];
    for (const body of bodies) {
      if (found.length && depth(body) > depth(found[0][0])) found.at(-1).push(body);
      else found.push([body]);
    }
    return found;
  }

  function sorted(bodies, column, sign) {
    const groups = families(bodies);
    if (sign) groups.sort((a, b) => sign * compare(key(a[0], column), key(b[0], column)));
    return groups.flatMap(([head, ...inner]) => [head, ...(inner.length ? sorted(inner, column, sign) : [])]);
  }

  for (const table of document.querySelectorAll("table")) {
    const all = [...table.tBodies];
    const total = all.filter((body) => body.classList.contains("total"));
    const original = all.filter((body) => !total.includes(body));
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      heading.firstElementChild?.addEventListener("click", () => {
        const first = original.some((body) => typeof key(body, column) === "number") ? "descending" : "ascending";
        const second = first === "descending" ? "ascending" : "descending";
        const now = heading.getAttribute("aria-sort");
        const next = now === first ? second : now === second ? null : first;
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        if (next) heading.setAttribute("aria-sort", next);
        const sign = { ascending: 1, descending: -1 }[next] ?? 0;
        table.append(...sorted(original, column, sign), ...total);
      });
    });
    if (table.classList.contains("tree")) foldable(table);
  }

  // ---- trees: a button before every row that has parts ----
  function foldable(table) {
    const shut = new Set();
    const show = () => {
      const above = [];  // whether what is inside each enclosing row is hidden
      for (const body of table.tBodies) {
        if (body.classList.contains("total")) continue;
        above.length = depth(body);
        body.hidden = above.some(Boolean);
        above.push(shut.has(body));
      }
    };
    [...table.tBodies].forEach((body, index, bodies) => {
      const next = bodies[index + 1];
      if (!next || next.classList.contains("total") || depth(next) <= depth(body)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "fold";
      const set = (folded) => {
        folded ? shut.add(body) : shut.delete(body);
        button.setAttribute("aria-expanded", String(!folded));
      };
      button.setAttribute("aria-label", `parts of ${body.rows[0].cells[0].textContent}`);
      button.addEventListener("click", () => { set(!shut.has(body)); show(); });
      set(bodies.length > 60 && depth(body) >= 1);
      body.rows[0].cells[0].prepend(button);
    });
    show();
  }

  // ---- light and dark: as the system says, until the button is used ----
  const system = matchMedia("(prefers-color-scheme: dark)");
  const plots = [];
  let looks = {};

  function paint(theme) {
    root.dataset.theme = theme;
    for (const { place, figure } of plots) {
      const layout = { ...titleFitted(figure.layout, place.clientWidth), template: looks[theme] };
      Plotly.react(place, figure.data, layout, { responsive: true, displayModeBar: false });
    }
  }

  /* A title that is wider than its plot is broken, with room for its lines, as in pictures of plots. */
  function titleFitted(layout, width) {
    const text = layout.title?.text ?? "", before = text.split("<br>").length;
    const most = Math.max(24, Math.floor((width - 90) / 9)), lines = [""];
    for (const word of text.replaceAll("<br>", " ").split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (lines.at(-1) && longer.length > most) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    if (lines.length <= before) return layout;
    const top = (layout.margin?.t ?? 84) + 21 * (lines.length - before);
    return { ...layout, title: { ...layout.title, text: lines.join("<br>"), pad: { t: 22 } }, margin: { ...layout.margin, t: top } };
  }

  document.getElementById("theme").addEventListener("click", () => paint(root.dataset.theme === "dark" ? "light" : "dark"));
  system.addEventListener("change", () => paint(system.matches ? "dark" : "light"));
  paint(system.matches ? "dark" : "light");

  // ---- plots: the library is unpacked by the browser itself ----
  function unpacked(id) {
    const packed = document.getElementById(id);
    const bytes = Uint8Array.from(atob(packed.textContent), (sign) => sign.charCodeAt(0));
    packed.remove();
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  async function draw() {
    const script = document.createElement("script");
    script.textContent = await unpacked("plotly");
    document.head.append(script);
    const drawn = JSON.parse(await unpacked("figures"));
    looks = drawn.looks;
    document.querySelectorAll(".plot").forEach((place, index) => plots.push({ place, figure: drawn.figures[index] }));
    paint(root.dataset.theme);
    root.dataset.plots = String(plots.length);
  }

  if (document.getElementById("plotly")) {
    draw().catch((error) => {
      for (const place of document.querySelectorAll(".plot")) {
        place.textContent = `This browser cannot draw the plot (${error.message}); its figures are in the tables.`;
      }
      console.error(error);
    });
    const everything = () => [...document.querySelectorAll("details")].forEach((each) => { each.open = true; });
    const fit = (width, scale) => plots.forEach(({ place, figure }) => {
      Plotly.relayout(place, { width, autosize: !width, height: Math.round(scale * figure.layout.height) });
    });
    let before = root.dataset.theme;
    addEventListener("beforeprint", () => { before = root.dataset.theme; everything(); paint("light"); fit(680, 0.8); });
    addEventListener("afterprint", () => { fit(undefined, 1); paint(before); });
  }
})();
