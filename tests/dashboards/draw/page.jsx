// Draws one dashboard with Grafana's own components, from recorded answers of Prometheus in `window.recorded`. Layout, field options and
// names in legends are the work of Grafana's server and panel plugins; this file does as much of it as the pictures need. The heat map has
// Grafana's axes and cells of our own.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import { useLayoutEffect } from 'react';
import { createRoot } from 'react-dom/client';
import {
  FieldType, FALLBACK_COLOR, ThemeContext, VizOrientation, createTheme, dateTime, getDisplayProcessor, reduceField,
  standardTransformers,
} from '@grafana/data';
import {
  BarGauge, BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries, UPlotChart, UPlotConfigBuilder, VizRepeater,
} from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { EventBusSrv } from '@grafana/data';
import { ScaleDirection, ScaleOrientation, AxisPlacement } from '@grafana/schema';
import { interpolateGreys } from 'd3-scale-chromatic';
import { firstValueFrom, of } from 'rxjs';

const WIDTH = 1240;
const GAP = 8;
const ROW = 30 + GAP;
const COLUMN = (WIDTH - GAP) / 24;

const theme = createTheme({ colors: { mode: 'dark' } });
const { dashboard, answers, start, end, step } = window.recorded;
const timeRange = { from: dateTime(start * 1000), to: dateTime(end * 1000), raw: { from: 'now', to: 'now' } };

// === Fields ===

function merge(into, from) {
  for (const [key, value] of Object.entries(from)) {
    const both = [into[key], value].every((x) => x && typeof x === 'object' && !Array.isArray(x));
    into[key] = both ? merge({ ...into[key] }, value) : value;
  }
  return into;
}

function assign(config, id, value) {
  const path = id.split('.');
  const last = path.pop();
  let at = config;
  for (const key of path) {
    at[key] = { ...at[key] };
    at = at[key];
  }
  at[last] = value;
}

/** The panel's field options, overrides applied, as Grafana gives them to a field. */
function configured(panel, field, name, seriesIndex) {
  const config = merge({}, structuredClone(panel.fieldConfig.defaults));
  for (const { matcher, properties } of panel.fieldConfig.overrides) {
    const regexp = matcher.id === 'byRegexp' && new RegExp(matcher.options.slice(1, -1));
    if (regexp ? regexp.test(name) : matcher.options === name) {
      properties.forEach(({ id, value }) => assign(config, id, structuredClone(value)));
    }
  }
  if (config.thresholds) {
    config.thresholds.steps[0].value = -Infinity;
  }
  field.config = { ...config, displayName: name };
  field.state = { seriesIndex, displayName: name };
  field.display = getDisplayProcessor({ field, theme });
  return field;
}

function legend(target, labels) {
  if (target.legendFormat !== '__auto') {
    return target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
  }
  const { __name__: name, ...rest } = labels;
  return Object.entries(rest).map(([key, value]) => `${key}="${value}"`).join(', ') || target.expr;
}

/** One frame a series, as Grafana's Prometheus data source makes them. */
function frames(panel) {
  let index = 0;
  return panel.targets.flatMap((target) =>
    answers[panel.id][target.refId].map((series) => {
      const points = series.values ?? [series.value];
      const name = legend(target, series.metric);
      const number = {
        name, type: FieldType.number, labels: series.metric, values: points.map(([, v]) => (isFinite(Number(v)) ? Number(v) : null)),
      };
      const time = { name: 'Time', type: FieldType.time, config: {}, values: points.map(([t]) => t * 1000) };
      return { refId: target.refId, length: points.length, fields: [time, configured(panel, number, name, index++)] };
    }),
  );
}

/** One frame a query, as of format "table", through the panel's own transformations. */
async function tableFrame(panel) {
  let data = panel.targets.map(({ refId }) => {
    const rows = answers[panel.id][refId];
    const labels = [...new Set(rows.flatMap(({ metric }) => Object.keys(metric)))];
    const fields = labels.map((name) => ({ name, type: FieldType.string, config: {}, values: rows.map(({ metric }) => metric[name]) }));
    const values = rows.map(({ value }) => (isFinite(Number(value[1])) ? Number(value[1]) : null));
    fields.unshift({ name: 'Time', type: FieldType.time, config: {}, values: rows.map(({ value }) => value[0] * 1000) });
    fields.push({ name: `Value #${refId}`, type: FieldType.number, config: {}, values });
    return { refId, length: rows.length, fields };
  });
  for (const { id, options } of panel.transformations) {
    const transformer = Object.values(standardTransformers).find((t) => t.id === id);
    data = await firstValueFrom(of(data).pipe(transformer.operator(options, { interpolate: (text) => text })));
  }
  const [frame] = data;
  frame.fields = frame.fields.map((field, i) => configured(panel, { ...field }, field.config.displayName ?? field.name, i));
  return frame;
}

