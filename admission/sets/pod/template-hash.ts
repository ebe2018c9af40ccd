import { createHash } from 'node:crypto';
import type { RunnerDeployment, RunnerSet, RunnerSetSpec } from '../../api/sets.ts';

/** What of a RunnerSet makes its runners what they are. The rest (replicas, labels, StatefulSet's habits) rolls nothing. */
const rolling = [
	'repository',
	'organization',
	'enterprise',
	'labels',
	'group',
	'ephemeral',
	'image',
	'workDir',
	'dockerdWithinRunnerContainer',
	'dockerEnabled',
	'dockerMTU',
	'dockerRegistryMirror',
	'dockerVarRunVolumeSizeLimit',
	'volumeSizeLimit',
	'volumeStorageMedium',
	'containerMode',
	'githubAPICredentialsFrom',
	'serviceAccountName',
	'workVolumeClaimTemplate',
	'volumeClaimTemplates',
] as const satisfies (keyof RunnerSetSpec)[];

/**
 * Which template a runner was made from, as a label value. From what the user wrote, and from nothing of ours: an
 * upgrade rolls no runner (H6). As in ARC, labels and annotations of the template roll nothing either (G6): runners
 * made from now on have the new ones.
 */
export function templateHash(set: RunnerSet | RunnerDeployment): string {
	const { spec } = set;
	const written =
		'volumeClaimTemplates' in spec || set.kind === 'RunnerSet'
			? ofRunnerSet(spec as RunnerSetSpec)
			: spec.template.spec;
	return createHash('sha256').update(canonical(written)).digest('hex').slice(0, 10);
}

/** By name, not by place: a field that a later version adds changes no hash while it is not used. */
const ofRunnerSet = (spec: RunnerSetSpec): unknown => ({
	...Object.fromEntries(rolling.map((field) => [field, spec[field]])),
	pod: spec.template.spec,
});

/** JSON with sorted keys. What is empty counts as absent, as it does in a pod. */
function canonical(value: unknown): string {
	return JSON.stringify(prune(value)) ?? '';
}

function prune(value: unknown): unknown {
	if (value === null || value === '') return undefined;
	if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => prune(item) ?? null);
	if (typeof value !== 'object') return value;
	const entries = Object.entries(value)
		.map(([key, item]) => [key, prune(item)] as const)
		.filter(([, item]) => item !== undefined)
		.sort(([a], [b]) => (a < b ? -1 : 1));
	return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
