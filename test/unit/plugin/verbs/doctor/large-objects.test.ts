import * as assert from 'uvu/assert';
import { largeObjects } from '../../../../../plugin/verbs/doctor/checks/large-objects.ts';
import { suite } from '../../../../support/suite.ts';
import { check, facts, found, report } from './facts.ts';

const test = suite('plugin: doctor, objects that are too large');

const reported = (count: number, ...unreadableObjects: string[]) => ({
	report: found(report({ largeObjects: { count, unreadable: unreadableObjects.length, unreadableObjects } })),
});

test('none, or a server that does not count them: nothing is said', () => {
	for (const more of [reported(0), { report: found(report({})) }])
		assert.is(largeObjects(facts(more)), undefined);
});
test('all that matter can be read: ok', () => {
	assert.equal(check('large-objects', reported(3)), {
		check: 'large-objects',
		level: 'ok',
		message: '3 objects of more than 1 MiB: runner pods among them are read one by one',
	});
});
test('one that cannot be read is named', () => {
	const { level, message, details } = check('large-objects', reported(3, 'ci/r1'));
	assert.is(level, 'warning');
	assert.match(message, '1 object of more than 9 MiB, which the leader cannot read');
	assert.equal(details, ['ci/r1']);
});

test.run();
