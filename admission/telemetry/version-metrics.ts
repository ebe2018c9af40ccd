import { Gauge, type Registry } from 'prom-client';
import { BoundedMap } from '../time/bounded-map.ts';

interface Said {
	kind: string;
	namespace: string;
	set: string;
	/** undefined: not known. */
	version: string | undefined;
	/** GitHub refuses it. */
	outdated: boolean;
}

/** Sets with a series of their own; of more, those that were read longest ago are left out. */
const mostSets = 500;

/** The metric about runners' versions: one series a set, the version that its runners said last. */
export class VersionMetrics {
	readonly #gauge: Gauge;
	readonly #shown: BoundedMap<string, Record<string, string>>;

	constructor(registry: Registry) {
		const gauge = new Gauge({
			name: 'runners_runner_version_info',
			help: "Version of a set's runners as they say it themselves, and whether GitHub refuses it, as the leader sees it; always 1.",
			labelNames: ['kind', 'namespace', 'set', 'version', 'outdated'],
			registers: [registry],
		});
		this.#gauge = gauge;
		this.#shown = new BoundedMap({ most: mostSets, onForget: (_key, labels) => gauge.remove(labels) });
	}

	said({ kind, namespace, set, version = 'unknown', outdated }: Said): void {
		const key = `${kind} ${namespace}/${set}`;
		const before = this.#shown.get(key);
		if (before) this.#gauge.remove(before);
		const labels = { kind, namespace, set, version, outdated: String(outdated) };
		this.#shown.set(key, labels);
		this.#gauge.set(labels, 1);
	}

	/** This process no longer leads: what it read may have changed. */
	stopped(): void {
		this.#shown.clear();
		this.#gauge.reset();
	}
}