// === Panels ===

const iconColor = (annotation) => dashboard.annotations.list.find(({ name }) => name === annotation).iconColor;

function Annotations({ config }) {
  useLayoutEffect(() => {
    const drains = (answers.annotations.Drains ?? []).flatMap(({ values }) => [[values[0][0], values.at(-1)[0]]]);
    const starts = [...new Set((answers.annotations.Starts ?? []).flatMap(({ values }) => values.map(([, v]) => Number(v) / 1000)))];
    config.addHook('draw', (u) => {
      const { ctx, bbox } = u;
      const x = (time) => u.valToPos(time * 1000, 'x', true);
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = theme.visualization.getColorByName(iconColor('Drains')) + '22';
      drains.forEach(([from, to]) => ctx.fillRect(x(from), bbox.top, Math.max(2, x(to) - x(from)), bbox.height));
      ctx.strokeStyle = theme.visualization.getColorByName(iconColor('Starts'));
      ctx.setLineDash([4, 3]);
      for (const time of starts.filter((t) => t > start)) {
        ctx.beginPath();
        ctx.moveTo(x(time), bbox.top);
        ctx.lineTo(x(time), bbox.top + bbox.height);
        ctx.stroke();
      }
      ctx.restore();
    });
  }, [config]);
  return null;
}

const eventBus = new EventBusSrv();

function Series({ panel, width, height }) {
  const data = frames(panel);
  if (data.length === 0) {
    return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  }
  return (
    <TimeSeries frames={data} width={width} height={height} timeRange={timeRange} timeZone="utc" legend={panel.options.legend}
      options={panel.options}>
      {(config) => <Annotations config={config} />}
    </TimeSeries>
  );
}

/** A tile for each series, side by side as far as there is room. */
function Stat({ panel, width, height }) {
  const data = frames(panel);
  if (data.length === 0) {
    return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  }
  const { colorMode, graphMode, textMode, reduceOptions: { calcs: [calc] } } = panel.options;
  const rows = Math.ceil(data.length / Math.max(1, Math.floor(width / 130)));
  const columns = Math.ceil(data.length / rows);
  const gap = data.length > 1 ? 4 : 0;
  const tile = ({ fields: [time, field] }, key) => {
    const value = field.display(reduceField({ field, reducers: [calc] })[calc]);
    if (textMode === 'value_and_name') {
      value.title = field.state.displayName;
    }
    const { min, max } = reduceField({ field, reducers: ['min', 'max'] });
    field.state.range = { min, max, delta: max - min };
    const sparkline = graphMode === 'area' ? { x: time, y: field, timeRange } : undefined;
    return (
      <BigValue key={key} width={width / columns - gap} height={height / rows - gap} theme={theme} value={value} colorMode={colorMode} graphMode={graphMode}
        textMode={textMode} justifyMode="auto" sparkline={sparkline} />
    );
  };
  return gap ? <div style={{ display: 'flex', flexWrap: 'wrap', gap }}>{data.map(tile)}</div> : tile(data[0]);
}

function Bars({ panel, width, height }) {
  const values = frames(panel).map(({ fields: [, field] }) => {
    const value = field.values.at(-1) ?? 0;
    return { field, value, display: { ...field.display(value), title: field.state.displayName } };
  });
  const max = Math.max(1, ...values.map(({ value }) => value));
  const longest = values.reduce((a, b) => (a.display.title.length > b.display.title.length ? a : b)).display;
  const alignmentFactors = { title: longest.title, text: values.reduce((a, b) => (a.display.text.length > b.display.text.length ? a : b)).display.text };
  return (
    <VizRepeater source={values} getValues={() => values} renderCounter={0} width={width} height={height} orientation={VizOrientation.Horizontal}
      itemSpacing={7} minVizHeight={panel.options.minVizHeight} maxVizHeight={panel.options.maxVizHeight}
      renderValue={({ value, width: w, height: h }) => (
        <BarGauge width={w} height={h} theme={theme} value={value.display} display={value.field.display} field={{ ...value.field.config, min: 0, max }}
          orientation={VizOrientation.Horizontal} displayMode={panel.options.displayMode} showUnfilled={panel.options.showUnfilled}
          valueDisplayMode={panel.options.valueMode} namePlacement={panel.options.namePlacement} itemSpacing={7} alignmentFactors={alignmentFactors} />
      )} />
  );
}

