/** A line of the last figures, drawn small. */

import { svg } from "./dom.ts";

const WIDTH = 200;
const HEIGHT = 44;

/** `values` from the oldest to the newest, over the whole width; nulls are gaps. `label` says it in words. */
export function chart(values: (number | null)[], label: string): SVGElement {
  const known = values.filter((value) => value !== null);
  const top = Math.max(1, ...known) * 1.15;
  const x = (n: number): number => (n * WIDTH) / Math.max(1, values.length - 1);
  const y = (value: number): number => HEIGHT - 2 - (value / top) * (HEIGHT - 6);
  let line = "";
  let begun = false;
  for (const [n, value] of values.entries()) {
    if (value !== null) line += `${begun ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`;
    begun = value !== null;
  }
  const first = values.findIndex((value) => value !== null);
  const whole = known.length === values.length && known.length > 1;
  return svg(
    "svg",
    { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    whole && svg("path", { class: "under", d: `${line}L${WIDTH} ${HEIGHT}L${x(first).toFixed(1)} ${HEIGHT}Z` }),
    svg("path", { class: "line", d: line, "vector-effect": "non-scaling-stroke" }),
  );
}
