/** The definitions of the custom resources: everything in a spec that may be repeated has a maximum. */
import { load } from 'js-yaml';
import * as assert from 'uvu/assert';
import { crdFiles } from '../../../scripts/crds/generate.ts';
import { suite } from '../../support/suite.ts';

const test = suite('limits of specs');

interface Schema {
	type?: string;
	properties?: Record<string, Schema>;
	items?: Schema;
	additionalProperties?: Schema;
	maxItems?: number;
	maxProperties?: number;
	maxLength?: number;
	enum?: unknown[];
}

/** The fields below this one that have no maximum. */
function unlimited(schema: Schema, path: string): string[] {
	const { type, properties = {}, items, additionalProperties } = schema;
	const own =
		(type === 'array' && schema.maxItems === undefined) ||
		(additionalProperties !== undefined && schema.maxProperties === undefined);
	return [
		...(own ? [path] : []),
		...Object.entries(properties).flatMap(([name, field]) => unlimited(field, `${path}.${name}`)),
		...(items ? unlimited(items, `${path}[]`) : []),
	];
}

const specs = Object.entries(crdFiles()).map(([file, text]) => {
	const { spec } = load(text) as {
		spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: Schema } } } }[] };
	};
	return [file, spec.versions[0]?.schema.openAPIV3Schema.properties.spec as Schema] as const;
});

for (const [file, spec] of specs)
	test(`${file}: every list and every map in the spec has a maximum`, () => {
		assert.equal(unlimited(spec, 'spec'), []);
	});

test('a list without one would be found', () => {
	const list: Schema = { type: 'array', items: { additionalProperties: { type: 'string' } } };
	assert.equal(unlimited({ properties: { a: list } }, 'spec'), ['spec.a', 'spec.a[]']);
});

test('labels, which are compared with those of every job, are limited in number and in length', () => {
	for (const [file, labels] of specs.flatMap(([file, { properties = {} }]) => {
		const runner = properties.template?.properties?.spec?.properties;
		return [properties.labels, runner?.labels].flatMap((found) => (found ? [[file, found] as const] : []));
	}))
		assert.ok((labels.maxItems ?? 0) <= 100 && (labels.items?.maxLength ?? 9_999) <= 4_096, file);
});

test.run();
