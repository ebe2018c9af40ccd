/** What is kept of a review that is too large to be held, beside what JSON.parse reads in it. */
import * as assert from 'uvu/assert';
import { UnusableJson } from '../../../admission/webhook/rules/json-scanner.ts';
import { LargeReview } from '../../../admission/webhook/rules/large-review.ts';
import { deepestReview } from '../../../admission/webhook/rules/policy.ts';
import { type Random, random } from '../../rig/random.ts';
import { suite } from '../../support/suite.ts';

const test = suite('large reviews');
const { seed } = random();

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Small, so that what is generated is often longer. */
const limits = { value: 40, all: 4_000, depth: 50 };

/** What remains of these bytes, which arrive in parts of these sizes. */
function reduce(bytes: Buffer, sizes: () => number = () => bytes.length, of = limits): Json {
	const large = new LargeReview(of);
	for (let from = 0; from < bytes.length; ) {
		const size = Math.max(1, sizes());
		large.write(bytes.subarray(from, from + size));
		from += size;
	}
	return JSON.parse(large.end().toString());
}
const reduceText = (text: string) => reduce(Buffer.from(text));

const oneOf = <T>(chance: Random, all: readonly T[]): T => all[chance.between(0, all.length)] as T;

/** A key or string as somebody might write it who wants two readers to read two things. */
function stringText(chance: Random, text: string): string {
	return `"${[...text].map((character) => (chance.between(0, 6) === 0 ? escaped(character) : character)).join('')}"`;
}
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

const keys = ['request', 'object', 'oldObject', 'metadata', 'options', 'userInfo', 'deleteOptions', 'name'];
const oddKeys = ['__proto__', '', 'reque', 'requestx', 'Object', 'a"b'.replace('"', '\\"'), 'ü', '\u2028'];
const scalars = [
	'0',
	'-0',
	'-1.5e+3',
	'12E-2',
	'1e5',
	'true',
	'false',
	'null',
	'""',
	'"\\n\\u00e4\\ud800"',
	'"ü€"',
];

function valueText(chance: Random, depth: number): string {
	const space = () => oneOf(chance, ['', '', '', ' ', '\n', '\t\r ']);
	const kind = chance.between(0, 10);
	if (depth > 6 || kind < 3) return oneOf(chance, scalars);
	if (kind === 3) return stringText(chance, 'x'.repeat(chance.between(0, 60)));
	const items = Array.from({ length: chance.between(0, depth < 3 ? 6 : 3) }, () => {
		const value = `${space()}${valueText(chance, depth + 1)}${space()}`;
		if (kind === 4) return value;
		const key = chance.between(0, 5) === 0 ? oneOf(chance, oddKeys) : oneOf(chance, keys);
		return `${space()}${key.includes('\\') ? `"${key}"` : stringText(chance, key)}${space()}:${value}`;
	}).join(',');
	return kind === 4 ? `[${space()}${items}]` : `{${space()}${items}}`;
}

/** Breaks the text somewhere, or leaves it. */
function damaged(chance: Random, text: string): Buffer {
	const bytes = Buffer.from(text);
	const position = chance.between(0, bytes.length + 1);
	switch (chance.between(0, 6)) {
		case 0:
			return bytes.subarray(0, position);
		case 1:
			bytes[Math.min(position, bytes.length - 1)] = chance.between(0, 256);
			return bytes;
		case 2: {
			const added = oneOf(chance, [',', '}', ']', '"', '\\', '\x00', '\xff', '{', '1', '-', '.', 'e']);
			return Buffer.concat([
				bytes.subarray(0, position),
				Buffer.from(added, 'latin1'),
				bytes.subarray(position),
			]);
		}
		default:
			return bytes;
	}
}

function parsed(bytes: Buffer): Json | undefined {
	try {
		return JSON.parse(bytes.toString());
	} catch {
		return undefined;
	}
}

/** Which members are kept one by one, as in the class. */
interface Tree {
	[key: string]: Tree;
}
const objects: Tree = { metadata: {}, deleteOptions: {} };
const tree: Tree = { request: { object: objects, oldObject: objects, options: {}, userInfo: {} } };

/** undefined: what remains is what was there, but for values that are null because they are long. */
function difference(reduced: Json, whole: Json, members: Tree | undefined, path = '$'): string | undefined {
	if (members && isObject(whole) && isObject(reduced)) {
		if (Object.keys(whole).join('\n') !== Object.keys(reduced).join('\n')) return `${path} has other keys`;
		for (const [key, value] of Object.entries(whole)) {
			const child = Object.hasOwn(members, key) ? members[key] : undefined;
			const found = difference(reduced[key] as Json, value, child, `${path}.${key}`);
			if (found) return found;
		}
		return undefined;
	}
	const length = Buffer.byteLength(JSON.stringify(whole));
	if (reduced === null && whole !== null) {
		// It may have been written with spaces, escapes, or keys that are there twice.
		return length < 3 ? `${path} was short, and is left out` : undefined;
	}
	return JSON.stringify(reduced) === JSON.stringify(whole) ? undefined : `${path} differs`;
}
const isObject = (value: Json): value is { [key: string]: Json } =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

