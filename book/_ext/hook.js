// The landing figure: five features in two units, twice. Arrows are dragged or moved by keys; the scores are the closed
// forms of chapter 3 for independent features, see lib/theory.py, which a test compares with what stands here.
(() => {
const root = document.getElementById("hook");
if (!root) return;
const SIZE = 100, APART = 3 * Math.PI / 180, TURN = 5 * Math.PI / 180;
const panels = ["a", "b"].map(name => root.querySelector(`[data-system="${name}"]`));
const handles = panels.map(panel => [...panel.querySelectorAll("[data-feature]")]);
const arrows = handles.map(list => list.map(g => [Number(g.dataset.x), Number(g.dataset.y)]));
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
let stimulus = 0, moving = 0;

const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
const rows = columns => [0, 1].map(unit => columns.map(c => c[unit]));
const share = (top, bottom) => bottom > 1e-12 ? top / bottom : 0;
const norm = (x, y) => Math.hypot(...x.flatMap(u => y.map(v => dot(u, v))));

// |A B'|^2 / (|A A'| |B B'|), the limit of RSA and of linear CKA
const cosine = (a, b) => share(norm(a, b) ** 2, norm(a, a) * norm(b, b));

// tr(B P_A B') / tr(B B'), with a basis of the rows of A by Gram-Schmidt
const explained = (a, b) => {
  const basis = [];
  for (const row of [...a].sort((u, v) => dot(v, v) - dot(u, u))) {
    const rest = basis.reduce((r, e) => r.map((v, i) => v - dot(row, e) * e[i]), row);
    const length = Math.sqrt(dot(rest, rest));
    if (length > 1e-6) basis.push(rest.map(v => v / length));
  }
  const kept = b.reduce((sum, row) => sum + basis.reduce((s, e) => s + dot(row, e) ** 2, 0), 0);
  return share(kept, b.reduce((sum, row) => sum + dot(row, row), 0));
};

// the better of both pairings of two units with two, in mean correlation
const matched = (a, b) => {
  const r = a.map(u => b.map(v => share(dot(u, v), Math.sqrt(dot(u, u) * dot(v, v)))));
  return Math.max(r[0][0] + r[1][1], r[0][1] + r[1][0]) / 2;
};

// which feature is on, of a stimulus with one: the arrow that points where the units do; none if two do
const decoded = (columns, feature) => {
  const angle = Math.atan2(columns[feature][1], columns[feature][0]);
  const near = columns.map((c, j) => [j, Math.abs(Math.atan2(Math.sin(Math.atan2(c[1], c[0]) - angle), Math.cos(Math.atan2(c[1], c[0]) - angle)))])
    .filter(([j, gap]) => gap < APART && Math.hypot(...columns[j]) > 0.05);
  return near.length === 1 ? near[0][0] : -1;
};

const word = value => value.toFixed(2).replace("-0.00", "0.00");
const name = found => found < 0 ? "cannot tell" : `reads feature ${found + 1}`;

const draw = () => {
  const [a, b] = arrows.map(rows);
  const scores = { rsa: cosine(a, b), cka: cosine(a, b), r2: explained(a, b), soft: matched(a, b) };
  const found = arrows[0].filter((_, j) => arrows.every(columns => decoded(columns, j) === j)).length;
  for (const [key, value] of Object.entries({ ...scores, found: found / 5 })) {
    root.querySelector(`[data-bar="${key}"]`).style.width = `${100 * Math.max(0, value)}%`;
    root.querySelector(`[data-score="${key}"]`).textContent = key === "found" ? `${found} of 5` : word(value);
  }
  handles.forEach((list, s) => list.forEach((g, j) => {
    const [x, y] = arrows[s][j], angle = Math.round(Math.atan2(y, x) * 180 / Math.PI);
    g.querySelector("line").setAttribute("x2", SIZE * x);
    g.querySelector("line").setAttribute("y2", -SIZE * y);
    g.querySelector("g").setAttribute("transform", `translate(${SIZE * x} ${-SIZE * y})`);
    Object.assign(g.dataset, { x, y });
    g.setAttribute("aria-valuenow", angle);
    g.setAttribute("aria-valuetext", `${angle} degrees, length ${Math.hypot(x, y).toFixed(2)}`);
    g.classList.toggle("on", j === stimulus);
  }));
  panels.forEach((panel, s) => {
    const [x, y] = arrows[s][stimulus];
    const mark = panel.querySelector(".stimulus");
    mark.setAttribute("cx", 0.7 * SIZE * x);
    mark.setAttribute("cy", -0.7 * SIZE * y);
  });
  const reads = arrows.map(columns => name(decoded(columns, stimulus)));
  root.querySelector(".hook-reads").textContent = `Feature ${stimulus + 1} is on (the ring): a ${reads[0]}, b ${reads[1]}.`;
  root.querySelector(".hook-says").textContent = found === 5
    ? `CKA says ${word(scores.cka)}. Every active feature was still found, in every stimulus tried.`
    : "Arrows that point the same way, or have no length, cannot be told apart: that is a real loss, and no score above shows it.";
  root.querySelectorAll("[data-stimulus]").forEach((button, j) => button.setAttribute("aria-pressed", j === stimulus));
};

const move = (system, feature, x, y) => {
  const length = Math.hypot(x, y), most = 1.15;
  arrows[system][feature] = length > most ? [x * most / length, y * most / length] : [x, y];
  draw();
};

handles.forEach((list, s) => list.forEach((g, j) => {
  const place = event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(panels[s].getScreenCTM().inverse());
    move(s, j, at.x / SIZE, -at.y / SIZE);
  };
  g.addEventListener("touchstart", event => event.preventDefault(), { passive: false }); // else the page would scroll
  g.addEventListener("pointerdown", event => {
    moving++;
    stimulus = j;
    g.setPointerCapture(event.pointerId);
    g.focus({ preventScroll: true });
    place(event);
    event.preventDefault();
  });
  g.addEventListener("pointermove", event => { if (g.hasPointerCapture(event.pointerId)) place(event); });
  g.addEventListener("keydown", event => {
    const [x, y] = arrows[s][j], length = Math.hypot(x, y), angle = Math.atan2(y, x);
    const turned = { ArrowLeft: [TURN, 0], ArrowRight: [-TURN, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] }[event.key];
    if (!turned) return;
    event.preventDefault();
    moving++;
    stimulus = j;
    const [to, long] = [angle + turned[0], Math.max(0, length + turned[1])];
    move(s, j, long * Math.cos(to), long * Math.sin(to));
  });
}));

// Directions of b's arrows, in units of a fifth of a turn; the path is cut short where the reader moves something.
const ORDERS = { same: j => j, other: j => 2 * j, turned: j => j + 0.625 };
const go = (order, wait = 0) => {
  const turn = ++moving, from = arrows[1].map(([x, y]) => [Math.atan2(y, x), Math.hypot(x, y)]);
  const to = from.map(([angle], j) => {
    const gap = Math.PI / 2 + 2 * Math.PI / 5 * ORDERS[order](j) - angle;
    return angle + Math.atan2(Math.sin(gap), Math.cos(gap));
  });
  let began;
  const step = now => {
    if (turn !== moving) return;
    began ??= now + wait;
    show(Math.min(1, Math.max(0, (now - began) / 1800)));
    if (now - began < 1800) requestAnimationFrame(step);
  };
  const show = t => {
    const eased = t * t * (3 - 2 * t);
    arrows[1] = from.map(([angle, length], j) => {
      const at = angle + eased * (to[j] - angle), long = length + eased * (1 - length);
      return [long * Math.cos(at), long * Math.sin(at)];
    });
    draw();
  };
  if (still) show(1);
  else requestAnimationFrame(step);
};
root.querySelectorAll("[data-order]").forEach(button => button.addEventListener("click", () => go(button.dataset.order)));
root.querySelectorAll("[data-stimulus]").forEach((button, j) => button.addEventListener("click", () => { stimulus = j; draw(); }));

root.classList.add("alive");
if (!still) {
  arrows[1] = arrows[0].map(arrow => [...arrow]);
  go("other", 1200);
}
draw();
})();
