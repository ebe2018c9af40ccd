import { busy } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { jobNow } from '../jobs/rules/job-signals.ts';
import type { JobSignal, Job as SignalledJob } from '../runner/job-signals.ts';
import { sourceOf } from '../runner/signal-sources.ts';
import type { OwnedRunner } from '../sets/owners.ts';
import type { Runner, RunOfJob } from './rules/types.ts';

/** A set's runner as the rules of the autoscaler see it. `podName`: of its pod, by which it registers. */
export function runnerView(
	owner: OwnedRunner,
	podName: (owner: string) => string,
	isOffline: (podUid: string) => boolean = () => false,
): Runner {
	const { uid, phase, departing, createdMs, sinceMs, pod, runner } = owner;
	const waits = phase === 'unbound' || phase === 'starting' || phase === 'idle';
	const signals = runner?.signals ?? [];
	const worked =
		signals.length > 0 ||
		runner?.busyHint !== undefined ||
		runner?.busyAnswer !== undefined ||
		pod?.metadata.annotations?.[busy.since] !== undefined;
	return {
		uid,
		name: runner?.runnerName ?? pod?.metadata.name ?? podName(owner.name),
		phase,
		departing,
		createdMs,
		idleSinceMs: waits ? Math.max(sinceMs ?? createdMs, lastJobMs(pod) ?? 0) : undefined,
		busySinceMs: phase === 'busy' ? sinceMs : undefined,
		worked,
		offline: isOffline(runner?.uid ?? ''),
		node: pod?.spec?.nodeName,
		withoutPod: pod === undefined,
		job: runner && jobOf(runner.signals, jobNow(runner)?.job),
	};
}

/** When a static runner's last job ended, as its condition says; undefined: it has had none. */
function lastJobMs(pod: Pod | undefined): number | undefined {
	const condition = pod?.status?.conditions?.find(({ type }) => type === busy.condition);
	const ms = condition?.status === 'False' ? Date.parse(condition.lastTransitionTime ?? '') : Number.NaN;
	return Number.isNaN(ms) ? undefined : ms;
}

/** What all its job signals together say of the job that it runs, or ran last. */
function jobOf(signals: readonly JobSignal[], now: SignalledJob | undefined): Partial<RunOfJob> | undefined {
	const newest = signals.toSorted((one, other) => other.sinceMs - one.sinceMs);
	const open = newest.filter(({ state }) => state !== 'over');
	const about = open.length > 0 ? open : newest.slice(0, 1);
	const job = now ?? about[0]?.job;
	if (!job) return undefined;
	const event = about.find(({ by }) => sourceOf(by).key === 'github-job-id');
	const jobId = Number(event?.key);
	return {
		...(job.repository === undefined ? {} : { repository: job.repository }),
		...(job.runId === undefined ? {} : { runId: job.runId }),
		...(job.attempt === undefined ? {} : { runAttempt: job.attempt }),
		...(Number.isSafeInteger(jobId) && jobId > 0 ? { jobId } : {}),
		name: job.name,
	};
}
