// Checks the dashboards against Grafana's own types, and the LogQL of them and of a page of the documentation with Grafana's own parser:
// `node check.mjs DASHBOARD.json… PAGE.md`, run where package.json is installed.
//
// The types are turned into a JSON Schema in every run. That takes some seconds, and leaves no copy that could go stale.
import fs from 'node:fs';
import path from 'node:path';
import { parser as logql } from '@grafana/lezer-logql';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

const TYPES = path.resolve('node_modules/@grafana/schema/dist/types/raw');
// For these panels the published types lack the field options, or name them differently. So none of these may be set.
const WITHOUT_FIELD_OPTIONS = ['bargauge', 'logs', 'stat'];
// These keys are in the Prometheus plugin (annotations.ts), and not in the published type of an annotation.
const OF_PROMETHEUS_ANNOTATIONS = ['textFormat', 'titleFormat', 'useValueForTime'];
// The published type of an annotation's target is that of Grafana's own data source: "TODO: this should be a regular DataQuery".
const TARGET_KEYS = ['expr', 'interval', 'refId'];

const ajv = new Ajv({ allErrors: true, strict: false });
const compiled = new Map();

function validator(file, type) {
  const key = `${file}#${type}`;
  if (!compiled.has(key)) {
    const schema = createGenerator({ path: path.join(TYPES, file), type, skipTypeCheck: true, topRef: true }).createSchema(type);
    compiled.set(key, ajv.compile(schema));
  }
  return compiled.get(key);
}

const dashboardType = (type) => validator('dashboard/x/types.gen.d.ts', type);
const panelType = (kind, type) => validator(`composable/${kind}/panelcfg/x/types.gen.d.ts`, type);

let failures = 0;
function fail(where, what) {
  failures += 1;
  console.error(`schema: ${where}: ${what}`);
}

function check(where, validate, value) {
  if (!validate(value)) {
    for (const { instancePath, message, params } of validate.errors) {
      fail(where, `${instancePath || '/'} ${message} ${JSON.stringify(params)}`);
    }
  }
}

function checkPanel(where, panel) {
  check(where, dashboardType('Panel'), panel);
  check(`${where}, options`, panelType(panel.type, 'Options'), panel.options);
  const { defaults, overrides } = panel.fieldConfig;
  const custom = [defaults.custom ?? {}];
  for (const { properties } of overrides) {
    const own = properties.filter(({ id }) => id.startsWith('custom.'));
    custom.push(Object.fromEntries(own.map(({ id, value }) => [id.slice('custom.'.length), value])));
    // A property without the prefix `custom.` is a general field option.
    const general = properties.filter(({ id }) => !id.startsWith('custom.'));
    check(`${where}, override`, dashboardType('FieldConfig'), Object.fromEntries(general.map(({ id, value }) => [id, value])));
  }
  for (const options of custom.filter((options) => Object.keys(options).length > 0)) {
    if (WITHOUT_FIELD_OPTIONS.includes(panel.type)) {
      fail(where, 'has custom field options, which this kind of panel has not');
    } else {
      check(`${where}, field options`, partial(panel.type), options);
    }
  }
}

// A dashboard may leave field options out: Grafana adds the defaults.
function partial(kind) {
  const key = `${kind}#partial`;
  if (!compiled.has(key)) {
    const file = path.join(TYPES, `composable/${kind}/panelcfg/x/types.gen.d.ts`);
    const schema = createGenerator({ path: file, type: 'FieldConfig', skipTypeCheck: true, topRef: true }).createSchema('FieldConfig');
    delete schema.definitions.FieldConfig.required;
    compiled.set(key, ajv.compile(schema));
  }
  return compiled.get(key);
}

function checkLogQuery(where, expr) {
  const filled = expr.replace(/\$\{[^}]*\}/g, 'x').replaceAll('$__range', '1h');
  for (const at of faults(filled)) {
    fail(where, `not LogQL at ${at}: ${filled}`);
  }
}

// Places at which a text is no LogQL.
function faults(text) {
  const at = [];
  logql.parse(text).iterate({
    enter(node) {
      if (node.type.isError) {
        at.push(node.from);
      }
    },
  });
  return at;
}

// Queries in the tables of a page: code in the last cell of a row.
function queriesOf(page) {
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('{app='));
  return rows.map((row) => /\| (`+)(.+)\1 \|$/.exec(row)[2].replaceAll('\\|', '|'));
}

const page = process.argv.at(-1);
const files = process.argv.slice(2, -1);
let panels = 0;
let logs = 0;
for (const file of files) {
  const name = path.basename(file);
  const dashboard = JSON.parse(fs.readFileSync(file, 'utf8'));
  const inRows = dashboard.panels.flatMap((panel) => (panel.type === 'row' ? panel.panels : [panel]));
  for (const panel of inRows) {
    panels += 1;
    const where = `${name}: ${panel.title}`;
    checkPanel(where, panel);
    for (const target of panel.targets.filter(({ datasource }) => datasource.type === 'loki')) {
      logs += 1;
      checkLogQuery(where, target.expr);
    }
  }
  for (const row of dashboard.panels.filter(({ type }) => type === 'row')) {
    check(`${name}: row ${row.title}`, dashboardType('RowPanel'), row);
  }
  for (const annotation of dashboard.annotations.list) {
    const { target, ...rest } = annotation;
    for (const key of annotation.datasource.type === 'prometheus' ? OF_PROMETHEUS_ANNOTATIONS : []) {
      delete rest[key];
    }
    check(`${name}: annotation ${annotation.name}`, dashboardType('AnnotationQuery'), rest);
    const unknown = Object.keys(target ?? {}).filter((key) => !TARGET_KEYS.includes(key));
    if (unknown.length > 0) {
      fail(`${name}: annotation ${annotation.name}`, `unknown in its target: ${unknown}`);
    }
  }
  check(name, dashboardType('Dashboard'), { ...dashboard, annotations: { list: [] } });
}

const queries = queriesOf(fs.readFileSync(page, 'utf8'));
queries.forEach((query) => checkLogQuery(path.basename(page), query));

if (queries.length < 10) {
  fail('nothing to check', `${page}: ${queries.length} queries`);
}
if (panels < 20 || logs < 1) {
  fail('nothing to check', `${files.length} files, ${panels} panels, ${logs} log queries`);
}
// These must be refused: a check that accepts everything would check nothing.
const wrong = [
  ['graphTooltip', dashboardType('Dashboard'), { schemaVersion: 42, graphTooltip: 'one' }],
  ['gridPos', dashboardType('Panel'), { type: 'stat', gridPos: { h: '8', w: 1, x: 0, y: 0 } }],
  ['options', panelType('stat', 'Options'), { colorMode: 'loud' }],
];
for (const [what, validate, value] of wrong) {
  if (validate(value)) {
    fail('the schema', `takes a wrong ${what}`);
  }
}
if (faults('sum by (class (count_over_time({app="x"} | json [1h]))').length === 0) {
  fail('the parser', 'takes wrong LogQL');
}
if (failures > 0) {
  console.error(`schema: ${failures} failures`);
  process.exit(1);
}
console.log(`schema: ${files.length} dashboards, ${panels} panels and ${logs} log queries are of Grafana's types, ${queries.length} queries of the documentation are LogQL`);
