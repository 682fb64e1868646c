/** What a tenant may use, and how much of it is used. */
import { path } from '#gateway/panel/admin/api.ts';
import { setEmpty, setProblem, viewHead } from '#gateway/panel/admin/parts.ts';
import { LIMITS, type Limit } from '#gateway/panel/admin/shapes.ts';
import { repeat, type View, type ViewPorts } from '#gateway/panel/admin/view.ts';
import { fullnessOf, NEARLY, nameText, shareText } from '#gateway/panel/admin/words.ts';
import { element, setText } from '#gateway/panel/dom.ts';

const REFRESH_MS = 5_000;
const WORDS = { fine: '', nearly: 'nearly used up', full: 'used up: more is refused' } as const;

export function limitsView({ api }: ViewPorts, domain: string): View {
  const bars = element('ul', { class: 'limits', 'aria-label': `Limits of ${domain}` });
  const notice = element('div', {});
  const asked = element('p', { class: 'hint' });
  const node = element('section', {}, viewHead('Limits'), bars, notice, asked);
  let stop: () => void = () => undefined;
  const load = async (signal: AbortSignal): Promise<void> => {
    try {
      const { body } = await api.get(path`/tenants/${domain}/limits`, LIMITS, { signal });
      if (signal.aborted) return;
      bars.replaceChildren(...body.items.map(barOf));
      setEmpty(notice, undefined);
      const { answered, gateways } = body;
      setText(
        asked,
        answered < gateways
          ? `Only ${answered} of ${gateways} gateways answered: more may be used.`
          : 'Rates are of the last seconds.',
      );
    } catch (error) {
      if (!signal.aborted) setProblem(notice, error, start);
    }
  };
  const start = (): void => {
    stop();
    stop = repeat(load, REFRESH_MS);
  };
  start();
  return { node, stop: () => stop() };
}

function barOf({ name, limit, use, refused = 0 }: Limit): HTMLElement {
  const fullness = fullnessOf(use, limit);
  const title = nameText(name);
  const shown = Number.isInteger(use) ? use.toLocaleString('en') : use.toFixed(1);
  const meter = element('meter', {
    ...{ min: '0', max: String(Math.max(limit, 1)), value: String(use) },
    ...{ low: String(limit * NEARLY), high: String(limit), optimum: '0', 'aria-label': title },
  });
  const words = [WORDS[fullness], refused > 0 ? `${refused.toLocaleString('en')} refused` : ''].filter(Boolean);
  return element(
    'li',
    { class: 'limit', 'data-fullness': fullness },
    element('span', { class: 'limit-name' }, title),
    element('span', { class: 'limit-use' }, `${shown} of ${limit.toLocaleString('en')} · ${shareText(use, limit)}`),
    meter,
    element('span', { class: 'limit-words' }, words.join(' · ')),
  );
}
