/** The candidate that a mistyped name most likely means, at most two edits away; undefined if there is none. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
	let best: string | undefined;
	let bestEdits = Math.min(3, Math.ceil(name.length / 2) + 1);
	for (const candidate of candidates) {
		const edits = editDistance(name, candidate);
		if (edits < bestEdits) {
			best = candidate;
			bestEdits = edits;
		}
	}
	return best;
}

/** Levenshtein's distance. */
function editDistance(from: string, to: string): number {
	let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
	for (let row = 1; row <= from.length; row++) {
		const current = [row];
		for (let column = 1; column <= to.length; column++) {
			const replace = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
			current.push(Math.min(replace, previous[column]! + 1, current[column - 1]! + 1));
		}
		previous = current;
	}
	return previous[to.length]!;
}
