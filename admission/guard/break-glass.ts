import { breakGlass } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { objectKey } from '../api/object-key.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { type Events, podSubject } from '../kube/events.ts';
import { askerOf, type DeletionRequest } from '../runner/record.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { Arrival } from '../webhook/review.ts';
import { type Found, find, type Subject } from './subject.ts';

interface Reporters {
	events: Events;
	clock: Pick<Clock, 'now'>;
	log: Log;
}

/** A deletion that break-glass permits, in the log and as an Event. It is counted with the other verdicts. */
export function reportBreakGlassDeletion(
	{ subject, pod }: Found,
	request: DeletionRequest,
	{ events, log, clock }: Reporters,
): void {
	const { breakGlass: why } = pod;
	const deleted = subject.texts.deleted(pod, clock.now());
	const facts = subject.texts.facts(pod);
	const message = `${askerOf(request)} deletes ${deleted}, by ${breakGlass}: ${why}`;
	// The pod is deleted once, whatever versions of it the reviews of the request show.
	const occasion = `Delete ${request.user} ${why}`;
	if (!events.send(podSubject(pod), 'Warning', 'BreakGlass', 'Delete', message, occasion)) return;
	log.warn({ pod: objectKey(pod), ...facts, user: request.user, why, deleted }, 'break-glass');
}

/** An edit that would be refused without break-glass, as its review shows it. */
export interface BreakGlassEdit {
	/** The pod before the edit. */
	shown: Pod;
	user: string;
	/** The annotation's text. */
	why: string;
	/** What would be refused, each as a clause for people. */
	edits: readonly string[];
}

/**
 * An edit that break-glass permits, in the log, as an Event and in the metric of verdicts. A review alone has no effect: where
 * the API server has no such pod, nothing is reported.
 */
export async function reportBreakGlassEdit(
	{ shown, user, why, edits, arrival }: BreakGlassEdit & { arrival: Arrival },
	{
		subjects,
		pods,
		metrics,
		events,
		log,
		clock,
	}: Reporters & { subjects: readonly Subject[]; pods: Pick<RunnerPods, 'get'>; metrics: Metrics },
): Promise<void> {
	const { namespace = '', name, uid, resourceVersion } = shown.metadata;
	const facts = { pod: objectKey({ namespace, name }), user, why, edits: edits.join('; ') };
	let object: Pod | undefined;
	try {
		object = await pods.get(namespace, name);
	} catch (error) {
		metrics.decision('allow', 'break-glass');
		log.warn({ ...facts, error: String(error) }, 'break-glass');
		return;
	}
	const found = object?.metadata.uid === uid ? object && find(subjects, object) : undefined;
	if (!found) return;
	const { subject, pod } = found;
	metrics.decision('allow', 'break-glass');
	log.warn({ ...facts, ...subject.texts.facts(pod) }, 'break-glass');
	const { certified } = arrival;
	const asker = askerOf({ user, options: certified ? { via: 'delete', certified } : { via: 'delete' } });
	const message = `${asker} edits ${subject.texts.deleted(pod, clock.now())}, by ${breakGlass}: ${why}. Otherwise refused: ${facts.edits}`;
	events.send(podSubject(pod), 'Warning', 'BreakGlass', 'Update', message, occasionOf(resourceVersion, user));
}

/** The reviews of one request, answered by whichever replica, show the same version of the pod. */
export const occasionOf = (version: string | undefined, user: string): string => `${version} ${user}`;