test(`6,000 texts, whole and broken, in parts: read as JSON.parse reads them, SEED=${seed}`, () => {
	let usable = 0;
	let leftOut = 0;
	for (let index = 0; index < 6_000; index++) {
		const chance = random(Math.imul(seed, 7919) + index);
		const bytes = damaged(chance, valueText(chance, 0));
		const whole = parsed(bytes);
		let reduced: Json | undefined;
		try {
			reduced = reduce(bytes, () => chance.between(0, 20));
		} catch (error) {
			assert.instance(error, UnusableJson);
		}
		const said = `SEED=${seed}, text ${index}: ${JSON.stringify(bytes.toString())}`;
		assert.is(reduced === undefined, whole === undefined, said);
		if (reduced === undefined || whole === undefined) continue;
		usable += 1;
		if (JSON.stringify(reduced) !== JSON.stringify(whole)) leftOut += 1;
		assert.is(difference(reduced, whole, tree), undefined, said);
	}
	console.log(`${usable} usable, something left out of ${leftOut}`);
	assert.ok(usable > 2_000 && leftOut > 500);
});

const large = 'x'.repeat(100);
const metadata = { name: 'a', annotations: { large } };

test('of a large review what is short remains, wherever it stands, and of an eviction its options', () => {
	const review = {
		kind: 'AdmissionReview',
		request: {
			uid: 'u',
			object: { metadata, deleteOptions: { dryRun: ['All'], preconditions: { uid: large } } },
			oldObject: null,
			dryRun: true,
			options: { gracePeriodSeconds: 0, kind: large },
			userInfo: { username: 'alice', groups: [large] },
		},
	};
	assert.equal(reduceText(JSON.stringify(review)), {
		kind: 'AdmissionReview',
		request: {
			uid: 'u',
			object: {
				metadata: { name: 'a', annotations: null },
				deleteOptions: { dryRun: ['All'], preconditions: null },
			},
			oldObject: null,
			dryRun: true,
			options: { gracePeriodSeconds: 0, kind: null },
			userInfo: { username: 'alice', groups: null },
		},
	});
});
test('of keys that are there twice the last one counts, also if one of them is too long', () => {
	const long = JSON.stringify(large);
	for (const [text, expected] of [
		[`{"request":{"uid":"a","uid":"b"}}`, { request: { uid: 'b' } }],
		[`{"request":{"uid":"a","uid":${long}}}`, { request: { uid: null } }],
		[`{"request":{"uid":${long},"\\u0075id":"b"}}`, { request: { uid: 'b' } }],
		[`{"request":{"uid":"a"},"request":{"dryRun":true}}`, { request: { dryRun: true } }],
		[`{"request":{"uid":"a"},"r\\u0065quest":[1]}`, { request: [1] }],
		[
			`{"request":{"object":{"metadata":{"name":"a"}},"object":{"metadata":{"name":"b","x":${long}}}}}`,
			{ request: { object: { metadata: { name: 'b', x: null } } } },
		],
	] as const)
		assert.equal(reduceText(text), expected as unknown as Json, text);
});
test('an escaped key is the same key', () => {
	const all = (key: string) => [...key].map(escaped).join('');
	const text = `{"${all('request')}":{"${all('oldObject')}":{"${all('deleteOptions')}":{"a":1,"b":"${large}"}}}}`;
	assert.equal(reduceText(text), { request: { oldObject: { deleteOptions: { a: 1, b: null } } } });
});
test('an object where the API server has none is kept whole or not at all', () => {
	assert.equal(reduceText(`{"request":{"uid":{"a":"${large}"}},"object":{"metadata":"${large}"}}`), {
		request: { uid: null },
		object: null,
	});
	assert.equal(reduceText(`[${JSON.stringify(large)}]`), null);
});
test('what nobody can be meant to read is no review: too deep, or too much beside the objects', () => {
	const nested = (depth: number) => Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}`);
	reduce(nested(limits.depth));
	assert.throws(() => reduce(nested(limits.depth + 1)), /too deep/);
	assert.throws(() => reduceText(`{${Array.from({ length: 1_000 }, (_, at) => `"${at}":0`)}}`), /too much/);
	assert.throws(() => reduceText(`{"${'x'.repeat(limits.all)}":0}`), /too much/);
	for (const text of ['', '{', '{"a":1', '1.', '[1,]', '"\\x"', '"\n"', '{"a":1}}', '\ufeff{}', 'nul', '01'])
		assert.throws(
			() => reduceText(text),
			(error: unknown) => error instanceof UnusableJson,
		);
});
test('9 MiB of whatever: a few bytes remain, little is held, and time grows with the size', () => {
	const mib = 1024 * 1024;
	const around = (value: string) =>
		Buffer.from(`{"request":{"uid":"u","object":{"spec":${value}},"dryRun":true}}`);
	const nested = '['.repeat(deepestReview - 4) + ']'.repeat(deepestReview - 4);
	for (const [what, one] of [
		['escapes', (size: number) => around(`"${'\\u003c'.repeat(size / 6)}"`)],
		['lists', (size: number) => around(`[${'[],'.repeat(size / 3)}0]`)],
		['numbers', (size: number) => around(`[${'0,'.repeat(size / 2)}0]`)],
		['keys', (size: number) => around(`{${'"":"",'.repeat(size / 6)}"":0}`)],
		['nested', (size: number) => around(`[${`${nested},`.repeat(size / nested.length)}0]`)],
	] as const) {
		const took = (size: number) => {
			const bytes = one(size);
			const before = process.cpuUsage();
			const kept = reduce(bytes, () => 64 * 1024, { value: 16_384, all: mib, depth: deepestReview });
			const { user, system } = process.cpuUsage(before);
			assert.equal(kept, { request: { uid: 'u', object: { spec: null }, dryRun: true } }, what);
			return (user + system) / 1_000;
		};
		took(mib);
		const [small, whole] = [took(mib), took(9 * mib)];
		console.log(`${what}: 1 MiB ${small.toFixed(0)} ms of CPU, 9 MiB ${whole.toFixed(0)} ms`);
		assert.ok(whole < 27 * small + 300, `${what}: ${small} ms, ${whole} ms`);
	}
});

test.run();
