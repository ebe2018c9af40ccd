import * as assert from 'uvu/assert';
import { BoundedMap } from '../../../admission/time/bounded-map.ts';
import { suite } from '../../support/suite.ts';

const test = suite('bounded map');

test('of one more than may be, the one that was set longest ago goes; setting it again keeps it', () => {
	const map = new BoundedMap<string, number>({ most: 3 });
	for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index);
	map.set('a', 9);
	map.set('d', 3);
	assert.equal(
		[...map],
		[
			['c', 2],
			['a', 9],
			['d', 3],
		],
	);
	assert.is(map.size, 3);
	assert.is(map.get('b'), undefined);
	assert.not(map.has('b'));
	assert.is(map.get('a'), 9);
});

test('it never holds more than it may, whatever is put into it', () => {
	const map = new BoundedMap<number, number>({ most: 100, lastsMs: 50 });
	for (let step = 0; step < 5_000; step++) {
		map.set((step * 7919) % 997, step, step / 10);
		assert.ok(map.size <= 100);
	}
});

test('an entry lasts from when it was set last, until just that time', () => {
	const map = new BoundedMap<string, string>({ most: 3, lastsMs: 1_000 });
	map.set('a', 'x', 0);
	map.set('b', 'y', 0);
	map.set('a', 'x', 500);
	assert.equal([map.get('b', 999), map.get('b', 1_000), map.get('a', 1_000)], ['y', undefined, 'x']);
	assert.equal([map.has('b', 999), map.has('b', 1_000)], [true, false]);
	assert.is(map.size, 2, 'until something is set');
	map.set('c', 'z', 1_000);
	assert.equal([...map.keys()], ['a', 'c']);
});

test('an entry may last longer or shorter than the others', () => {
	const map = new BoundedMap<string, string>({ most: 9, lastsMs: 1_000 });
	map.set('long', 'x', 0, 5_000);
	map.set('short', 'y', 0, 10);
	assert.equal(
		[map.get('short', 10), map.get('long', 4_999), map.get('long', 5_000)],
		[undefined, 'x', undefined],
	);
});

test('a log holds one line of each in a minute, and of more callers than it may remember none', () => {
	const seldom = new BoundedMap<string, true>({ most: 2, lastsMs: 60_000 });
	const isDue = (who: string, nowMs: number) => seldom.add(who, true, nowMs);
	assert.equal(
		[isDue('a', 0), isDue('a', 59_999), isDue('b', 10), isDue('c', 10)],
		[true, false, true, false],
	);
	assert.equal([isDue('a', 60_000), isDue('c', 60_010)], [true, true]);
});

test('where nothing may be forgotten, a full map takes no more until something has expired', () => {
	const map = new BoundedMap<string, number>({ most: 2, lastsMs: 1_000 });
	assert.equal([map.add('a', 1, 0), map.add('b', 2, 500), map.add('c', 3, 999)], [true, true, false]);
	assert.not(map.add('a', 9, 999), 'it is there already');
	assert.is(map.get('a', 999), 1);
	assert.ok(map.add('c', 3, 1_000));
	assert.equal([...map.values()], [2, 3]);
});

test('what is pinned stays, even when it is old or when there are too many; of the others the lowest rank goes first', () => {
	const forgotten: string[] = [];
	const map = new BoundedMap<string, { pinned: boolean; rank: number }>({
		most: 4,
		lastsMs: 1_000,
		isPinned: ({ pinned }) => pinned,
		rank: ({ rank }) => rank,
		onForget: (key) => forgotten.push(key),
	});
	map.set('pinned', { pinned: true, rank: 0 }, 0);
	for (const [key, rank] of [
		['good', 2],
		['poor', 1],
		['poorer', 1],
	] as const)
		map.set(key, { pinned: false, rank }, 0);
	map.set('fifth', { pinned: false, rank: 2 }, 1);
	assert.equal(forgotten, ['poor']);
	map.set('sixth', { pinned: false, rank: 0 }, 2);
	map.set('seventh', { pinned: false, rank: 0 }, 3);
	assert.equal(forgotten, ['poor', 'poorer', 'sixth']);
	map.set('eighth', { pinned: false, rank: 0 }, 5_000);
	assert.ok(map.has('pinned'), 'and what stands behind one that is pinned is not searched for');
	assert.equal(forgotten, ['poor', 'poorer', 'sixth', 'seventh']);
});

test('if all are pinned, it grows: there are only as many as somebody waits for', () => {
	const map = new BoundedMap<number, boolean>({ most: 2, isPinned: (pinned) => pinned });
	for (let key = 0; key < 3; key++) map.set(key, true);
	assert.is(map.size, 3);
});

test('what is deleted, cleared or set anew is not reported as forgotten', () => {
	const forgotten: string[] = [];
	const map = new BoundedMap<string, number>({ most: 2, onForget: (key) => forgotten.push(key) });
	map.set('a', 1);
	map.set('a', 2);
	assert.equal([map.delete('a'), map.delete('a')], [true, false]);
	map.set('b', 1);
	map.clear();
	assert.equal([map.size, forgotten], [0, []]);
});

test('a clock that is set back keeps an entry longer by as much; the limit on their number still counts', () => {
	const map = new BoundedMap<string, number>({ most: 2, lastsMs: 1_000 });
	map.set('a', 1, 3_600_000);
	assert.is(map.get('a', 0), 1);
	map.set('b', 2, 0);
	map.set('c', 3, 0);
	assert.equal([...map.keys()], ['b', 'c']);
	assert.equal([map.get('b', 999), map.get('b', 1_000)], [2, undefined]);
});

test('a value that is replaced stays as old as it is, and one that is not there is not made', () => {
	const map = new BoundedMap<string, number>({ most: 2, lastsMs: 1_000 });
	map.set('a', 1, 0);
	map.set('b', 2, 500);
	map.replace('a', 9);
	map.replace('c', 3);
	assert.equal(
		[...map],
		[
			['a', 9],
			['b', 2],
		],
	);
	assert.equal([map.get('a', 999), map.get('a', 1_000)], [9, undefined]);
	map.set('c', 3, 600);
	assert.equal([...map.keys()], ['b', 'c']);
});

test('of owners the one with the most entries makes room, so that nobody pushes out another', () => {
	const map = new BoundedMap<string, string>({ most: 4, ownerOf: (value) => value });
	map.set('honest', 'octo');
	for (let nth = 0; nth < 10; nth++) map.set(`evil-${nth}`, 'evil');
	assert.equal([...map.keys()], ['honest', 'evil-7', 'evil-8', 'evil-9']);
	map.set('other', 'octo');
	map.set('third', 'octo');
	assert.equal(
		[...map.keys()],
		['evil-8', 'evil-9', 'other', 'third'],
		'where both have as many: one of its own',
	);
});

test('entries may be deleted while they are gone through', () => {
	const map = new BoundedMap<number, number>({ most: 9 });
	for (let key = 0; key < 5; key++) map.set(key, key);
	for (const [key] of map) if (key % 2 === 0) map.delete(key);
	assert.equal([...map.keys()], [1, 3]);
});

test.run();
