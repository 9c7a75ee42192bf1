"use strict";
(() => {
  const options = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    toImageButtonOptions: { format: "svg" },
  };
  const draw = (plot) => {
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "yes";
    const figure = JSON.parse(document.getElementById(plot.id + "-data").textContent);
    Plotly.newPlot(plot, figure.data, figure.layout, options);
  };
  const plots = document.querySelectorAll(".plot");
  // Only what is near the window is drawn, so that a network of many layers opens at once.
  const watcher = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => draw(e.target)),
    { rootMargin: "800px" },
  );
  plots.forEach((plot) => watcher.observe(plot));
  window.addEventListener("beforeprint", () => plots.forEach(draw));
})();
