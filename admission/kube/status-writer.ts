import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../api/kinds.ts';
import { objectKey } from '../api/object-key.ts';
import { objectPath, type Resource } from '../api/paths.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import type { KubeClient } from './client.ts';
import type { Events } from './events.ts';
import { mergePatch, unlessChanged } from './objects.ts';
import type { Requeue } from './queue.ts';

export interface Condition {
	type: string;
	status: 'True' | 'False' | 'Unknown';
	reason?: string;
	message?: string;
}

/** How new conditions of a kind are reported: as Events, and those that are failures in the log as well. */
interface ConditionReports {
	events: Events;
	log: Log;
	/** The kind's name in log lines. */
	logName: string;
	/** What is logged about a failure, beside the condition. */
	logMessage: string;
	/** What the controller was doing, as in the API: "Scale". */
	action: string;
	/** Never reported: this condition says that all is well. */
	summary: string;
	isFailure(type: string): boolean;
	/** A condition is reported once more when this has changed. */
	onChangeOf: 'reason' | 'message';
}

interface StatusWriterOptions<S extends object> {
	client: KubeClient;
	clock: Pick<Clock, 'monotonic'>;
	resource: Resource & { kind: string };
	/** The least time between two writes of one object's status; with 0 nothing is remembered of an object. */
	everyMs: number;
	/** The status as a merge patch, which removes only fields that it sets to null. Default: nothing is ever removed. */
	toPatch?(status: S): object;
	/** undefined: conditions are not reported. */
	reports?: ConditionReports;
}

interface Written {
	/** By `clock.monotonic`. */
	atMs: number;
	/** By condition: its reason or message when it was last reported. */
	reported: Map<string, string>;
}

/** Writes the status of one kind's objects when it has changed, not too often, and reports conditions that have become true. */
export class StatusWriter<S extends object> {
	readonly #options: StatusWriterOptions<S>;
	/** By the object's UID, until `forget`. */
	readonly #written = new Map<string, Written>();

	constructor(options: StatusWriterOptions<S>) {
		this.#options = options;
	}

	/**
	 * Writes `status` if it differs from the object's own. If the last write is too recent, it writes nothing and returns
	 * when to try again; `force` writes all the same. An object that was replaced or deleted meanwhile is left alone.
	 *
	 * @throws KubeError
	 */
	async write(
		object: KubeObject & { status?: S | undefined },
		status: S,
		{ force = false } = {},
	): Promise<Requeue> {
		const { client, resource, toPatch = (all: S): object => all } = this.#options;
		if (isDeepStrictEqual(asStored(status), asStored(object.status ?? {}))) return undefined;
		const { namespace, name, uid = '' } = object.metadata;
		const waitMs = this.waitMs(uid);
		if (waitMs > 0 && !force) return { afterMs: waitMs };
		const reported = this.#remember(uid);
		const path = objectPath(resource, { namespace, name }, 'status');
		await unlessChanged(mergePatch(client, path, { status: toPatch(status) }, { uid }));
		this.#report(object, conditionsOf(status), reported);
		return undefined;
	}

	/** How long until the status of the object with this UID may be written again, ms; 0 or less: now. */
	waitMs(uid: string): number {
		const { clock, everyMs } = this.#options;
		return (this.#written.get(uid)?.atMs ?? Number.NEGATIVE_INFINITY) + everyMs - clock.monotonic();
	}

	/** The object is gone, or is to be treated as one whose status was never written. */
	forget(uid: string): void {
		this.#written.delete(uid);
	}

	/** The object's status is written now. Returns which of its conditions have been reported. */
	#remember(uid: string): Written['reported'] {
		const { clock, everyMs, reports } = this.#options;
		const reported = this.#written.get(uid)?.reported ?? new Map<string, string>();
		if (everyMs > 0 || reports) this.#written.set(uid, { atMs: clock.monotonic(), reported });
		return reported;
	}

	#report({ metadata }: KubeObject, conditions: readonly Condition[], reported: Written['reported']): void {
		const { reports, resource } = this.#options;
		if (!reports) return;
		const { events, log, logName, logMessage, action, summary, isFailure, onChangeOf } = reports;
		for (const condition of conditions) {
			const { type, status, message = '' } = condition;
			const current = condition[onChangeOf] ?? '';
			if (type === summary || status !== 'True' || reported.get(type) === current) continue;
			reported.set(type, current);
			const { apiVersion, kind } = resource;
			events.send(
				{ apiVersion, kind, metadata },
				isFailure(type) ? 'Warning' : 'Normal',
				type,
				action,
				message,
			);
			if (!isFailure(type)) continue;
			log.warn({ [logName]: objectKey(metadata), condition: type, message }, logMessage);
		}
	}
}

const conditionsOf = (status: { conditions?: readonly Condition[] }) => status.conditions ?? [];

/** As the API server keeps a status: without undefined and null. */
function asStored(status: object): unknown {
	return JSON.parse(JSON.stringify(status), (_key, value) => (value === null ? undefined : value));
}
