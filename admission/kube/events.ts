import { names } from '../api/keys.ts';
import type { ObjectMeta } from '../api/kinds.ts';
import type { Log } from '../log.ts';
import type { KubeClient } from './client.ts';

export type EventType = 'Normal' | 'Warning';

export interface Subject {
	apiVersion: string;
	kind: string;
	metadata: Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'>;
}

/** How many (object, reason) pairs are remembered to keep an Event from being sent twice. */
const remembered = 5_000;

/** Sends each (object, reason, message) once: an Event tells a change, not a state. Never fails its caller. */
export class Events {
	readonly #client: KubeClient;
	readonly #log: Log;
	readonly #instance: string;
	readonly #last = new Map<string, string>();

	constructor(client: KubeClient, log: Log, instance: string) {
		this.#client = client;
		this.#log = log;
		this.#instance = instance;
	}

	send(subject: Subject, type: EventType, reason: string, action: string, message: string): void {
		const key = `${subject.metadata.uid}/${reason}`;
		if (this.#last.get(key) === message) return;
		this.#last.delete(key);
		this.#last.set(key, message);
		const oldest = this.#last.keys().next().value;
		if (this.#last.size > remembered && oldest !== undefined) this.#last.delete(oldest);

		const now = new Date().toISOString();
		const { name, namespace = 'default', uid, resourceVersion } = subject.metadata;
		const body = {
			apiVersion: 'v1',
			kind: 'Event',
			metadata: { generateName: `${name.slice(0, 200)}.`, namespace },
			involvedObject: {
				apiVersion: subject.apiVersion,
				kind: subject.kind,
				name,
				namespace,
				uid,
				resourceVersion,
			},
			type,
			reason,
			action,
			message: message.slice(0, 1_000),
			source: { component: names.server },
			reportingComponent: names.server,
			reportingInstance: this.#instance.slice(0, 128),
			firstTimestamp: now,
			lastTimestamp: now,
			count: 1,
		};
		this.#client
			.request('POST', `/api/v1/namespaces/${namespace}/events`, { body, timeoutMs: 5_000 })
			// In a namespace that is being deleted no Event can be made: what it says is in the log as well.
			.catch((error: unknown) => this.#log.debug({ error: String(error), reason, name }, 'Event not sent'));
	}
}

export const podSubject = (pod: { namespace: string; name: string; uid: string }): Subject => ({
	apiVersion: 'v1',
	kind: 'Pod',
	metadata: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
});
