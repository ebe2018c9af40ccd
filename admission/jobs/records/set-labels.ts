import { autoscaleKinds } from '../../api/autoscale.ts';
import type { KubeObject } from '../../api/kinds.ts';
import { groupPath } from '../../api/paths.ts';
import { setKinds } from '../../api/sets.ts';
import { type WatchDependencies, type Watched, watched } from '../../cluster/watched.ts';
import { servesResource } from '../../kube/objects.ts';
import { BoundedMap } from '../../time/bounded-map.ts';

import { objectOf } from '../rules/fields.ts';
import { fitting, type KnownLabels, labelsIn, type ScopedLabels, scopeIn } from './rules/labels.ts';
import { mostPastLabels, pastLabelLastsMs, servedCheckMs } from './rules/policy.ts';

/** Of a set only its labels are kept, and where its runners register. */
interface Labelled extends KubeObject, ScopedLabels {}

/** The labels of all RunnerSets and RunnerDeployments, on every replica: which jobs are recorded depends on them. */
export class SetLabels {
	readonly #dependencies: WatchDependencies;
	readonly #watches: readonly Watched<Labelled>[];
	/** Labels that a set had, by the monotonic clock. */
	readonly #past = new BoundedMap<string, true>({ most: mostPastLabels, lastsMs: pastLabelLastsMs });
	/** Absent: they have changed since it was made. */
	#known: KnownLabels | undefined;
	#served = false;

	constructor(dependencies: WatchDependencies) {
		this.#dependencies = dependencies;
		this.#watches = [
			watched<Labelled>(dependencies, setKinds.runnerSet, (object) => trim(object, specOf(object))),
			watched<Labelled>(dependencies, setKinds.runnerDeployment, (object) =>
				trim(object, objectOf(objectOf(specOf(object).template).spec)),
			),
		];
		for (const { on } of this.#watches)
			on((change, { labels, scope }, before) => {
				const unchanged = scope === before?.scope && labels.join() === before.labels.join();
				const same = change === 'modified' && unchanged;
				if (same) return;
				this.#known = undefined;
				for (const label of before?.labels ?? []) this.#past.set(label, true, dependencies.clock.monotonic());
			});
	}

	/** Whether records of jobs are installed, and sets with them. */
	get served(): boolean {
		return this.#served;
	}

	/** undefined: not all sets are known yet. */
	get known(): KnownLabels | undefined {
		if (!this.#watches.every(({ informer }) => informer.synced)) return undefined;
		this.#known ??= this.#gather();
		return this.#known;
	}

	/**
	 * Follows the sets once they and records are installed, until `signal` ends. ARC serves sets of the same names, so the
	 * records tell.
	 *
	 * @param asked called whenever it has been found out whether they are
	 */
	async run(signal: AbortSignal, asked: () => void): Promise<void> {
		const { client, clock } = this.#dependencies;
		const { apiVersion, resource } = autoscaleKinds.workflowJob;
		while (!signal.aborted) {
			this.#served = await servesResource(client, groupPath(apiVersion), resource);
			asked();
			if (this.#served) {
				await Promise.all(this.#watches.map(({ informer }) => informer.run(signal)));
				return;
			}
			await clock.sleep(servedCheckMs, signal);
		}
	}

	#gather(): KnownLabels {
		const sets = this.#watches.flatMap(({ informer }) => [...informer.values()]);
		const now = new Set(sets.flatMap(({ labels }) => labels));
		const { monotonic } = this.#dependencies.clock;
		return {
			labels: { has: (label) => now.has(label) || this.#past.has(label, monotonic()) },
			any: sets.length > 0,
			scopes: new Set(sets.map(({ scope }) => scope)),
			fits: fitting(sets),
		};
	}
}

/** Somebody else's kind of the same name has another schema, so nothing is known of it. */
const specOf = (object: KubeObject): Record<string, unknown> => objectOf(objectOf(object).spec);

function trim({ metadata }: KubeObject, config: Record<string, unknown>): Labelled {
	const { name, namespace, uid, resourceVersion } = metadata;
	return {
		metadata: { name, namespace, uid, resourceVersion } as KubeObject['metadata'],
		labels: labelsIn(config.labels),
		scope: scopeIn(config),
	};
}
