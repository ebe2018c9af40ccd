import { recordName } from '../../../../admission/jobs/records/rules/name.ts';
import type { Kind } from '../../../rig/runner-sets.ts';
import { quantile } from '../../figures.ts';
import type { Create } from './creates.ts';

/** One queued job on its way to a runner, ms of each step. */
export interface Steps {
	/** From the first byte of the delivery until the API server is asked to create its record. */
	receiver: number;
	record: number;
	/** From the accepted record until the owner's create is asked for: the leader's watch, its waiting for more, its rules. */
	leader: number;
	/** Of the Runner or StatefulSet. */
	owner: number;
	/** From the accepted owner until its pod's create is asked for. */
	between: number;
	pod: number;
	/** From the delivery until these were accepted. */
	toOwner: number;
	toPod: number;
}

export interface Delivered {
	jobId: number;
	/** OWNER/NAME. */
	repository: string;
	/** Unix ms. */
	atMs: number;
}

/**
 * Pairs jobs with runners. One runner is like another, so the job that was recorded as the nth is the cause of the nth
 * runner; which of them runs it in the end is GitHub's choice.
 */
export function stepsOf(
	kind: Kind,
	host: string,
	delivered: readonly Delivered[],
	creates: ReadonlyMap<string, readonly Create[]>,
): Steps[] {
	const atMs = new Map(
		delivered.map((one) => [recordName({ host, repository: one.repository, id: one.jobId }), one.atMs]),
	);
	const records = (creates.get('workflowjobs') ?? []).filter(({ name }) => atMs.has(name));
	const owners = creates.get(kind === 'RunnerSet' ? 'statefulsets' : 'runners') ?? [];
	const pods = new Map((creates.get('pods') ?? []).map((pod) => [pod.name, pod]));
	if (records.length !== owners.length)
		console.log(`${records.length} records of queued jobs, but ${owners.length} owners: pairs are off`);
	return records.flatMap((record, nth) => {
		const owner = owners[nth];
		const pod = owner && (pods.get(owner.name) ?? pods.get(`${owner.name}-0`));
		const sentMs = atMs.get(record.name);
		if (!owner || !pod || sentMs === undefined) return [];
		return [
			{
				receiver: record.askedMs - sentMs,
				record: tookMs(record),
				leader: owner.askedMs - record.acceptedMs,
				owner: tookMs(owner),
				between: pod.askedMs - owner.acceptedMs,
				pod: tookMs(pod),
				toOwner: owner.acceptedMs - sentMs,
				toPod: pod.acceptedMs - sentMs,
			},
		];
	});
}

const tookMs = ({ askedMs, acceptedMs }: Create) => acceptedMs - askedMs;

const lines: [string, (steps: Steps) => number][] = [
	['delivery -> record asked for (receiver)', ({ receiver }) => receiver],
	['record: its create', ({ record }) => record],
	['record -> owner asked for (leader)', ({ leader }) => leader],
	['owner: its create', ({ owner }) => owner],
	['owner -> pod asked for', ({ between }) => between],
	['pod: its create', ({ pod }) => pod],
	['delivery -> owner accepted', ({ toOwner }) => toOwner],
	['delivery -> pod accepted', ({ toPod }) => toPod],
	['the three creates alone', ({ record, owner, pod }) => record + owner + pod],
];

/** Quantiles of each step, and the whole as so many times the three creates that it can't do without. */
export function stepRows(all: readonly Steps[]): string[][] {
	const of = (value: (steps: Steps) => number, p: number) => quantile(all.map(value), p);
	const bare = lines.at(-1)![1];
	return [
		['ms', 'p50', 'p95', 'p99', 'p95 / the three creates'],
		...lines.map(([what, value]) => [
			what,
			...[0.5, 0.95, 0.99].map((p) => of(value, p).toFixed(0)),
			(of(value, 0.95) / of(bare, 0.95)).toFixed(1),
		]),
	];
}
