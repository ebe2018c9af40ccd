/** What scaling from 0 to N runners costs the server. */
export interface Line {
	sets: number;
	runners: number;
	/** Seconds until all pods exist, and until all ids are on them. */
	podsExist: number;
	idsKnown: number;
	cpuSeconds: number;
	peakRssMiB: number;
	apiCalls: number;
	/** `500 create pods`, the most frequent first. */
	callsBy: string[];
	gitHubCalls: number;
}

const figures: readonly [string, (line: Line) => number, digits: number][] = [
	['pods exist, s', ({ podsExist }) => podsExist, 1],
	['ids known, s', ({ idsKnown }) => idsKnown, 1],
	['CPU s', ({ cpuSeconds }) => cpuSeconds, 1],
	['peak RSS, MiB', ({ peakRssMiB }) => peakRssMiB, 0],
	['API calls', ({ apiCalls }) => apiCalls, 0],
	['GitHub calls', ({ gitHubCalls }) => gitHubCalls, 0],
];

/** One row per line; after each figure, the factor by which it grew since the line before. */
export function growthRows(lines: readonly Line[]): string[][] {
	return [
		['sets', 'runners', ...figures.map(([name]) => name)],
		...lines.map((line, index) => [
			`${line.sets}`,
			`${line.runners}${factor(line, lines[index - 1], ({ runners }) => runners)}`,
			...figures.map(([, of, digits]) => `${of(line).toFixed(digits)}${factor(line, lines[index - 1], of)}`),
		]),
	];
}

function factor(line: Line, before: Line | undefined, of: (line: Line) => number): string {
	return before && of(before) > 0 ? ` (x${(of(line) / of(before)).toFixed(1)})` : '';
}

/** A figure that grew by this much more than the runners is reported; less is noise. */
const tolerance = 1.25;

/** A sentence for each figure that grew faster than the runners did. */
export function superlinear(lines: readonly Line[]): string[] {
	return lines.slice(1).flatMap((line, index) => {
		const before = lines[index] as Line;
		const more = line.runners / before.runners;
		return figures
			.filter(([, of]) => of(before) > 0 && of(line) / of(before) > more * tolerance)
			.map(
				([name, of]) =>
					`FASTER THAN LINEAR: ${before.runners} -> ${line.runners} runners is x${more.toFixed(1)}, ${name} x${(of(line) / of(before)).toFixed(1)}`,
			);
	});
}
