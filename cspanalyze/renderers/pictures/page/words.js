"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const MOST_NODES = 260; // that are laid out at once
const MOST_EDGES = 300;
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

function shortened(name, most = 44) {
  return name.length > most ? `${name.slice(0, most / 2 - 2)}…${name.slice(-most / 2)}` : name;
}

function amount(metric, value) {
  if (metric === "gradients") return value === null || value === undefined ? "-" : `×${value.toFixed(1).replace(/\.0$/, "")}`;
  const text = short(value);
  return data.bytes.includes(metric) ? `${text}${/\d$/.test(text) ? " " : ""}B` : text;
}

function change(before, after) {
  if (before == null || after == null) return "-";
  if (before === after) return "=";
  if (before === 0) return "new";
  const share = after / before - 1;
  return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)} %`;
}
