import { fold } from '../../jobs/records/rules/labels.ts';
import type { SetKey } from './set-key.ts';
import type { FixedPart, Job } from './types.ts';

/** A set as jobs look for it: made once, when the set changes, so that a job costs a look-up for each of its labels. */
export interface IndexedSet extends FixedPart {
	/** All labels that its runners have or may have, folded. */
	has: ReadonlySet<string>;
	/** How many of them somebody gave it: those that GitHub gives anyway do not count. */
	own: number;
}

/**
 * The sets by where their runners register, so that a job is compared only with those that may have jobs of its repository.
 * GitHub compares names without regard to case.
 */
export class SetIndex {
	readonly #sets = new Map<SetKey, IndexedSet>();
	readonly #byScope = new Map<string, Map<SetKey, IndexedSet>>();

	/** In place of what was known of the set. */
	set(fixed: FixedPart): void {
		this.delete(fixed.key);
		const given = new Set(['self-hosted', ...fixed.implicit, ...fixed.possible]);
		const has = new Set([...given, ...fixed.labels]);
		const found = { ...fixed, has, own: has.size - given.size };
		this.#sets.set(fixed.key, found);
		for (const scope of scopesOfSet(fixed)) {
			const there = this.#byScope.get(scope) ?? new Map<SetKey, IndexedSet>();
			this.#byScope.set(scope, there.set(fixed.key, found));
		}
	}

	delete(key: SetKey): void {
		const found = this.#sets.get(key);
		if (!found) return;
		this.#sets.delete(key);
		for (const scope of scopesOfSet(found)) {
			const there = this.#byScope.get(scope);
			there?.delete(key);
			if (there?.size === 0) this.#byScope.delete(scope);
		}
	}

	get(key: SetKey): IndexedSet | undefined {
		return this.#sets.get(key);
	}

	/** Whether any set has runners at this GitHub. */
	isServed(host: string): boolean {
		return this.#byScope.has(atHost(host));
	}

	/** Where runners register that may be given this job, as far as there are sets with such runners. */
	scopesOf({ host, repository, enterprise }: Pick<Job, 'host' | 'repository' | 'enterprise'>): string[] {
		const [owner = ''] = repository.split('/');
		const scopes = [
			inRepository(host, repository),
			inOrganization(host, owner),
			// GitHub Enterprise Server has one enterprise, which its events need not name; nor do answers of GitHub's.
			enterprise === undefined ? inAnyEnterprise(host) : inEnterprise(host, enterprise),
		];
		return scopes.filter((scope) => this.#byScope.has(scope));
	}

	/** Whether the set's runners may be given jobs of this repository, by where they register. */
	covers(set: SetKey, job: Pick<Job, 'host' | 'repository' | 'enterprise'>): boolean {
		return this.scopesOf(job).some((scope) => this.#byScope.get(scope)?.has(set));
	}

	/** The sets whose runners register there; each scope as `scopesOf` names it. */
	within(scopes: readonly string[]): IndexedSet[] {
		return scopes.flatMap((scope) => [...(this.#byScope.get(scope)?.values() ?? [])]);
	}
}

const atHost = (host: string): string => JSON.stringify([fold(host)]);
const inRepository = (host: string, repository: string): string =>
	JSON.stringify([fold(host), 'repository', ...repository.split('/').slice(0, 2).map(fold)]);
const inOrganization = (host: string, name: string): string =>
	JSON.stringify([fold(host), 'organization', fold(name)]);
const inEnterprise = (host: string, name: string): string =>
	JSON.stringify([fold(host), 'enterprise', fold(name)]);
const inAnyEnterprise = (host: string): string => JSON.stringify([fold(host), 'enterprise']);

function scopesOfSet({ host, scope }: FixedPart): string[] {
	switch (scope.kind) {
		case 'repository':
			return [atHost(host), inRepository(host, `${scope.owner}/${scope.name}`)];
		case 'organization':
			return [atHost(host), inOrganization(host, scope.name)];
		case 'enterprise':
			return [atHost(host), inEnterprise(host, scope.name), inAnyEnterprise(host)];
	}
}
