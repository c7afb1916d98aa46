import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { KINDS, nameOf, sum, type Activity, type Kind } from './model';
import { activity, filters } from './state';

const HEIGHT = 220;
/** Seconds of a bar, until the instance has said how many. */
const SLOT = 10;

/** Endings by class in stacked bars, and beside them how many there were of each. */
export function Chart() {
  const numbers = activity.value;
  return (
    <section aria-labelledby="chart-title">
      <h2 id="chart-title">Endings in the last 15 minutes</h2>
      <div class="chart">
        <Plot />
        <ul class="legend">
          {KINDS.map((kind) => {
            const count = numbers ? sum(numbers.endings[kind]) : 0;
            const chosen = filters.value.class === kind;
            return (
              <li key={kind}>
                <button
                  type="button"
                  aria-pressed={chosen}
                  title={`Show only ${kind} below`}
                  onClick={() => (filters.value = { ...filters.value, class: chosen ? '' : kind })}
                >
                  <span class={`dot ${kind}`} aria-hidden="true" />
                  {nameOf(kind)} <b>{count}</b>
                </button>
              </li>
            );
          })}
        </ul>
      </div>
    </section>
  );
}

function Plot() {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element.clientWidth), data(activity.peek()), element);
    };
    draw();
    // Colours are the page's, which change with the scheme.
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    const unsubscribe = activity.subscribe((numbers) => plot.current?.setData(data(numbers)));
    return () => {
      unsubscribe();
      resized.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
    };
  }, []);

  return <div class="plot" ref={box} role="img" aria-label={described(activity.value)} />;
}

function described(numbers: Activity | null): string {
  if (!numbers) return 'No numbers yet';
  const counts = KINDS.map((kind) => [kind, sum(numbers.endings[kind])] as const);
  const some = counts.filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${kind}`);
  return `Endings in the last 15 minutes: ${some.join(', ') || 'none'}`;
}

/** Each series is drawn on top of those before it: the sum of all is the first, and covered by the next. */
const ORDER: readonly Kind[] = [...KINDS].reverse();

function data(numbers: Activity | null): uPlot.AlignedData {
  const slots = numbers?.endings.clean.length ?? 90;
  const width = numbers?.slot_seconds ?? SLOT;
  const end = Math.floor(Date.now() / 1000 / width) * width;
  const times = Array.from({ length: slots }, (_, slot) => end - (slots - 1 - slot) * width);
  const sums: number[][] = [];
  let below = new Array<number>(slots).fill(0);
  for (const kind of KINDS) {
    below = below.map((sum, slot) => sum + (numbers?.endings[kind][slot] ?? 0));
    sums.unshift(below);
  }
  return [times, ...sums];
}

function options(width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  const bars = uPlot.paths.bars?.({ size: [0.85, 16], align: 1 });
  return {
    width,
    height: HEIGHT,
    padding: [8, 24, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    // The last bar has its room too.
    scales: { x: { range: (_, from, to) => [from, to + SLOT] }, y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
    axes: [
      { ...axis, values: '{HH}:{mm}' },
      { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000] },
    ],
    series: [
      {},
      ...ORDER.map((kind) => ({
        label: kind,
        fill: colour(`--${kind}`),
        stroke: colour(`--${kind}`),
        width: 0,
        points: { show: false },
        ...(bars ? { paths: bars } : {}),
      })),
    ],
  };
}
