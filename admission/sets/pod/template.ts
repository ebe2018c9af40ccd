import { arc } from '../../api/keys.ts';
import {
	type PodTemplate,
	type Runner,
	type RunnerSet,
	type RunnerSpec,
	setKeys,
	type TemplateContainer,
} from '../../api/sets.ts';
import type { TemplateDefaults } from './defaults.ts';
import { oddField, oddInRunner } from './field-types.ts';
import { type Layout, layOut } from './layout.ts';
import { templateHash } from './template-hash.ts';

export type { TemplateDefaults } from './defaults.ts';
export type { Layout } from './layout.ts';
export { templateHash } from './template-hash.ts';

/**
 * The pod template for the StatefulSets of a RunnerSet. `restartPolicy` is left out, because a StatefulSet accepts only Always.
 *
 * @param hash of the set's template, where it is known
 */
export function runnerSetTemplate(set: RunnerSet, defaults: TemplateDefaults, hash?: string): Layout {
	const odd = oddField(set);
	if (odd) return { kind: 'invalid', ...odd };
	const { spec } = set;
	const { restartPolicy: _, ...podSpec } = spec.template.spec ?? {};
	const serviceAccountName = podSpec.serviceAccountName || spec.serviceAccountName;
	// The volumeClaimTemplates of a StatefulSet become volumes that are not in its pod template.
	const claims = (spec.volumeClaimTemplates ?? []).map((claim) => ({ name: claim.metadata?.name ?? '' }));
	const written: PodTemplate = {
		metadata: {
			...spec.template.metadata,
			labels: {
				...spec.template.metadata?.labels,
				[arc.runnerSet]: set.metadata.name,
				[setKeys.templateHash]: hash ?? templateHash(set),
			},
		},
		spec: {
			...podSpec,
			...(serviceAccountName ? { serviceAccountName } : {}),
			volumes: [...(podSpec.volumes ?? []), ...claims],
		},
	};
	const layout = layOut(spec, written, defaults);
	if (layout.kind === 'invalid') return layout;
	const { template } = layout;
	const volumes = template.spec.volumes?.filter(({ name }) => !claims.some((claim) => claim.name === name));
	return { kind: 'template', template: { ...template, spec: { ...template.spec, volumes } } };
}

/** kubectl's annotation on a Runner that a person applied. It has no use on the pod. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The pod template of a Runner, with the Runner's labels and annotations.
 *
 * @param field where its spec is, for messages
 */
export function runnerTemplate(
	runner: Pick<Runner, 'metadata' | 'spec'>,
	defaults: TemplateDefaults,
	field = 'spec',
): Layout {
	const odd = oddInRunner(runner.spec, field);
	if (odd) return { kind: 'invalid', ...odd };
	const { [lastApplied]: _, ...annotations } = runner.metadata.annotations ?? {};
	const written: PodTemplate = {
		metadata: { labels: runner.metadata.labels ?? {}, annotations },
		spec: podSpecOf(runner.spec),
	};
	const layout = layOut(runner.spec, written, defaults);
	if (layout.kind === 'template') layout.template.spec.restartPolicy = 'Never';
	return layout;
}

/** Fields of a RunnerSpec that are copied into the pod spec unchanged. */
const podFields = [
	'affinity',
	'automountServiceAccountToken',
	'dnsConfig',
	'dnsPolicy',
	'enableServiceLinks',
	'hostAliases',
	'imagePullSecrets',
	'initContainers',
	'nodeSelector',
	'priorityClassName',
	'runtimeClassName',
	'securityContext',
	'serviceAccountName',
	'terminationGracePeriodSeconds',
	'tolerations',
	'topologySpreadConstraints',
	'volumes',
] as const satisfies (keyof RunnerSpec)[];

/** The pod spec of a RunnerSpec, which describes the containers `runner` and `docker` in its own fields, in `containers`, or both. */
function podSpecOf(spec: RunnerSpec): PodTemplate['spec'] {
	const containers = spec.containers ?? [];
	const written = (name: string) => containers.find((container) => container.name === name);
	const runner = merged(written('runner'), {
		name: 'runner',
		imagePullPolicy: spec.imagePullPolicy,
		env: spec.env,
		envFrom: spec.envFrom,
		resources: spec.resources,
	});
	runner.volumeMounts = [...(runner.volumeMounts ?? []), ...(spec.volumeMounts ?? [])];
	const docker = merged(written('docker'), {
		name: 'docker',
		env: spec.dockerEnv,
		resources: spec.dockerdContainerResources,
		volumeMounts: spec.dockerVolumeMounts,
	});
	const dockerIsWanted = written('docker') !== undefined || spec.dockerEnabled !== false;
	const sidecar = dockerIsWanted && (spec.dockerdWithinRunnerContainer !== true || written('docker'));
	return {
		...Object.fromEntries(
			podFields.flatMap((field) => (spec[field] === undefined ? [] : [[field, spec[field]]])),
		),
		containers: [
			runner,
			...(sidecar ? [docker] : []),
			...containers.filter(({ name }) => name !== 'runner' && name !== 'docker'),
			...(spec.sidecarContainers ?? []),
		],
	};
}

/** The container, with its empty fields filled in. */
function merged(container: TemplateContainer | undefined, fill: TemplateContainer): TemplateContainer {
	const result: TemplateContainer = { ...container, name: fill.name };
	for (const [field, value] of Object.entries(fill)) {
		if (value !== undefined && isEmpty(result[field])) result[field] = value;
	}
	return result;
}

const isEmpty = (value: unknown): boolean =>
	value === undefined ||
	value === null ||
	value === '' ||
	(typeof value === 'object' && Object.keys(value).length === 0);
