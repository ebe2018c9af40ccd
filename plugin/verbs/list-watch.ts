import type { Pod } from '../../admission/api/kinds.ts';
import { untilInterrupted } from '../cli/interrupt.ts';
import { exitCode } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { followPods } from '../kube/follow.ts';
import type { PodQuery } from '../kube/pods.ts';
import { print, printError } from '../print/out.ts';
import { columnWidths, table } from '../print/table.ts';
import { type ColumnChoice, header, row } from '../runners/columns.ts';
import { isRunner } from '../runners/recognise.ts';

/** Lists, then prints a row for each change of what a row shows (its age apart), until Ctrl-C. */
export async function watchRunners(
	client: KubeClient,
	query: PodQuery,
	names: ReadonlySet<string>,
	options: ColumnChoice & { headers: boolean },
): Promise<number> {
	const printer = new RowPrinter(options);
	const interrupt = untilInterrupted();
	const isMeant = (pod: Pod) => isRunner(pod) && (names.size === 0 || names.has(pod.metadata.name));
	await followPods(
		client,
		query,
		{
			seen: (pod) => isMeant(pod) && printer.changed(pod),
			gone: (pod) => isMeant(pod) && printer.gone(pod),
			synced: () => printer.flush(),
			trouble: (message) => printError(`Warning: ${message}; trying again`),
		},
		interrupt.signal,
	);
	return interrupt.interrupted ? exitCode.interrupted : exitCode.done;
}

/** Rows that line up: the first list decides the widths, later rows only ever widen them. */
class RowPrinter {
	readonly #options: ColumnChoice & { headers: boolean };
	readonly #shown = new Map<string, string>();
	#widths: number[] = [];
	#waiting: string[][] | undefined;

	constructor(options: ColumnChoice & { headers: boolean }) {
		this.#options = options;
		this.#waiting = options.headers ? [header(options)] : [];
	}

	changed(pod: Pod): void {
		const cells = row(pod, this.#options, Date.now());
		const uid = pod.metadata.uid ?? '';
		const shown = this.#comparable(cells);
		if (this.#shown.get(uid) === shown) return;
		this.#shown.set(uid, shown);
		this.#print(cells);
	}

	gone(pod: Pod): void {
		this.#shown.delete(pod.metadata.uid ?? '');
		this.#print(row(pod, this.#options, Date.now(), 'deleted'));
	}

	/** The first list is complete: print it as one table. */
	flush(): void {
		const rows = this.#waiting ?? [];
		this.#waiting = undefined;
		this.#widths = columnWidths([header(this.#options), ...rows]);
		print(table(rows, this.#widths));
	}

	#print(cells: string[]): void {
		if (this.#waiting) {
			this.#waiting.push(cells);
			return;
		}
		this.#widths = columnWidths([cells], this.#widths);
		print(table([cells], this.#widths));
	}

	/** Times pass by themselves; they are no change. */
	#comparable(cells: string[]): string {
		const titles = header(this.#options);
		return cells.filter((_, column) => titles[column] !== 'AGE' && titles[column] !== 'BUSY FOR').join('\0');
	}
}
