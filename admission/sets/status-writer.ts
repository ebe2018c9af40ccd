import { isDeepStrictEqual } from 'node:util';
import { objectPath } from '../api/paths.ts';
import { apiVersion, type RunnersSet, type SetConditionType, type SetStatus } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Events } from '../kube/events.ts';
import { mergePatch, unlessChanged } from '../kube/objects.ts';
import type { Requeue } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { SetKind } from './kind.ts';
import { statusEveryMs } from './rules/policy.ts';
import { type Found, statusOf } from './rules/status.ts';

export interface StatusWriterDependencies {
	client: KubeClient;
	events: Events;
	clock: Clock;
	log: Log;
}

interface Written {
	atMs: number;
	/** The message of each condition that an Event has reported last. */
	told: Map<SetConditionType, string>;
}

/** A merge patch removes only fields that it names. */
const emptyAccounting = { completions: null, failedStarts: null, briefEnds: null, nextStartAt: null };

const isFailure = (type: SetConditionType) =>
	type === 'CredentialsMissing' || type === 'StartsFailing' || type === 'SpecInvalid';

/** Writes the status of sets, at most once in statusEveryMs, and reports new conditions as Events. */
export class StatusWriter<S extends RunnersSet> {
	readonly #kind: SetKind<S>;
	readonly #dependencies: StatusWriterDependencies;
	/** By the set's UID. */
	readonly #written = new Map<string, Written>();

	constructor(kind: SetKind<S>, dependencies: StatusWriterDependencies) {
		this.#kind = kind;
		this.#dependencies = dependencies;
	}

	/**
	 * Writes the status if it has changed. Where the last write is too recent, it does not write, and says when to come
	 * again; `now` forces the write.
	 */
	async write(set: S, found: Found, now: boolean): Promise<Requeue> {
		const { client, clock } = this.#dependencies;
		const nowMs = clock.now();
		const status = statusOf(set, found, nowMs);
		if (isDeepStrictEqual(asJson(status), asJson(set.status ?? {}))) return undefined;
		const { namespace, name, uid = '' } = set.metadata;
		const written = this.#written.get(uid) ?? { atMs: 0, told: new Map() };
		const dueMs = written.atMs + statusEveryMs - nowMs;
		if (dueMs > 0 && !now) return { afterMs: dueMs };
		this.#written.set(uid, { ...written, atMs: nowMs });
		const change = { status: { ...status, accounting: { ...emptyAccounting, ...status.accounting } } };
		const path = objectPath(this.#kind.resource, { namespace, name }, 'status');
		await unlessChanged(mergePatch(client, path, change, { uid }));
		this.#tell(set, status, written.told);
		return undefined;
	}

	forget(uid: string): void {
		this.#written.delete(uid);
	}

	/** An Event for each condition that has become true or has a new message; troubles are logged as well. */
	#tell({ metadata }: S, { conditions = [] }: SetStatus, told: Written['told']): void {
		const { events, log } = this.#dependencies;
		const { kind, controller } = this.#kind;
		for (const { type, status, message = '' } of conditions) {
			if (told.get(type) === message || status !== 'True' || type === 'Settled') continue;
			told.set(type, message);
			const severity = isFailure(type) ? 'Warning' : 'Normal';
			events.send({ apiVersion, kind, metadata }, severity, type, 'Reconcile', message);
			if (!isFailure(type)) continue;
			const set = `${metadata.namespace}/${metadata.name}`;
			log.warn({ [controller]: set, condition: type, message }, 'the set has a problem, see its conditions');
		}
	}
}

/** As the API server keeps it: without undefined. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
