"use strict";
(() => {
  const PAUSE = 1000;
  const HIDDEN_PAUSE = 5000;
  const SLOW = 3; // after so many times the usual time between two changes the page says that nothing is new
  const LONG = 24; // a fact of more characters takes two places
  const options = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    toImageButtonOptions: { format: "svg" },
  };
  const part = (id) => document.getElementById(id);
  let now = null; // the newest view
  let heard = 0; // when it came
  let lost = false;

  const duration = (seconds) => {
    if (seconds < 90) return `${Math.round(seconds)} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${(seconds / 3600).toFixed(1)} h`;
  };

  const element = (tag, text, kind) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  const age = () => now.age + (Date.now() - heard) / 1000;

  // What changes with time alone: since when nothing is new, and how long it will take.
  const tick = () => {
    part("lost").hidden = !lost;
    if (!now) return;
    const running = now.state === "running";
    const state = part("state");
    state.textContent = lost ? "not connected" : now.state;
    state.className = `badge ${lost ? "lost" : now.state}`;
    const late = running && now.every !== null && age() > SLOW * now.every + 30;
    part("news").textContent = late
      ? `Nothing new for ${duration(age())}, and a change takes ${duration(now.every)}: if it was stopped, go on with ${now.again}`
      : `last change ${duration(age())} ago`;
    const left = running && now.left !== null ? Math.max(0, now.left - age()) : null;
    const share = now.total ? Math.floor((100 * now.done) / now.total) : 0;
    part("progress").textContent =
      (now.total ? `${now.done} of ${now.total} ${now.unit}, ${share} %` : "") +
      (left !== null && !late ? `, about ${duration(left)} left` : "");
  };

  const show = (view) => {
    now = view;
    heard = Date.now();
    document.title = (view.total ? `${view.done}/${view.total} ` : "") + view.title;
    part("title").textContent = view.title;
    const bar = part("bar");
    bar.hidden = !view.total;
    bar.setAttribute("aria-valuemax", view.total);
    bar.setAttribute("aria-valuenow", view.done);
    part("filled").style.width = view.total ? `${(100 * view.done) / view.total}%` : "0";
    const warning = view.warning ? [element("p", `Do not rely on this: ${view.warning}.`, "note warning")] : [];
    part("notes").replaceChildren(...warning, ...view.notes.map((text) => element("p", text, "note")));
    part("facts").replaceChildren(
      ...view.facts.map(([name, value]) => {
        const fact = document.createElement("div");
        fact.append(element("dt", name), element("dd", value));
        fact.className = value.length > LONG ? "wide" : "";
        return fact;
      }),
    );
    draw(view.figures);
  };

  const draw = (figures) => {
    const place = part("figures");
    const names = new Set(figures.map((figure) => `figure-${figure.name}`));
    for (const old of [...place.children]) if (!names.has(old.id)) old.remove();
    figures.forEach((figure, index) => {
      let frame = part(`figure-${figure.name}`);
      if (!frame) {
        frame = document.createElement("figure");
        frame.id = `figure-${figure.name}`;
        frame.append(element("h4", ""), element("div", "", "plot"), element("figcaption", ""));
      }
      if (place.children[index] !== frame) place.insertBefore(frame, place.children[index] || null);
      const [title, plot, caption] = frame.children;
      title.textContent = figure.title;
      caption.innerHTML = figure.caption; // HTML of our own, what it quotes is escaped, and no script in it would run
      plot.style.height = `${figure.layout.height}px`;
      // uirevision: a reader's zoom stays while the curves grow
      Plotly.react(plot, figure.data, { ...figure.layout, uirevision: "kept" }, options);
    });
  };

  const poll = async () => {
    try {
      const have = now ? now.version : "";
      const answer = await fetch(`state.json?have=${encodeURIComponent(have)}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      lost = false;
      if (answer.status === 200) show(await answer.json());
    } catch (error) {
      lost = true;
      if (!(error instanceof TypeError)) console.error(error);
    }
    tick();
    setTimeout(poll, document.hidden ? HIDDEN_PAUSE : PAUSE);
  };
  document.addEventListener("visibilitychange", tick);
  poll();
})();
