import { BoundedMap } from '../../time/bounded-map.ts';
import { hiddenMs, mostOrganizations, repositoriesEveryMs } from './rules/policy.ts';

interface Organization {
	/** When its repositories were last listed. Negative infinity: never. */
	readMs: number;
	hidden: { untilMs: number; times: number } | undefined;
}

/** The organizations whose repositories are listed. Times by the monotonic clock. */
export class Organizations {
	/** By name in lower case. */
	readonly #known = new BoundedMap<string, Organization>({ most: mostOrganizations });

	/** When its repositories are to be listed; undefined: there are too many, or GitHub does not show them for now. */
	dueMs(name: string, nowMs: number): number | undefined {
		const organization = this.#of(name);
		if (!organization || this.#isHidden(name, nowMs)) return undefined;
		return organization.readMs + repositoriesEveryMs;
	}

	/** Whether its repositories were listed since then, or cannot be. */
	isReadSince(name: string, atMs: number, nowMs: number): boolean {
		const organization = this.#of(name);
		return !organization || this.#isHidden(name, nowMs) || organization.readMs >= atMs;
	}

	read(name: string, nowMs: number): void {
		const organization = this.#of(name);
		if (organization) Object.assign(organization, { readMs: nowMs, hidden: undefined });
	}

	hide(name: string, nowMs: number): void {
		const organization = this.#of(name);
		if (!organization) return;
		const { times = 0 } = organization.hidden ?? {};
		const waitMs = Math.min(hiddenMs.most, hiddenMs.first * 2 ** times);
		organization.hidden = { untilMs: nowMs + waitMs, times: times + 1 };
	}

	/** Forgets all but these. */
	keep(names: ReadonlySet<string>): void {
		for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
	}

	#isHidden(name: string, nowMs: number): boolean {
		return nowMs < (this.#of(name)?.hidden?.untilMs ?? Number.NEGATIVE_INFINITY);
	}

	#of(name: string): Organization | undefined {
		const key = name.toLowerCase();
		const known = this.#known.get(key);
		if (known) return known;
		const fresh = { readMs: Number.NEGATIVE_INFINITY, hidden: undefined };
		return this.#known.add(key, fresh) ? fresh : undefined;
	}
}
