import { print } from '../../print/out.ts';
import { columnWidths, table } from '../../print/table.ts';

/** Rows of a watch, in columns: the first list determines their widths, and later rows can only widen them. */
export class WatchedRows {
	readonly #titles: readonly string[];
	readonly #shown = new Map<string, string>();
	#widths: number[] = [];
	#waiting: (readonly string[])[] | undefined;

	constructor(titles: readonly string[], headers: boolean) {
		this.#titles = titles;
		this.#waiting = headers ? [titles] : [];
	}

	/** Prints the row, if it shows anything new. */
	changed(uid: string, cells: readonly string[]): void {
		const shown = this.#comparable(cells);
		if (this.#shown.get(uid) === shown) return;
		this.#shown.set(uid, shown);
		this.#print(cells);
	}

	gone(uid: string, cells: readonly string[]): void {
		this.#shown.delete(uid);
		this.#print(cells);
	}

	/** The first list is complete: print it as one table. */
	flush(): void {
		const rows = this.#waiting;
		if (!rows) return; // a later list: its changes have been printed as they came
		this.#waiting = undefined;
		this.#widths = columnWidths([this.#titles, ...rows]);
		print(table(rows, this.#widths));
	}

	#print(cells: readonly string[]): void {
		if (this.#waiting) {
			this.#waiting.push(cells);
			return;
		}
		this.#widths = columnWidths([cells], this.#widths);
		print(table([cells], this.#widths));
	}

	/** What a row shows apart from ages, which change all the time. */
	#comparable(cells: readonly string[]): string {
		const isTime = (column: number) => ['AGE', 'BUSY FOR', 'SINCE'].includes(this.#titles[column] ?? '');
		return cells.filter((_, column) => !isTime(column)).join('\0');
	}
}
