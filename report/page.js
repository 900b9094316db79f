// Draws the charts of a page. The script element "charts" contains all specifications, in the order of the
// elements with class "chart". currentColor makes drawings follow the page's light and dark colours.
"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const font = getComputedStyle(document.body).fontFamily;
  const text = {labelColor: "currentColor", titleColor: "currentColor", labelFont: font, titleFont: font};
  // Everything but fonts and the colour of text is as in the exported specification.
  const config = {
    background: null, font, axis: text, legend: text, rule: {color: "currentColor"},
  };

  /**
   * Gives the legends below a drawing as many columns as fit, at about 7 pixels per letter. They begin at the
   * vertical axis, whose title and labels take up to 80 pixels.
   */
  const fitLegends = (spec, width) => {
    for (const [key, part] of Object.entries(spec)) {
      if (key === "data" || part === null || typeof part !== "object") continue;
      if (part.legend?.orient === "bottom" && Array.isArray(part.scale?.domain)) {
        const longest = Math.max(1, ...part.scale.domain.map((name) => String(name).length));
        part.legend.columns =
          Math.max(1, Math.min(part.scale.domain.length, Math.floor((width - 80) / (longest * 7 + 50))));
      }
      fitLegends(part, width);
    }
  };

  const draw = (element, spec, name, title) => {
    spec.width = "container";
    spec.padding = 2;
    fitLegends(spec, element.clientWidth);
    const merged = {...spec.config, ...config, axis: {...spec.config?.axis, ...config.axis},
                    legend: {...spec.config?.legend, ...config.legend}};
    delete spec.config;
    return vegaEmbed(element, spec, {
      mode: "vega-lite", renderer: "svg", config: merged, tooltip: {theme: "page"}, downloadFileName: name,
      actions: {export: true, source: false, compiled: false, editor: false},
    }).then((drawn) => { // the menu is only a symbol
      element.querySelector("summary")?.setAttribute("aria-label", `Save the chart: ${title}`);
      return drawn;
    }).catch((error) => {
      element.textContent = `This chart could not be drawn: ${error.message}`;
      element.closest("figure").querySelector("details").open = true;
    });
  };

  /** Draws each panel separately, so that they wrap on a narrow page. */
  const drawPanels = (element, combined, name) => {
    element.className = combined.columns === 1 ? "panels stacked" : "panels";
    const charts = combined.concat.map(({title}) => {
      const panel = element.appendChild(document.createElement("div"));
      const heading = panel.appendChild(document.createElement("p"));
      heading.className = "panel-title";
      heading.textContent = title.text;
      const chart = panel.appendChild(document.createElement("div"));
      chart.className = "chart";
      return chart;
    });
    const drawn = charts.map((chart, i) => { // after all elements exist, so that their widths are final
      const {title, ...spec} = combined.concat[i];
      const shared = (combined.params ?? []).map(({bind, ...param}) => i === 0 ? {...param, bind} : param);
      return draw(chart, {...spec, params: [...(spec.params ?? []), ...shared], config: {...combined.config}},
                  `${name}-${i + 1}`, title.text);
    });
    // The inputs of shared parameters are below the first drawing; the other drawings follow its signals.
    Promise.all(drawn).then(([first, ...others]) => (combined.params ?? []).filter(({bind}) => bind).forEach(({name: param}) =>
      first?.view.addSignalListener(param, (_, value) =>
        others.forEach((other) => other?.view.signal(param, value).runAsync()))));
  };

  document.querySelectorAll(".chart").forEach((element, i) => {
    const spec = specs[i];
    const title = element.closest("figure").querySelector("figcaption").textContent;
    (spec.concat ? drawPanels : draw)(element, spec, `chart-${i + 1}`, title);
  });
})();
