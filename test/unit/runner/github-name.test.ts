import * as assert from 'uvu/assert';
import { foldName, runnerKey, sameName } from '../../../admission/runner/github-name.ts';
import { suite } from '../../support/suite.ts';

const test = suite("GitHub's names");

test('names that differ only in case are one name', () => {
	assert.is(foldName('Octo-Org/App'), 'octo-org/app');
	assert.ok(sameName('Build-1', 'build-1'));
	assert.not(sameName('build-1', 'build-2'));
	assert.not(sameName('build-1', undefined));
	assert.is(
		runnerKey({ kind: 'repository', owner: 'Octo-Org', name: 'App' }, 'R1'),
		runnerKey({ kind: 'repository', owner: 'octo-org', name: 'app' }, 'r1'),
	);
});

test('a runner of an organization is none of a repository or enterprise', () => {
	const keys = [
		runnerKey({ kind: 'organization', name: 'octo' }, 'r1'),
		runnerKey({ kind: 'enterprise', name: 'octo' }, 'r1'),
		runnerKey({ kind: 'repository', owner: 'octo', name: 'octo' }, 'r1'),
	];
	assert.is(new Set(keys).size, keys.length);
});

test.run();
