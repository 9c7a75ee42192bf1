"use strict";
// What a sweep's page does beyond drawing: other cuts through maps of many settings, and the table of all points.
document.addEventListener("DOMContentLoaded", () => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const chooser = (bar, label, options, chosen, changed) => {
    const box = document.createElement("label");
    box.textContent = label + " ";
    const select = document.createElement("select");
    select.setAttribute("aria-label", label);
    options.forEach((text, k) => select.add(new Option(text, k, k === chosen, k === chosen)));
    select.addEventListener("change", () => changed(Number(select.value)));
    box.append(select);
    bar.append(box);
    return select;
  };
  // A figure that is not drawn yet is changed in its data; draw.js draws that when it comes into view.
  const show = (name, change) => {
    const plot = document.getElementById(name), data = document.getElementById(name + "-data");
    const figure = JSON.parse(data.textContent);
    change(figure);
    data.textContent = JSON.stringify(figure);
    if (plot.dataset.drawn) Plotly.react(plot, figure.data, figure.layout);
  };
  const rename = (layout, key, axis) => {
    const { gridcolor, zeroline, linecolor, ticks, automargin } = layout[key];
    layout[key] = { gridcolor, zeroline, linecolor, ticks, automargin, ...axis };
  };

  const choosers = (bar, axes, drawn, update) => {
    const names = axes.map((a) => a.name);
    const selects = ["across", "up"].map((label, side) => chooser(bar, label, names, drawn[side], (k) => {
      if (drawn[1 - side] === k) drawn[1 - side] = drawn[side];
      drawn[side] = k;
      selects.forEach((select, s) => { select.value = drawn[s]; });
      update();
    }));
  };

  document.querySelectorAll(".slices").forEach((bar) => {
    const cube = read(bar.dataset.source), axes = cube.axes, drawn = cube.drawn, at = cube.at;
    const strides = axes.map((_, k) => axes.slice(k + 1).reduce((n, a) => n * a.numbers.length, 1));
    const place = (i, j) => {
      const where = [...at];
      where[drawn[0]] = i;
      where[drawn[1]] = j;
      return where.reduce((sum, v, k) => sum + v * strides[k], 0);
    };
    const cut = (pick) => axes[drawn[1]].numbers.map((_, j) => axes[drawn[0]].numbers.map((_, i) => pick(place(i, j))));
    const others = [];
    const update = () => {
      others.forEach((box, k) => { box.hidden = drawn.includes(k); });
      const cells = !drawn.every((k) => axes[k].joined); // over names: nothing lies between them
      const [x, y] = drawn.map((k) => cells ? axes[k].numbers.map((_, n) => n) : axes[k].numbers);
      const sum = (sign) => cut((p) =>
        cube.mean[p] === null || cube.half[p] === null ? null : cube.mean[p] + sign * cube.half[p]);
      const dots = [[], []], texts = y.map(() => x.map(() => ""));
      y.forEach((_, j) => x.forEach((_, i) => {
        const p = place(i, j);
        if (cube.mean[p] !== null) {
          const half = cube.half[p] === null ? "" : " ± " + cube.half[p].toFixed(2);
          const place = drawn.map((k, s) => axes[k].name + " = " + axes[k].texts[s ? j : i]).join(", ");
          texts[j][i] = place + "<br>penalty " + cube.mean[p].toFixed(2) + half + " points";
        }
        if (cube.failed[p] !== undefined) dots[1].push([x[i], y[j], cube.failed[p]]);
        else if (texts[j][i] && !cells && x.length * y.length <= cube.dots) dots[0].push([x[i], y[j], texts[j][i]]);
      }));
      show(bar.dataset.figure, (figure) => {
        const contours = figure.data.filter((t) => t.type === "contour");
        const heights = [cut((p) => cube.mean[p]), cut((p) => cube.mean[p]), sum(1), sum(-1)];
        contours.forEach((t, n) => Object.assign(t, { x, y, z: heights[n], visible: !cells }));
        figure.data.filter((t) => t.type === "heatmap").forEach((t) => Object.assign(t, {
          x, y, z: heights[0], text: texts, hovertemplate: "%{text}<extra></extra>", visible: cells,
        }));
        figure.data.filter((t) => t.type === "scatter").forEach((t, n) => {
          [t.x, t.y, t.text] = [0, 1, 2].map((column) => dots[n].map((d) => d[column]));
          if (n === 1) t.showlegend = dots[1].length > 0;
        });
        ["xaxis", "yaxis"].forEach((key, side) => {
          rename(figure.layout, key, cells ? axes[drawn[side]].cells : axes[drawn[side]].layout);
        });
      });
    };
    choosers(bar, axes, drawn, update);
    axes.forEach((axis, k) => {
      const select = chooser(bar, axis.name, axis.texts, at[k], (v) => { at[k] = v; update(); });
      others.push(select.parentElement);
      select.parentElement.hidden = drawn.includes(k);
    });
  });

  document.querySelectorAll(".columns-of").forEach((bar) => {
    const { axes, drawn } = read(bar.dataset.source);
    choosers(bar, axes, drawn, () => show(bar.dataset.figure, (figure) => {
      figure.data.forEach((t, n) => {
        t.x = axes[drawn[0]].columns[n];
        t.y = axes[drawn[1]].columns[n];
      });
      rename(figure.layout, "xaxis", axes[drawn[0]].layout);
      rename(figure.layout, "yaxis", axes[drawn[1]].layout);
    }));
  });

  const PAGE = 50;
  document.querySelectorAll(".all-points").forEach((place) => {
    const { head, rows } = read(place.dataset.source);
    const state = { first: 0, sort: -1, down: false, text: "" };
    const search = Object.assign(document.createElement("input"), {
      type: "search", placeholder: "filter: diverged, 0.002, …", ariaLabel: "Filter the points",
    });
    const told = document.createElement("span");
    const [back, on] = ["‹ before", "next ›"].map((text) => Object.assign(document.createElement("button"), {
      type: "button", textContent: text,
    }));
    const bar = Object.assign(document.createElement("div"), { className: "choose" });
    bar.append(search, back, told, on);
    const scroll = Object.assign(document.createElement("div"), { className: "scroll" });
    place.append(bar, scroll);
    const order = (a, b) => {
      const [u, v] = [a[state.sort], b[state.sort]];
      if (u === null || v === null) return (u === null) - (v === null);
      const found = typeof u === "number" && typeof v === "number" ? u - v : String(u).localeCompare(String(v));
      return state.down ? -found : found;
    };
    let found = rows;
    const choose = () => {
      const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
      found = rows.filter((row) => words.every((w) => row.some((cell) => String(cell ?? "").toLowerCase().includes(w))));
      if (state.sort >= 0) found = [...found].sort(order);
      state.first = 0;
      draw();
    };
    const draw = () => {
      const shown = found.slice(state.first, state.first + PAGE);
      const table = document.createElement("table"), titles = table.createTHead().insertRow();
      head.forEach((name, k) => {
        const cell = document.createElement("th"), button = document.createElement("button");
        button.type = "button";
        button.textContent = name + (state.sort === k ? (state.down ? " ▾" : " ▴") : "");
        button.addEventListener("click", () => {
          Object.assign(state, { down: state.sort === k && !state.down, sort: k });
          choose();
        });
        cell.append(button);
        titles.append(cell);
      });
      const body = table.createTBody();
      shown.forEach((row) => {
        const line = body.insertRow();
        row.forEach((cell) => { line.insertCell().textContent = cell === null ? "–" : String(cell); });
      });
      scroll.replaceChildren(table);
      const last = state.first + shown.length;
      told.textContent = found.length ? `${state.first + 1} to ${last} of ${found.length} points` : "no point";
      back.disabled = state.first === 0;
      on.disabled = last >= found.length;
    };
    search.addEventListener("input", () => { state.text = search.value; choose(); });
    back.addEventListener("click", () => { state.first -= PAGE; draw(); });
    on.addEventListener("click", () => { state.first += PAGE; draw(); });
    draw();
  });
});
