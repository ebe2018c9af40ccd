import { connectionFlags } from '../../cli/connection-flags.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { defineVerb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { mapLimited } from '../../kube/limited.ts';
import { isTerminal, print, printError } from '../../print/out.ts';
import { findSet, refOf } from '../../sets/api.ts';
import { SetModel, type SetScope } from '../../sets/follow.ts';
import { resourceArgument, setArguments } from '../../sets/names.ts';
import { setStateOf } from '../../sets/state.ts';
import { Frame } from './frame.ts';
import { statusTexts, treeLines } from './tree.ts';

export const status = defineVerb({
	name: 'status',
	summary: 'Show sets with their runners and jobs as a tree, and whether they have settled',
	usage: 'status [NAME | runnerset/NAME | runnerdeployment/NAME]... [-n NAMESPACE | -A] [-w] [flags]',
	description: [
		'A set is settled when as many runners as wanted are registered, all of them from the newest template, and no',
		'surplus runner is left. Other states: unseen (the server has not reported on the newest spec yet), starting,',
		'changing, draining (surplus runners still run jobs), rolling-out, holding (completed runners are not replaced until',
		'the autoscaler has decided), starts-failing, credentials-missing, spec-invalid, deleting.',
		'The HorizontalRunnerAutoscaler that scales a set is shown below it: how many jobs are queued and open, its limits,',
		'how many runners it wants and why, and the next change of its schedule. Its state is active, or what keeps it from',
		'acting: target-missing, target-taken, spec-invalid, no-trigger, starting, replicas-contested, metric-failing,',
		'at-maximum, override-skipped, too-many-jobs, jobs-suspect, no-maximum.',
		'-w follows the sets until Ctrl-C: on a terminal the tree is redrawn, in a pipe each change is printed as a line.',
		'Exit code without -w: 0 if all sets shown have settled, 2 if not, 1 after an error.',
	].join('\n'),
	examples: [
		['All sets of the current namespace', 'status'],
		['Follow one set', 'status runnerset/example -w'],
		['In a script: check whether it has settled', 'status example > /dev/null && echo settled'],
	],
	completes: 'set',
	flags: {
		...connectionFlags,
		allNamespaces: { type: Boolean, alias: 'A', description: 'All namespaces' },
		watch: { type: Boolean, alias: 'w', description: 'Follow until Ctrl-C' },
	},
	run: async (args, flags) => {
		const [only] = args;
		const kind = args.length === 1 && only !== undefined ? resourceArgument(only) : undefined;
		const named = kind === undefined ? setArguments(args) : [];
		if (named.length > 0 && flags.allNamespaces) {
			throw usageError('a resource cannot be retrieved by name across all namespaces');
		}
		const client = await connect(flags);
		const refs = await mapLimited(named, async (arg) => refOf(await findSet(client, arg)));
		const scope: SetScope = {
			namespace: flags.allNamespaces ? undefined : client.namespace,
			named: refs.length > 0 ? refs : undefined,
			kinds: kind === undefined || kind === 'sets' ? undefined : [kind],
			autoscalers: true,
		};
		return flags.watch ? watchStatus(client, scope) : showStatus(client, scope);
	},
});

async function showStatus(client: KubeClient, scope: SetScope): Promise<number> {
	const model = new SetModel();
	const complete = new AbortController();
	// A watch that ends once everything is known, so that the tree is built in one place.
	await model.follow(client, scope, () => complete.abort(), warn, complete.signal);
	const { sets } = model;
	if (sets.length === 0) {
		const where = scope.namespace === undefined ? '' : ` in ${scope.namespace} namespace.`;
		printError(`No resources found${where}`);
		return exitCode.done;
	}
	print(`${treeLines(sets, scope.namespace === undefined, Date.now()).join('\n')}\n`);
	return sets.every(({ set }) => setStateOf(set) === 'settled') ? exitCode.done : exitCode.timeout;
}

async function watchStatus(client: KubeClient, scope: SetScope): Promise<number> {
	const interrupt = untilInterrupted();
	const model = new SetModel();
	const namespaces = scope.namespace === undefined;
	const view = isTerminal() ? new Redrawn(model, namespaces) : new ChangeLines(model, namespaces);
	try {
		await model.follow(client, scope, () => view.changed(), warn, interrupt.signal);
	} finally {
		view.close();
	}
	return exitCode.interrupted;
}

function warn(message: string): void {
	printError(`Warning: ${message}; trying again`);
}

/** On a terminal: the whole tree, in place. */
class Redrawn {
	readonly #render: () => string[];
	#frame: Frame | undefined;

	constructor(model: SetModel, namespaces: boolean) {
		this.#render = () => treeLines(model.sets, namespaces, Date.now());
	}

	changed(): void {
		if (this.#frame) this.#frame.changed();
		else this.#frame = new Frame(this.#render);
	}

	close(): void {
		this.#frame?.close();
	}
}

/** In a pipe: the tree once, then a line for every change of anything but an age. */
class ChangeLines {
	readonly #model: SetModel;
	readonly #namespaces: boolean;
	#printed: Map<string, string> | undefined;

	constructor(model: SetModel, namespaces: boolean) {
		this.#model = model;
		this.#namespaces = namespaces;
	}

	changed(): void {
		const { sets } = this.#model;
		const texts = statusTexts(sets, this.#namespaces, Date.now());
		const printed = this.#printed;
		this.#printed = texts;
		if (!printed) {
			print(`${treeLines(sets, this.#namespaces, Date.now()).join('\n')}\n`);
			return;
		}
		for (const [name, text] of texts) if (printed.get(name) !== text) print(`${name}: ${text}\n`);
		for (const name of printed.keys()) if (!texts.has(name)) print(`${name}: gone\n`);
	}

	close(): void {}
}
