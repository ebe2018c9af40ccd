/** How much of the room for records each owner has. */
import * as assert from 'uvu/assert';
import { fitting } from '../../../../admission/jobs/records/rules/labels.ts';
import { mostRecords, mostWithoutSet } from '../../../../admission/jobs/records/rules/policy.ts';
import { labelsOfPot, potOf, potOfLabels, Tally } from '../../../../admission/jobs/records/rules/shares.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('shares of the records');

/** As many as there is room for. */
function fill(tally: Tally, owner: string, fits: boolean): number {
	let count = 0;
	while (tally.hasRoom({ owner, fits })) {
		tally.add({ owner, fits });
		count += 1;
	}
	return count;
}

test('an owner alone has most of the room, and each later one finds some', () => {
	const tally = new Tally();
	assert.equal(
		['evil', 'octo', 'third'].map((owner) => fill(tally, owner, true)),
		[14_400, 2_880, 576],
	);
	assert.is(fill(tally, 'evil', true), 0);
});

test('jobs that no set could run have their own small part: others lose nothing by them', () => {
	const tally = new Tally();
	assert.is(fill(tally, 'evil', false), mostWithoutSet / 2);
	assert.is(fill(tally, 'octo', false), mostWithoutSet / 4);
	assert.is(fill(tally, 'octo', true), ((mostRecords - mostWithoutSet) * 4) / 5);
});

test('labels say whose a record is; the records of versions before have none', () => {
	for (const fits of [true, false]) {
		const pot = potOf({ repository: 'Octo-Org/app' }, fits);
		assert.equal(pot, { owner: 'octo-org', fits });
		assert.equal(potOfLabels(labelsOfPot(pot)), pot);
	}
	assert.equal(potOfLabels(undefined), { owner: '', fits: true });
	assert.equal(labelsOfPot({ owner: '_x', fits: true }), {}, 'no value that Kubernetes takes');
});

test('a set could run a job of its scope whose labels it has', () => {
	const fits = fitting([
		{ scope: 'octo', labels: ['gpu', 'big'] },
		{ scope: 'acme/app', labels: [] },
		{ scope: 'enterprises/big', labels: ['ent'] },
		{ scope: '', labels: ['lost'] },
	]);
	const job = (repository: string, labels: string[], enterprise?: string) => ({
		repository,
		labels,
		enterprise,
	});
	for (const [asked, expected] of [
		[job('octo/app', ['self-hosted', 'GPU']), true],
		[job('octo/app', ['gpu', 'big', 'linux']), true],
		[job('octo/app', ['gqu']), false],
		[job('evil/app', ['gpu']), false],
		[job('Acme/App', ['self-hosted']), true],
		[job('acme/web', ['self-hosted'], '?'), false],
		[job('any/app', ['ent']), true],
		[job('any/app', ['ent'], 'big'), true],
		[job('any/app', ['ent'], '?'), false],
		[job('any/app', ['lost']), false],
	] as const)
		assert.is(fits(asked), expected, JSON.stringify(asked));
});

test.run();
