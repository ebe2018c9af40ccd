const gap = 3; // spaces between columns, as kubectl's tabwriter

/**
 * Rows as kubectl prints them: columns padded to their widest cell, three spaces between, nothing after the last.
 * `floors` are least widths, so that rows of a watch stay under a header that is already on the screen.
 */
export function table(rows: readonly (readonly string[])[], floors: readonly number[] = []): string {
	const widths = columnWidths(rows, floors);
	let text = '';
	for (const row of rows) {
		const last = row.length - 1;
		for (let column = 0; column < last; column++) {
			text += row[column]!.padEnd(widths[column]! + gap);
		}
		text += `${row[last] ?? ''}\n`;
	}
	return text;
}

export function columnWidths(rows: readonly (readonly string[])[], floors: readonly number[] = []): number[] {
	const widths = [...floors];
	for (const row of rows) {
		for (let column = 0; column < row.length; column++) {
			const length = row[column]!.length;
			if (length > (widths[column] ?? 0)) widths[column] = length;
		}
	}
	return widths;
}
