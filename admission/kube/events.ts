import { createHash } from 'node:crypto';
import { names } from '../api/keys.ts';
import type { ObjectMeta } from '../api/kinds.ts';
import type { Log } from '../telemetry/log.ts';
import { isConflict, type KubeClient } from './client.ts';
import type { Clock } from './clock.ts';

export type EventType = 'Normal' | 'Warning';

export interface Subject {
	apiVersion: string;
	kind: string;
	metadata: Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'>;
}

/** How many (object, reason) pairs are remembered to keep an Event from being sent twice. */
const remembered = 5_000;

/**
 * Sends each (object, reason, message) once: an Event tells a change, not a state. Never fails its caller.
 *
 * Several replicas may see the same change: one DELETE is two or three reviews, each answered by any of them, and a new
 * leader looks at everything anew. So an Event's name is made from what it tells, and the second one is refused by the
 * API server as one that exists (for as long as Events are kept there, an hour by default).
 */
export class Events {
	readonly #client: KubeClient;
	readonly #log: Log;
	readonly #instance: string;
	readonly #clock: Clock;
	readonly #last = new Map<string, string>();

	constructor(client: KubeClient, log: Log, instance: string, clock: Clock) {
		this.#client = client;
		this.#log = log;
		this.#instance = instance;
		this.#clock = clock;
	}

	/**
	 * `occasion`: what makes two Events of one object and reason the same; default the message. To be given where the
	 * message has times in it, which no two replicas write alike.
	 */
	send(
		subject: Subject,
		type: EventType,
		reason: string,
		action: string,
		message: string,
		occasion = message,
	): void {
		const key = `${subject.metadata.uid}/${reason}`;
		if (this.#last.get(key) === occasion) return;
		this.#last.delete(key);
		this.#last.set(key, occasion);
		const oldest = this.#last.keys().next().value;
		if (this.#last.size > remembered && oldest !== undefined) this.#last.delete(oldest);

		const now = new Date(this.#clock.now()).toISOString();
		const { name, namespace = 'default', uid, resourceVersion } = subject.metadata;
		const body = {
			apiVersion: 'v1',
			kind: 'Event',
			metadata: { name: eventName(subject, reason, occasion), namespace },
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
			.catch((error: unknown) => {
				if (isConflict(error)) return; // another replica was first
				// In a namespace that is being deleted no Event can be made: what it says is in the log as well.
				this.#log.debug({ error: String(error), reason, name }, 'Event not sent');
			});
	}
}

/** As kubectl and client-go name them, `<object>.<16 hex digits>`; an Event's name has at most 253 characters. */
function eventName({ metadata }: Subject, reason: string, occasion: string): string {
	const told = JSON.stringify([metadata.uid, reason, occasion]);
	const hash = createHash('sha256').update(told).digest('hex').slice(0, 16);
	return `${metadata.name.slice(0, 200)}.${hash}`;
}

export const podSubject = (pod: { namespace: string; name: string; uid: string }): Subject => ({
	apiVersion: 'v1',
	kind: 'Pod',
	metadata: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
});
