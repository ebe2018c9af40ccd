import * as assert from 'uvu/assert';
import { runnerVersions } from '../../../../../plugin/verbs/doctor/checks/runner-versions.ts';
import { suite } from '../../../../support/suite.ts';
import { check, facts, found, report } from './facts.ts';

const test = suite('plugin: doctor, runner versions');

const { nowMs } = facts({});
const minutesAgo = (minutes: number) => new Date(nowMs - minutes * 60_000).toISOString();
const linux = { set: 'RunnerSet ci/linux', image: 'runner:1', version: '2.336.0', readAt: minutesAgo(5) };
const old = {
	...linux,
	set: 'AutoscalingRunnerSet ci/old',
	version: '2.320.0',
	owner: 'octo-org',
	newestOfOwner: '2.336.0',
};

test('no log has been read, or the server reads none: nothing is said', () => {
	assert.is(runnerVersions(facts({ report: found(report({ runnerVersions: [] })) })), undefined);
	assert.is(runnerVersions(facts({ report: found(report({})) })), undefined);
});
test('each set with its image and version; an older one than another of the same owner is no warning', () => {
	const { level, details } = check('runner-versions', {
		report: found(report({ runnerVersions: [linux, old] })),
	});
	assert.is(level, 'ok');
	assert.equal(details, [
		'RunnerSet ci/linux: 2.336.0 of runner:1, said 5m ago',
		'AutoscalingRunnerSet ci/old: 2.320.0 of runner:1, older than 2.336.0, which another set of octo-org has, said 5m ago',
	]);
});
test('one that GitHub refuses is a warning that says what to do', () => {
	const refused = { ...old, refusedSince: minutesAgo(60) };
	const { level, message, details, advice } = check('runner-versions', {
		report: found(report({ runnerVersions: [refused, linux] })),
	});
	assert.is(level, 'warning');
	assert.match(message, 'GitHub refuses the version of the runners of 1 set');
	assert.match(details?.[0] ?? '', 'refused by GitHub for 60m');
	assert.match(advice?.[0] ?? '', 'newer runner');
});

test.run();
