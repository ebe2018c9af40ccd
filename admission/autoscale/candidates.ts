import { type RunnerConfig, type RunnersSet, setKinds } from '../api/sets.ts';
import { labelsIn } from '../jobs/records/rules/labels.ts';
import { scopeOf } from '../sets/pod/defaults.ts';
import { fieldsOf } from './rules/fields.ts';
import type { SetKey } from './rules/set-key.ts';
import type { FixedPart } from './rules/types.ts';

/** Where a set's pods may run, as far as its template says: values of kubernetes.io/os and kubernetes.io/arch. */
interface Placed {
	system: string | undefined;
	architecture: string | undefined;
	/** Something leads its pods to some nodes only. */
	somewhere: boolean;
}

/** Kubernetes' name of an architecture, and the label that GitHub gives its runners. */
const architectures: Record<string, string> = { amd64: 'x64', arm64: 'arm64', arm: 'arm' };
/** Those that a set may have whose template leads its pods to nodes of some kind, which may not exist yet. */
const commonArchitectures = ['amd64', 'arm64'];

/**
 * What routing needs of a set and does not change from one reconcile to the next; undefined: its spec does not say where it registers.
 *
 * @param ofNodes architectures of the nodes that there are, or were
 */
export function fixedPart(
	key: SetKey,
	config: RunnerConfig | undefined,
	set: RunnersSet,
	host: string,
	ofNodes: ReadonlySet<string>,
): FixedPart | undefined {
	const scope = config && scopeOf(config);
	if (!scope) return undefined;
	const { system = 'linux', architecture, somewhere } = placedOf(set);
	const possible = somewhere || ofNodes.size === 0 ? commonArchitectures : [...ofNodes];
	const known = architecture === undefined ? possible : [architecture];
	const implicit = [
		'self-hosted',
		system === 'windows' ? 'windows' : 'linux',
		...known.map((name) => architectures[name] ?? name),
	];
	return {
		key,
		scope,
		host,
		group: config.group || undefined,
		labels: labelsIn(config.labels),
		implicit,
		exactArchitecture: known.length === 1,
	};
}

/** The configuration of a set's runners. Its spec may lack anything: ARC's definitions refuse less than ours. */
export function configOf({ kind, spec }: RunnersSet): RunnerConfig | undefined {
	if (kind === setKinds.runnerSet.kind) return spec as RunnerConfig | undefined;
	return (spec as { template?: { spec?: RunnerConfig } } | undefined)?.template?.spec;
}

/** What leads pods to some nodes only. */
const placing = ['nodeSelector', 'affinity', 'tolerations', 'topologySpreadConstraints'];

/** What a template says of where its pods run; an affinity is not read. */
function placedOf({ spec }: RunnersSet): Placed {
	const pod = fieldsOf(fieldsOf(fieldsOf(spec).template).spec);
	const selector = fieldsOf(pod.nodeSelector);
	const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
	return {
		system: text(selector['kubernetes.io/os'])?.toLowerCase(),
		architecture: text(selector['kubernetes.io/arch'])?.toLowerCase(),
		somewhere: placing.some((field) => Object.keys(fieldsOf(pod[field])).length > 0),
	};
}
