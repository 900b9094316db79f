// Draws the charts of a page: every specification lies in the script element "charts", in the order of the
// elements with class "chart". currentColor lets the drawing follow the page's light and dark colours.
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

  /** How many legend entries fit beside each other; names are about 7 pixels a letter. */
  const legendColumns = (spec, width) => {
    const names = spec.encoding?.color?.scale?.domain ?? spec.layer?.[0]?.encoding?.color?.scale?.domain ?? [];
    const longest = Math.max(1, ...names.map((name) => String(name).length));
    return Math.max(1, Math.min(names.length, Math.floor((width - 60) / (longest * 7 + 46))));
  };

  document.querySelectorAll(".chart").forEach((element, i) => {
    const spec = specs[i];
    spec.width = "container";
    spec.padding = 2;
    const columns = legendColumns(spec, element.clientWidth);
    const merged = {...spec.config, ...config, axis: {...spec.config?.axis, ...config.axis},
                    legend: {...spec.config?.legend, ...config.legend, columns}};
    delete spec.config;
    vegaEmbed(element, spec, {
      mode: "vega-lite", renderer: "svg", config: merged, tooltip: {theme: "page"}, downloadFileName: `chart-${i + 1}`,
      actions: {export: true, source: false, compiled: false, editor: false},
    }).catch((error) => {
      element.textContent = `This chart could not be drawn: ${error.message}`;
      element.parentElement.querySelector("details").open = true;
    });
  });
})();
