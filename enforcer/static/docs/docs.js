// Draws /openapi.json: every call with what it takes and what it answers.
"use strict";

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function resolve(schema, spec) {
  return schema.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  const bounds = [
    schema.minLength !== undefined && `≥ ${schema.minLength} characters`,
    schema.maxLength !== undefined && `≤ ${schema.maxLength} characters`,
    schema.minimum !== undefined && `≥ ${schema.minimum}`,
    schema.maximum !== undefined && `≤ ${schema.maximum}`,
    schema.format,
  ].filter(Boolean);
  return [schema.type ?? "any", ...bounds].join(", ");
}

function members(caption, rows) {
  const body = rows.map(([name, type, needed]) =>
    element("tr", {}, element("th", { scope: "row" }, element("code", {}, name)),
      element("td", {}, type), element("td", {}, needed ? "needed" : "")));
  return element("table", {}, element("caption", {}, caption), element("tbody", {}, ...body));
}

function schemaTable(caption, schema, spec) {
  const resolved = resolve(schema, spec);
  const needed = new Set(resolved.required ?? []);
  const rows = Object.entries(resolved.properties ?? {}).map(([name, kind]) => [name, typeOf(kind), needed.has(name)]);
  return rows.length ? members(caption, rows) : element("p", {}, `${caption}: an empty object`);
}

function operation(method, path, described, spec) {
  const shows = described.security.flatMap((one) => Object.keys(one));
  const parts = [];
  if (described.parameters.length) {
    parts.push(members("Parameters", described.parameters.map((p) => [p.name, typeOf(p.schema), p.required])));
  }
  const body = described.requestBody?.content["application/json"].schema;
  if (body) parts.push(schemaTable("Body", body, spec));
  for (const [status, answer] of Object.entries(described.responses)) {
    const json = answer.content?.["application/json"];
    if (json) parts.push(schemaTable(`${status}: ${answer.description}`, json.schema, spec));
    else parts.push(element("p", {}, element("code", {}, status), ` ${answer.description}`));
  }
  return element("details", { id: described.operationId },
    element("summary", {},
      element("b", { class: `method ${method}` }, method.toUpperCase()), element("code", {}, path),
      element("span", {}, described.summary),
      element("small", {}, shows.length ? `shows the ${shows.join(" or ")}` : "open to everybody")),
    ...parts);
}

const main = document.getElementById("operations");
fetch("/openapi.json")
  .then((answer) => answer.json())
  .then((spec) => {
    main.replaceChildren(...Object.entries(spec.paths).flatMap(([path, calls]) =>
      Object.entries(calls).map(([method, described]) => operation(method, path, described, spec))));
    main.setAttribute("aria-busy", "false");
    const wanted = document.getElementById(location.hash.slice(1));
    if (wanted) wanted.open = true;
  })
  .catch((error) => main.replaceChildren(element("p", { role: "alert" }, `openapi.json did not load: ${error}`)));
