/** Pieces of OpenAPI v3 that the custom resources are put together from. */

export interface Schema {
	type?: string;
	description?: string;
	[keyword: string]: unknown;
}

export type Properties = Record<string, Schema>;

export const text = (description: string, more: Schema = {}): Schema => ({
	type: 'string',
	description,
	...more,
});
export const flag = (description: string): Schema => ({ type: 'boolean', description });
export const count = (description: string, more: Schema = {}): Schema => ({
	type: 'integer',
	format: 'int32',
	description,
	...more,
});
export const time = (description: string, more: Schema = {}): Schema => ({
	type: 'string',
	format: 'date-time',
	description,
	...more,
});
export const list = (description: string, items: Schema, more: Schema = {}): Schema => ({
	type: 'array',
	description,
	items,
	...more,
});
export const object = (description: string, properties: Properties, more: Schema = {}): Schema => ({
	type: 'object',
	description,
	properties,
	...more,
});

/** A bound for what is counted in validation rules, which the API server prices before it accepts them. */
const labelValue: Schema = { type: 'string', maxLength: 63 };

export const labels = (description: string): Schema => ({
	type: 'object',
	description,
	additionalProperties: labelValue,
	maxProperties: 64,
});
export const annotations = (description: string): Schema => ({
	type: 'object',
	description,
	additionalProperties: { type: 'string' },
});

/** A part of a pod as Kubernetes defines it: checked by the API server when the pod is created. */
export const asInPods = (description: string, type: 'object' | 'array' = 'object'): Schema =>
	type === 'object'
		? { type, description, 'x-kubernetes-preserve-unknown-fields': true }
		: { type, description, items: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };

/** The same, of things that have a name, so that server-side apply merges them by it. */
export const namedAsInPods = (description: string): Schema => ({
	type: 'array',
	description,
	items: {
		type: 'object',
		required: ['name'],
		properties: { name: { type: 'string' } },
		'x-kubernetes-preserve-unknown-fields': true,
	},
	'x-kubernetes-list-type': 'map',
	'x-kubernetes-list-map-keys': ['name'],
});

export const quantity = (description: string): Schema => ({
	description,
	anyOf: [{ type: 'integer' }, { type: 'string' }],
	pattern:
		'^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$',
	'x-kubernetes-int-or-string': true,
});

export const selector = (description: string): Schema =>
	object(description, {
		matchLabels: labels('Labels that must be there with these values.'),
		matchExpressions: list(
			'Further requirements.',
			object('One requirement.', {
				key: text('Key of the label.'),
				operator: text('In, NotIn, Exists or DoesNotExist.'),
				values: list('Values for In and NotIn.', { type: 'string' }),
			}),
		),
	});

/** One rule that the API server checks when the object is written. `path` is the field that the message is about. */
export interface Rule {
	rule: string;
	message: string;
	fieldPath?: string;
}

export const rules = (...all: Rule[]): Schema => ({ 'x-kubernetes-validations': all });
