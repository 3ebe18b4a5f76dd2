// The graph as a picture: works as shapes, links as lines, drawn by sigma on WebGL from data/graph/*.js. What is chosen
// or pointed at is drawn once more on a canvas above, so that looking around costs the same for 500 works and 50,000.
"use strict";
(() => {
  const NEAREST = 50; // links of one relation in the sheet
  const HITS = 12;
  const COLOURS = 10;
  const FEW = 3000; // links that get arrowheads
  const MANY = 30000; // links that are left out while the picture moves
  const find = (id) => document.getElementById(id);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const narrow = matchMedia("(max-width: 56rem)");

  // What the files have given so far: columns, one value a work or link.
  const works = { id: [], title: [], kind: [], stub: [], chamber: [], inflow: [], created: [], map: [], time: [] };
  const ties = { s: [], t: [], r: [], w: [], d: [] };
  const outward = [];
  const inward = [];
  const numbers = new Map();
  const lower = [];

  const state = {
    view: "map", colour: "chamber", relations: new Set(), kinds: new Set(), chamber: -1, since: 0, until: 0,
    alone: false, near: null, chosen: -1, over: -1,
  };
  let head, root, place, graph, sigma, under, above, shown, paint, labels, most, unit, complete = false;

  // ---- words

  const title = (i) => works.title[i] ?? works.id[i];
  const kind = (i) => (works.stub[i] ? -1 : works.kind[i]);
  const kindWord = (i) => (works.stub[i] ? "only named" : coevo.kind(head.kinds[works.kind[i]] ?? "work"));
  const date = (days) => (days === null ? "no date" : new Date(days * 864e5).toISOString().slice(0, 10));
  const year = (days) => new Date(days * 864e5).getUTCFullYear();
  const count = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;
  const share = (value) => (value ? (value < 0.0001 ? "under 0.01%" : `${(100 * value).toFixed(2)}%`) : "none");
  const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text);

  // ---- places and looks of works

  const at = (i) => ({ x: works[state.view][2 * i] / head.scale, y: works[state.view][2 * i + 1] / head.scale });
  const size = (i) => unit * (1.9 + 9 * Math.sqrt(works.inflow[i] / most));
  const colour = (i) => {
    if (state.colour === "kind") return paint.group[kind(i)] ?? paint.soft;
    return works.chamber[i] < 0 ? paint.soft : paint.group[head.chambers[works.chamber[i]].colour];
  };

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    // A variable may name another one, or a colour in any notation: a probe says what it comes to.
    const probe = document.createElement("i");
    document.body.append(probe);
    const rgb = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
    };
    const solid = (name) => `rgb(${rgb(name).join(",")})`;
    const glass = (name, part) => `rgba(${rgb(name).join(",")},${part})`;
    const thin = head.drawn > FEW ? (head.drawn > MANY ? 0.12 : 0.3) : 0.6;
    paint = {
      paper: solid("--paper"), paperRgb: rgb("--paper").map((part) => part / 255), ink: solid("--ink"),
      soft: solid("--soft"), line: solid("--line"), bar: solid("--bar"), serif: of("--serif") || "serif",
      veil: glass("--paper", 0.8),
      group: Array.from({ length: COLOURS }, (_, n) => solid(`--g${n}`)),
      halo: Array.from({ length: COLOURS }, (_, n) => glass(`--g${n}`, 0.09)),
      relation: head.relations.map((_, n) => solid(`--r${n}`)),
      thread: head.relations.map((_, n) => glass(`--r${n}`, thin)),
    };
    probe.remove();
  }

  // ---- the shapes, on the graphics card: one triangle a work, cut to its shape

  function shapes() {
    const { UNSIGNED_BYTE, FLOAT, TRIANGLES } = WebGLRenderingContext;
    return class extends Sigma.rendering.NodeProgram {
      getDefinition() {
        return {
          VERTICES: 3,
          VERTEX_SHADER_SOURCE: `
            attribute vec2 a_place; attribute float a_size; attribute float a_shape;
            attribute vec4 a_color; attribute vec4 a_id; attribute vec2 a_corner;
            uniform mat3 u_matrix; uniform float u_sizeRatio; uniform float u_correctionRatio;
            varying vec2 v_at; varying float v_pixel; varying float v_shape; varying vec4 v_color;
            void main() {
              float pixel = 2.0 * u_correctionRatio / u_sizeRatio;
              float reach = (a_size + 2.0) * pixel * 1.35;
              gl_Position = vec4((u_matrix * vec3(a_place + a_corner * reach, 1.0)).xy, 0.0, 1.0);
              v_at = a_corner * (a_size + 2.0) * 1.35 / a_size;
              v_pixel = 1.0 / a_size;
              v_shape = a_shape;
              #ifdef PICKING_MODE
              v_color = a_id;
              #else
              v_color = a_color;
              #endif
              v_color.a *= 255.0 / 254.0;
            }`,
          FRAGMENT_SHADER_SOURCE: `
            precision mediump float;
            varying vec2 v_at; varying float v_pixel; varying float v_shape; varying vec4 v_color;
            uniform vec3 u_paper;
            float far(vec2 p) {
              vec2 q = abs(p);
              if (v_shape < 0.5) return length(p) - 1.0;
              if (v_shape < 1.5) return max(q.x, q.y) - 0.9;
              if (v_shape < 2.5) return (q.x + q.y - 1.3) * 0.707;
              if (v_shape < 3.5) return max(q.x * 0.88 + p.y * 0.48 - 0.55, -p.y - 0.75);
              if (v_shape < 4.5) return max(max(q.x, q.y) - 1.1, min(q.x, q.y) - 0.48);
              if (v_shape < 5.5) return max(q.x * 0.866 + q.y * 0.5, q.y) - 0.95;
              return length(p) - 0.95;
            }
            void main() {
              float d = far(v_at) / v_pixel;
              #ifdef PICKING_MODE
              if (d > 2.0) discard;
              gl_FragColor = v_color;
              #else
              float inside = clamp(0.5 - d, 0.0, 1.0);
              float rim = clamp(1.5 - d, 0.0, 1.0);
              vec3 body = v_color.rgb;
              if (v_shape > 5.5) body = mix(u_paper, body, clamp(d + 2.2, 0.0, 1.0));
              gl_FragColor = vec4(mix(u_paper, body, inside) * rim, rim) * v_color.a;
              #endif
            }`,
          METHOD: TRIANGLES,
          UNIFORMS: ["u_matrix", "u_sizeRatio", "u_correctionRatio", "u_paper"],
          ATTRIBUTES: [
            { name: "a_place", size: 2, type: FLOAT },
            { name: "a_size", size: 1, type: FLOAT },
            { name: "a_shape", size: 1, type: FLOAT },
            { name: "a_color", size: 4, type: UNSIGNED_BYTE, normalized: true },
            { name: "a_id", size: 4, type: UNSIGNED_BYTE, normalized: true },
          ],
          CONSTANT_ATTRIBUTES: [{ name: "a_corner", size: 2, type: FLOAT }],
          CONSTANT_DATA: [[-1, -1], [3, -1], [-1, 3]],
        };
      }

      processVisibleItem(id, start, data) {
        this.array.set([data.x, data.y, data.size, data.shape, Sigma.utils.floatColor(data.color), id], start);
      }

      setUniforms({ matrix, sizeRatio, correctionRatio }, { gl, uniformLocations: where }) {
        gl.uniformMatrix3fv(where.u_matrix, false, matrix);
        gl.uniform1f(where.u_sizeRatio, sizeRatio);
        gl.uniform1f(where.u_correctionRatio, correctionRatio);
        gl.uniform3fv(where.u_paper, paint.paperRgb);
      }
    };
  }

  // ---- filters

  function admitted(i) {
    if (!state.kinds.has(kind(i))) return false;
    if (state.chamber >= 0 && works.chamber[i] !== state.chamber) return false;
    const day = works.created[i];
    if (day !== null && (year(day) < state.since || year(day) > state.until)) return false;
    if (!state.alone && !outward[i].length && !inward[i].length) return false;
    return !state.near || state.near.has(i);
  }

  const drawn = (e) =>
    ties.s[e] !== ties.t[e] && state.relations.has(ties.r[e]) && shown[ties.s[e]] && shown[ties.t[e]];

  function apply() {
    const n = works.id.length;
    shown = new Uint8Array(n);
    let some = 0;
    for (let i = 0; i < n; i++) some += shown[i] = admitted(i) ? 1 : 0;
    let lines = 0;
    for (let e = 0; e < ties.s.length; e++) lines += drawn(e) ? 1 : 0;
    sigma.setCustomBBox(box());
    sigma.refresh();
    const told = `${count(some, "work")} of ${head.works.toLocaleString("en")}, ${count(lines, "link")} of ` +
      `${head.drawn.toLocaleString("en")}`;
    find("shown").textContent = complete ? told : `${told} · loading`;
  }

  function box() {
    if (state.view === "time") {
      const tall = state.alone ? head.time.height : head.time.linked || head.time.height;
      return { x: [0, head.time.width], y: [-tall, 0.07 * tall] };
    }
    const [left, low, right, high] = head.map.linked;
    if (!state.alone && right > left) return { x: [left, right], y: [low, high] };
    return { x: [-head.map.whole, head.map.whole], y: [-head.map.whole, head.map.whole] };
  }

  function around(i, steps) {
    const found = new Set([i]);
    let edge = [i];
    for (let step = 0; step < steps; step++) {
      const next = [];
      for (const each of edge) {
        for (const other of neighbours(each)) {
          if (!found.has(other)) {
            found.add(other);
            next.push(other);
          }
        }
      }
      edge = next;
    }
    return found;
  }

  const neighbours = (i) => [...outward[i].map((e) => ties.t[e]), ...inward[i].map((e) => ties.s[e])];

  // ---- the camera

  function move(to) {
    if (calm.matches) sigma.getCamera().setState(to);
    else sigma.getCamera().animate(to, { duration: 450 });
  }

  const home = () => move({ x: 0.5, y: 0.5, ratio: 1, angle: 0 });
  const zoom = (factor) => move({ ratio: Math.min(3, Math.max(0.004, sigma.getCamera().ratio * factor)) });

  // The works in view, with room for the sheet.
  function fit(which, least) {
    const all = [...which].map(at);
    const xs = all.map((p) => p.x), ys = all.map((p) => p.y);
    const low = { x: Math.min(...xs), y: Math.min(...ys) }, high = { x: Math.max(...xs), y: Math.max(...ys) };
    const middle = { x: (low.x + high.x) / 2, y: (low.y + high.y) / 2 };
    const { width, height } = sigma.getDimensions();
    const open = !find("sheet").hidden;
    const side = open && !narrow.matches ? Math.min(390, width / 2) : 0;
    const foot = open && narrow.matches ? height * 0.56 : 0;
    const scale = affine().scale;
    const wide = Math.max(high.x - low.x, least), tall = Math.max(high.y - low.y, least);
    const wanted = Math.min((width - side - 90) / wide, (height - foot - 90) / tall);
    const ratio = Math.max(0.004, (sigma.getCamera().ratio * scale) / wanted);
    const corner = box();
    const whole = Math.max(corner.x[1] - corner.x[0], corner.y[1] - corner.y[0]) || 1;
    const framed = (p) => ({
      x: 0.5 + (p.x - (corner.x[0] + corner.x[1]) / 2) / whole,
      y: 0.5 + (p.y - (corner.y[0] + corner.y[1]) / 2) / whole,
    });
    const shifted = { x: middle.x + side / 2 / wanted, y: middle.y - foot / 2 / wanted };
    move({ ...framed(shifted), ratio: Math.min(ratio, 1.4) });
  }

  // Graph to pixels: x·scale + left, -y·scale + top (the picture is never turned).
  function affine() {
    const zero = sigma.graphToViewport({ x: 0, y: 0 }), one = sigma.graphToViewport({ x: 1, y: 0 });
    return { scale: one.x - zero.x, left: zero.x, top: zero.y };
  }

  // ---- what lies below and above the works

  function canvas(className) {
    const made = coevo.make("canvas", { class: className, "aria-hidden": "true" });
    if (className === "under") place.prepend(made);
    else place.append(made);
    return made.getContext("2d");
  }

  function cleared(context) {
    const { width, height } = sigma.getDimensions();
    const dense = Math.min(devicePixelRatio || 1, 2);
    if (context.canvas.width !== Math.round(width * dense) || context.canvas.height !== Math.round(height * dense)) {
      context.canvas.width = Math.round(width * dense);
      context.canvas.height = Math.round(height * dense);
    }
    context.setTransform(dense, 0, 0, dense, 0, 0);
    context.clearRect(0, 0, width, height);
    return { width, height };
  }

  function draw() {
    const a = affine();
    const room = drawUnder(a);
    drawAbove(a, room);
  }

  function drawUnder(a) {
    const { width, height } = cleared(under);
    const x = (value) => value * a.scale + a.left, y = (value) => a.top - value * a.scale;
    labels = [];
    if (state.view === "time") {
      under.font = "12px system-ui, sans-serif";
      under.textAlign = "left";
      let free = -99;
      for (const [label, where] of head.time.ticks) {
        const left = x(where);
        if (left < free || left > width) continue;
        free = left + 46;
        under.fillStyle = paint.line;
        under.fillRect(left, 0, 1, height);
        under.fillStyle = paint.soft;
        under.fillText(label, left + 5, 16);
        if (left > -40) labels.push([left, 0, left + 40, 22]);
      }
    }
    for (const [number, chamber] of head.chambers.entries()) {
      if (state.near || (state.chamber >= 0 && state.chamber !== number)) continue;
      const tint = state.colour === "chamber" ? paint.halo[chamber.colour] : paint.veil;
      under.fillStyle = tint;
      if (state.view === "time") {
        if (!chamber.lane) continue;
        const top = y(chamber.lane[0]), bottom = y(chamber.lane[1]);
        under.fillRect(x(0) - 12, top, head.time.width * a.scale + 24, bottom - top);
        if (bottom - top > 16) name(chamber, Math.max(x(0), 0) + 6, top + 16, "left", width, height);
      } else {
        const reach = (chamber.reach + 0.9) * a.scale;
        if (chamber.size < 3 || reach < 6) continue;
        under.beginPath();
        under.arc(x(chamber.at[0]), y(chamber.at[1]), reach, 0, 7);
        under.fill();
        if (reach > 30) name(chamber, x(chamber.at[0]), y(chamber.at[1]) - reach + 4, "center", width, height);
      }
    }
    return { width, height };
  }

  function name(chamber, x, y, align, width, height) {
    const font = `600 13px ${paint.serif}`;
    above.font = font;
    const wide = above.measureText(chamber.name).width;
    if (x < 0 || x > width || y < 0 || y > height || wide + 8 > width) return;
    // A name that would reach over the edge is moved in: half a name says nothing.
    const left = Math.min(Math.max(align === "center" ? x - wide / 2 : x, 4), width - wide - 4);
    const taken = [left - 4, y - 15, left + wide + 4, y + 5];
    if (labels.some((other) => meet(other, taken))) return;
    labels.push(taken);
    labels[labels.length - 1].words = { text: chamber.name, left, y, font, colour: paint.group[chamber.colour] };
  }

  const meet = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

  function drawAbove(a, { width, height }) {
    cleared(above);
    const x = (i) => works[state.view][2 * i] * (a.scale / head.scale) + a.left;
    const y = (i) => a.top - works[state.view][2 * i + 1] * (a.scale / head.scale);
    const focus = state.over >= 0 ? state.over : state.chosen;
    const near = [];
    if (focus >= 0 && shown[focus]) {
      for (const e of [...outward[focus], ...inward[focus]]) {
        if (!drawn(e)) continue;
        near.push(ties.s[e] === focus ? ties.t[e] : ties.s[e]);
        arrow(x(ties.s[e]), y(ties.s[e]), x(ties.t[e]), y(ties.t[e]), radius(ties.t[e]), paint.relation[ties.r[e]]);
      }
      for (const i of near) mark(i, x(i), y(i));
      mark(focus, x(focus), y(focus), true);
    }
    const boxes = labels.slice();
    const marked = state.chosen >= 0 && state.chosen !== focus && shown[state.chosen] ? [state.chosen] : [];
    const dimmed = focus >= 0 && shown[focus];
    if (dimmed) write(focus, x(focus), y(focus), boxes, true, width);
    for (const i of marked) mark(i, x(i), y(i), true);
    near.sort((one, other) => one - other);
    let room = 14;
    for (const i of near) if (room && inView(x(i), y(i), width, height)) room -= write(i, x(i), y(i), boxes, false, width);
    if (!dimmed) {
      // Most linked first; the farther in, the more of the others get their names.
      let left = Math.min(34, Math.round((width * height) / 22000));
      let tries = left * 8;
      for (let i = 0; i < works.id.length && left > 0 && tries > 0; i++) {
        if (!shown[i]) continue;
        const px = x(i), py = y(i);
        if (!inView(px, py, width, height)) continue;
        tries--;
        if (radius(i) < 3.2) continue;
        left -= write(i, px, py, boxes, false, width);
      }
    }
    for (const { words } of labels) {
      if (!words || (dimmed && !words.always)) continue;
      above.font = words.font;
      above.textAlign = "left";
      above.lineJoin = "round";
      above.lineWidth = 4;
      above.strokeStyle = paint.veil;
      above.strokeText(words.text, words.left, words.y);
      above.fillStyle = paint.ink;
      above.fillText(words.text, words.left, words.y);
    }
  }

  const inView = (x, y, width, height) => x > -20 && y > -20 && x < width + 20 && y < height + 20;
  const radius = (i) => sigma.scaleSize(size(i));

  function arrow(x0, y0, x1, y1, stop, tint) {
    const long = Math.hypot(x1 - x0, y1 - y0);
    if (long < stop + 2) return;
    const ux = (x1 - x0) / long, uy = (y1 - y0) / long;
    const ex = x1 - ux * (stop + 2), ey = y1 - uy * (stop + 2);
    above.strokeStyle = above.fillStyle = tint;
    above.lineWidth = 1.6;
    above.beginPath();
    above.moveTo(x0, y0);
    above.lineTo(ex - ux * 5, ey - uy * 5);
    above.stroke();
    above.beginPath();
    above.moveTo(ex, ey);
    above.lineTo(ex - ux * 8 - uy * 3.6, ey - uy * 8 + ux * 3.6);
    above.lineTo(ex - ux * 8 + uy * 3.6, ey - uy * 8 - ux * 3.6);
    above.fill();
  }

  // A work once more, above the dimmed picture.
  function mark(i, x, y, ringed = false) {
    const r = radius(i);
    const path = new Path2D();
    const points = {
      1: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
      2: [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
      3: [[0, -1.15], [1.03, 0.75], [-1.03, 0.75]],
      4: [[-0.48, -1.1], [0.48, -1.1], [0.48, -0.48], [1.1, -0.48], [1.1, 0.48], [0.48, 0.48], [0.48, 1.1],
        [-0.48, 1.1], [-0.48, 0.48], [-1.1, 0.48], [-1.1, -0.48], [-0.48, -0.48]],
      5: [[1.1, 0], [0.55, 0.95], [-0.55, 0.95], [-1.1, 0], [-0.55, -0.95], [0.55, -0.95]],
    }[kind(i)];
    if (points) {
      for (const [px, py] of points) path.lineTo(x + px * r, y + py * r);
      path.closePath();
    } else path.arc(x, y, r, 0, 7);
    above.fillStyle = kind(i) < 0 ? paint.paper : colour(i);
    above.strokeStyle = kind(i) < 0 ? colour(i) : paint.paper;
    above.lineWidth = kind(i) < 0 ? 2 : 1.5;
    above.fill(path);
    above.stroke(path);
    if (ringed) {
      above.beginPath();
      above.arc(x, y, r * (points ? 1.35 : 1) + 4, 0, 7);
      above.strokeStyle = paint.ink;
      above.lineWidth = 2;
      above.stroke();
    }
  }

  // The name of a work beside it, where it meets no other name; 1 when it was written.
  function write(i, x, y, boxes, always, width) {
    const px = always ? 14 : 12;
    above.font = `${always ? "600 " : ""}${px}px system-ui, sans-serif`;
    const words = cut(title(i), always ? 70 : 34);
    const wide = above.measureText(words).width;
    const r = radius(i) + (always ? 9 : 4);
    const sides = [[x + r, y + px / 3], [x - r - wide, y + px / 3], [x - wide / 2, y - r - 3], [x - wide / 2, y + r + px]];
    for (const [left, base] of always ? [...sides.filter(([l]) => l > 4 && l + wide < width - 4), sides[0]] : sides) {
      const taken = [left - 2, base - px, left + wide + 2, base + 4];
      if (!always && (left < 2 || left + wide > width - 2 || boxes.some((other) => meet(other, taken)))) continue;
      boxes.push(taken);
      above.textAlign = "left";
      above.lineJoin = "round";
      above.lineWidth = 4;
      above.strokeStyle = paint.veil;
      above.strokeText(words, left, base);
      above.fillStyle = always ? paint.ink : paint.soft;
      above.fillText(words, left, base);
      return 1;
    }
    return 0;
  }

  // ---- choosing a work

  function choose(i, { fly = true, focus = false, quiet = false } = {}) {
    state.chosen = i;
    state.over = -1;
    find("tip").hidden = true;
    if (i >= 0 && !shown[i]) reveal(i);
    sheet(i, focus);
    dim();
    remember();
    if (i >= 0 && fly) fit([i, ...neighbours(i).filter((other) => shown[other])], 6);
    else sigma.scheduleRender();
    if (!quiet) {
      find("said").textContent = i < 0 ? "Nothing is chosen." :
        `Chosen: ${title(i)}. Uses ${count(outward[i].length, "work")}, used by ${inward[i].length.toLocaleString("en")}.`;
    }
  }

  // Filters that hide what was asked for give way.
  function reveal(i) {
    clear();
    if (!outward[i].length && !inward[i].length) {
      state.alone = true;
      if (find("alone")) find("alone").checked = true;
    }
    apply();
  }

  function clear() {
    state.near = null;
    state.chamber = -1;
    find("chamber").value = "-1";
    for (const each of root.querySelectorAll("[data-relation],[data-kind]")) {
      each.checked = true;
      (each.dataset.relation ? state.relations : state.kinds).add(Number(each.dataset.relation ?? each.dataset.kind));
    }
    [state.since, state.until] = [Number(find("from").min), Number(find("to").max)];
    years();
    pressed();
  }

  function dim() {
    const focus = state.over >= 0 ? state.over : state.chosen;
    place.classList.toggle("dim", focus >= 0 && Boolean(shown[focus]));
  }

  // The address of what is seen. Opened from disk, some browsers let a page change only what follows the #.
  function remember() {
    const id = state.chosen < 0 ? null : works.id[state.chosen];
    try {
      history.replaceState(null, "", id === null ? "graph.html" : coevo.address("graph", id));
    } catch {
      history.replaceState(null, "", id === null ? "#" : `#id=${encodeURIComponent(id)}`);
    }
  }

  const wanted = () => new URLSearchParams(location.hash.slice(1)).get("id") ?? coevo.asked("id");

  function button(text, act) {
    const made = coevo.make("button", { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  }

  function sheet(i, focus) {
    const place = find("sheet");
    place.hidden = i < 0;
    if (i < 0) return place.replaceChildren();
    const make = coevo.make;
    const close = make("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
    close.addEventListener("click", letGo);
    const heading = make("h2", { tabindex: "-1" }, make("bdi", {}, title(i)));
    const chamber = head.chambers[works.chamber[i]];
    const proof = coevo.proof("influence.scores", { node_id: works.id[i] });
    const fact = (name, ...value) => [make("dt", {}, name), make("dd", {}, ...value)];
    const facts = make(
      "dl", {},
      ...fact("Kind", works.stub[i] ? "only named by others, not seen itself" : kindWord(i)),
      ...fact("Since", date(works.created[i])),
      ...fact("Inflow", make("a", { class: "proof", href: proof, title: "where this comes from" }, share(works.inflow[i])),
        " of all"),
      ...(chamber ? fact("Chamber", make("a", { href: coevo.address("chamber", chamber.id) }, chamber.name)) : []),
      ...fact("Id", make("code", {}, cut(works.id[i], 90))),
    );
    const linked = outward[i].length + inward[i].length > 0;
    const acts = make("p", { class: "acts" }, make("a", { href: coevo.address("work", works.id[i]) }, "Open its page"));
    acts.append(make("a", { href: coevo.address("graph", works.id[i]) }, "Link to this view"));
    if (linked) {
      acts.append(button("Only 1 step around", () => isolate(i, 1)), button("Only 2 steps", () => isolate(i, 2)));
    }
    if (state.near) acts.append(button("Show everything again", () => reset()));
    place.replaceChildren(close, heading, facts, acts);
    if (!linked) place.append(make("p", { class: "soft" }, "No link to or from another work is known."));
    const words = root.dataset.words.split("|").map((pair) => pair.split(","));
    for (const [list, end, side] of [[outward[i], ties.t, 0], [inward[i], ties.s, 1]]) {
      head.relations.forEach((_, relation) => {
        const held = list.filter((e) => ties.r[e] === relation).sort((one, other) => end[one] - end[other]);
        if (held.length) place.append(...related(words[relation][side], relation, held, end));
      });
    }
    place.scrollTop = 0;
    if (focus) heading.focus({ preventScroll: true });
  }

  function related(word, relation, held, end) {
    const make = coevo.make;
    const rows = held.slice(0, NEAREST).map((e) => {
      const go = button("", () => choose(end[e], { focus: true }));
      const own = ties.w[e] ? "" : " · own";
      go.append(make("bdi", {}, title(end[e])), make("small", {}, date(ties.d[e]) + own));
      go.dataset.id = works.id[end[e]];
      return make("li", {}, go);
    });
    const title_ = make("h3", {}, make("i", { class: `tie r${relation}` }), word,
      make("span", { class: "n" }, held.length.toLocaleString("en")));
    const rest = held.length - rows.length;
    return [title_, make("ul", {}, ...rows),
      ...(rest > 0 ? [make("p", { class: "soft" }, `And ${rest.toLocaleString("en")} more: see its page.`)] : [])];
  }

  function letGo() {
    choose(-1, { fly: false });
    place.focus({ preventScroll: true });
  }

  function isolate(i, steps) {
    clear();
    state.near = around(i, steps);
    apply();
    choose(i, { fly: false, focus: true });
    fit(state.near, 4);
  }

  function reset() {
    clear();
    apply();
    if (state.chosen >= 0) choose(state.chosen, { fly: false, quiet: true });
    home();
  }

  // ---- searching

  function searching() {
    const field = find("find"), list = find("hits");
    let hits = [], at_ = -1;
    const close = () => {
      list.hidden = true;
      field.setAttribute("aria-expanded", "false");
      field.removeAttribute("aria-activedescendant");
      at_ = -1;
    };
    const take = (i) => {
      close();
      field.value = "";
      choose(i);
    };
    const walk = (to) => {
      at_ = to;
      for (const [number, option] of [...list.querySelectorAll("[role=option]")].entries()) {
        option.setAttribute("aria-selected", String(number === at_));
        if (number === at_) {
          field.setAttribute("aria-activedescendant", option.id);
          option.scrollIntoView({ block: "nearest" });
        }
      }
    };
    const look = () => {
      const needle = field.value.trim().toLowerCase();
      if (!needle) return close();
      const found = [];
      for (let i = 0; i < lower.length; i++) if (lower[i].includes(needle)) found.push(i);
      const rank = (i) => (works.id[i].toLowerCase() === needle ? 0 : lower[i].startsWith(needle) ? 1 : 2);
      hits = found.sort((one, other) => rank(one) - rank(other) || one - other).slice(0, HITS);
      list.replaceChildren(...hits.map((i, number) => {
        const option = coevo.make("li", { role: "option", id: `hit${number}`, "aria-selected": "false" },
          coevo.make("bdi", {}, cut(title(i), 90)),
          coevo.make("small", {}, works.created[i] === null ? kindWord(i) : `${kindWord(i)} ${year(works.created[i])}`));
        option.dataset.id = works.id[i];
        option.addEventListener("pointerdown", (event) => event.preventDefault());
        option.addEventListener("click", () => take(i));
        return option;
      }));
      const rest = found.length - hits.length;
      const told = found.length ? (rest ? `And ${rest.toLocaleString("en")} more: say more of the title.` : "") :
        complete ? "No work is called so." : "None so far: works are still being loaded.";
      if (told) list.append(coevo.make("li", { role: "presentation", class: "soft" }, told));
      list.hidden = false;
      field.setAttribute("aria-expanded", "true");
      walk(-1);
      find("said").textContent = found.length ? `${count(found.length, "work")} found.` : told;
    };
    field.addEventListener("input", look);
    field.addEventListener("focus", look);
    field.addEventListener("blur", close);
    field.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") walk(Math.min(at_ + 1, hits.length - 1));
      else if (event.key === "ArrowUp") walk(Math.max(at_ - 1, 0));
      else if (event.key === "Enter" && !list.hidden && hits.length) take(hits[Math.max(at_, 0)]);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
    });
  }

  // ---- controls

  function years() {
    find("from").value = state.since;
    find("to").value = state.until;
    find("since").textContent = state.since;
    find("until").textContent = state.until;
  }

  function pressed() {
    for (const each of find("chambers").querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(Number(each.dataset.chamber) === state.chamber));
    }
  }

  function only(chamber) {
    state.chamber = chamber;
    state.near = null;
    find("chamber").value = String(chamber);
    pressed();
    apply();
    if (chamber < 0) return home();
    const mine = works.chamber.flatMap((each, i) => (each === chamber && shown[i] ? [i] : []));
    if (mine.length) fit(mine, 4);
  }

  function controls() {
    for (const each of root.querySelectorAll("[data-relation],[data-kind]")) {
      const set = each.dataset.relation ? state.relations : state.kinds;
      const number = Number(each.dataset.relation ?? each.dataset.kind);
      if (each.checked) set.add(number);
      each.addEventListener("change", () => {
        if (each.checked) set.add(number);
        else set.delete(number);
        apply();
      });
    }
    state.kinds.add(undefined).add(null);
    for (const each of root.querySelectorAll("[name=view]")) {
      each.addEventListener("change", () => turn(each.value));
    }
    for (const each of root.querySelectorAll("[name=colour]")) {
      each.addEventListener("change", () => {
        state.colour = each.value;
        root.classList.toggle("by-kind", each.value === "kind");
        sigma.refresh();
      });
    }
    find("alone")?.addEventListener("change", (event) => {
      state.alone = event.target.checked;
      apply();
      home();
    });
    for (const id of ["from", "to"]) {
      find(id).addEventListener("input", () => {
        if (id === "from") state.since = Math.min(Number(find("from").value), state.until);
        else state.until = Math.max(Number(find("to").value), state.since);
        years();
        apply();
      });
    }
    find("chamber").addEventListener("change", (event) => only(Number(event.target.value)));
    find("reset").addEventListener("click", reset);
    find("legend").addEventListener("click", () => fold(!root.classList.contains("closed")));
    for (const each of root.querySelectorAll("[data-zoom]")) {
      each.addEventListener("click", () => ({ in: () => zoom(0.6), out: () => zoom(1.6), all: home })[each.dataset.zoom]());
    }
    place.addEventListener("keydown", keys);
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && event.target.closest("#sheet")) letGo();
    });
  }

  function fold(closed) {
    root.classList.toggle("closed", closed);
    find("legend").setAttribute("aria-expanded", String(!closed));
    sigma?.resize();
    sigma?.refresh();
  }

  function turn(view) {
    state.view = view;
    // Where works stand is told to the graph too: the picture's clicks go by it.
    graph.updateEachNodeAttributes((key, attributes) => Object.assign(attributes, at(Number(key))), { attributes: ["x", "y"] });
    apply();
    if (state.near) fit(state.near, 4);
    else home();
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const camera = sigma.getCamera().getState();
    const step = 0.15 * camera.ratio;
    const acts = {
      ArrowLeft: () => move({ x: camera.x - step }), ArrowRight: () => move({ x: camera.x + step }),
      ArrowUp: () => move({ y: camera.y + step }), ArrowDown: () => move({ y: camera.y - step }),
      "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1.6), 0: home,
      Enter: () => middle(), Escape: () => choose(-1, { fly: false }),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  // The most linked work in the middle third of what is seen.
  function middle() {
    const { width, height } = sigma.getDimensions(), a = affine();
    for (let i = 0; i < works.id.length; i++) {
      const { x, y } = at(i);
      const px = x * a.scale + a.left, py = a.top - y * a.scale;
      if (shown[i] && i !== state.chosen && px > width / 3 && px < width / 1.5 && py > height / 3 && py < height / 1.5) {
        return choose(i, { focus: true });
      }
    }
  }

  function swatches() {
    const options = head.chambers.map((each, number) =>
      coevo.make("option", { value: String(number) }, `${cut(each.name, 48)} (${each.size.toLocaleString("en")})`));
    find("chamber").append(...options);
    const rows = head.chambers.slice(0, COLOURS).map((each, number) => {
      const row = button("", () => only(state.chamber === number ? -1 : number));
      row.dataset.chamber = number;
      row.setAttribute("aria-pressed", "false");
      const dot = coevo.make("i", {});
      dot.style.setProperty("--of", `var(--g${each.colour})`);
      row.append(dot, each.name, coevo.make("span", { class: "n" }, each.size.toLocaleString("en")));
      return coevo.make("li", {}, row);
    });
    find("chambers").append(...rows);
    const rest = head.chambers.length - rows.length;
    if (rest > 0) {
      find("chambers").append(coevo.make("li", { class: "soft" },
        `And ${rest.toLocaleString("en")} smaller: their colours come again, never side by side.`));
    }
  }

  // ---- pointing

  function pointing() {
    const tip = find("tip");
    sigma.on("enterNode", ({ node }) => {
      state.over = Number(node);
      place.classList.add("over");
      dim();
      sigma.scheduleRender();
      const i = state.over, a = affine(), p = at(i);
      const facts = [kindWord(i), date(works.created[i]), `inflow ${share(works.inflow[i])}`].join(" · ");
      tip.replaceChildren(coevo.make("b", {}, coevo.make("bdi", {}, title(i))), coevo.make("small", {}, facts),
        coevo.make("small", {}, `uses ${outward[i].length}, used by ${inward[i].length}`));
      tip.hidden = false;
      const x = place.offsetLeft + p.x * a.scale + a.left, y = a.top - p.y * a.scale;
      const room = root.querySelector(".stage").getBoundingClientRect();
      tip.style.left = `${Math.max(8, Math.min(x + 16, room.width - tip.offsetWidth - 12))}px`;
      tip.style.top = `${y + 26 + tip.offsetHeight > room.height ? y - tip.offsetHeight - 22 : y + 22}px`;
    });
    sigma.on("leaveNode", () => {
      state.over = -1;
      tip.hidden = true;
      place.classList.remove("over");
      dim();
      sigma.scheduleRender();
    });
    sigma.on("clickNode", ({ node }) => choose(Number(node), { fly: false }));
    sigma.on("clickStage", () => state.chosen >= 0 && choose(-1, { fly: false }));
    sigma.getMouseCaptor().on("mousedown", () => place.focus({ preventScroll: true }));
  }

  // ---- beginning

  function add(part) {
    const from = works.id.length;
    for (const name of ["id", "title", "kind", "stub", "chamber", "inflow", "created", "map", "time"]) {
      for (const value of part[name]) works[name].push(value);
    }
    most ??= Math.max(...part.inflow, 1e-12);
    for (let i = from; i < works.id.length; i++) {
      outward.push([]);
      inward.push([]);
      numbers.set(works.id[i], i);
      lower.push(`${title(i)} ${works.id[i]}`.toLowerCase());
      graph.addNode(i, at(i));
    }
    const { s, t } = part.links;
    for (let e = 0; e < s.length; e++) {
      const key = ties.s.length;
      for (const name of ["s", "t", "r", "w", "d"]) ties[name].push(part.links[name][e]);
      if (s[e] === t[e]) continue;
      outward[s[e]].push(key);
      inward[t[e]].push(key);
      graph.addEdgeWithKey(key, s[e], t[e]);
    }
  }

  function begin() {
    const type = head.drawn <= FEW ? "arrow" : head.drawn <= MANY ? "rectangle" : "line";
    const { EdgeArrowProgram, EdgeRectangleProgram, EdgeLineProgram } = Sigma.rendering;
    sigma = new Sigma.Sigma(graph, place, {
      nodeProgramClasses: { work: shapes() },
      edgeProgramClasses: { arrow: EdgeArrowProgram, rectangle: EdgeRectangleProgram, line: EdgeLineProgram },
      defaultNodeType: "work", defaultEdgeType: type, renderLabels: false, defaultDrawNodeHover: () => {},
      enableCameraRotation: false, hideEdgesOnMove: head.drawn > MANY, minCameraRatio: 0.004, maxCameraRatio: 3,
      // On paper the graph has no room, and a window that changes meanwhile is no error.
      allowInvalidContainer: true,
      stagePadding: 34, zIndex: false, minEdgeThickness: head.drawn > FEW ? 0.5 : 1,
      nodeReducer: (key) => {
        const i = Number(key);
        const { x, y } = at(i);
        return { x, y, size: size(i), color: colour(i), shape: kind(i) < 0 ? 6 : kind(i), hidden: !shown[i], type: "work" };
      },
      edgeReducer: (key) => ({
        type, size: head.drawn > FEW ? 0.7 : 1.3, color: paint.thread[ties.r[key]], hidden: !drawn(key),
      }),
    });
    under = canvas("under");
    above = canvas("over");
    sigma.on("afterRender", draw);
    pointing();
    coevo.graph = { sigma, state, works, ties, choose };
  }

  const pause = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

  async function start() {
    root = find("graph");
    if (!root) return;
    const test = document.createElement("canvas");
    if (!(test.getContext("webgl2") ?? test.getContext("webgl"))) return;
    head = await coevo.load("graph/head");
    const first = head && (await coevo.load("graph/0"));
    if (!first) return;
    root.hidden = false;
    find("without").hidden = true;
    place = find("view");
    if (narrow.matches) fold(true);
    unit = Math.max(0.5, Math.min(1.2, 1.2 * (400 / head.works) ** 0.2));
    state.alone = !find("alone") || find("alone").checked;
    readColours();
    swatches();
    controls();
    const ticks = head.time.ticks.map(([each]) => each);
    const [low, high] = [ticks[0] ?? 0, ticks[ticks.length - 1] ?? 0];
    for (const id of ["from", "to"]) Object.assign(find(id), { min: low, max: high, step: 1 });
    [state.since, state.until] = [low, high];
    years();
    graph = new graphology.MultiDirectedGraph();
    add(first);
    shown = new Uint8Array(works.id.length);
    complete = head.parts === 1;
    begin();
    apply();
    searching();
    const asked = wanted();
    if (numbers.has(asked)) choose(numbers.get(asked));
    for (let number = 1; number < head.parts; number++) {
      const part = await coevo.load(`graph/${number}`);
      if (!part) break;
      shown = new Uint8Array(works.id.length + part.id.length);
      add(part);
      complete = number === head.parts - 1;
      apply();
      await pause();
    }
    if (asked !== null && state.chosen < 0) {
      if (numbers.has(asked)) choose(numbers.get(asked));
      else find("said").textContent = find("shown").textContent = `No work ${cut(asked, 80)} in this snapshot.`;
    }
    window.addEventListener("coevo:theme", () => {
      readColours();
      sigma.refresh();
    });
    window.addEventListener("hashchange", () => {
      const id = wanted();
      if (numbers.has(id) && numbers.get(id) !== state.chosen) choose(numbers.get(id));
    });
    root.dataset.ready = "true";
  }

  start();
})();
