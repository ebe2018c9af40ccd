import { createHash } from 'node:crypto';
import { mostInPodList } from '../../api/limits.ts';
import type { RunnerDeployment, RunnerSet, RunnerSetSpec } from '../../api/sets.ts';

/** The fields of a RunnerSet whose change replaces its runners. Others (replicas, labels, StatefulSet settings) cause no rollout. */
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
 * Identifies the template that a runner was made from, as a label value. It is computed only from what the user wrote, not
 * from our defaults or version, so an upgrade replaces no runner (H6). As in ARC, a change of the template's labels and
 * annotations replaces no runner either (G6): runners made later have the new ones.
 */
export function templateHash(set: RunnerSet | RunnerDeployment): string {
	const { spec } = set;
	const written =
		'volumeClaimTemplates' in spec || set.kind === 'RunnerSet'
			? ofRunnerSet(spec as RunnerSetSpec)
			: spec.template.spec;
	return createHash('sha256').update(canonical(written)).digest('hex').slice(0, 10);
}

/** Fields are hashed by name: a field that a later version adds to the list changes no hash while a set does not use it. */
const ofRunnerSet = (spec: RunnerSetSpec): unknown => ({
	...Object.fromEntries(rolling.map((field) => [field, spec[field]])),
	pod: spec.template.spec,
});

/** JSON with sorted keys. An empty value counts as absent, as it does in a pod. */
function canonical(value: unknown): string {
	return JSON.stringify(prune(value)) ?? '';
}

function prune(value: unknown): unknown {
	if (value === null || value === '') return undefined;
	if (Array.isArray(value)) return value.length === 0 ? undefined : pruneList(value);
	if (typeof value !== 'object') return value;
	const entries: [string, unknown][] = [];
	for (const key of Object.keys(value).sort()) {
		const item = prune((value as Record<string, unknown>)[key]);
		if (item !== undefined) entries.push([key, item]);
	}
	return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Of a list that is longer than the schema allows, the number and the first entries: no runner is made with it anyway. */
function pruneList(list: readonly unknown[]): unknown[] {
	const first = list.slice(0, mostInPodList).map((item) => prune(item) ?? null);
	return list.length > first.length ? [...first, list.length] : first;
}
