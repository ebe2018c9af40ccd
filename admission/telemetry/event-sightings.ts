import type { EventsReport, HookReport, HookSettings } from '../api/report.ts';
import { BoundedMap } from '../time/bounded-map.ts';

/** Webhooks that are reported; each is some 300 bytes of an annotation. */
const mostHooks = 10;

/** Results that are failures: GitHub delivered the event, and it had no effect. */
const refused: readonly string[] = [
	'bad-signature',
	'out-of-scope',
	'unreadable',
	'too-large',
	'failed',
	'overloaded',
	'overflow',
];

/** What this replica has received of GitHub's events, for the report. */
export class EventSightings {
	/** Whether the port for events is open. */
	receiving = false;
	readonly #sinceMs: number;
	readonly #results = new Map<string, number>();
	#lastRefusal: EventsReport['lastRefusal'];
	/** By name. */
	readonly #hooks = new BoundedMap<string, HookReport>({ most: mostHooks });

	constructor(nowMs: number) {
		this.#sinceMs = nowMs;
	}

	/** Counts a delivery by what became of it. */
	counted(result: string, nowMs: number): void {
		this.#results.set(result, (this.#results.get(result) ?? 0) + 1);
		if (refused.includes(result)) this.#lastRefusal = { at: time(nowMs), result };
	}

	/** A verified delivery has come from this webhook. */
	received(hook: string, nowMs: number): void {
		const known = this.#hooks.get(hook);
		this.#hooks.set(hook, { ...known, hook, lastDeliveryAt: time(nowMs) });
	}

	/** Deliveries of the last hour that GitHub could not bring, as its list shows them; hidden: it does not show the list. */
	failuresListed(hook: string, failed: number | 'hidden'): void {
		const known = this.#hooks.get(hook);
		if (!known) return;
		const { failed: _, hidden: __, ...rest } = known;
		this.#hooks.replace(hook, { ...rest, ...(failed === 'hidden' ? { hidden: true } : { failed }) });
	}

	/** How GitHub has the webhook configured. */
	configured(hook: string, settings: HookSettings): void {
		const known = this.#hooks.get(hook);
		if (known) this.#hooks.replace(hook, { ...known, settings });
	}

	report(): EventsReport {
		return {
			receiving: this.receiving,
			since: time(this.#sinceMs),
			results: Object.fromEntries(this.#results),
			...(this.#lastRefusal === undefined ? {} : { lastRefusal: this.#lastRefusal }),
			hooks: [...this.#hooks.values()],
		};
	}
}

const time = (ms: number) => new Date(ms).toISOString();
