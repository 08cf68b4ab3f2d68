/* ---- networks: trees of entries, some of them open ---- */

class Network {
  constructor(record, number) {
    Object.assign(this, { title: record.title, subtitle: record.subtitle, notes: record.notes, links: record.links, totals: record.totals, number });
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
