import type { Holders } from './holders.ts';
import { classOf } from './job-class.ts';
import { confirmedMs } from './job-status.ts';
import { idleMs } from './passers.ts';
import { doubtedAfterMs, givenKnownMs, mostGiven, passedAfterMs, takenAfterMs } from './policy.ts';
import type {
	Experiment,
	Given,
	GivingOut,
	Job,
	JobClass,
	PassingMemory,
	Runner,
	Supply,
	Withheld,
} from './types.ts';

export interface TakingFacts {
	jobs: readonly Job[];
	runners: readonly Runner[];
	holders: Holders['holders'];
	/** UIDs of runners that GitHub has given a job, though their own pods do not show it yet. */
	taken: Holders['taken'];
	supply: Supply;
	giving: GivingOut;
}

interface Taking {
	job: string;
	of: JobClass;
	uid: string;
}

/** Which runners have been given a job since the last reconcile, and of which class. */
export function takers(before: PassingMemory, facts: TakingFacts): Taking[] {
	const given = facts.runners.filter((runner) => hasWorked(runner, facts) && !before.worked.has(runner.uid));
	if (given.length === 0) return [];
	const uids = new Map(given.map(({ name, uid }) => [name.toLowerCase(), uid]));
	return facts.jobs.flatMap((job) => {
		const holder = facts.holders.get(job.key);
		const uid = holder && uids.get(holder.runner.toLowerCase());
		return uid === undefined ? [] : [{ job: job.key, of: classOf(job), uid }];
	});
}

/** Whether it has a job, or had its only one. */
export const hasWorked = ({ uid, phase, worked }: Runner, { taken }: Pick<TakingFacts, 'taken'>): boolean =>
	phase === 'busy' || (phase === 'completed' && worked) || taken.has(uid);

/** All runners that are idle, the sick and the doubted too. */
export const idleOf = ({ available, doubted, sick }: Supply): Runner[] => [
	...available.filter(({ phase }) => phase === 'idle'),
	...doubted,
	...sick,
];

/** The classes of which runners of the set have been given jobs. */
export function withGiven(
	before: ReadonlyMap<JobClass, Given>,
	taking: readonly Taking[],
	nowMs: number,
): Map<JobClass, Given> {
	const given = new Map([...before].filter(([, { atMs }]) => nowMs - atMs < givenKnownMs));
	for (const { of } of taking) {
		given.delete(of);
		given.set(of, { atMs: nowMs, passed: false });
	}
	return new Map([...given].slice(-mostGiven));
}

interface Found {
	sick: Set<string>;
	doubted: Set<string>;
	withheld: Map<JobClass, Withheld>;
	experiment: Experiment | undefined;
}

/** What is known after runners have been given jobs: which others are sick or doubted, and that a class is not out. */
export function afterTaking(
	before: PassingMemory,
	{ jobs, supply, giving }: TakingFacts,
	taking: readonly Taking[],
	nowMs: number,
): Found {
	const idle = idleOf(supply);
	const still = (uids: ReadonlySet<string>) =>
		new Set(idle.flatMap(({ uid }) => (uids.has(uid) ? [uid] : [])));
	const found: Found = {
		sick: still(before.sick),
		doubted: still(before.doubted),
		withheld: new Map(before.withheld),
		experiment: before.experiment,
	};
	const known = new Map(taking.length > 0 ? jobs.map((job) => [job.key, job]) : []);
	for (const { job, of, uid } of taking) {
		found.withheld.delete(of);
		if (found.experiment?.of === of) found.experiment = undefined;
		if (giving.stalled) continue;
		const head = before.heads.get(of);
		const saidMs = head ? confirmedMs(known.get(head.job), nowMs) : 0;
		const waitsSinceMs = before.waiting.get(job) ?? nowMs;
		// That it has been given away now shows that it was there to be had.
		const besideMs = (sinceMs: number) => nowMs - Math.max(sinceMs, giving.stalledMs, waitsSinceMs);
		// Of another one of its class GitHub has said so.
		const hasPassedHead = (sinceMs: number) =>
			head !== undefined && Math.max(sinceMs, giving.stalledMs, head.sinceMs) + passedAfterMs <= saidMs;
		const isSick = (sinceMs: number) => besideMs(sinceMs) >= takenAfterMs || hasPassedHead(sinceMs);
		const isDoubted = (sinceMs: number) => besideMs(sinceMs) >= doubtedAfterMs;
		const takerMs = before.idle.get(uid) ?? nowMs;
		for (const runner of idle) {
			const ms = idleMs(runner, before.idle, nowMs);
			if (!isSick(takerMs) && isSick(ms)) found.sick.add(runner.uid);
			else if (!isDoubted(takerMs) && isDoubted(ms)) found.doubted.add(runner.uid);
		}
	}
	return found;
}
