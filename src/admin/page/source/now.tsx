import { rate } from './format';
import { KINDS, sum, type Activity } from './model';
import { activity, rates } from './state';

function total(numbers: Activity): { all: number; abnormal: number; handshake: number } {
  const closed = KINDS.filter((kind) => kind !== 'handshake');
  return {
    all: closed.reduce((all, kind) => all + sum(numbers.endings[kind]), 0),
    abnormal: sum(numbers.endings.abnormal),
    handshake: sum(numbers.endings.handshake),
  };
}

/** The present in five numbers. */
export function Now() {
  const numbers = activity.value;
  const quarter = numbers && total(numbers);
  const share = quarter && quarter.all > 0 ? `${((100 * quarter.abnormal) / quarter.all).toFixed(1)} %` : '–';
  const tiles: [string, string, string, boolean][] = [
    ['Sessions now', numbers ? String(numbers.sessions) : '–', '', false],
    ['Opened', rates.value ? rate(rates.value.opened) : '–', 'a second', false],
    ['Ended', rates.value ? rate(rates.value.ended) : '–', 'a second', false],
    ['Abnormal', share, 'of endings, 15 min', (quarter?.abnormal ?? 0) > 0],
    ['Failed upgrades', quarter ? String(quarter.handshake) : '–', '15 min', false],
  ];
  return (
    <dl class="tiles" aria-label="Now">
      {tiles.map(([name, value, unit, alarming]) => (
        <div key={name} class={alarming ? 'tile alarming' : 'tile'}>
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong> <span>{unit}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
