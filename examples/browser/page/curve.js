// The loss as a picture: training as a line, validation as a line with dots.
"use strict";

const CURVE = { width: 640, height: 220, left: 48, right: 8, top: 10, bottom: 24 };

function element(name, attributes, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}

/// At most `most` points, each the mean of its stretch.
function thinned(points, most) {
  const stride = Math.ceil(points.length / most) || 1, kept = [];
  for (let i = 0; i < points.length; i += stride) {
    const part = points.slice(i, i + stride);
    kept.push([part[part.length - 1][0], part.reduce((sum, p) => sum + p[1], 0) / part.length]);
  }
  return kept;
}

/// Points are pairs of step and loss.
function drawCurve(svg, training, validation, steps) {
  const c = CURVE, line = thinned(training, 300), all = [...line, ...validation].map((p) => p[1]);
  svg.replaceChildren();
  if (all.length === 0) return;
  const low = Math.floor(Math.min(...all) * 2) / 2, high = Math.max(low + 0.5, Math.ceil(Math.max(...all) * 2) / 2);
  const x = (step) => c.left + (c.width - c.left - c.right) * step / Math.max(1, steps);
  const y = (loss) => c.top + (c.height - c.top - c.bottom) * (high - loss) / (high - low);
  const path = (points) => points.map(([step, loss], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`);

  const gap = high - low > 3 ? 1 : 0.5;
  for (let loss = low; loss <= high; loss += gap) {
    svg.append(element("line", { class: "grid", x1: c.left, x2: c.width - c.right, y1: y(loss), y2: y(loss) }));
    svg.append(element("text", { x: c.left - 6, y: y(loss) + 4, "text-anchor": "end" }, loss.toFixed(1)));
  }
  for (const part of [0, 0.5, 1]) {
    const anchor = part === 0 ? "start" : part === 1 ? "end" : "middle";
    svg.append(element("text", { x: x(part * steps), y: c.height - 6, "text-anchor": anchor }, Math.round(part * steps)));
  }
  svg.append(element("path", { class: "training", d: path(line).join("") }));
  svg.append(element("path", { class: "validation", d: path(validation).join("") }));
  for (const [step, loss] of validation) svg.append(element("circle", { cx: x(step), cy: y(loss), r: 3 }));
  const now = training.at(-1), checked = validation.at(-1);
  svg.setAttribute("aria-label", `The loss: ${now ? `${now[1].toFixed(3)} after step ${now[0] + 1}` : "not begun"}` +
    (checked ? `, ${checked[1].toFixed(3)} on the validation text after ${checked[0]} steps` : ""));
}
