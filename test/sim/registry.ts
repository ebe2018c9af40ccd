/** The runners that GitHub knows, by scope: its database. No HTTP here. */
import { RunnerGroups } from './runner-groups.ts';
import { type Scope, scopeKey, scopeKind } from './scope.ts';

export interface Runner {
	id: number;
	scope: Scope;
	name: string;
	os: string;
	arch: 'X64' | 'ARM64';
	/** Name of its runner group; undefined: the default one. */
	group: string | undefined;
	groupId: number;
	ephemeral: boolean;
	labels: string[];
	/** Labels that GitHub adds by itself are "read-only"; a scale set's runners have none (seen in a public report). */
	kind: 'classic' | 'scale-set';
	status: 'online' | 'offline';
	/** The true state, which DELETE uses. */
	busy: boolean;
	/** Unix ms of its job's begin. */
	busySinceMs?: number;
	/** The state that list and get show: that of some time ago (see `hintDelayMs`). */
	shownBusy: boolean;
}

export interface NewRunner {
	scope: Scope;
	name: string;
	os?: string;
	/** default 'X64' */
	arch?: Runner['arch'];
	group?: string | undefined;
	/** default true */
	ephemeral?: boolean;
	labels?: string[];
	kind?: Runner['kind'];
	/** default 'online' */
	status?: Runner['status'];
	busy?: boolean;
}

export type RemovalCause = 'api' | 'ephemeral-done' | 'control';

export class Registry {
	readonly #runners = new Map<number, Runner>();
	/** Scope -> the numeric id that GitHub's Link headers use. */
	readonly #scopes = new Map<Scope, number>();
	readonly #onRemoved = new Set<(runner: Runner, cause: RemovalCause) => void>();
	readonly #hintDelayMs: number;
	/** Scopes with another delay. */
	readonly #hintDelaysMs = new Map<Scope, number>();
	readonly groups = new RunnerGroups();
	#nextRunnerId = 101;

	constructor(hintDelayMs: number) {
		this.#hintDelayMs = hintDelayMs;
	}

	/** Makes a repository, organization or enterprise exist; GitHub answers 404 for any other. */
	addScope(scope: Scope): void {
		const key = scopeKey(scope);
		if (!this.#scopes.has(key)) this.#scopes.set(key, 7_000_001 + this.#scopes.size);
	}

	/** From now on list and get are late only for this scope. */
	delayHints(scope: Scope, delayMs: number): void {
		this.#hintDelaysMs.set(scopeKey(scope), delayMs);
	}

	has(scope: Scope): boolean {
		return this.#scopes.has(scopeKey(scope));
	}

	numberOf(scope: Scope): number | undefined {
		return this.#scopes.get(scopeKey(scope));
	}

	/** OWNER/NAME of each. */
	repositoriesOf(owner: string): string[] {
		const prefix = scopeKey(`repos/${owner}/`);
		const scopes = [...this.#scopes.keys()].filter((scope) => scope.startsWith(prefix));
		return scopes.map((scope) => scope.slice('repos/'.length));
	}

	scopeOfNumber(kind: 'repos' | 'orgs', id: number): Scope | undefined {
		for (const [scope, number] of this.#scopes) if (number === id && scopeKind(scope) === kind) return scope;
		return undefined;
	}

	/** Registers a runner. A second one of the same name takes the first one's place and id, as `config --replace` does. */
	add(fresh: NewRunner): Runner {
		this.addScope(fresh.scope);
		const old = this.find(fresh.scope, fresh.name);
		const runner: Runner = {
			id: old?.id ?? this.#nextRunnerId++,
			scope: fresh.scope,
			name: fresh.name,
			os: fresh.os ?? 'linux',
			arch: fresh.arch ?? 'X64',
			group: fresh.group,
			groupId: this.groups.list(fresh.scope).find(({ name }) => name === fresh.group)?.id ?? 1,
			ephemeral: fresh.ephemeral ?? true,
			labels: fresh.labels ?? [],
			kind: fresh.kind ?? 'classic',
			status: fresh.status ?? 'online',
			busy: fresh.busy ?? false,
			shownBusy: fresh.busy ?? false,
		};
		this.#runners.set(runner.id, runner);
		return runner;
	}

	get(id: number): Runner | undefined {
		return this.#runners.get(id);
	}

	find(scope: Scope, name: string): Runner | undefined {
		return this.list(scope).find((runner) => runner.name === name);
	}

	/** In the order of registration. */
	list(scope?: Scope): Runner[] {
		const all = [...this.#runners.values()];
		if (scope === undefined) return all;
		const key = scopeKey(scope);
		return all.filter((runner) => scopeKey(runner.scope) === key);
	}

	setBusy(id: number, busy: boolean, nowMs: number): void {
		const runner = this.#must(id);
		runner.busy = busy;
		if (busy) runner.busySinceMs = nowMs;
		else delete runner.busySinceMs;
		const delayMs = this.#hintDelaysMs.get(scopeKey(runner.scope)) ?? this.#hintDelayMs;
		if (delayMs === 0) {
			runner.shownBusy = busy;
			return;
		}
		setTimeout(() => {
			runner.shownBusy = busy;
		}, delayMs).unref();
	}

	setStatus(id: number, status: Runner['status']): void {
		this.#must(id).status = status;
	}

	remove(id: number, cause: RemovalCause): boolean {
		const runner = this.#runners.get(id);
		if (runner === undefined) return false;
		this.#runners.delete(id);
		for (const listener of this.#onRemoved) listener(runner, cause);
		return true;
	}

	/** Calls back for every runner that is removed from GitHub. Returns a function that stops this. */
	onRemoved(listener: (runner: Runner, cause: RemovalCause) => void): () => void {
		this.#onRemoved.add(listener);
		return () => this.#onRemoved.delete(listener);
	}

	#must(id: number): Runner {
		const runner = this.#runners.get(id);
		if (runner === undefined) throw new Error(`GitHub has no runner ${id}`);
		return runner;
	}
}

/**
 * The labels that GitHub adds to a runner. A scale set's runner has none at GitHub; here a job for any runner matches
 * it too.
 */
export function implicitLabels({ kind, arch }: Runner): readonly string[] {
	return kind === 'classic' ? ['self-hosted', 'Linux', arch] : ['self-hosted'];
}
