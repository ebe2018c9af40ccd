import { fieldsOf } from './fields.ts';
import type { Runner } from './types.ts';

/** The architectures of a set's runners, as GitHub labels them. */
interface Architectures {
	/** Those that its runners have. */
	known: readonly string[];
	/** Those that its runners may have or not. */
	possible: readonly string[];
}

/** The architecture of the node on which one of a set's runners has run. */
export interface Run {
	uid: string;
	createdMs: number;
	/** As Kubernetes names it: `amd64`. */
	architecture: string;
}

/** Of how many runners it is remembered: enough to see that a pool has several, and quick to follow it to other nodes. */
const mostRuns = 10;

/** A longer affinity counts as one that admits every architecture, and so does one that names more than there are. */
const mostTerms = 50;
const mostArchitectures = 16;

/** Labels in a set's spec that say what its runners are: GitHub's, and other names of the same that people use. */
const labelled: ReadonlyMap<string, string> = new Map([
	...['x64', 'x86', 'arm64', 'arm'].map((label) => [label, label] as const),
	...[['amd64', 'x64'] as const, ['x86_64', 'x64'] as const, ['aarch64', 'arm64'] as const],
]);

/** Kubernetes' name of an architecture, and the label that GitHub gives its runners. */
const byNode: Readonly<Record<string, string>> = { amd64: 'x64', arm64: 'arm64', arm: 'arm' };
const labelsOf = (names: readonly string[]) => names.map((name) => byNode[name] ?? name);

/** Those that a set may have whose template leads its pods to nodes of some kind, which may not exist yet. */
const common = ['amd64', 'arm64'];

/** What leads pods to some nodes only. */
const placing = ['nodeSelector', 'affinity', 'tolerations', 'topologySpreadConstraints'];

/** The label of nodes by which a template chooses an architecture. */
const architectureKey = 'kubernetes.io/arch';

/**
 * The architectures of a set's runners: what its labels say decides, then the selector or the affinity of its template, then
 * the nodes on which its runners have run. Pure.
 *
 * @param labels of its spec, folded
 * @param pod the pod's spec in its template
 * @param ran where its runners have run
 * @param ofNodes of the nodes that there are, or were
 */
export function architecturesOf(
	labels: readonly string[],
	pod: Record<string, unknown>,
	ran: readonly Run[],
	ofNodes: ReadonlySet<string>,
): Architectures {
	const said = new Set(labels.flatMap((label) => labelled.get(label) ?? []));
	if (said.size > 0) return { known: [...said], possible: [] };
	const isLed = placing.some((field) => isFilled(pod[field]));
	const selected = selectedBy(pod);
	const possible = new Set(selected ?? (isLed || ofNodes.size === 0 ? common : ofNodes));
	if (possible.size === 1) return { known: labelsOf([...possible]), possible: [] };
	const seen = new Set(ran.map(({ architecture }) => architecture));
	for (const one of seen) possible.add(one);
	const known = seen.size === 1 ? [...seen] : [];
	return { known: labelsOf(known), possible: labelsOf([...possible].filter((one) => !known.includes(one))) };
}

const isFilled = (value: unknown): boolean =>
	typeof value === 'object' && Object.keys(value ?? {}).length > 0;

/** What the template asks of its nodes; undefined: no architecture. */
function selectedBy(pod: Record<string, unknown>): ReadonlySet<string> | undefined {
	const chosen = fieldsOf(pod.nodeSelector)[architectureKey];
	if (typeof chosen === 'string' && chosen !== '') return new Set([chosen.toLowerCase()]);
	const affinity = fieldsOf(fieldsOf(pod.affinity).nodeAffinity);
	const { nodeSelectorTerms } = fieldsOf(affinity.requiredDuringSchedulingIgnoredDuringExecution);
	const terms = listOf(nodeSelectorTerms)?.map(ofTerm);
	if (!terms || terms.length === 0) return undefined;
	// A node needs to fit one of them.
	const found = new Set<string>();
	for (const term of terms) {
		if (!term) return undefined;
		for (const one of term) found.add(one);
	}
	return found.size > 0 && found.size <= mostArchitectures ? found : undefined;
}

/** What a node has to be for all expressions of a term; undefined: of any architecture. */
function ofTerm(term: unknown): readonly string[] | undefined {
	const { matchExpressions } = fieldsOf(term);
	let left: readonly string[] | undefined;
	for (const expression of listOf(matchExpressions) ?? []) {
		const { key, operator, values } = fieldsOf(expression);
		const named = listOf(values)?.map((value) => String(value).toLowerCase());
		if (key !== architectureKey || !named) continue;
		if (operator === 'In') left = left?.filter((one) => named.includes(one)) ?? named;
		if (operator === 'NotIn') left = (left ?? common).filter((one) => !named.includes(one));
	}
	return left;
}

/** undefined: not a list, or longer than what is read. */
const listOf = (value: unknown): readonly unknown[] | undefined =>
	Array.isArray(value) && value.length <= mostTerms ? value : undefined;

/**
 * Where the newest of a set's runners have run, with those that have come since. Pure.
 *
 * @param architectureOf of a node; undefined: it is not known
 * @returns the same list where there is nothing new
 */
export function withRuns(
	known: readonly Run[],
	runners: readonly Runner[],
	architectureOf: (node: string) => string | undefined,
): readonly Run[] {
	const oldestMs = known.length < mostRuns ? Number.NEGATIVE_INFINITY : (known.at(-1)?.createdMs ?? 0);
	const uids = new Set(known.map(({ uid }) => uid));
	const more = runners.flatMap(({ uid, createdMs, node }) => {
		if (node === undefined || uids.has(uid) || createdMs <= oldestMs) return [];
		const architecture = architectureOf(node);
		return architecture === undefined ? [] : [{ uid, createdMs, architecture }];
	});
	if (more.length === 0) return known;
	return [...known, ...more].sort((one, other) => other.createdMs - one.createdMs).slice(0, mostRuns);
}
