import { untilInterrupted } from '../../cli/interrupt.ts';
import { exitCode } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { mapLimited } from '../../kube/limited.ts';
import { formatObjects } from '../../print/data.ts';
import { print, printError } from '../../print/out.ts';
import { table } from '../../print/table.ts';
import { allSets, findSet, type RunnersSet, refOf } from '../../sets/api.ts';
import { followSets, type SetScope } from '../../sets/follow.ts';
import { fullName, kinds, resourceArgument, setArguments } from '../../sets/names.ts';
import { type SetColumnChoice, setHeader, setRow } from './set-columns.ts';
import { WatchedRows } from './watched-rows.ts';

export interface ListSetsOptions {
	allNamespaces: boolean;
	labelSelector?: string;
	format?: 'json' | 'name' | 'wide' | 'yaml';
	watch: boolean;
	headers: boolean;
}

/** `list sets`, `list runnersets [NAME...]`, `list runnerset/NAME`: `args` are the arguments as typed. */
export async function listSets(
	client: KubeClient,
	args: readonly string[],
	options: ListSetsOptions,
): Promise<number> {
	const { allNamespaces, format, headers, labelSelector } = options;
	const kind = args.length === 1 ? resourceArgument(args[0] ?? '') : undefined;
	const named = kind === undefined ? setArguments(args) : [];
	const namespace = allNamespaces ? undefined : client.namespace;
	const wanted = kind === undefined || kind === 'sets' ? kinds : [kind];
	const choice = { namespace: allNamespaces, wide: format === 'wide' };

	const find = () => mapLimited(named, (arg) => findSet(client, arg));
	if (options.watch) {
		const refs = named.length > 0 ? (await find()).map(refOf) : undefined;
		return watchSets(client, { namespace, labelSelector, named: refs, kinds: wanted }, choice, headers);
	}
	const sets = named.length > 0 ? await find() : await allSets(client, wanted, { namespace, labelSelector });
	if (format === 'json' || format === 'yaml') print(formatObjects(sets, format, named.length === 1));
	else if (sets.length === 0) {
		printError(`No resources found${namespace === undefined ? '' : ` in ${namespace} namespace.`}`);
	} else if (format === 'name') print(sets.map((set) => `${fullName(refOf(set))}\n`).join(''));
	else {
		const rows = sets.map((set) => setRow(set, choice, Date.now()));
		print(table(headers ? [setHeader(choice), ...rows] : rows));
	}
	return exitCode.done;
}

async function watchSets(
	client: KubeClient,
	scope: SetScope,
	choice: SetColumnChoice,
	headers: boolean,
): Promise<number> {
	const rows = new WatchedRows(setHeader(choice), headers);
	const interrupt = untilInterrupted();
	const uid = (set: RunnersSet) => set.metadata.uid ?? '';
	await followSets(
		client,
		scope,
		{
			seen: (set) => rows.changed(uid(set), setRow(set, choice, Date.now())),
			gone: (set) => rows.gone(uid(set), setRow(set, choice, Date.now(), 'deleted')),
			synced: () => rows.flush(),
			failure: (message) => printError(`Warning: ${message}; trying again`),
		},
		interrupt.signal,
	);
	return exitCode.interrupted;
}
