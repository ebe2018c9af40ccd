import type { CredentialsMissing } from '../../github/types.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Scope } from '../../runner/scope.ts';
import type { Log } from '../../telemetry/log.ts';
import { Lane, type PollAccount } from './lane.ts';
import { byNarrowness, covers } from './rules/targets.ts';

/** A set that an autoscaler acts on. */
export interface PollTarget {
	key: string;
	scope: Scope;
	/** With which GitHub is asked for its scope. */
	account: () => Promise<PollAccount | CredentialsMissing>;
	/** OWNER/NAME of each repository whose runs a metric counts. */
	countsRunsOf: readonly string[];
	/** Its runners that work, and its jobs that are in progress; undefined: it is not known now. */
	working: { busy: number; jobs: number } | undefined;
}

/** The credentials of all sets, and which of them is used for what. */
export class Lanes {
	readonly #dependencies: { clock: Clock; log: Log };
	/** By the connection of their accounts. */
	readonly #lanes = new Map<PollAccount['connection'], Lane>();
	/** The narrowest scope first. */
	#scopes: { scope: Scope; lane: Lane }[] = [];

	constructor(dependencies: { clock: Clock; log: Log }) {
		this.#dependencies = dependencies;
	}

	/** Looks up with which credentials there is something to ask about. */
	async refresh(targets: readonly PollTarget[]): Promise<void> {
		const sorted = targets.toSorted(byNarrowness);
		const accounts = await Promise.all(sorted.map((target) => this.#accountOf(target)));
		this.#scopes = sorted.flatMap(({ scope }, index) => {
			const account = accounts[index];
			return account ? [{ scope, lane: this.#of(account) }] : [];
		});
		const used = new Set(this.#scopes.map(({ lane }) => lane));
		for (const [connection, lane] of this.#lanes) if (!used.has(lane)) this.#lanes.delete(connection);
	}

	/** Counts for each the repositories of which no webhook delivers events. */
	count(unheard: readonly { key: string }[]): void {
		for (const lane of this.#lanes.values()) lane.unheard = 0;
		for (const { key } of unheard) {
			const lane = this.for(key);
			if (lane) lane.unheard += 1;
		}
	}

	/** The one that is most likely shown a repository, by OWNER/NAME in lower case. */
	for(repository: string): Lane | undefined {
		return this.#scopes.find(({ scope }) => covers(scope, repository))?.lane;
	}

	values(): IterableIterator<Lane> {
		return this.#lanes.values();
	}

	/** The organizations whose runners they have. */
	organizations(): { name: string; lane: Lane }[] {
		return this.#scopes.flatMap(({ scope, lane }) =>
			scope.kind === 'organization' ? [{ name: scope.name, lane }] : [],
		);
	}

	async #accountOf({ key, account }: PollTarget): Promise<PollAccount | undefined> {
		try {
			const found = await account();
			return 'read' in found ? found : undefined; // what is missing is told where the credentials are looked after
		} catch (error) {
			this.#dependencies.log.warn({ set: key, error: String(error) }, 'credentials could not be looked up');
			return undefined;
		}
	}

	#of(account: PollAccount): Lane {
		const lane = this.#lanes.get(account.connection) ?? new Lane(account, this.#dependencies.clock);
		lane.account = account;
		this.#lanes.set(account.connection, lane);
		return lane;
	}
}
