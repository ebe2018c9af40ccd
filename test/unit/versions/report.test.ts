import * as assert from 'uvu/assert';
import { versionsReport } from '../../../admission/versions/rules/report.ts';
import { suite } from '../../support/suite.ts';

const test = suite('runner versions in the report');
const now = Date.parse('2026-11-23T12:00:00Z');

const said = (name: string, version: string | undefined, owner: string, refusedSinceMs?: number) => ({
	kind: 'RunnerSet' as const,
	namespace: 'ci',
	name,
	version,
	image: 'runner:1',
	owner,
	readMs: now,
	refusedSinceMs,
	reportedMs: now,
});

test('the newest version counts within one owner only, since anybody may say any', () => {
	const reported = versionsReport([
		said('a', '2.9.0', 'octo-org'),
		said('b', '2.10.0', 'Octo-Org'),
		said('c', '9.9.9', 'evil-org'),
		said('d', undefined, 'octo-org'),
	]);
	assert.equal(
		reported.map(({ set, newestOfOwner }) => [set, newestOfOwner]),
		[
			['RunnerSet ci/a', '2.10.0'],
			['RunnerSet ci/b', undefined],
			['RunnerSet ci/c', undefined],
			['RunnerSet ci/d', undefined],
		],
	);
});

test('at most 100 sets, those that GitHub refuses first', () => {
	const many = Array.from({ length: 3_000 }, (_, index) => said(`s${index}`, '2.336.0', 'octo-org'));
	const reported = versionsReport([...many, said('old', '2.320.0', 'octo-org', now)]);
	assert.equal([reported.length, reported[0]?.set], [100, 'RunnerSet ci/old']);
});

test.run();
