/** The poll over HTTP, with a credential and its budget, before the simulated GitHub. */
import * as assert from 'uvu/assert';
import { JobBook } from '../../../../admission/autoscale/job-book.ts';
import { Poll } from '../../../../admission/autoscale/poll/poll.ts';
import { Visibility } from '../../../../admission/autoscale/poll/visibility.ts';
import { Connection } from '../../../../admission/github/connection.ts';
import type { JobFacts } from '../../../../admission/jobs/records/rules/facts.ts';
import { systemClock } from '../../../../admission/time/system-clock.ts';
import { startGitHub } from '../../../sim/simulator.ts';
import { suite } from '../../../support/suite.ts';
import { recordingLog } from '../../support/log.ts';

const test = suite('poll over HTTP');

test('a job that no event has reported is found by the initial read, in a handful of calls', async () => {
	const github = await startGitHub({ scopes: ['orgs/octo-org'], tokens: ['test-token'] });
	const connection = new Connection(
		{ kind: 'token', token: 'test-token' },
		{ apiUrl: github.url, clock: systemClock },
	);
	const found: JobFacts[] = [];
	const stop = new AbortController();
	const { log } = recordingLog();
	let known = 0;
	const book = new JobBook(systemClock.now);
	book.changes.subscribe(({ kind }) => {
		if (kind !== 'requeue') return;
		known += 1;
		stop.abort();
	});
	const poll = new Poll({
		host: 'github.com',
		targets: {
			list: () => [
				{
					key: 'RunnerSet ci/linux',
					scope: { kind: 'organization', name: 'octo-org' },
					countsRunsOf: [],
					working: undefined,
				},
			],
			count: () => 1,
			accountOf: async () => ({ read: connection.read, connection }),
		},
		book,
		sets: { labels: () => ({ labels: new Set(['gpu']), any: true, scopes: new Set(), fits: () => true }) },
		results: { jobsToAsk: () => [] },
		visibility: new Visibility(),
		records: {
			write: async (facts) => {
				found.push(facts);
				book.recordChanged({ metadata: { name: String(facts.id) }, spec: facts });
				return 'recorded';
			},
		},
		metrics: { autoscale: { drift: () => {} } },
		clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) },
		log,
	});
	try {
		const job = github.jobs.queue({ repository: 'octo-org/app', labels: ['self-hosted', 'gpu'] });
		github.jobs.queue({ repository: 'octo-org/app', labels: ['ubuntu-latest'] });
		await poll.run(stop.signal);
		assert.equal(
			found.map(({ id, state, labels, repository }) => [id, state, labels, repository]),
			[[job.id, 'queued', ['self-hosted', 'gpu'], 'octo-org/app']],
		);
		assert.is(known, 1);
		assert.is(github.count({ endpoint: 'repositories' }), 1);
		assert.is(github.count({ endpoint: 'runs' }), 2);
		assert.is(github.count({ endpoint: 'jobs-of-run' }), 2);
	} finally {
		connection.close();
		await github.stop();
	}
});

test.run();
