import { type EndedThere, listEnded } from '../../ended/api.ts';
import { exitCode, usageError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ageSince } from '../../print/age.ts';
import { type DataFormat, formatData } from '../../print/data.ts';
import { print, printError } from '../../print/out.ts';
import { table } from '../../print/table.ts';
import { bareName } from '../../runners/targets.ts';

/** As they were given to `list`. */
export interface ListEndedFlags {
	allNamespaces?: boolean | undefined;
	noHeaders?: boolean | undefined;
	selector?: string | undefined;
	watch?: boolean | undefined;
}

export type ListEndedFormat = DataFormat | 'name' | 'wide' | undefined;

const none = '<none>';

/** `list --ended`: the runners that died within a day, of which there may be no pod any more. */
export async function listEndedRunners(
	client: KubeClient,
	names: readonly string[],
	{ allNamespaces = false, noHeaders, selector, watch }: ListEndedFlags,
	format: ListEndedFormat,
): Promise<number> {
	if (selector || watch) throw usageError('--ended cannot be combined with --selector or --watch');
	const nowMs = Date.now();
	const wanted = new Set(names.map(bareName));
	const all = await listEnded(client, allNamespaces ? undefined : client.namespace, nowMs);
	const ended = wanted.size === 0 ? all : all.filter(({ pod }) => wanted.has(pod));
	if (format === 'json' || format === 'yaml') print(formatData({ items: ended }, format));
	else if (ended.length === 0) printError('No runner has died within the last day, as far as is known.');
	else if (format === 'name') print(ended.map(({ pod }) => `${pod}\n`).join(''));
	else {
		const choice = { namespace: allNamespaces, wide: format === 'wide' };
		const rows = ended.map((one) => endedRow(one, choice, nowMs));
		print(table(noHeaders ? rows : [endedHeader(choice), ...rows]));
	}
	return exitCode.done;
}

interface Choice {
	namespace: boolean;
	wide: boolean;
}

function endedHeader({ namespace, wide }: Choice): string[] {
	const columns = ['NAME', 'SET', 'REASON', 'EXIT CODE', 'JOB', 'NODE', 'ENDED'];
	if (wide) columns.push('BY', 'DETAIL');
	return namespace ? ['NAMESPACE', ...columns] : columns;
}

/** One runner as a row below `endedHeader`. */
function endedRow(one: EndedThere, { namespace, wide }: Choice, nowMs: number): string[] {
	const { pod, set, reason, exitCode: code, job, node, endedAt, by, detail } = one;
	const cells = [
		pod,
		set ?? none,
		reason,
		code === undefined ? none : String(code),
		job?.name ?? none,
		node ?? none,
		ageSince(endedAt, nowMs),
	];
	if (wide) cells.push(by ?? none, detail ?? none);
	return namespace ? [one.namespace, ...cells] : cells;
}
