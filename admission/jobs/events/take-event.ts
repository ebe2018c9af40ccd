import type { EventResult, JobRecordResult, Metrics } from '../../telemetry/metrics.ts';
import { Refused } from '../body.ts';
import { factsOfEvent, type JobFacts, tellsState } from '../records/rules/facts.ts';
import { objectOf } from '../rules/fields.ts';
import { type JobEvent, type NotForUs, readDelivery } from './rules/delivery.ts';

/**
 * A job that waits can't be remembered: there are as many records as may be. GitHub keeps its event in the list of failed
 * deliveries, where it is found once there is room.
 */
export class Overflow extends Refused {
	constructor() {
		super(503, 'there are as many records of jobs as may be');
	}
}

/** Where what an event says is written. */
export interface EventWriters {
	/** On its runner's pod. @throws if that is not possible now */
	hear: (event: JobEvent) => Promise<EventResult>;
	/** In the record of its job. @throws if that is not possible now */
	record: (facts: JobFacts) => Promise<JobRecordResult>;
	metrics: Metrics;
}

/** What an event says. */
export interface EventRead {
	/** Of its runner. */
	delivery: JobEvent | NotForUs;
	/** Of its job; undefined: that can't be read. */
	facts: JobFacts | undefined;
}

/**
 * Reads a verified delivery.
 *
 * @param sentMs when GitHub sent it, ms since the epoch
 * @returns undefined: nothing that is for us
 * @throws Refused 400 for what claims to be a workflow_job event and is none
 */
export function readEvent(event: string, payload: unknown, sentMs: number): EventRead | undefined {
	const delivery = readDelivery(event, payload);
	if (delivery?.kind === 'none') {
		const { why } = delivery;
		if (why === 'other-event') return undefined;
		if (why === 'other-action' && !tellsState(objectOf(payload).action)) return undefined;
	}
	const facts = factsOfEvent(payload, sentMs);
	if (!delivery || (delivery.kind === 'none' && !facts))
		throw new Refused(400, 'no workflow_job event can be read in it');
	return { delivery, facts };
}

/** What it says of its job alone: what one says of a runner that is long past would be believed of what the runner does now. */
export const withoutRunner = ({ facts }: EventRead): EventRead => ({
	delivery: { kind: 'none', why: 'no-runner' },
	facts,
});

/**
 * Writes it on the pod and in the record, at a time. Where one of them fails the event has failed: when it comes again, the
 * other has no effect.
 *
 * @returns what became of it on the pod; in the record, where it names no runner
 * @throws why it could not be written, Overflow if a job that waits has no record for want of room
 */
export async function writeEvent(
	{ delivery, facts }: EventRead,
	{ hear, record, metrics }: EventWriters,
): Promise<EventResult> {
	const [outcome, recorded] = await Promise.allSettled([
		delivery.kind === 'job' ? hear(delivery) : undefined,
		facts ? record(facts) : undefined,
	]);
	if (facts) metrics.jobRecord(recorded.status === 'fulfilled' ? (recorded.value ?? 'absent') : 'failed');
	if (outcome.status === 'rejected') throw outcome.reason;
	if (recorded.status === 'rejected') throw recorded.reason;
	if (outcome.value !== undefined) return outcome.value;
	const result = recorded.value ?? 'absent';
	if (result === 'overflow' && (facts?.state === 'queued' || facts?.state === 'waiting'))
		throw new Overflow();
	return result === 'absent' ? 'ignored' : result;
}
