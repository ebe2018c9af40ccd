import {
	type AutoscalerSpec,
	autoscaleKinds,
	type HorizontalRunnerAutoscaler,
} from '../../../admission/api/autoscale.ts';
import { names } from '../../../admission/api/keys.ts';
import { autoscalerName, autoscalersFor, targetOf } from '../../autoscalers/api.ts';
import { usageError } from '../../errors.ts';
import { type RunnersSet, refOf } from '../../sets/api.ts';
import { shortName } from '../../sets/names.ts';

/** What the command line asks for; what is undefined stays as it is, or is the server's default. */
export interface Limits {
	min?: number | undefined;
	max?: number | undefined;
	delaySeconds?: number | undefined;
	spare?: number | undefined;
	/** Name of the autoscaler. */
	name?: string | undefined;
}

/** What is to be written, with warnings about it. */
export interface AutoscalePlan {
	/** The autoscaler that is changed; undefined: a new one is made. */
	existing: HorizontalRunnerAutoscaler | undefined;
	/** As it will be. */
	wanted: HorizontalRunnerAutoscaler;
	/** For a merge patch of `existing`. */
	changes: object;
	warnings: string[];
}

/** Throws if the limits contradict each other, or an autoscaler of that name scales something else. */
export function planAutoscale(
	set: RunnersSet,
	autoscalers: readonly HorizontalRunnerAutoscaler[],
	limits: Limits,
): AutoscalePlan {
	const [acting, ...others] = autoscalersFor(set, autoscalers);
	const name = limits.name ?? acting?.metadata.name ?? set.metadata.name;
	const named = autoscalers.find(({ metadata }) => metadata.name === name);
	const existing = named && isFor(named, set) ? named : undefined;
	if (named && !existing) {
		const target = targetOf(named);
		throw usageError(
			`${autoscalerName(named)} scales ${target ? shortName(target) : 'nothing'}: use --name to give another name`,
		);
	}
	const changes = changesOf(limits, existing?.spec);
	const spec: AutoscalerSpec = existing
		? { ...existing.spec, ...changes }
		: { scaleTargetRef: refOf(set), ...changes, scaleUpTriggers: [{ githubEvent: { workflowJob: {} } }] };
	checkLimits(spec, existing === undefined);
	const { apiVersion, kind } = autoscaleKinds.autoscaler;
	const metadata = existing?.metadata ?? { name, namespace: set.metadata.namespace ?? '' };
	return {
		existing,
		wanted: { ...existing, apiVersion, kind, metadata, spec } as HorizontalRunnerAutoscaler,
		changes,
		warnings: warningsOf({ set, acting, others, existing, spec }),
	};
}

function isFor(autoscaler: HorizontalRunnerAutoscaler, set: RunnersSet): boolean {
	return autoscalersFor(set, [autoscaler]).length > 0;
}

function changesOf(
	{ min, max, delaySeconds, spare }: Limits,
	before: AutoscalerSpec | undefined,
): Partial<AutoscalerSpec> {
	return {
		...(min === undefined ? {} : { minReplicas: min }),
		...(max === undefined ? {} : { maxReplicas: max }),
		...(delaySeconds === undefined ? {} : { scaleDownDelaySecondsAfterScaleOut: delaySeconds }),
		...(spare === undefined ? {} : { spare: { ...before?.spare, replicas: spare } }),
	};
}

function checkLimits({ minReplicas, maxReplicas }: AutoscalerSpec, isNew: boolean): void {
	if (isNew && maxReplicas === undefined) {
		throw usageError('--max=N is required for a set that has no autoscaler yet');
	}
	if (maxReplicas !== undefined && maxReplicas < (minReplicas ?? 1)) {
		throw usageError(
			`--max=N must be larger or equal to --min=N, max: ${maxReplicas}, min: ${minReplicas ?? 1}`,
		);
	}
}

function warningsOf({
	set,
	acting,
	others,
	existing,
	spec,
}: {
	set: RunnersSet;
	acting: HorizontalRunnerAutoscaler | undefined;
	others: readonly HorizontalRunnerAutoscaler[];
	existing: HorizontalRunnerAutoscaler | undefined;
	spec: AutoscalerSpec;
}): string[] {
	const warnings: string[] = [];
	const ref = shortName(refOf(set));
	if (existing && existing.metadata.name !== set.metadata.name) {
		warnings.push(`${ref} already has ${autoscalerName(existing)}, which is changed`);
	}
	const rivals = [acting, ...others].filter((one) => one !== undefined && one !== existing);
	if (rivals.length > 0) {
		const names = rivals.map((one) => autoscalerName(one as HorizontalRunnerAutoscaler)).join(', ');
		warnings.push(`${ref} is also the target of ${names}, and only one of them acts: delete the others`);
	}
	const counts = spec.scaleUpTriggers?.some(({ githubEvent }) => githubEvent?.workflowJob !== undefined);
	if (existing && !counts && !spec.metrics?.length) {
		warnings.push(
			`${autoscalerName(existing)} has no workflowJob trigger and no metric, so it does not count jobs`,
		);
	}
	const managers = replicasManagers(set);
	if (managers.length > 0) {
		warnings.push(
			`spec.replicas of ${ref} is also written by ${managers.join(', ')}: remove it from the manifest, or they will overwrite each other`,
		);
	}
	return warnings;
}

/** Only an apply writes it again and again; a scale or an edit happens once. */
function replicasManagers({ metadata }: RunnersSet): string[] {
	const { managedFields = [] } = metadata as {
		managedFields?: {
			manager?: string;
			operation?: string;
			subresource?: string;
			fieldsV1?: { 'f:spec'?: Record<string, unknown> };
		}[];
	};
	const owners = managedFields.filter(
		({ manager = '', operation, subresource, fieldsV1 }) =>
			subresource === undefined &&
			manager !== names.fieldManager &&
			fieldsV1?.['f:spec']?.['f:replicas'] !== undefined &&
			(operation === 'Apply' || manager === 'kubectl-client-side-apply'),
	);
	return [...new Set(owners.map(({ manager = 'somebody' }) => manager))];
}
