import { createHash } from 'node:crypto';
import type { ObjectMeta } from '../api/kinds.ts';
import { collectionPath, resources } from '../api/paths.ts';
import { printable } from '../api/printable.ts';
import type { Log } from '../telemetry/log.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import { type KubeClient, KubeError } from './client.ts';
import { createUnlessPresent } from './objects.ts';

type EventType = 'Normal' | 'Warning';

/** The object that an Event is about. */
interface Subject {
	apiVersion: string;
	kind: string;
	metadata: Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'>;
}

/** Who sends the Events: the program, and which process of it. */
interface Reporter {
	component: string;
	instance: string;
}

/** How many pairs of object and reason are remembered, so that no Event is sent twice. */
const remembered = 5_000;

/** An API server that is restarted is back within these. */
const mostTries = 4;
const retryAfterMs = 2_000;

/**
 * Sends Events, each combination of object, reason and message once, because an Event reports a change. Never fails its
 * caller.
 *
 * Several replicas may see the same change: one DELETE causes two or three reviews, which different replicas may answer,
 * and a new leader reconciles everything again. So an Event's name is computed from its content, and the API server
 * refuses a second one of the same name (for as long as it keeps Events, an hour by default).
 */
export class Events {
	readonly #client: KubeClient;
	readonly #log: Log;
	readonly #reporter: Reporter;
	readonly #clock: Clock;
	/** By object and reason: the occasion of the last Event. */
	readonly #last = new BoundedMap<string, string>({ most: remembered });
	readonly #stop = new AbortController();

	constructor(client: KubeClient, log: Log, reporter: Reporter, clock: Clock) {
		this.#client = client;
		this.#log = log;
		this.#reporter = reporter;
		this.#clock = clock;
	}

	/**
	 * @param action what was being done, as in the API: "Delete"
	 * @param occasion two Events of one object and reason are the same if this text is the same; default: the message. To
	 * be given if the message contains times, which differ between replicas.
	 * @returns false: this replica has sent it already
	 */
	send(
		subject: Subject,
		type: EventType,
		reason: string,
		action: string,
		message: string,
		occasion = message,
	): boolean {
		const key = `${subject.metadata.uid}/${reason}`;
		if (this.#last.get(key) === occasion) return false;
		this.#last.set(key, occasion);

		const now = new Date(this.#clock.now()).toISOString();
		const { component, instance } = this.#reporter;
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
			message: printable(message).slice(0, 1_000),
			source: { component },
			reportingComponent: component,
			reportingInstance: instance.slice(0, 128),
			firstTimestamp: now,
			lastTimestamp: now,
			count: 1,
		};
		void this.#create(collectionPath(resources.events, namespace), body).catch((error: unknown) => {
			// No Event can be created in a namespace that is being deleted. Its content is in the log as well.
			this.#log.debug({ error: String(error), reason, name }, 'Event not sent');
		});
		return true;
	}

	/** The process ends: nothing is sent again. A first try still is, and takes 5 s at most. */
	stop(): void {
		this.#stop.abort();
	}

	/** If it exists already, another replica has sent it. If the API server has too much to do, it is sent again. */
	async #create(path: string, body: object): Promise<void> {
		for (let tries = 1; ; tries++) {
			try {
				await createUnlessPresent(this.#client, path, body, { timeoutMs: 5_000 });
				return;
			} catch (error) {
				if (tries === mostTries || !isTransient(error)) throw error;
				await this.#clock.sleep(retryAfterMs, this.#stop.signal);
				if (this.#stop.signal.aborted) throw error;
			}
		}
	}
}

/** No answer, or one that says that the API server can't do it now. */
const isTransient = (error: unknown) =>
	error instanceof KubeError && (error.code === 0 || error.code === 429 || error.code >= 500);

/** `<object>.<16 hex digits>`, as client-go names Events; at most 253 characters. */
function eventName({ metadata }: Subject, reason: string, occasion: string): string {
	const content = JSON.stringify([metadata.uid, reason, occasion]);
	const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
	return `${metadata.name.slice(0, 200)}.${hash}`;
}

/** A pod as the subject of an Event. */
export const podSubject = (pod: { namespace: string; name: string; uid: string }): Subject => ({
	apiVersion: 'v1',
	kind: 'Pod',
	metadata: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
});
