// Validates the objects of the Prometheus operator in the given files of manifests against its own schemas.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, ...files] = process.argv.slice(2);
const { parseAllDocuments } = createRequire(path.resolve(modules, "closewatch.cjs"))("yaml");

const schemas = path.resolve(modules, "@kubernetes-models/prometheus-operator/_schemas");
const prefix = "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1";
const load = async (kind) => (await import(path.join(schemas, `${prefix}${kind}.js`))).validate;
const validators = { PodMonitor: await load("PodMonitor"), PrometheusRule: await load("PrometheusRule") };

/** `object`, and a list of its keys, as paths, that nobody has read yet. */
function watched(object, at, unread) {
  if (typeof object !== "object" || object === null) return object;
  const children = {};
  for (const key of Object.keys(object)) {
    unread.add(`${at}/${key}`);
    children[key] = watched(object[key], `${at}/${key}`, unread);
  }
  const target = Array.isArray(object) ? Object.values(children) : children;
  return new Proxy(target, {
    get(_, key) {
      if (typeof key === "string") unread.delete(`${at}/${key}`);
      return target[key];
    },
  });
}

/** The message of what is wrong, or nothing. */
function fault(object) {
  const validate = validators[object.kind];
  if (!validate) return "there is no schema for this kind here";
  const unread = new Set();
  if (!validate(watched(object, "", unread))) {
    return validate.errors.map((it) => `${it.instancePath}: ${it.keyword} ${JSON.stringify(it.params)}`).join(", ");
  }
  // These schemas allow unknown keys, and a cluster drops such keys silently. The validator reads only keys that it knows, so a key that
  // it has not read is unknown.
  const unknown = [...unread].filter((key) => key.startsWith("/spec/") && key.split("/").length > 2);
  return unknown.length > 0 ? `unknown: ${unknown.join(", ")}` : undefined;
}

// The first object of each kind is right; the others must be refused: a validator that accepts everything must not pass.
const metadata = { name: "wrong" };
const endpoint = { port: "metrics", interval: "15s" };
for (const [kind, right, ...wrong] of [
  ["PodMonitor", { selector: {}, podMetricsEndpoints: [endpoint] },
    { selector: {}, podMetricsEndpoints: [{ ...endpoint, port: 9465 }] },
    { selector: {}, podMetricsEndpoints: [{ ...endpoint, scrapeTimeOut: "1s" }] }],
  ["PrometheusRule", { groups: [{ name: "a", rules: [{ alert: "A", expr: "up", for: "1m" }] }] },
    { groups: [{ name: "a", rules: [{ alert: "A", expr: "up", for: "soon" }] }] },
    { groups: [{ name: "a", rules: [{ alert: "A", expr: "up", since: "1m" }] }] }],
]) {
  const of = (spec) => fault({ apiVersion: "monitoring.coreos.com/v1", kind, metadata, spec });
  if (of(right) !== undefined) throw new Error(`the schema of ${kind} refuses what is right: ${of(right)}`);
  for (const spec of wrong) {
    if (of(spec) === undefined) throw new Error(`the schema of ${kind} accepts ${JSON.stringify(spec)}`);
  }
}

let seen = 0;
for (const file of files) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
    const object = document.toJS();
    if (object?.apiVersion !== "monitoring.coreos.com/v1") continue;
    const message = fault(object);
    if (message !== undefined) {
      console.error(`${file}: ${object.kind} ${object.metadata?.name}: ${message}`);
      process.exit(1);
    }
    seen += 1;
  }
}
if (seen === 0) throw new Error("no object of the Prometheus operator in these files");
console.log(seen);
