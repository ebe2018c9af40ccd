import type { ObjectMeta, Pod } from '../../api/kinds.ts';

/**
 * The form of a T in JSON: of all its fields, so that a field that is read somewhere cannot be missing here. `needed`: an
 * object without this text is left out of its list.
 */
type Form<T, Needed = false> = [T] extends [string]
	? Needed extends true
		? 'needed'
		: 'text'
	: [T] extends [number]
		? 'number'
		: [T] extends [boolean]
			? 'flag'
			: T extends readonly (infer Item)[]
				? { listOf: Form<Item> }
				: string extends keyof T
					? 'texts'
					: keyof T extends never
						? 'object'
						: FormOfFields<T>;
type FormOfFields<T> = {
	[Key in keyof T]-?: Form<NonNullable<T[Key]>, object extends Pick<T, Key> ? false : true>;
};

/** The same without types, for the code that goes through it. */
type AnyForm =
	| 'text'
	| 'needed'
	| 'number'
	| 'flag'
	| 'texts'
	| 'object'
	| { listOf: AnyForm }
	| { [field: string]: AnyForm };

/** Of a pod that is created under a generateName, the name is not known yet. */
const metadata: Form<Partial<ObjectMeta>> = {
	name: 'text',
	namespace: 'text',
	uid: 'text',
	resourceVersion: 'text',
	creationTimestamp: 'text',
	deletionTimestamp: 'text',
	labels: 'texts',
	annotations: 'texts',
	finalizers: { listOf: 'text' },
	ownerReferences: {
		listOf: {
			apiVersion: 'needed',
			kind: 'needed',
			name: 'needed',
			uid: 'needed',
			controller: 'flag',
			blockOwnerDeletion: 'flag',
		},
	},
};

const resources = { requests: 'texts', limits: 'texts' } as const;

const container: Form<NonNullable<NonNullable<Pod['spec']>['containers']>[number]> = {
	name: 'needed',
	image: 'text',
	command: { listOf: 'text' },
	args: { listOf: 'text' },
	env: {
		listOf: {
			name: 'needed',
			value: 'text',
			valueFrom: {
				fieldRef: { fieldPath: 'text' },
				secretKeyRef: { name: 'text', key: 'text' },
				configMapKeyRef: 'object',
				resourceFieldRef: 'object',
			},
		},
	},
	envFrom: { listOf: { prefix: 'text' } },
	resources,
	resizePolicy: { listOf: { resourceName: 'needed', restartPolicy: 'needed' } },
	restartPolicy: 'text',
	restartPolicyRules: { listOf: { action: 'text' } },
	lifecycle: { postStart: 'object' },
	volumeMounts: { listOf: { name: 'needed', mountPath: 'needed', subPath: 'text', readOnly: 'flag' } },
};

const containerState = {
	waiting: { reason: 'text', message: 'text' },
	running: { startedAt: 'text' },
	terminated: { exitCode: 'number', reason: 'text', message: 'text', startedAt: 'text', finishedAt: 'text' },
} as const;
const containerStatuses = {
	listOf: { name: 'needed', restartCount: 'number', state: containerState, lastState: containerState },
} as const;

const pod: Form<Omit<Pod, 'metadata'>> & { metadata: typeof metadata } = {
	apiVersion: 'text',
	kind: 'text',
	metadata,
	spec: {
		nodeName: 'text',
		restartPolicy: 'text',
		activeDeadlineSeconds: 'number',
		resources,
		containers: { listOf: container },
		initContainers: { listOf: container },
		hostNetwork: 'flag',
		dnsPolicy: 'text',
		os: { name: 'text' },
		nodeSelector: 'texts',
		volumes: { listOf: { name: 'needed' } },
	},
	status: {
		phase: 'text',
		reason: 'text',
		message: 'text',
		conditions: {
			listOf: {
				type: 'needed',
				status: 'needed',
				reason: 'text',
				message: 'text',
				lastTransitionTime: 'text',
			},
		},
		containerStatuses,
		initContainerStatuses: containerStatuses,
	},
};

/**
 * Drops what a pod that the API server sends cannot have: of the fields that are read, all that are of another type. What
 * is read nowhere stays as it is.
 *
 * @param reduced null is what was left out of a large review, and stays
 */
export const keepFormOfPod = (object: object, reduced: boolean): void => void fits(object, pod, reduced);

/** The same for an object of any kind: of its metadata. */
export const keepFormOfMetadata = (object: { metadata?: unknown }, reduced: boolean): void =>
	void fits(object, { metadata }, reduced);

/** Whether the value has this form, at least when what does not have its own is dropped from it; that is done as well. */
function fits(value: unknown, form: AnyForm, reduced: boolean): boolean {
	if (value === null) return reduced;
	if (form === 'text' || form === 'needed') return typeof value === 'string';
	if (form === 'number') return typeof value === 'number';
	if (form === 'flag') return typeof value === 'boolean';
	if (typeof value !== 'object') return false;
	if (typeof form === 'object' && 'listOf' in form) return fitsList(value, form.listOf as AnyForm, reduced);
	if (Array.isArray(value)) return false;
	const fields = value as Record<string, unknown>;
	if (form === 'texts') {
		for (const key of Object.keys(fields)) if (!fits(fields[key], 'text', reduced)) delete fields[key];
		return true;
	}
	if (form === 'object') return true;
	for (const [key, its] of Object.entries(form)) {
		if (Object.hasOwn(fields, key) && !fits(fields[key], its, reduced)) delete fields[key];
		if (its === 'needed' && fields[key] === undefined) return false;
	}
	return true;
}

function fitsList(value: object, item: AnyForm, reduced: boolean): boolean {
	if (!Array.isArray(value)) return false;
	let kept = 0;
	for (const one of value) if (fits(one, item, reduced)) value[kept++] = one;
	value.length = kept;
	return true;
}
