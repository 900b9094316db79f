// Draws the charts of a page. The script element "charts" contains all specifications, in the order of the
// elements with class "chart". currentColor makes drawings follow the page's light and dark colours.
"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const font = getComputedStyle(document.body).fontFamily;
  const quiet = {labelColor: "currentColor", titleColor: "currentColor", labelFontSize: 12, titleFontSize: 12,
                 labelFont: font, titleFont: font, titleFontWeight: 500};
  const config = {
    background: null, font,
    axis: {...quiet, domainColor: "#8a9099", tickColor: "#8a9099", gridColor: "#8a9099", gridOpacity: 0.25},
    legend: {...quiet, symbolStrokeColor: "currentColor"},
    rule: {color: "currentColor"},
  };

  /** Number of legend columns that fit, at about 7 pixels per letter. */
  const legendColumns = (spec, width) => {
    const inner = spec.layer?.[0];
    const names = (spec.encoding ?? inner?.encoding ?? inner?.layer?.[0]?.encoding)?.color?.scale?.domain ?? [];
    const longest = Math.max(1, ...names.map((name) => String(name).length));
    return Math.max(1, Math.min(names.length, Math.floor((width - 110) / (longest * 7 + 46))));
  };

  const draw = (element, spec, name) => {
    spec.width = "container";
    spec.padding = 2;
    const columns = legendColumns(spec, element.clientWidth);
    const merged = {...spec.config, ...config, axis: {...spec.config?.axis, ...config.axis},
                    legend: {...spec.config?.legend, ...config.legend, columns}};
    delete spec.config;
    return vegaEmbed(element, spec, {
      mode: "vega-lite", renderer: "svg", config: merged, tooltip: {theme: "page"}, downloadFileName: name,
      actions: {export: true, source: false, compiled: false, editor: false},
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
      panel.appendChild(document.createElement("h4")).textContent = title.text;
      const chart = panel.appendChild(document.createElement("div"));
      chart.className = "chart";
      return chart;
    });
    const drawn = charts.map((chart, i) => { // after all elements exist, so that their widths are final
      const {title, ...spec} = combined.concat[i];
      const shared = (combined.params ?? []).map(({bind, ...param}) => i === 0 ? {...param, bind} : param);
      return draw(chart, {...spec, params: [...(spec.params ?? []), ...shared], config: {...combined.config}},
                  `${name}-${i + 1}`);
    });
    // The inputs of shared parameters are below the first drawing; the other drawings follow its signals.
    Promise.all(drawn).then(([first, ...others]) => (combined.params ?? []).forEach(({name: param}) =>
      first?.view.addSignalListener(param, (_, value) =>
        others.forEach((other) => other?.view.signal(param, value).runAsync()))));
  };

  document.querySelectorAll(".chart").forEach((element, i) => {
    const spec = specs[i];
    (spec.concat ? drawPanels : draw)(element, spec, `chart-${i + 1}`);
  });
})();
