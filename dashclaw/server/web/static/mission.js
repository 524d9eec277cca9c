"use strict";
// The decisions over time as curves with values under the pointer; the bars that the server drew stand where this cannot.
(() => {
  const HEIGHT = 180;
  let chart = null;

  // A token may be an expression such as light-dark(), which a canvas does not read: an element computes it.
  function colours(place, names) {
    const probes = names.map((name) => {
      const probe = document.createElement("i");
      probe.style.color = `var(${name})`;
      return probe;
    });
    place.append(...probes);
    const found = Object.fromEntries(names.map((name, index) => [name, getComputedStyle(probes[index]).color]));
    for (const probe of probes) probe.remove();
    return found;
  }

  function draw() {
    const place = document.getElementById("rate");
    if (chart !== null) chart.destroy();
    chart = null;
    if (place === null || typeof uPlot === "undefined") return;
    const { at, decisions } = JSON.parse(place.dataset.series);
    const colour = colours(place, ["--muted", "--line", ...Object.values(decisions).map(({ token }) => token)]);
    const axis = { stroke: colour["--muted"], grid: { stroke: colour["--line"], width: 1 }, ticks: { show: false } };
    const series = Object.entries(decisions).map(([name, { label, token }]) => ({
      label, stroke: colour[token], width: 2, points: { show: false }, spanGaps: false, name,
    }));
    const data = [at.map((moment) => Date.parse(moment) / 1000), ...Object.values(decisions).map((each) => each.values)];
    const width = place.clientWidth;
    if (width === 0) return;
    place.hidden = false;
    chart = new uPlot({
      width, height: HEIGHT, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      series: [{ label: "UTC" }, ...series], axes: [axis, { ...axis, size: 44 }], scales: { y: { range: (_, __, top) => [0, Math.max(1, top)] } },
      cursor: { drag: { x: false, y: false } }, legend: { live: true },
      // Values without a pointer that asks for them are dashes.
      hooks: { setLegend: [(drawn) => drawn.root.classList.toggle("asked", drawn.cursor.idx !== null && drawn.cursor.left >= 0)] },
    }, data, place);
    place.nextElementSibling.hidden = true;
  }

  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.body.addEventListener("htmx:afterSettle", draw);
  draw();
})();
