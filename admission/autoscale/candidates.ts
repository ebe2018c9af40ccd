import type { RunnerConfig, RunnersSet } from '../api/sets.ts';
import { scopeOf } from '../sets/pod/defaults.ts';
import type { Candidate } from './rules/types.ts';

/** Where a set's pods may run, as far as its template says: values of kubernetes.io/os and kubernetes.io/arch. */
interface Placed {
	system: string | undefined;
	architecture: string | undefined;
}

/** Kubernetes' name of an architecture, and the label that GitHub gives its runners. */
const architectures: Record<string, string> = { amd64: 'x64', arm64: 'arm64', arm: 'arm' };

/** What routing needs of a set and does not change from look to look; undefined: its spec does not say where it registers. */
export function fixedPart(
	key: string,
	config: RunnerConfig,
	set: RunnersSet,
	host: string,
	clusterArchitectures: ReadonlySet<string>,
): Omit<Candidate, 'idle' | 'room' | 'blocked' | 'visible'> | undefined {
	const scope = scopeOf(config);
	if (!scope) return undefined;
	const { system = 'linux', architecture } = placedOf(set);
	const known = architecture === undefined ? [...clusterArchitectures] : [architecture];
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
		labels: config.labels ?? [],
		implicit,
		exactArchitecture: known.length === 1,
	};
}

/** The node selector of a template; an affinity is not read. */
function placedOf({ spec }: RunnersSet): Placed {
	const selector = nodeSelectorOf(spec.template.spec);
	const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
	return {
		system: text(selector['kubernetes.io/os'])?.toLowerCase(),
		architecture: text(selector['kubernetes.io/arch'])?.toLowerCase(),
	};
}

function nodeSelectorOf(spec: unknown): Record<string, unknown> {
	const selector = (spec as { nodeSelector?: unknown } | undefined)?.nodeSelector;
	return typeof selector === 'object' && selector !== null ? (selector as Record<string, unknown>) : {};
}
