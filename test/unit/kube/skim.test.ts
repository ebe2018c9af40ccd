import * as assert from 'uvu/assert';
import { type Kept, Skimmer } from '../../../admission/kube/skim.ts';
import { fastestMs } from '../../support/own-time.ts';
import { suite } from '../../support/suite.ts';

const test = suite('fields of a document of any size');

function skim(json: string, kept: Kept, size = json.length) {
	const skimmer = new Skimmer<unknown>(kept);
	const bytes = Buffer.from(json);
	for (let at = 0; at < bytes.length; at += size) skimmer.push(bytes.subarray(at, at + size));
	return skimmer.result;
}

const kept: Kept = {
	metadata: { name: true, uid: true },
	spec: { containers: { '*': { name: true } }, count: true, on: true, none: true },
};
const document = {
	kind: 'Pod',
	metadata: {
		annotations: { name: 'no', '"name":"no"': '{"metadata":{"name":"no"}}\\', metadata: '{' },
		labels: [{ name: 'no' }, ['name', { uid: 1 }]],
		name: 'a"\\\u2028ü<',
		uid: 'u1',
	},
	spec: {
		containers: [{ env: [{ name: 'no' }], name: 'runner' }, {}, { name: 'docker' }],
		count: -1.5e3,
		on: true,
		none: null,
		name: 'no',
	},
	status: { metadata: { name: 'no' } },
};
const found = {
	metadata: { name: 'a"\\\u2028ü<', uid: 'u1' },
	spec: { containers: [{ name: 'runner' }, {}, { name: 'docker' }], count: -1500, on: true, none: null },
};

test('fields are kept by their path alone, however the document is cut and laid out', () => {
	for (const indent of [undefined, 2, '\t'])
		for (const size of [1, 2, 3, 5, 64, 10_000]) {
			const json = JSON.stringify(document, undefined, indent);
			assert.equal(skim(json, kept, size), { value: found, whole: true }, `parts of ${size} bytes`);
		}
});
test('the order of fields does not matter', () => {
	const { kind, metadata, spec } = document;
	assert.equal(skim(JSON.stringify({ spec, metadata, kind }), kept).value, {
		spec: found.spec,
		metadata: found.metadata,
	});
});
test('the fields of an object in JSON of Go, where signs are escaped', () => {
	assert.equal(skim('{"metadata":{"name":"\\u003ca\\u0026"}}', kept).value, { metadata: { name: '<a&' } });
});
test('no key reaches a prototype', () => {
	const json =
		'{"__proto__":{"name":"x"},"metadata":{"__proto__":{"name":"x"},"constructor":"y","name":"a"}}';
	assert.equal(skim(json, kept).value, { metadata: { name: 'a' } });
});
test('too long, too much, or of another shape: that is said, and what comes later is kept', () => {
	const long = 'x'.repeat(5_000);
	assert.equal(skim(JSON.stringify({ metadata: { name: long, uid: 'u1' } }), kept, 100), {
		value: { metadata: { uid: 'u1' } },
		whole: false,
	});
	assert.equal(skim(JSON.stringify({ metadata: { [long]: 'x', uid: 'u1' } }), kept, 100), {
		value: { metadata: { uid: 'u1' } },
		whole: true,
	});
	assert.equal(skim('{"metadata":{"name":{"a":1},"uid":"u1"}}', kept), {
		value: { metadata: { uid: 'u1' } },
		whole: false,
	});
	const containers = Array.from({ length: 20_000 }, () => ({ name: 'a' }));
	const { value, whole } = skim(JSON.stringify({ spec: { containers } }), kept);
	assert.not(whole);
	assert.ok(JSON.stringify(value).length < 20_000);
});
test('nesting as deep as a document can be takes no memory, and is left again', () => {
	const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
	assert.equal(skim(`{"x":${deep},"metadata":{"name":"a"}}`, kept).value, { metadata: { name: 'a' } });
});
test('each byte is looked at once: 8 MiB of anything take no longer for each than 1 MiB', () => {
	const worst: Record<string, (bytes: number) => string> = {
		'a text': (bytes) => `{"a":"${'\\u003c'.repeat(bytes / 6)}"}`,
		'a key': (bytes) => `{"metadata":{"${'\\u003c'.repeat(bytes / 6)}":1}}`,
		'a name': (bytes) => `{"metadata":{"name":"${'\\u003c'.repeat(bytes / 6)}"}}`,
		containers: (bytes) => `{"spec":{"containers":[${'{"name":"a"},'.repeat(bytes / 13)}{}]}}`,
		lists: (bytes) => `{"a":${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}}`,
	};
	for (const [what, document] of Object.entries(worst)) {
		const perMib = (mib: number) => {
			const json = document(mib * 1024 * 1024);
			return fastestMs(4, () => skim(json, kept, 16 * 1024)) / mib;
		};
		const [short, long] = [perMib(1), perMib(8)];
		assert.ok(long < 4 * short + 1, `${what}: ${long.toFixed(2)} ms for a MiB, and ${short.toFixed(2)}`);
	}
});

test.run();
