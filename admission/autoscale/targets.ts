import type { HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import type { Informer } from '../kube/informer.ts';
import { setKey } from './job-book.ts';
import { targetOf } from './rules/desired.ts';

/** Knows which autoscaler acts on which set. */
export class Targets {
	readonly #autoscalers: Pick<Informer<HorizontalRunnerAutoscaler>, 'get'>;
	/** By the set's key: the autoscalers that name it, `namespace/name`. */
	readonly #naming = new Map<string, Set<string>>();
	/** By `namespace/name` of an autoscaler: the key of the set that it names. */
	readonly #targets = new Map<string, string>();

	constructor(autoscalers: Pick<Informer<HorizontalRunnerAutoscaler>, 'get'>) {
		this.#autoscalers = autoscalers;
	}

	/** Keys of the sets that an autoscaler names. */
	keys(): string[] {
		return [...this.#naming.keys()];
	}

	/** An autoscaler is new, has changed or is gone. @returns the sets that it named before and names now */
	note(
		autoscaler: HorizontalRunnerAutoscaler,
		deleted: boolean,
	): { before: string | undefined; now: string | undefined } {
		const { namespace = '', name } = autoscaler.metadata;
		const own = `${namespace}/${name}`;
		const before = this.#targets.get(own);
		const now = deleted ? undefined : targetKey(autoscaler);
		if (before !== undefined && before !== now) {
			this.#naming.get(before)?.delete(own);
			if (this.#naming.get(before)?.size === 0) this.#naming.delete(before);
			this.#targets.delete(own);
		}
		if (now !== undefined) {
			this.#targets.set(own, now);
			this.#naming.set(now, (this.#naming.get(now) ?? new Set<string>()).add(own));
		}
		return { before, now };
	}

	/** The autoscalers that name a set and are not being deleted; the one that acts is the first, the oldest. */
	naming(key: string): HorizontalRunnerAutoscaler[] {
		return [...(this.#naming.get(key) ?? [])]
			.flatMap((own) => {
				const [namespace, name = ''] = own.split('/');
				const found = this.#autoscalers.get(namespace, name);
				return found && !found.metadata.deletionTimestamp ? [found] : [];
			})
			.toSorted(byAge);
	}

	/** The autoscaler that acts on a set. */
	acting(key: string): HorizontalRunnerAutoscaler | undefined {
		return this.naming(key)[0];
	}

	/** The autoscaler that acts on the set that this one names. */
	actingBeside(autoscaler: HorizontalRunnerAutoscaler): HorizontalRunnerAutoscaler | undefined {
		const key = targetKey(autoscaler);
		return key === undefined ? undefined : this.acting(key);
	}
}

const byAge = (one: HorizontalRunnerAutoscaler, other: HorizontalRunnerAutoscaler): number =>
	(one.metadata.creationTimestamp ?? '').localeCompare(other.metadata.creationTimestamp ?? '') ||
	one.metadata.name.localeCompare(other.metadata.name);

/** Key of the set that an autoscaler names; undefined: it names none. */
function targetKey({ metadata, spec }: HorizontalRunnerAutoscaler): string | undefined {
	const target = targetOf(spec);
	return typeof target === 'string' ? undefined : setKey(target.kind, metadata.namespace ?? '', target.name);
}
