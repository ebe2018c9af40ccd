/** The runner groups of organizations and enterprises: which repositories may use which runners. */
import { type Scope, scopeKey } from './scope.ts';

export interface NewRunnerGroup {
	name: string;
	/** The names of an organization's repositories, or of an enterprise's organizations, that may use it; default all. */
	selected?: readonly string[];
	/** For a group of an organization: it is inherited from its enterprise. */
	inherited?: boolean;
}

export interface RunnerGroup {
	id: number;
	name: string;
	selected: readonly string[] | undefined;
	inherited: boolean;
	isDefault: boolean;
}

export class RunnerGroups {
	readonly #groups = new Map<Scope, RunnerGroup[]>();
	#nextId = 2;

	add(scope: Scope, { name, selected, inherited = false }: NewRunnerGroup): RunnerGroup {
		const group = { id: this.#nextId++, name, selected, inherited, isDefault: false };
		this.#groups.set(scopeKey(scope), [...this.list(scope), group]);
		return group;
	}

	/** The default group is always there, and for all. */
	list(scope: Scope): RunnerGroup[] {
		const first = { id: 1, name: 'Default', selected: undefined, inherited: false, isDefault: true };
		return this.#groups.get(scopeKey(scope)) ?? [first];
	}

	/** Whether a repository, by OWNER/NAME, may use the runners of a group; one that does not exist is for nobody. */
	isVisible(scope: Scope, name: string | undefined, repository: string): boolean {
		const all = this.list(scope);
		const group = name === undefined ? all[0] : all.find((candidate) => sameName(candidate.name, name));
		if (group === undefined) return false;
		const [owner = '', own = ''] = repository.split('/');
		const asked = scope.startsWith('enterprises/') ? owner : own;
		return mayUse(group, asked);
	}
}

export function mayUse({ selected }: RunnerGroup, name: string): boolean {
	return selected === undefined || selected.some((one) => sameName(one, name));
}

const sameName = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();
