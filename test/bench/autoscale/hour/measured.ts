import type { SetUnderTest } from '../../../rig/runner-sets.ts';
import type { WorkflowJob } from '../../../sim/jobs.ts';
import { type Figures, quantiles } from '../simulate.ts';

/** What a simulated hour and one on a cluster are compared by. */
type Measured = Pick<
	Figures,
	'jobs' | 'p50Ms' | 'p95Ms' | 'p99Ms' | 'mostMs' | 'neverServed' | 'pods' | 'needless' | 'mostPods'
> & { idleMinutes: number; busyMinutes: number };

export function ofSimulation(figures: Figures): Measured {
	return { ...figures, idleMinutes: figures.idleHours * 60, busyMinutes: figures.busyHours * 60 };
}

/** When no job is left and all runners are gone. */
export function ofCluster(set: SetUnderTest, jobs: readonly WorkflowJob[]): Measured {
	const started = jobs.filter(({ startedAtMs }) => startedAtMs !== null);
	const waits = started.map(({ startedAtMs, createdAtMs }) => (startedAtMs ?? 0) - createdAtMs);
	const busyMs = started.map(({ startedAtMs, completedAtMs }) => (completedAtMs ?? 0) - (startedAtMs ?? 0));
	const journal = set.rig.agents.journal.filter(({ namespace }) => namespace === set.namespace);
	const runners = [...Map.groupBy(journal, ({ uid }) => uid).values()];
	const idleMs = runners.map((entries) => {
		const registered = entries.find(({ what }) => what === 'registered');
		const end = entries.find(({ what }) =>
			['job-started', 'removed-by-github', 'pod-terminating', 'pod-gone'].includes(what),
		);
		return registered && end ? Math.max(0, end.atMs - registered.atMs) : 0;
	});
	const pods = [...set.uids.values()].reduce((count, uids) => count + uids.size, 0);
	return {
		jobs: jobs.length,
		...quantiles(waits),
		neverServed: jobs.filter(
			({ startedAtMs, conclusion }) => startedAtMs === null && conclusion !== 'cancelled',
		).length,
		pods,
		needless: pods - new Set(journal.filter(({ what }) => what === 'job-started').map(({ uid }) => uid)).size,
		mostPods: set.most,
		idleMinutes: minutes(idleMs),
		busyMinutes: minutes(busyMs),
	};
}

const minutes = (ms: readonly number[]) => ms.reduce((sum, one) => sum + one, 0) / 60_000;

/** Times may differ by so much, or by `part`, whatever is more. */
const tolerance = { ms: 2_000, part: 0.2 };

type Line = [what: string, value: (measured: Measured) => number, unit: 's' | 'min' | ''];

const lines: Line[] = [
	['jobs', ({ jobs }) => jobs, ''],
	['wait p50', ({ p50Ms }) => p50Ms, 's'],
	['wait p95', ({ p95Ms }) => p95Ms, 's'],
	['wait p99', ({ p99Ms }) => p99Ms, 's'],
	['longest wait', ({ mostMs }) => mostMs, 's'],
	['never served', ({ neverServed }) => neverServed, ''],
	['pods', ({ pods }) => pods, ''],
	['needless pods', ({ needless }) => needless, ''],
	['most at a time', ({ mostPods }) => mostPods, ''],
	['idle runner minutes', ({ idleMinutes }) => idleMinutes, 'min'],
	['busy runner minutes', ({ busyMinutes }) => busyMinutes, 'min'],
];

/** One beside the other, and whether they are near enough. */
export function comparison(simulated: Measured, cluster: Measured): string[][] {
	return [
		['', 'simulated', 'cluster', 'cluster / simulated', 'within 20 % or 2 s'],
		...lines.map(([what, value, unit]) => {
			const [expected, found] = [value(simulated), value(cluster)];
			const off = Math.abs(found - expected);
			const near = off <= expected * tolerance.part || (unit === 's' && off <= tolerance.ms);
			const said = (number: number) =>
				unit === 's' ? `${(number / 1_000).toFixed(1)} s` : number.toFixed(unit === '' ? 0 : 1);
			return [
				what,
				said(expected),
				said(found),
				expected === 0 ? '' : (found / expected).toFixed(2),
				near ? 'yes' : 'no',
			];
		}),
	];
}
