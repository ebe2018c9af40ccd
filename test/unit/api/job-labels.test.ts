import * as assert from 'uvu/assert';
import { labelsOfJob } from '../../../admission/api/job-labels.ts';
import { suite } from '../../support/suite.ts';

const test = suite('labels of jobs');

const many = (count: number, length = 4) =>
	Array.from({ length: count }, (_, index) => `${index}`.padStart(length, 'x'));

test('what people write is kept as it is', () => {
	for (const labels of [[], ['self-hosted', 'Linux', 'größe XL', '🚀'], many(50), many(8, 256)])
		assert.equal(labelsOfJob(labels), { labels, truncated: false });
	for (const none of [undefined, null, 7, {}, 'self-hosted'])
		assert.equal(labelsOfJob(none), { labels: [], truncated: false });
	assert.equal(labelsOfJob(['a', null, '', 7, 'b']), { labels: ['a', 'b'], truncated: false });
});

test('what is left out or changed makes them uncertain: a label that is cut would be another one', () => {
	const table: [what: string, labels: string[], kept: number][] = [
		['too many', many(51), 50],
		['far too many', many(1_000_000), 50],
		['one that is too long', ['x'.repeat(257)], 1],
		['one of a megabyte', ['x'.repeat(2 ** 20), 'gpu'], 2],
		['together too long', many(9, 256), 8],
		['a control character', ['gpu\u0000'], 1],
		['half a character', ['gpu\ud83d'], 1],
		['a line break at its end', ['gpu\n'], 1],
	];
	for (const [what, labels, kept] of table) {
		const found = labelsOfJob(labels);
		assert.ok(found.truncated, what);
		assert.is(found.labels.length, kept, what);
		assert.ok(found.labels.join('').length <= 2_048, what);
	}
});

test.run();
