import { type RunnerConfig, type RunnersSet, setKinds } from '../api/sets.ts';
import { labelsIn } from '../jobs/records/rules/labels.ts';
import { scopeOf } from '../sets/pod/defaults.ts';
import { architecturesOf, type Run } from './rules/architectures.ts';
import { fieldsOf } from './rules/fields.ts';
import type { SetKey } from './rules/set-key.ts';
import type { FixedPart } from './rules/types.ts';

/**
 * What routing needs of a set and does not change from one reconcile to the next; undefined: its spec does not say where it registers.
 *
 * @param ofNodes architectures of the nodes that there are, or were
 * @param ran where its runners have run
 */
export function fixedPart(
	key: SetKey,
	config: RunnerConfig | undefined,
	set: RunnersSet,
	host: string,
	ofNodes: ReadonlySet<string>,
	ran: readonly Run[],
): FixedPart | undefined {
	const scope = config && scopeOf(config);
	if (!scope) return undefined;
	const pod = fieldsOf(fieldsOf(fieldsOf(set.spec).template).spec);
	const labels = labelsIn(config.labels);
	const { known, possible } = architecturesOf(labels, pod, ran, ofNodes);
	return {
		key,
		scope,
		host,
		group: config.group || undefined,
		labels,
		implicit: ['self-hosted', systemOf(pod), ...known],
		possible,
	};
}

/** The configuration of a set's runners. Its spec may lack anything: ARC's definitions refuse less than ours. */
export function configOf({ kind, spec }: RunnersSet): RunnerConfig | undefined {
	if (kind === setKinds.runnerSet.kind) return spec as RunnerConfig | undefined;
	return (spec as { template?: { spec?: RunnerConfig } } | undefined)?.template?.spec;
}

/** GitHub's label of the operating system. */
function systemOf(pod: Record<string, unknown>): string {
	const system = fieldsOf(pod.nodeSelector)['kubernetes.io/os'];
	return typeof system === 'string' && system.toLowerCase() === 'windows' ? 'windows' : 'linux';
}
