import { outdatedProbeEveryMs, outdatedUntriedMs, provenMs } from './policy.ts';

/** What a runner said of its version, which GitHub refuses. */
export interface Refusal {
	/** undefined: its exit code alone says that GitHub refuses it. */
	version: string | undefined;
	image: string;
}

/** What of a runner counts here; see Owner. */
interface RunnerFacts {
	createdMs: number;
	templateHash: string;
	phase: string;
	sinceMs?: number | undefined;
	brief?: boolean | undefined;
	refusal?: Refusal | undefined;
}

/** GitHub refuses the version of a set's runners. */
export interface Outdated extends Refusal {
	/** Since when, ms since the epoch. */
	sinceMs: number;
	/** Of the template that the runner was made from: another one may have another image. */
	templateHash: string;
}

/** From when on the set is given jobs again, if none of its runners has been started meanwhile, ms since the epoch. */
export const triedAgainMs = (nextStartMs: number): number => nextStartMs + outdatedUntriedMs;

/**
 * What is known of the set's version after this reconcile, and when its next runner may start, ms since the epoch. It is over
 * with another template, or when a runner that was started later has a job or has been idle for `provenMs`: the image may be
 * a new one of the same name, or GitHub was wrong (actions/runner #4613).
 */
export function outdatedAfter(
	owners: readonly RunnerFacts[],
	set: { outdated?: Outdated | undefined; nextStartMs: number; templateHash: string },
	nowMs: number,
): { outdated: Outdated | undefined; nextStartMs: number } {
	const { templateHash, nextStartMs } = set;
	const before = set.outdated?.templateHash === templateHash ? set.outdated : undefined;
	const ofTemplate = owners.filter((owner) => owner.templateHash === templateHash);
	// creationTimestamp is cut to the second, hence the 1 s: those of the last start, each of which counts once.
	const latest = ofTemplate.filter(({ createdMs }) => createdMs > nextStartMs - 1_000);
	const found = latest.find(({ refusal }) => refusal !== undefined)?.refusal;
	if (found) {
		const outdated = { ...found, sinceMs: before?.sinceMs ?? nowMs, templateHash };
		return { outdated, nextStartMs: nowMs + outdatedProbeEveryMs };
	}
	if (!set.outdated) return { outdated: undefined, nextStartMs };
	const saidMs = nextStartMs - outdatedProbeEveryMs;
	const works = ({ refusal, phase, brief, sinceMs = nowMs, createdMs }: RunnerFacts) => {
		if (refusal) return false;
		if (phase === 'busy') return sinceMs > saidMs;
		if (createdMs <= nextStartMs - 1_000) return false;
		return phase === 'idle' ? nowMs - sinceMs >= provenMs : phase === 'completed' && !brief;
	};
	if (!before || ofTemplate.some(works)) return { outdated: undefined, nextStartMs: nowMs };
	return { outdated: before, nextStartMs };
}
