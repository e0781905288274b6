"""A toy model that trains in the page: five features in two neurons, and a slider for how often they are active."""

import html

from lib.chapter.plotting import FigureHTML

FEATURES, SHOWN = 5, 0.05  # features of the model, and the chance of each to be active that is shown first


class ToyTrainer(FigureHTML):
    """The model of `lib.toy_models` at its smallest, trained by a script: it needs no server, and no mouse.

        y = relu(W' W x + b),   loss = sum_i T_i (x_i - y_i)^2

    with each of five features active with the chosen chance, uniform between 0 and 1, `W: (2, 5)`, importances
    `T_i = 0.8^i`. What is shown of the loss is its share of that without neurons, where b alone rebuilds the mean.
    """

    def __init__(self, name: str, title: str):
        lines = "".join(f'<line data-arrow="{i}" x2="0" y2="0"/>' for i in range(FEATURES))
        svg = f'<svg viewBox="-130 -130 260 260" width="260"><circle r="100"/>{lines}</svg>'
        shown = "The weights of each feature, as arrows in the plane of both neurons"
        knobs = (
            f'<label>chance that a feature is active <input type="range" name="chance" min="-2" max="0" step="0.1" '
            f'value="{-1.3}"><output name="shown">{SHOWN}</output></label>'
            '<button type="button" name="train">Train</button>'
        )
        told = '<p class="slider-text" aria-live="polite">Not trained yet.</p>'
        heading = f'<p class="figure-title">{html.escape(title)}</p>'
        form = f'<form class="knobs" onsubmit="return false">{knobs}</form>'
        inside = f'{heading}<div class="panels" role="img" aria-label="{shown}">{svg}</div>{form}{told}'
        self.body = f'<div id="{name}-toy" class="sliders toy">{inside}</div>{_SCRIPT.replace("NAME", name)}'


_SCRIPT = """<script>(() => {
const root = document.getElementById("NAME-toy"), N = 5, BATCH = 128, STEPS = 1500, RATE = 0.02;
const form = root.querySelector("form"), told = root.querySelector(".slider-text");
let state = 1, running = 0;
const random = () => { // mulberry32
  state = state + 0x6D2B79F5 | 0;
  let t = Math.imul(state ^ state >>> 15, 1 | state);
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
  return ((t ^ t >>> 14) >>> 0) / 4294967296;
};
const importance = Array.from({ length: N }, (_, i) => 0.8 ** i);
// Loss and gradient of y = relu(W'Wx + b); w holds the columns of W, then b.
const gradient = (w, batch) => {
  const g = new Float64Array(3 * N);
  let loss = 0;
  for (const x of batch) {
    let h0 = 0, h1 = 0, d0 = 0, d1 = 0;
    for (let i = 0; i < N; i++) { h0 += w[2 * i] * x[i]; h1 += w[2 * i + 1] * x[i]; }
    const e = x.map((v, i) => {
      const pre = w[2 * i] * h0 + w[2 * i + 1] * h1 + w[2 * N + i], gap = Math.max(0, pre) - v;
      loss += importance[i] * gap * gap / batch.length;
      return pre > 0 ? 2 * importance[i] * gap / batch.length : 0;
    });
    for (let i = 0; i < N; i++) { d0 += e[i] * w[2 * i]; d1 += e[i] * w[2 * i + 1]; }
    for (let i = 0; i < N; i++) {
      g[2 * i] += e[i] * h0 + d0 * x[i];
      g[2 * i + 1] += e[i] * h1 + d1 * x[i];
      g[2 * N + i] += e[i];
    }
  }
  return { loss, g };
};
root.gradient = gradient;
const without = p => importance.reduce((sum, t) => sum + t * (p / 3 - p * p / 4), 0);
const chance = () => 10 ** Number(form.elements.chance.value);
const draw = w => {
  for (let i = 0; i < N; i++) {
    const line = root.querySelector(`[data-arrow="${i}"]`);
    line.setAttribute("x2", 100 * w[2 * i]);
    line.setAttribute("y2", -100 * w[2 * i + 1]);
  }
  return [...Array(N).keys()].filter(i => Math.hypot(w[2 * i], w[2 * i + 1]) > 0.5).length;
};
const train = () => {
  const turn = ++running, p = chance();
  const w = Float64Array.from({ length: 3 * N }, (_, i) => i < 2 * N ? 0.6 * (random() - 0.5) : 0);
  const m = new Float64Array(3 * N), v = new Float64Array(3 * N);
  let step = 0, mean = 0;
  const frame = () => {
    if (turn !== running) return;
    for (let many = 0; many < 25 && step < STEPS; many++) {
      const batch = Array.from({ length: BATCH }, () => Array.from({ length: N }, () => random() < p ? random() : 0));
      const { loss, g } = gradient(w, batch);
      mean = step++ ? 0.98 * mean + 0.02 * loss : loss;
      const rate = RATE * Math.min(1, 2 - 2 * step / STEPS);
      for (let i = 0; i < g.length; i++) { // Adam
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
        w[i] -= rate * m[i] / (1 - 0.9 ** step) / (Math.sqrt(v[i] / (1 - 0.999 ** step)) + 1e-9);
      }
    }
    const kept = draw(w);
    root.querySelector("svg").dataset.step = step;
    if (step < STEPS) requestAnimationFrame(frame);
    else told.textContent = `Features active with a chance of ${p.toFixed(2)}: ${kept} of ${N} have an arrow longer ` +
      `than half; the loss is ${(mean / without(p)).toFixed(2)} of that without neurons.`;
  };
  told.textContent = "Training.";
  frame();
};
form.elements.chance.addEventListener("input", () => { form.elements.shown.textContent = chance().toFixed(2); });
form.elements.chance.addEventListener("change", train);
form.elements.train.addEventListener("click", train);
})();</script>"""
