import * as assert from 'uvu/assert';
import { freeSlot } from '../../../admission/github/rules/slots.ts';
import { suite } from '../../support/suite.ts';

const test = suite('free slots');

test('the first moment that keeps its distance from all others', () => {
	const rows: [number[], number, number][] = [
		[[], 100, 100],
		[[100], 100, 105],
		[[80], 100, 100],
		[[96], 100, 101],
		[[95], 100, 100],
		[[104], 100, 109],
		[[105], 100, 100],
		[[100, 105, 110], 100, 115],
		[[100, 105, 120], 100, 110],
		[[90, 98, 107], 100, 112],
		[[98, 108], 100, 103],
	];
	for (const [taken, wanted, slot] of rows) assert.is(freeSlot(taken, wanted, 5), slot, `${taken} ${wanted}`);
});

test.run();