function Heatmap({ panel, width, height }) {
  const rows = frames(panel).map(({ fields: [time, number] }) => ({ name: number.state.displayName, at: time.values, values: number.values }));
  const times = rows[0].at;
  const cells = rows.map(({ at, values }) => at.map((t, k) => [t, values[k]]));
  const max = Math.max(...cells.flat().map(([, v]) => v));
  const colour = (v) => interpolateGreys(1 - Math.pow(v / max, panel.options.color.exponent) * 0.92);
  const cell = step * 1000;
  const config = new UPlotConfigBuilder('utc');
  config.addScale({ scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right, range: () => [start * 1000, end * 1000] });
  config.addScale({ scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, rows.length] });
  config.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone: 'utc', theme, grid: { show: false } });
  config.addAxis({
    scaleKey: 'y', placement: AxisPlacement.Left, theme, grid: { show: false }, splits: () => rows.map((_, i) => i + 0.5),
    values: (u, splits) => splits.map((i) => rows[i - 0.5].name), size: 84,
  });
  config.addSeries({ scaleKey: 'y', theme, pathBuilder: () => null, pointsBuilder: () => null, colorMode: {}, fieldName: '', drawStyle: 'line', lineColor: FALLBACK_COLOR });
  config.addHook('draw', (u) => {
    const { ctx } = u;
    cells.forEach((row, i) => {
      const [top, bottom] = [u.valToPos(i + 1, 'y', true), u.valToPos(i, 'y', true)];
      for (const [t, v] of row.filter(([, value]) => value > 1e-9)) {
        const [left, right] = [u.valToPos(t - cell, 'x', true), u.valToPos(t, 'x', true)];
        ctx.fillStyle = colour(v);
        ctx.fillRect(left, top + 1, Math.max(1, right - left - 1), bottom - top - 1);
      }
    });
  });
  config.prepData = () => [times, times.map(() => null)];
  return <UPlotChart config={config} data={[times, times.map(() => null)]} width={width} height={height} />;
}

function Nothing({ text = 'No data' }) {
  return <div style={{ display: 'grid', placeItems: 'center', height: '100%', color: theme.colors.text.secondary }}>{text}</div>;
}

function Content({ panel, width, height }) {
  switch (panel.type) {
    case 'timeseries': return <Series {...{ panel, width, height }} />;
    case 'stat': return <Stat {...{ panel, width, height }} />;
    case 'bargauge': return <Bars {...{ panel, width, height }} />;
    case 'heatmap': return <Heatmap {...{ panel, width, height }} />;
    case 'table':
      return <TableNG data={window.tables[panel.id]} width={width} height={height} sortBy={panel.options.sortBy} cellHeight={panel.options.cellHeight}
        enableVirtualization={false} fieldConfig={panel.fieldConfig} structureRev={1} timeRange={timeRange} />;
    default: throw new Error(`no way to draw a ${panel.type}`);
  }
}

const place = ({ x, y, w, h }) => ({ position: 'absolute', left: GAP + x * COLUMN, top: 56 + y * ROW, width: w * COLUMN - GAP, height: h * ROW - GAP });

function Dashboard() {
  const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  const clock = (time) => new Date(time * 1000).toISOString().slice(11, 16);
  return (
    <div id="dashboard" style={{ position: 'relative', width: WIDTH, height: 56 + bottom * ROW, background: theme.colors.background.canvas }}>
      <div style={{ position: 'absolute', left: 16, right: 16, top: 0, height: 56, display: 'flex', alignItems: 'center', justifyContent: 'space-between', color: theme.colors.text.primary }}>
        <span style={{ fontSize: 18, fontWeight: 500 }}>{dashboard.title}</span>
        <span style={{ color: theme.colors.text.secondary }}>{clock(start)} to {clock(end)}</span>
      </div>
      {dashboard.panels.map((panel) => {
        const { width, height, ...at } = place(panel.gridPos);
        if (panel.type === 'row') {
          const title = { ...at, height, display: 'flex', alignItems: 'center', color: theme.colors.text.primary, fontSize: 16, fontWeight: 500, paddingLeft: 8 };
          return <div key={panel.id} style={title}>{panel.collapsed ? '› ' : '⌄ '}{panel.title}</div>;
        }
        return (
          <div key={panel.id} style={at} data-panel={panel.title}>
            <PanelChrome title={panel.title} description={panel.description} width={width} height={height} padding={panel.type === 'table' ? 'none' : 'md'}>
              {(w, h) => <Content panel={panel} width={w} height={h} />}
            </PanelChrome>
          </div>
        );
      })}
    </div>
  );
}

window.tables = {};
for (const panel of dashboard.panels.filter(({ type }) => type === 'table')) {
  window.tables[panel.id] = await tableFrame(panel);
}
// Numbers are as large as there is room for: their font has to be there when they are measured.
await Promise.all([400, 500].map((weight) => document.fonts.load(`${weight} 16px Inter`)));
const context = { eventsScope: 'global', eventBus, sync: () => 0 };
createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <PanelContextProvider value={context}><Dashboard /></PanelContextProvider>
  </ThemeContext.Provider>,
);
