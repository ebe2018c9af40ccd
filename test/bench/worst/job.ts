/** The worst job, and the most jobs: read, compared with sets, and all of them routed. */
import { route, routeAll, type Sets } from '../../../admission/autoscale/rules/routing.ts';
import { SetIndex } from '../../../admission/autoscale/rules/set-index.ts';
import type { Job } from '../../../admission/autoscale/rules/types.ts';
import { factsOfAnswer } from '../../../admission/jobs/records/rules/facts.ts';
import { concernsUs, labelsIn } from '../../../admission/jobs/records/rules/labels.ts';
import { inSlices } from '../../../admission/time/slices.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { job } from '../../unit/autoscale/given.ts';
import type { WorstCase } from './worst-case.ts';

const names = (count: number, length = 10) =>
	Array.from({ length: count }, (_, index) => `label-${index}`.padEnd(length, 'x'));

/** Sets that could all run jobs of the organization octo. */
function setsWith(count: number, labels: readonly string[]): Sets {
	const index = new SetIndex();
	for (let at = 0; at < count; at++)
		index.set({
			key: `RunnerSet ci/s${at}`,
			scope: { kind: 'organization', name: 'octo' },
			host: 'github.com',
			group: undefined,
			labels: labelsIn(labels),
			implicit: ['self-hosted', 'linux', 'x64'],
			possible: [],
		});
	return { index, placesOf: () => ({ idle: 0, room: 10, blocked: undefined }), visible: () => true };
}

/** Labels of a job as an event or a list has them. */
const labels: Record<string, unknown> = {
	'a million labels': names(1_000_000),
	'a label of 8 MiB': ['\u0007'.repeat(8 * 1024 * 1024)],
	'50 labels of 256 control characters': new Array(50).fill('\u0007'.repeat(256)),
};

const known = { labels: new Set(['gpu']), any: true, scopes: new Set(['octo']), fits: () => true };

const reading: WorstCase[] = Object.entries(labels).map(([shape, given]) => {
	const body = { id: 1, run_id: 1, status: 'queued', labels: given };
	return {
		does: 'a job is read',
		shape,
		bytes: JSON.stringify(body).length,
		prepare: () => () => {
			const facts = factsOfAnswer(body, { host: 'github.com', repository: 'octo/app' }, 0);
			return concernsUs(facts?.labels, known, { repository: 'octo/app' });
		},
	};
});

const fifty = names(50, 40);
const waiting = (count: number, more: (index: number) => Partial<Job>): Job[] =>
	Array.from({ length: count }, (_, index) =>
		job(index, { key: `j${index}`, openedMs: index, ...more(index) }),
	);
const repository = (index: number) => ({ repository: `octo/r${index}` });
/** Other labels for each job, all of which every set has. */
const some = (index: number) => ({ labels: fifty.filter((_, at) => at < 5 || (index >> (at % 13)) & 1) });

const crowds: Record<string, () => { jobs: Job[]; sets: Sets }> = {
	'5,000 jobs and 200 sets, all alike': () => ({
		jobs: waiting(5_000, () => ({ labels: ['gpu'] })),
		sets: setsWith(200, ['gpu']),
	}),
	'5,000 jobs of as many repositories, and 2,000 sets': () => ({
		jobs: waiting(5_000, (index) => ({ ...repository(index), labels: ['gpu'] })),
		sets: setsWith(2_000, ['gpu']),
	}),
	'5,000 jobs with other labels each, and 200 sets that have all of them': () => ({
		jobs: waiting(5_000, some),
		sets: setsWith(200, fifty),
	}),
	'5,000 jobs with other labels each, and 200 sets that lack one': () => ({
		jobs: waiting(5_000, (index) => ({ labels: [...some(index).labels.slice(1), 'no'] })),
		sets: setsWith(200, fifty),
	}),
	'20,000 jobs in disorder, and no set': () => ({
		jobs: waiting(20_000, (index) => ({ openedMs: (index * 7_919) % 20_011 })),
		sets: setsWith(0, []),
	}),
	'40 jobs and 10 sets of 100,000 labels': () => ({
		jobs: waiting(40, (index) => ({ labels: [`label-${index}`] })),
		sets: setsWith(10, names(100_000)),
	}),
};

const never = new AbortController().signal;
/** As JobRouter takes them. */
const sliceMs = 5;
const routing: WorstCase[] = Object.entries(crowds).map(([shape, make]) => {
	const { jobs, sets } = make();
	return {
		does: 'all jobs are routed',
		shape,
		bytes: JSON.stringify(jobs).length,
		prepare: () => () =>
			inSlices(
				systemClock,
				routeAll(jobs, sets, () => undefined),
				sliceMs,
				never,
			),
	};
});

const one = job(1, { labels: fifty });
const [able, unable] = [setsWith(2_000, fifty), setsWith(2_000, fifty.slice(1))];
const single: WorstCase[] = [
	{ shape: '2,000 sets that have its 50 labels', sets: able },
	{ shape: '2,000 sets that lack one of 50', sets: unable },
].map(({ shape, sets }) => ({
	does: 'one job is routed',
	shape,
	bytes: JSON.stringify(one).length,
	prepare: () => () => route(one, sets),
}));

export const jobCases: WorstCase[] = [...reading, ...routing, ...single];
