import type { Flags } from 'cleye';
import { flagShapes, parseArgv } from '../../../admission/cli/parse-argv.ts';
import type { ConnectionFlags } from '../../cli/connection-flags.ts';
import type { Verb } from '../../cli/verb.ts';
import { type Candidate, completeNames, type NameKind } from './names.ts';

interface Completion {
	candidates: Candidate[];
	/** Whether the shell may offer files as well. */
	files: boolean;
}

/** Looks up names in the cluster and the kubeconfig; called only where a name may be typed. */
type NameSource = (kind: NameKind, flags: ConnectionFlags) => Promise<Candidate[]>;

const nothing: Completion = { candidates: [], files: false };

/** Candidates for the argument under the cursor, which is the last of `argv`. */
export async function complete(
	verbs: readonly Verb[],
	argv: readonly string[],
	names: NameSource = completeNames,
): Promise<Completion> {
	const typed = argv.at(-1) ?? '';
	const [verbName, ...before] = argv.slice(0, -1);
	if (verbName === undefined) return matching(verbCandidates(verbs), typed);
	const verb = verbs.find(({ name, aliases }) => name === verbName || aliases?.includes(verbName));
	if (!verb) return verbName === 'help' ? matching(verbCandidates(verbs), typed) : nothing;

	const flag = flagAwaitingValue(verb.flags, before);
	// The flag itself has no value yet; without it, what was typed before can be parsed.
	if (flag) return valuesOf(flag, typed, verb, before.slice(0, -1), names);
	const equals = /^--([a-z-]+)=(.*)$/s.exec(typed);
	if (equals) {
		const values = await valuesOf(equals[1]!, equals[2]!, verb, before, names);
		return {
			...values,
			candidates: values.candidates.map((one) => ({ ...one, value: `--${equals[1]}=${one.value}` })),
		};
	}
	if (typed.startsWith('-')) return matching(flagCandidates(verb.flags), typed);
	return argumentsOf(verb, typed, before, names);
}

function verbCandidates(verbs: readonly Verb[]): Candidate[] {
	return verbs
		.filter(({ hidden }) => !hidden)
		.map(({ name, summary }) => ({ value: name, description: summary }));
}

function flagCandidates(flags: Flags): Candidate[] {
	return Object.values(flags).map((flag, index) => ({
		value: `--${flagShapes(flags)[index]!.name}`,
		description: (flag as { description?: string }).description,
	}));
}

/** The name of the flag whose value is being typed: `-n <here>`, `--context <here>`. */
function flagAwaitingValue(flags: Flags, before: readonly string[]): string | undefined {
	const last = before.at(-1) ?? '';
	const shape = flagShapes(flags).find(
		({ name, short }) => last === `--${name}` || (short && last === `-${short}`),
	);
	return shape && !shape.boolean && shape.bareValue === undefined ? shape.name : undefined;
}

const fixedValues: Record<string, string[]> = {
	'dry-run': ['none', 'client', 'server'],
	for: ['delete', 'idle', 'busy'],
	mode: ['default', 'guard-only'],
	evictions: ['fail-closed'],
};

const formatsOf: Record<string, string[]> = {
	list: ['wide', 'json', 'yaml', 'name'],
	jobs: ['wide', 'json', 'yaml', 'name'],
	scale: ['name', 'json', 'yaml'],
	autoscale: ['name', 'json', 'yaml'],
};

const namedValues: Record<string, NameKind> = {
	namespace: 'namespace',
	'server-namespace': 'namespace',
	context: 'context',
	cluster: 'cluster',
	user: 'user',
	name: 'autoscaler',
};

async function valuesOf(
	flag: string,
	typed: string,
	verb: Verb,
	before: readonly string[],
	names: NameSource,
): Promise<Completion> {
	if (flag === 'kubeconfig' || flag === 'certificate-authority') return { candidates: [], files: true };
	if (flag === 'output') {
		const formats = formatsOf[verb.name] ?? ['json', 'yaml'];
		return matching(
			formats.map((value) => ({ value })),
			typed,
		);
	}
	const fixed = fixedValues[flag];
	if (fixed)
		return matching(
			fixed.map((value) => ({ value })),
			typed,
		);
	const kind = namedValues[flag];
	return kind ? matching(await names(kind, connectionSoFar(verb, before)), typed) : nothing;
}

async function argumentsOf(
	verb: Verb,
	typed: string,
	before: readonly string[],
	names: NameSource,
): Promise<Completion> {
	switch (verb.completes) {
		case 'runner': {
			const flags = connectionSoFar(verb, before);
			if (verb.name === 'list' && resources.some(({ value }) => before.includes(value))) {
				return matching(await sets(typed, flags, names), typed);
			}
			const taken = new Set(before);
			const runners = await names('runner', flags);
			const offered = verb.name === 'list' && before.length === 0 ? [...runners, ...resources] : runners;
			return matching(
				offered.filter(({ value }) => !taken.has(value)),
				typed,
			);
		}
		case 'set':
			return matching(await sets(typed, connectionSoFar(verb, before), names), typed);
		case 'node-or-set': {
			const flags = connectionSoFar(verb, before);
			// A name without a kind is the name of a node.
			const found = await Promise.all([
				names('node', flags).catch(() => []),
				names('set', flags).catch(() => []),
			]);
			return matching(found.flat(), typed);
		}
		case 'namespace': {
			const taken = new Set(before);
			const found = await names('namespace', connectionSoFar(verb, before));
			return matching(
				found.filter(({ value }) => !taken.has(value)),
				typed,
			);
		}
		case 'shell':
			return matching(
				['bash', 'zsh', 'fish'].map((value) => ({ value })),
				typed,
			);
		default:
			return nothing;
	}
}

/** What `list` lists besides runner pods. */
const resources: Candidate[] = [
	{ value: 'sets', description: 'RunnerSets and RunnerDeployments' },
	{ value: 'runnersets' },
	{ value: 'runnerdeployments' },
];

/** Sets by name only, as people type them, or by kind and name if the argument begins with a kind. */
async function sets(typed: string, flags: ConnectionFlags, names: NameSource): Promise<Candidate[]> {
	const found = await names('set', flags);
	if (typed.includes('/')) return found;
	return found.map(({ value, description }) => ({ value: value.split('/')[1] ?? value, description }));
}

/** The flags typed so far, such as -n and --context; none if they cannot be parsed yet. */
function connectionSoFar(verb: Verb, before: readonly string[]): ConnectionFlags {
	try {
		return parseArgv(before, verb.flags).values as ConnectionFlags;
	} catch {
		return {};
	}
}

function matching(candidates: Candidate[], typed: string): Completion {
	return { candidates: candidates.filter(({ value }) => value.startsWith(typed)), files: false };
}
