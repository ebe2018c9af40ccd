import { type Claim, type Job, jobText, mostClaims, type Witness } from '../../runner/claims.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { lateHookMs } from './policy.ts';
import { type LogWord, loggedMs } from './runner-log.ts';

/** A witness's word about a job. */
export interface Word {
	by: Exclude<Witness, 'log'>;
	says: 'started' | 'completed';
	/** Names the job to its witness; see Claim. */
	key: string;
	job: Job;
}

/** Whether somebody says that the runner works, and whether all who do say that the job has completed. */
export function worksBy(claims: readonly Claim[]): 'working' | 'finishing' | undefined {
	if (claims.some(({ state }) => state === 'working')) return 'working';
	return claims.some(({ state }) => state === 'finishing') ? 'finishing' : undefined;
}

/**
 * The open claim that tells people most of the job that runs; undefined: there is none. Witnesses tell of one job at
 * different times and with different words: who knows its repository tells most. One that completed before another
 * witness saw a job start is that of an earlier job.
 */
export function openClaim(claims: readonly Claim[]): Claim | undefined {
	const open = claims.filter(({ state }) => state !== 'over');
	const startedMs = Math.max(
		...open.filter(({ state }) => state === 'working').map(({ sinceMs }) => sinceMs),
	);
	const detail = ({ job }: Claim) => (job.repository === undefined ? 0 : 1);
	return open
		.filter(({ state, sinceMs }) => state === 'working' || sinceMs >= startedMs)
		.toSorted((one, other) => detail(other) - detail(one) || other.sinceMs - one.sinceMs)[0];
}

/** The job that the runner runs, for people, and since when, ms since the epoch; undefined: nobody says that it runs one. */
export function jobNow({
	claims,
	busyHint,
}: Pick<RunnerPod, 'claims' | 'busyHint'>):
	| { name: string | undefined; sinceMs: number | undefined; job?: Job }
	| undefined {
	const claim = openClaim(claims);
	if (!claim) return busyHint && { name: busyHint.job, sinceMs: busyHint.sinceMs };
	return { name: jobText(claim.job), sinceMs: busyHint?.sinceMs ?? claim.sinceMs, job: claim.job };
}

/**
 * The claims after a hook's or an event's word; the same object where it changes nothing: a word that comes twice or late
 * has no effect, and words may come in any order. A new `started` of a hook ends what hooks said before: its runner runs
 * one job at a time. Jobs may share a hook's key, those of a matrix, or where a workflow sets RUNNER_TRACKING_ID itself (a
 * known way to keep processes alive): what starts long after the last one has completed is another.
 */
export function afterWord(claims: readonly Claim[], word: Word, nowMs: number): readonly Claim[] {
	const { by, key, job } = word;
	const state = word.says === 'started' ? 'working' : 'finishing';
	const before = claims.find((claim) => claim.by === by && claim.key === key);
	const isNext = by === 'hook' && state === 'working' && before !== undefined;
	const late = before && !(isNext && nowMs - before.sinceMs >= lateHookMs);
	if (late && rank[before.state] >= rank[state]) return claims;
	const ends = (claim: Claim) => by === 'hook' && claim.by === 'hook' && word.says === 'started';
	const others = claims
		.filter((claim) => claim !== before)
		.map((claim) => (ends(claim) ? over(claim, nowMs) : claim));
	return bounded([{ by, key, state, sinceMs: nowMs, job: { ...before?.job, ...given(job) } }, ...others]);
}

const rank: Record<Claim['state'], number> = { working: 0, finishing: 1, over: 2 };

/**
 * The claims after the runner's log was read; the same object where it changes nothing.
 *
 * - works: the log claims it, until the log says otherwise.
 * - idle: the log's own claim has ended, and so has what is `finishing`, unless the runner is ephemeral: that one's claims
 *   end with its container. A claim that still says `working` is no business of the log's: a job may have printed the line.
 * - unknown: nothing is learnt.
 */
export function afterLog(
	claims: readonly Claim[],
	word: LogWord,
	ephemeral: boolean,
	nowMs: number,
): readonly Claim[] {
	if (word.says === 'unknown') return claims;
	const logged = claims.find(({ by }) => by === 'log');
	if (word.says === 'works') {
		const key = `${word.at ?? ''} ${word.job ?? ''}`.trim();
		if (logged?.key === key && logged.state === 'working') return claims;
		const job = { name: word.job ?? 'a job' };
		// The log tells since when, unless its clock is ahead of ours.
		const sinceMs = Math.min(nowMs, loggedMs(word) ?? nowMs);
		const claim: Claim = { by: 'log', key, state: 'working', sinceMs, job };
		return bounded([claim, ...claims.filter(({ by }) => by !== 'log')]);
	}
	const changed = claims
		.filter(({ by }) => by !== 'log')
		.map((claim) => (claim.state === 'finishing' && !ephemeral ? over(claim, nowMs) : claim));
	const same = changed.length === claims.length && changed.every((claim, index) => claim === claims[index]);
	return same ? claims : changed;
}

/** All of these claims have ended: what they say is refuted, or their container has. */
export const ended = (claims: readonly Claim[], which: (claim: Claim) => boolean, nowMs: number) =>
	claims.some((claim) => claim.state !== 'over' && which(claim))
		? claims.map((claim) => (which(claim) ? over(claim, nowMs) : claim))
		: claims;

const over = (claim: Claim, nowMs: number): Claim =>
	claim.state === 'over' ? claim : { ...claim, state: 'over', sinceMs: nowMs };

/** What works is never pushed out by words that something has ended. */
function bounded(claims: readonly Claim[]): Claim[] {
	const newest = (state: Claim['state']) => claims.filter((claim) => claim.state === state);
	return [...newest('working'), ...newest('finishing'), ...newest('over')].slice(0, mostClaims);
}

/** Without what is undefined, so that a later word that knows less takes nothing away. */
const given = (job: Job): Job =>
	Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined)) as unknown as Job;
