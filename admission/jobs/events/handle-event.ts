import type { EventResult, JobRecordResult, Metrics } from '../../telemetry/metrics.ts';
import { Refusal } from '../endpoint/answer.ts';
import { factsOfEvent, type JobFacts, reportsState } from '../records/rules/facts.ts';
import { objectOf } from '../rules/fields.ts';
import { type JobEvent, type NotForUs, readDelivery } from './rules/delivery.ts';

/** Where what an event says is written. */
export interface EventWriters {
	/** On its runner's pod. @throws if that is not possible now */
	writeOnPod: (event: JobEvent) => Promise<EventResult>;
	/** In the record of its job. @throws if that is not possible now */
	writeRecord: (facts: JobFacts) => Promise<JobRecordResult>;
	metrics: Metrics;
}

/** What an event says. */
interface EventRead {
	/** Of its runner. */
	delivery: JobEvent | NotForUs;
	/** Of its job; undefined: that can't be read. */
	facts: JobFacts | undefined;
}

/**
 * Reads a verified delivery.
 *
 * @param sentMs when GitHub sent it, ms since the epoch
 * @returns undefined: it concerns neither a runner nor a recorded job
 */
export function readEvent(
	event: string,
	payload: unknown,
	sentMs: number,
): EventRead | Refusal<EventResult> | undefined {
	const delivery = readDelivery(event, payload);
	if (delivery?.kind === 'none') {
		const { why } = delivery;
		if (why === 'other-event') return undefined;
		if (why === 'other-action' && !reportsState(objectOf(payload).action)) return undefined;
	}
	const facts = factsOfEvent(payload, sentMs);
	if (!delivery || (delivery.kind === 'none' && !facts))
		return new Refusal(400, 'unreadable', 'the body is not a workflow_job event that can be read');
	return { delivery, facts };
}

/** Only what it says about its job: an old event about a runner would be taken for what the runner does now. */
export const withoutRunner = ({ facts }: EventRead): EventRead => ({
	delivery: { kind: 'none', why: 'no-runner' },
	facts,
});

/**
 * Writes it on the pod and in the record, both at once. Where one of them fails the event has failed: when it comes again, the
 * other has no effect. A waiting job for which there is no room is refused: GitHub keeps its event in the list of
 * failed deliveries, where it is found once there is room.
 *
 * @returns what became of it on the pod; in the record, where it names no runner
 * @throws why it could not be written
 */
export async function writeEvent(
	{ delivery, facts }: EventRead,
	{ writeOnPod, writeRecord, metrics }: EventWriters,
): Promise<EventResult | Refusal<EventResult>> {
	const [outcome, recorded] = await Promise.allSettled([
		delivery.kind === 'job' ? writeOnPod(delivery) : undefined,
		facts ? writeRecord(facts) : undefined,
	]);
	if (facts) metrics.jobRecord(recorded.status === 'fulfilled' ? (recorded.value ?? 'absent') : 'failed');
	if (outcome.status === 'rejected') throw outcome.reason;
	if (recorded.status === 'rejected') throw recorded.reason;
	if (outcome.value !== undefined) return outcome.value;
	const result = recorded.value ?? 'absent';
	if (result === 'overflow' && (facts?.state === 'queued' || facts?.state === 'waiting'))
		return new Refusal(503, 'overflow', "the limit of the owner's recorded jobs is reached");
	// Where no set could run it nobody waits for it: GitHub need not send it again.
	return result === 'absent' || result === 'no-set' ? 'ignored' : result;
}
