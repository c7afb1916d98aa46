// Validates the objects of the Prometheus operator and of the Gateway API in the given files of manifests against their own schemas.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, ...files] = process.argv.slice(2);
const { parseAllDocuments } = createRequire(path.resolve(modules, "closewatch.cjs"))("yaml");

const load = async (project, name) => (await import(path.resolve(modules, "@kubernetes-models", project, "_schemas", `${name}.js`))).validate;
const operator = (kind) => load("prometheus-operator", `ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1${kind}`);
const versions = {
  "monitoring.coreos.com/v1": {
    PodMonitor: await operator("PodMonitor"),
    ServiceMonitor: await operator("ServiceMonitor"),
    PrometheusRule: await operator("PrometheusRule"),
  },
  "gateway.networking.k8s.io/v1": { HTTPRoute: await load("gateway-api", "IoK8sSigsGatewayApiApisV1HTTPRoute") },
};

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
  const validate = versions[object.apiVersion][object.kind];
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
const rule = { backendRefs: [{ name: "chat", port: 80 }] };
for (const [kind, right, ...wrong] of [
  ["ServiceMonitor", { selector: {}, endpoints: [endpoint] },
    { selector: {}, endpoints: [{ ...endpoint, port: 9465 }] },
    { selector: {}, endpoints: [{ ...endpoint, scrapeTimeOut: "1s" }] }],
  ["HTTPRoute", { parentRefs: [{ name: "public" }], rules: [rule] },
    { parentRefs: [{ name: "public" }], rules: [{ ...rule, timeouts: { request: 5 } }] },
    { parentRefs: [{ name: "public" }], rules: [{ ...rule, backends: [] }] }],
  ["PodMonitor", { selector: {}, podMetricsEndpoints: [endpoint] },
    { selector: {}, podMetricsEndpoints: [{ ...endpoint, port: 9465 }] },
    { selector: {}, podMetricsEndpoints: [{ ...endpoint, scrapeTimeOut: "1s" }] }],
  ["PrometheusRule", { groups: [{ name: "a", rules: [{ alert: "A", expr: "up", for: "1m" }] }] },
    { groups: [{ name: "a", rules: [{ alert: "A", expr: "up", for: "soon" }] }] },
    { groups: [{ name: "a", rules: [{ alert: "A", expr: "up", since: "1m" }] }] }],
]) {
  const apiVersion = Object.keys(versions).find((version) => kind in versions[version]);
  const of = (spec) => fault({ apiVersion, kind, metadata, spec });
  if (of(right) !== undefined) throw new Error(`the schema of ${kind} refuses what is right: ${of(right)}`);
  for (const spec of wrong) {
    if (of(spec) === undefined) throw new Error(`the schema of ${kind} accepts ${JSON.stringify(spec)}`);
  }
}

let seen = 0;
for (const file of files) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
    const object = document.toJS();
    if (!(object?.apiVersion in versions)) continue;
    const message = fault(object);
    if (message !== undefined) {
      console.error(`${file}: ${object.kind} ${object.metadata?.name}: ${message}`);
      process.exit(1);
    }
    seen += 1;
  }
}
if (seen === 0) throw new Error("no object of the Prometheus operator or the Gateway API in these files");
console.log(seen);
