import {
	longestLabel,
	longestLabelEntry,
	mostContainers,
	mostInPodList,
	mostMapEntries,
	mostRunnerLabels,
	mostVolumeClaims,
	tooMany,
} from '../../api/limits.ts';
import type { RunnerDeployment, RunnerSet } from '../../api/sets.ts';

/** What is wrong with a spec: the field, and a message for people. */
interface Problem {
	field: string;
	message: string;
}

/** Checks the value of a field. The field's path is only for the message. */
type Check = (value: unknown, field: string) => Problem | undefined;
type Fields = Record<string, Check>;

/**
 * The API server stores the pod templates of sets unchecked: `env` may be a map there, and a value a number. It checks the
 * types only when a pod is created. So whoever reads a template calls one of these functions first: a set with such a field
 * is SpecInvalid, and is scaled down and deleted like any other. So is one with a list that is longer than the schema allows,
 * which may be older than the schema: of such a list no entry is looked at.
 *
 * Only the fields are checked that this program reads before the API server has seen the pod (pod/, jobs/hooks/rules/inject.ts,
 * runner/identity). Nothing is refused that Kubernetes would accept: null counts as absent, and unknown fields are kept.
 */
export const oddField = (set: RunnerSet | RunnerDeployment): Problem | undefined =>
	(set.kind === 'RunnerSet' ? runnerSetSpec : runnerDeploymentSpec)(set.spec, 'spec');

/** The same for the spec of a Runner. @param field where it is, for the message */
export const oddInRunner = (spec: unknown, field: string): Problem | undefined => runnerSpec(spec, field);

const optional =
	(check: Check): Check =>
	(value, field) =>
		value === undefined || value === null ? undefined : check(value, field);

const text: Check = (value, field) => {
	if (typeof value === 'string') return undefined;
	if (typeof value !== 'number' && typeof value !== 'boolean') return mustBe('a string', value, field);
	return { field, message: `${field} must be a string: quote it ("${value}")` };
};

const name: Check = (value, field) =>
	value === '' ? mustBe('a name', undefined, field) : text(value, field);

const flag: Check = (value, field) =>
	typeof value === 'boolean' ? undefined : mustBe('true or false', value, field);

const listOf =
	(item: Check, most = mostInPodList): Check =>
	(value, field) => {
		if (!Array.isArray(value)) return mustBe('a list', value, field);
		if (value.length > most) return { field, message: tooMany(field, value.length, most) };
		return first(value.entries(), ([index, one]) => item(one, `${field}[${index}]`));
	};

const object =
	(fields: Fields): Check =>
	(value, field) =>
		isObject(value)
			? first(Object.entries(fields), ([key, check]) => check(value[key], `${field}.${key}`))
			: mustBe('an object', value, field);

const texts: Check = (value, field) => {
	if (!isObject(value)) return mustBe('an object', value, field);
	const { length } = Object.keys(value);
	if (length > mostMapEntries) return { field, message: tooMany(field, length, mostMapEntries) };
	return first(Object.entries(value), ([key, one]) =>
		optional(text)(one, `${field}.${key.slice(0, longestKey)}`),
	);
};

/** Labels of a runner; what is no text is no label, and an entry with a comma is two. */
const runnerLabels: Check = (value, field) => {
	if (!Array.isArray(value)) return undefined;
	if (value.length > mostRunnerLabels)
		return { field, message: tooMany(field, value.length, mostRunnerLabels) };
	let left = mostRunnerLabels;
	for (const [index, entry] of value.entries()) {
		if (typeof entry !== 'string') continue;
		const labels = entry.slice(0, longestLabelEntry + 1).split(',');
		left -= labels.length;
		if (left < 0)
			return { field, message: `${field} has more than ${mostRunnerLabels} labels: no more are supported` };
		if (labels.some((label) => label.length > longestLabel))
			return {
				field,
				message: `${field}[${index}] has a label of more than ${longestLabel} characters: longer ones are not supported`,
			};
	}
	return undefined;
};

const optionalList = (fields: Fields, most?: number): Check => optional(listOf(object(fields), most));

/** How much of a label's key a message shows, because it may be of any length. */
const longestKey = 100;

const env = optionalList({
	name,
	value: optional(text),
	valueFrom: optional(object({ fieldRef: optional(object({ fieldPath: optional(text) })) })),
});
const envFrom = optionalList({ prefix: optional(text) });
const volumeMounts = optionalList({ name, mountPath: name });

const containers = optionalList(
	{
		name,
		image: optional(text),
		imagePullPolicy: optional(text),
		args: optional(listOf(optional(text))),
		env,
		envFrom,
		volumeMounts,
		securityContext: optional(object({})),
	},
	mostContainers,
);

/** Of a pod, and of a Runner, which has them beside fields of its own. */
const podFields = {
	containers,
	initContainers: containers,
	volumes: optionalList({ name }),
	securityContext: optional(object({ seLinuxOptions: optional(object({})) })),
	serviceAccountName: optional(text),
	nodeSelector: optional(texts),
	dnsPolicy: optional(text),
};

const labelled = { labels: optional(runnerLabels) };

const runnerSetSpec = object({
	...labelled,
	template: object({
		spec: optional(
			object({
				...podFields,
				hostNetwork: optional(flag),
				os: optional(object({ name: optional(text) })),
			}),
		),
	}),
	volumeClaimTemplates: optionalList(
		{ metadata: optional(object({ name: optional(text) })) },
		mostVolumeClaims,
	),
});

const runnerSpec = object({
	...labelled,
	...podFields,
	sidecarContainers: containers,
	env,
	envFrom,
	volumeMounts,
	dockerEnv: env,
	dockerVolumeMounts: volumeMounts,
});

const runnerDeploymentSpec = object({ template: object({ spec: runnerSpec }) });

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

function first<T>(items: Iterable<T>, check: (item: T) => Problem | undefined): Problem | undefined {
	for (const item of items) {
		const problem = check(item);
		if (problem) return problem;
	}
	return undefined;
}

function mustBe(what: string, value: unknown, field: string): Problem {
	if (value === undefined) return { field, message: `${field} is missing` };
	return { field, message: `${field} must be ${what}, not ${kindOf(value)}` };
}

function kindOf(value: unknown): string {
	if (value === null) return 'null';
	if (Array.isArray(value)) return 'a list';
	return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
