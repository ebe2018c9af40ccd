import { isDeepStrictEqual } from 'node:util';
import { CliError } from '../errors.ts';
import { ApiError } from '../kube/failure.ts';
import { mapLimited } from '../kube/limited.ts';
import { despiteOtherWriters } from '../kube/other-writers.ts';
import { type Manifest, nameOf } from './manifest.ts';
import type { Objects } from './objects.ts';
import { type Conflict, conflictsOf, handedOver, isHandedOver } from './ownership.ts';

type Outcome = 'created' | 'configured' | 'unchanged';

/** An object to apply, and the same object as it is in the cluster now. */
export interface Step {
	object: Manifest;
	before: Manifest | undefined;
}

/** What the cluster has of each object, read before anything is written. */
export function readSteps(api: Objects, objects: readonly Manifest[]): Promise<Step[]> {
	return mapLimited(objects, async (object) => ({ object, before: await api.get(object) }));
}

/** What the API server would do in a step. `after` is undefined if it cannot be checked (see checkSteps). */
export interface Checked extends Step {
	after: Manifest | undefined;
	conflicts: Conflict[];
}

/**
 * Has the API server check every step (dry run), so that nothing is half done when one of them is refused. Objects in a
 * namespace that does not exist yet cannot be checked, and count as created.
 */
export function checkSteps(api: Objects, steps: readonly Step[], force: boolean): Promise<Checked[]> {
	const isComing = new Set(
		steps
			.filter(({ object, before }) => object.kind === 'Namespace' && !before)
			.map(({ object }) => object.metadata.name),
	);
	return mapLimited(steps, async (step) => {
		if (isComing.has(step.object.metadata.namespace ?? ''))
			return { ...step, after: undefined, conflicts: [] };
		return check(api, step, force);
	});
}

async function check(api: Objects, step: Step, force: boolean): Promise<Checked> {
	const { object, before } = step;
	try {
		return { ...step, after: await api.apply(object, { check: true, force }), conflicts: [] };
	} catch (error) {
		const found = error instanceof ApiError ? conflictsOf(error) : [];
		if (!before || found.length === 0) throw error;
		const conflicts = found.filter((conflict) => !isHandedOver(conflict, before));
		if (conflicts.length > 0) return { ...step, after: undefined, conflicts };
		return { ...step, after: await api.apply(object, { check: true, force: true }), conflicts };
	}
}

/** Throws if others own fields that would be changed. The message names them, and how to take them over. */
export function refuseConflicts(checked: readonly Checked[]): void {
	const refused = checked.filter(({ conflicts }) => conflicts.length > 0);
	const [first, ...more] = refused;
	if (!first) return;
	const [{ manager, field } = { manager: '', field: '' }, ...others] = first.conflicts;
	const also = others.length > 0 ? ` (and ${others.length} more)` : '';
	const lines = [
		`error: ${nameOf(first.object)}: "${manager}" owns ${field}${also}, which would be changed`,
		more.length > 0 ? `The same applies to ${more.map(({ object }) => nameOf(object)).join(', ')}` : '',
		'Nothing was changed. To take these fields over, use --force-conflicts',
	];
	throw new CliError(lines.filter(Boolean).join('\n'));
}

/** Applies one object. Fields that `kubectl apply` owns are handed over first. */
export async function applyStep(api: Objects, { object }: Step, force: boolean): Promise<Outcome> {
	return despiteOtherWriters(
		await api.get(object),
		async (before) => {
			if (before) await takeHandedOver(api, before);
			return outcomeOf(before, await api.apply(object, { force }));
		},
		() => api.get(object),
	);
}

async function takeHandedOver(api: Objects, before: Manifest): Promise<void> {
	const owners = handedOver(before);
	if (!owners) return;
	const { resourceVersion } = before.metadata;
	await api.patch(before, { metadata: { resourceVersion, managedFields: owners } });
}

export function outcomeOf(before: Manifest | undefined, after: Manifest): Outcome {
	if (!before) return 'created';
	return isDeepStrictEqual(contentOf(before), contentOf(after)) ? 'unchanged' : 'configured';
}

/** The object without the status and the metadata that the API server writes itself. */
function contentOf({ metadata, status: _, ...rest }: Manifest): object {
	const {
		resourceVersion: _1,
		managedFields: _2,
		generation: _3,
		...kept
	} = metadata as typeof metadata & {
		managedFields?: unknown;
		generation?: unknown;
	};
	return { ...rest, metadata: kept };
}
