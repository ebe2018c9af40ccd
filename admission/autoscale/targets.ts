import type { HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import type { Informer } from '../kube/informer.ts';
import { targetOf } from './rules/desired.ts';
import { type SetKey, setKey } from './rules/set-key.ts';

/** Knows which autoscaler acts on which set. */
export class Targets {
	readonly #autoscalers: Pick<Informer<HorizontalRunnerAutoscaler>, 'get'>;
	/** The autoscalers that name each set. */
	readonly #naming = new Map<SetKey, Set<ObjectKey>>();
	/** The set that each autoscaler names. */
	readonly #targets = new Map<ObjectKey, SetKey>();

	constructor(autoscalers: Pick<Informer<HorizontalRunnerAutoscaler>, 'get'>) {
		this.#autoscalers = autoscalers;
	}

	/** The sets that an autoscaler names. */
	keys(): SetKey[] {
		return [...this.#naming.keys()];
	}

	/** An autoscaler is new, has changed or is gone. @returns the sets that it named before and names now */
	autoscalerChanged(
		autoscaler: HorizontalRunnerAutoscaler,
		deleted: boolean,
	): { before: SetKey | undefined; now: SetKey | undefined } {
		const own = objectKey(autoscaler.metadata);
		const before = this.#targets.get(own);
		const now = deleted ? undefined : targetKey(autoscaler);
		if (before !== undefined && before !== now) {
			this.#naming.get(before)?.delete(own);
			if (this.#naming.get(before)?.size === 0) this.#naming.delete(before);
			this.#targets.delete(own);
		}
		if (now !== undefined) {
			this.#targets.set(own, now);
			this.#naming.set(now, (this.#naming.get(now) ?? new Set<ObjectKey>()).add(own));
		}
		return { before, now };
	}

	/** The autoscalers that name a set and are not being deleted. */
	naming(set: SetKey): HorizontalRunnerAutoscaler[] {
		return [...(this.#naming.get(set) ?? [])].flatMap((own) => {
			const { namespace, name } = splitKey(own);
			const found = this.#autoscalers.get(namespace, name);
			return found && !found.metadata.deletionTimestamp ? [found] : [];
		});
	}

	/** The autoscaler that acts on a set: the oldest. It is asked for at every reconcile, so that thousands are not put in order. */
	acting(set: SetKey): HorizontalRunnerAutoscaler | undefined {
		let oldest: HorizontalRunnerAutoscaler | undefined;
		for (const one of this.naming(set)) if (!oldest || isOlder(one, oldest)) oldest = one;
		return oldest;
	}

	/** The autoscaler that acts on the set that this one names. */
	actingBeside(autoscaler: HorizontalRunnerAutoscaler): HorizontalRunnerAutoscaler | undefined {
		const set = targetKey(autoscaler);
		return set === undefined ? undefined : this.acting(set);
	}
}

function isOlder(
	{ metadata: one }: HorizontalRunnerAutoscaler,
	{ metadata: other }: HorizontalRunnerAutoscaler,
) {
	const [created = '', otherCreated = ''] = [one.creationTimestamp, other.creationTimestamp];
	return created === otherCreated ? one.name.localeCompare(other.name) < 0 : created < otherCreated;
}

/** The set that an autoscaler names; undefined: it names none. */
export function targetKey({ metadata, spec }: HorizontalRunnerAutoscaler): SetKey | undefined {
	const target = targetOf(spec);
	if (typeof target === 'string') return undefined;
	return setKey({ namespace: metadata.namespace ?? '', ...target });
}
