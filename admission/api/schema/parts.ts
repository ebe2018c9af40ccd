/**
 * Parts of OpenAPI v3 schemas, each with its TypeScript type, that the schemas of the custom resources consist of.
 * typebox infers the types of objects and lists; what a schema cannot tell TypeScript is said with `Type.Unsafe`.
 */
import { type Static, type TInteger, type TOptional, type TSchema, type TUnsafe, Type } from 'typebox';
import {
	longestLabel,
	mostContainers,
	mostInPodList,
	mostMapEntries,
	mostPodLabels,
	mostRequirements,
	mostRequirementValues,
} from '../limits.ts';

/** Keywords beside those that a part sets itself: limits, defaults, and the API server's `x-kubernetes-...`. */
type Keywords = Record<string, unknown>;
type Properties = Record<string, TSchema>;

/** Fields are optional, unless they are named among the required ones. */
type Fields<P extends Properties, R extends keyof P> = {
	[K in keyof P]: K extends R ? P[K] : TOptional<P[K]>;
};

export const text = (description: string, more: Keywords = {}) => Type.String({ description, ...more });

/** A text that is one of these. */
export const oneOf = <T extends string>(description: string, values: readonly T[]): TUnsafe<T> =>
	Type.Unsafe<T>({ type: 'string', description, enum: values });

export const flag = (description: string) => Type.Boolean({ description });

export const int32 = (description: string, more: Keywords = {}): TInteger =>
	Type.Integer({ format: 'int32', description, ...more });

export const int64 = (description: string): TInteger => Type.Integer({ format: 'int64', description });

/** RFC 3339. */
export const time = (description: string) => Type.String({ format: 'date-time', description });

export const nullable = <T extends TSchema>(schema: T): TUnsafe<Static<T> | null> =>
	Type.Unsafe<Static<T> | null>({ ...schema, nullable: true });

export const list = <T extends TSchema>(description: string, items: T, more: Keywords = {}) =>
	Type.Array(items, { description, ...more });

export function object<P extends Properties, R extends keyof P & string = never>(
	description: string,
	properties: P,
	{ required = [], ...more }: { required?: readonly R[] } & Keywords = {},
) {
	const isRequired = (name: string) => required.some((one) => one === name);
	const fields = Object.entries(properties).map(([name, schema]) => [
		name,
		isRequired(name) ? schema : Type.Optional(schema),
	]);
	return Type.Object(Object.fromEntries(fields) as Fields<P, R>, { description, ...more });
}

/** A bound for what is counted in validation rules, which the API server prices before it accepts them. */
const labelValue = { type: 'string', maxLength: 63 };

export const labels = (description: string) =>
	Type.Unsafe<Record<string, string>>({
		type: 'object',
		description,
		additionalProperties: labelValue,
		maxProperties: mostPodLabels,
	});

export const annotations = (description: string) =>
	Type.Unsafe<Record<string, string>>({
		type: 'object',
		description,
		additionalProperties: { type: 'string' },
		maxProperties: mostMapEntries,
	});

const anyFields = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** A part of a pod as Kubernetes defines it: checked by the API server when the pod is created. `T`: what we read of it. */
export const asInPods = <T = unknown>(description: string) => Type.Unsafe<T>({ ...anyFields, description });

export const listAsInPods = <T = unknown>(description: string, maxItems = mostInPodList) =>
	Type.Unsafe<T[]>({ type: 'array', description, items: anyFields, maxItems });

/** Of a pod's fields only their size is checked: their types are when the pod is created. */
const anyList = { 'x-kubernetes-preserve-unknown-fields': true, maxItems: mostInPodList };
const anyMap = { 'x-kubernetes-preserve-unknown-fields': true, maxProperties: mostMapEntries };

/** Containers, which have a name, so that server-side apply merges them by it. */
export const containersAsInPods = <T extends { name: string }>(description: string) =>
	Type.Unsafe<T[]>({
		type: 'array',
		description,
		items: {
			...anyFields,
			required: ['name'],
			properties: {
				name: { type: 'string', maxLength: longestLabel },
				args: anyList,
				command: anyList,
				env: anyList,
				envFrom: anyList,
				ports: anyList,
				volumeDevices: anyList,
				volumeMounts: anyList,
			},
		},
		maxItems: mostContainers,
		'x-kubernetes-list-type': 'map',
		'x-kubernetes-list-map-keys': ['name'],
	});

/** What a pod's spec has beside its containers. */
export const listsInPods = {
	hostAliases: anyList,
	imagePullSecrets: anyList,
	nodeSelector: anyMap,
	tolerations: anyList,
	topologySpreadConstraints: anyList,
	volumes: anyList,
};

export const quantity = (description: string) =>
	Type.Unsafe<string | number>({
		description,
		anyOf: [{ type: 'integer' }, { type: 'string' }],
		pattern:
			'^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$',
		'x-kubernetes-int-or-string': true,
	});

export const selector = (description: string) =>
	object(description, {
		matchLabels: labels('Labels that must be present with these values.'),
		matchExpressions: list(
			'Further requirements.',
			object('One requirement.', {
				key: text('Key of the label.'),
				operator: text('In, NotIn, Exists or DoesNotExist.'),
				values: list('Values for In and NotIn.', Type.String(), { maxItems: mostRequirementValues }),
			}),
			{ maxItems: mostRequirements },
		),
	});

/** One rule that the API server checks when the object is written. `fieldPath` is the field that the message is about. */
export interface Rule {
	rule: string;
	message: string;
	fieldPath?: string;
}

export const rules = (...all: Rule[]): Keywords => ({ 'x-kubernetes-validations': all });
