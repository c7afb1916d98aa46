/** `340ms`, `7.2s`, `3m05s`, `2h07m`, `3d04h`, as `closewatch tail` prints it. */
export function duration(ms: number): string {
  const secs = Math.floor(ms / 1000);
  const two = (number: number) => String(number).padStart(2, '0');
  if (secs < 1) return `${Math.floor(ms)}ms`;
  if (secs < 60) return `${secs}.${Math.floor((ms % 1000) / 100)}s`;
  if (secs < 3600) return `${Math.floor(secs / 60)}m${two(secs % 60)}s`;
  if (secs < 86400) return `${Math.floor(secs / 3600)}h${two(Math.floor(secs / 60) % 60)}m`;
  return `${Math.floor(secs / 86400)}d${two(Math.floor(secs / 3600) % 24)}h`;
}

/** A point on an axis of times: `100 ms`, `1 s`, `2 min`. */
export function roughly(ms: number): string {
  const round = (number: number) => String(Number(number.toPrecision(2)));
  if (ms < 1000) return `${round(ms)} ms`;
  if (ms < 60_000) return `${round(ms / 1000)} s`;
  if (ms < 3_600_000) return `${round(ms / 60_000)} min`;
  return `${round(ms / 3_600_000)} h`;
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = '';
  for (const next of units) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value.toPrecision(3)} ${unit}`;
}

export function rate(perSecond: number): string {
  if (perSecond === 0) return '0';
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

/** As `duration`, with a decimal or two where milliseconds alone would make two instants one. */
export function exactly(ms: number): string {
  if (ms <= 0 || ms >= 10) return duration(ms);
  return ms < 0.1 ? `${Number(ms.toPrecision(1))}ms` : `${ms.toFixed(1)}ms`;
}

/** The clock, in the browser's time zone. */
export function clock(time: string): string {
  return new Date(time).toLocaleTimeString(undefined, { hour12: false });
}

/** The clock, with the day if it is not today. */
export function moment(time: string): string {
  const day = new Date(time).toLocaleDateString();
  return day === new Date().toLocaleDateString() ? clock(time) : `${day} ${clock(time)}`;
}
