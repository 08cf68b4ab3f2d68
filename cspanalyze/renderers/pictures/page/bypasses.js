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
